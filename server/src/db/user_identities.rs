//! The table `user_identities`: whose account somebody's at the OpenID provider is. What the provider says is not judged here.

use afterlive_domain::{OrganisationId, UnixMillis, UserId};

use super::{Connection, Result, Tx, on, parse};

/// One that is connected.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: String,
    pub user: UserId,
    pub issuer: String,
    pub subject: String,
    /// What the provider called them then. For people to read, and nothing else: it may be anybody's, and another by now.
    pub called: Option<String>,
    pub connected_at: UnixMillis,
}

/// One that is connected, as people are told of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Connected {
    /// Of the row.
    pub id: String,
    pub account: String,
    pub at: UnixMillis,
}

/// So many signs of what a provider knows somebody by tell two of them apart.
const SHOWN_SUBJECT_CHARS: usize = 16;

/// What people call the account: what the provider called it, or how that begins which it knows it by.
fn account(called: Option<String>, subject: &str) -> String {
    called.unwrap_or_else(|| match subject.char_indices().nth(SHOWN_SUBJECT_CHARS) {
        Some((end, _)) => format!("{}…", &subject[..end]),
        None => subject.to_owned(),
    })
}

impl std::fmt::Debug for Identity {
    /// By what a provider knows somebody is nothing for a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

/// False where somebody else has it, or the user has another one of that issuer.
pub async fn insert(tx: &mut Tx, identity: &Identity) -> Result<bool> {
    let inserted = on!(tx, c => sqlx::query(
        "INSERT INTO user_identities (id, user_id, issuer, subject, called, connected_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(&identity.id)
    .bind(identity.user.to_string())
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(&identity.called)
    .bind(identity.connected_at.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Whose it is, and by which row.
pub async fn owner(connection: &mut Connection, issuer: &str, subject: &str) -> Result<Option<(String, UserId)>> {
    let row: Option<(String, String)> = on!(connection, c => sqlx::query_as(
        "SELECT id, user_id FROM user_identities WHERE issuer = $1 AND subject = $2",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(c)
    .await)?;
    row.map(|(id, user)| Ok((id, parse("user_identities.user_id", &user)?))).transpose()
}

/// The one of that issuer that a user has.
pub async fn of_user(connection: &mut Connection, user: UserId, issuer: &str) -> Result<Option<Connected>> {
    let row: Option<(String, Option<String>, String, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT id, called, subject, connected_at FROM user_identities WHERE user_id = $1 AND issuer = $2",
    )
    .bind(user.to_string())
    .bind(issuer)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|(id, called, subject, at)| Connected { id, account: account(called, &subject), at: UnixMillis(at) }))
}

/// Which account of that issuer each user of an organisation has, of those that have one.
pub async fn of_organisation(
    connection: &mut Connection,
    organisation: OrganisationId,
    issuer: &str,
) -> Result<Vec<(UserId, String)>> {
    let rows: Vec<(String, Option<String>, String)> = on!(connection, c => sqlx::query_as(
        "SELECT i.user_id, i.called, i.subject FROM user_identities i JOIN users u ON u.id = i.user_id
         WHERE u.organisation_id = $1 AND i.issuer = $2",
    )
    .bind(organisation.to_string())
    .bind(issuer)
    .fetch_all(c)
    .await)?;
    let read = |(user, called, subject): (String, Option<String>, String)| {
        Ok((parse("user_identities.user_id", &user)?, account(called, &subject)))
    };
    rows.into_iter().map(read).collect()
}

/// Deletes all that a user has, of whichever issuer; how many those were.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM user_identities WHERE user_id = $1")
        .bind(user.to_string())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}

/// False where the user has none of that issuer.
pub async fn delete(tx: &mut Tx, user: UserId, issuer: &str) -> Result<bool> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM user_identities WHERE user_id = $1 AND issuer = $2")
        .bind(user.to_string())
        .bind(issuer)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_what_the_provider_calls_it_or_by_the_beginning_of_what_it_is_known_by() {
        assert_eq!(account(Some("ada@example.com".to_owned()), "248289761001"), "ada@example.com");
        assert_eq!(account(None, "248289761001"), "248289761001");
        assert_eq!(account(None, "äöüäöüäöüäöüäöüä"), "äöüäöüäöüäöüäöüä");
        assert_eq!(account(None, "äöüäöüäöüäöüäöüäx"), "äöüäöüäöüäöüäöüä…");
    }
}
