//! Rows of many columns, and how either database hands them over for little. A connection to SQLite is a thread, and sqlx copies each value of a row for its way to
//! the one who asked: two allocations for a text, freed by the other thread. So on SQLite a row comes as one text, a JSON array of its columns. On PostgreSQL, where
//! it comes as the bytes it was sent as, it comes in columns.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Database, FromRow, QueryBuilder, Row as _};

/// A row whose columns are `T`'s fields, in their order; selected by [`push_columns`].
#[derive(Debug)]
pub(super) struct Packed<T>(pub(super) T);

impl<'r, T: DeserializeOwned> FromRow<'r, SqliteRow> for Packed<T> {
    fn from_row(row: &'r SqliteRow) -> sqlx::Result<Self> {
        // What serde says of it may quote the row, and there are secrets in rows.
        let unreadable = |_| sqlx::Error::ColumnDecode { index: "0".to_owned(), source: "not the row that was asked for".into() };
        serde_json::from_str(row.try_get(0)?).map(Self).map_err(unreadable)
    }
}

impl<'r, T: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Packed<T> {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        T::from_row(row).map(Self)
    }
}

/// Something that is selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Column {
    /// Texts and whole numbers, and what is true or false, which is read by [`flag`].
    Columns(&'static str),
    /// A number that need not be whole, read by [`real`].
    Real(&'static str),
    /// All tags of the stream of that id, in their order; as `tags`.
    TagsOf(&'static str),
}

pub(super) fn push_columns<D: Database>(query: &mut QueryBuilder<D>, columns: &[Column]) {
    let is_sqlite = D::NAME == "SQLite";
    query.push(if is_sqlite { "json_array(" } else { "" });
    for (at, column) in columns.iter().enumerate() {
        query.push(if at > 0 { ", " } else { "" });
        match column {
            // All of its digits: SQLite's JSON would do, but not its reader, which takes the last one not so seriously.
            Column::Real(name) if is_sqlite => {
                query.push(format_args!("CASE WHEN {name} IS NOT NULL THEN printf('%!.17g', {name}) END"))
            }
            Column::Columns(name) | Column::Real(name) => query.push(name),
            Column::TagsOf(id) if is_sqlite => query.push(format_args!(
                "(SELECT json_group_array(g.tag ORDER BY g.position) FROM stream_tags g WHERE g.stream_id = {id})"
            )),
            Column::TagsOf(id) => query.push(format_args!(
                "ARRAY(SELECT g.tag FROM stream_tags g WHERE g.stream_id = {id} ORDER BY g.position) AS tags"
            )),
        };
    }
    query.push(if is_sqlite { ")" } else { "" });
}

/// SQLite has numbers for it.
pub(super) fn flag<'de, D: Deserializer<'de>>(packed: D) -> Result<bool, D::Error> {
    i64::deserialize(packed).map(|number| number != 0)
}

pub(super) fn real<'de, D: Deserializer<'de>>(packed: D) -> Result<Option<f64>, D::Error> {
    let digits = Option::<&str>::deserialize(packed)?;
    digits.map(str::parse).transpose().map_err(D::Error::custom)
}

/// The rows' own, in their order.
pub(super) fn unpacked<T, U: TryFrom<T, Error = super::Error>>(rows: Vec<Packed<T>>) -> super::Result<Vec<U>> {
    rows.into_iter().map(|Packed(row)| row.try_into()).collect()
}
