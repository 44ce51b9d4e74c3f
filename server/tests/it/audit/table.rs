//! The table itself: what is in it stays as it is, until it is as old as the settings say.

use afterlive_domain::{Role, UnixMillis};
use afterlive_server::audit::sweep;
use afterlive_server::service::Opens;

use super::{all_rows, execute};
use crate::fixture::database::NOW;
use crate::fixture::server::on_each_server;

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn no_row_is_changed_or_deleted_but_by_its_age() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        server.clock.advance_ms(10 * DAY_MS);
        server.service.create_api_key(&tenant.admin, "later", Opens::Role(Role::User), None).await.unwrap();
        let before = all_rows(&server, &tenant).await;
        assert_eq!(before.len(), 4);
        for refused in
            ["UPDATE audit SET act = 'x'", "DELETE FROM audit", "DELETE FROM audit_horizon", "UPDATE audit_horizon SET upto = -1"]
        {
            let cause = execute(&server.db, refused).await.unwrap_err().to_string();
            assert!(cause.contains("audit log"), "{refused}: {cause}");
        }
        assert_eq!(all_rows(&server, &tenant).await, before);

        let at = |days: i64| NOW.plus_ms(days * DAY_MS);
        for (days, now, left) in
            [(0, at(1_000), 4), (400, at(400), 4), (400, UnixMillis(at(400).0 + 1), 1), (400, at(0), 1), (400, at(411), 0)]
        {
            sweep(&server.db, days, now).await.unwrap();
            assert_eq!(all_rows(&server, &tenant).await.len(), left, "{days} days at {now}");
        }
    })
    .await;
}
