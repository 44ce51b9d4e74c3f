//! All that stands in the database, as lines that can be compared: what a refused request has changed shows, wherever it is.

use std::collections::BTreeSet;

use afterlive_server::db::{Db, Raw};
use sqlx::AssertSqlSafe;

/// What being asked leaves behind by itself: when a key, a session or a password was used last, and what a refused form tells its sender on the next page.
const LEFT_OUT: [(&str, &str); 6] = [
    ("api_keys", "last_used_at"),
    ("browser_sessions", "data"),
    ("browser_sessions", "expires_at"),
    ("browser_sessions", "flash"),
    ("browser_sessions", "used_at"),
    ("users", "last_sign_in_at"),
];

/// How a column's value is asked for as text.
type Quote = fn(&str) -> String;

/// How all of it is asked for at once.
pub struct Question(String);

impl Question {
    /// Of the tables and columns that there are.
    pub async fn new(db: &Db) -> Self {
        let mut connection = db.read().await.unwrap();
        let (columns, quote): (Vec<(String, String)>, Quote) = match connection.raw() {
            Raw::Sqlite(c) => {
                let columns = "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY 1, 2";
                (sqlx::query_as(columns).fetch_all(c).await.unwrap(), |name| format!("quote(\"{name}\")"))
            }
            Raw::Postgres(c) => {
                let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                    WHERE table_schema = current_schema() ORDER BY 1, 2";
                (sqlx::query_as(columns).fetch_all(c).await.unwrap(), |name| format!("quote_nullable(\"{name}\"::text)"))
            }
        };
        let kept = |(table, column): &&(String, String)| {
            !table.starts_with('_') && !table.starts_with("sqlite_") && !LEFT_OUT.contains(&(table.as_str(), column.as_str()))
        };
        let columns: Vec<&(String, String)> = columns.iter().filter(kept).collect();
        let of_table = |columns: &[&(String, String)]| {
            let (table, _) = columns[0];
            let cells: Vec<String> = columns.iter().map(|(_, name)| format!("' {name}=' || {}", quote(name))).collect();
            format!("SELECT '{table}:' || {} FROM {table}", cells.join(" || "))
        };
        let tables: Vec<String> = columns.chunk_by(|a, b| a.0 == b.0).map(of_table).collect();
        assert!(tables.len() > 10, "{tables:?}");
        Self(tables.join(" UNION ALL "))
    }

    /// A line a row.
    pub async fn ask(&self, db: &Db) -> BTreeSet<String> {
        let mut connection = db.read().await.unwrap();
        let question = AssertSqlSafe(self.0.clone());
        let lines: Vec<String> = match connection.raw() {
            Raw::Sqlite(c) => sqlx::query_scalar(question).fetch_all(c).await.unwrap(),
            Raw::Postgres(c) => sqlx::query_scalar(question).fetch_all(c).await.unwrap(),
        };
        lines.into_iter().collect()
    }
}
