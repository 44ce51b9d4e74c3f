//! The audit log: what is in it of each thing that is done or tried, who sees it, and that nothing but a caller's own change hangs on it.

mod acts;
mod denied;
mod export;
mod links;
mod missing;
mod table;
mod without;

use std::net::IpAddr;

use afterlive_domain::OrganisationId;
use afterlive_server::audit::Audit;
use afterlive_server::db::audit_log::{self, Entry};
use afterlive_server::db::{Db, Raw};
use afterlive_server::service::Caller;

use crate::fixture::server::{Server, Tenant};

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

/// Everything of an organisation's after that row, with what waited to be written.
async fn rows(db: &Db, audit: &Audit, organisation: OrganisationId, after: i64) -> Vec<Entry> {
    audit.write(db).await.unwrap();
    let mut connection = db.read().await.unwrap();
    audit_log::following(&mut connection, organisation, after, (None, None), 10_000).await.unwrap().entries
}

pub async fn all_rows(server: &Server, tenant: &Tenant) -> Vec<Entry> {
    rows(&server.db, server.service.audit(), tenant.organisation.id, 0).await
}

/// Who has the admin's key, at [`HOME`].
async fn at_home(server: &Server, tenant: &Tenant) -> Caller {
    server.service.key_caller(&tenant.admin_key, HOME).await.unwrap()
}

/// Does it to the database past everything.
async fn execute(db: &Db, statement: &'static str) -> Result<u64, sqlx::Error> {
    let mut tx = db.write().await.unwrap();
    let done = match tx.raw() {
        Raw::Sqlite(c) => sqlx::query(statement).execute(c).await.map(|done| done.rows_affected()),
        Raw::Postgres(c) => sqlx::query(statement).execute(c).await.map(|done| done.rows_affected()),
    };
    if done.is_ok() {
        tx.commit().await.unwrap();
    }
    done
}
