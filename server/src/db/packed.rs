//! Rows of many columns, and how either database hands them over for little. A connection to SQLite is a thread, and sqlx copies each value of a row for its way to
//! the one who asked, two allocations for a text, freed by the other thread, and wakes that one for a row. So on SQLite a row is one text, a JSON array of its
//! columns, and a list is one text of all of its rows. On PostgreSQL, where rows come as the bytes they were sent as, they come in columns.

mod columns;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use sqlx::{AssertSqlSafe, Database, Execute as _, PgConnection, QueryBuilder, SqliteConnection};

use super::Result;

/// What is made of a row of many columns.
pub(super) trait Packed: Sized {
    /// Its columns in their order, as [`push_columns`] selects them.
    type Row<'r>: Deserialize<'r>;

    fn unpack(row: Self::Row<'_>) -> Result<Self>;
}

/// A connection that runs statements which [`push_columns`] began.
pub(super) trait Unpack: sqlx::Connection {
    /// All rows, in their order.
    async fn unpack_all<T: Packed>(&mut self, query: QueryBuilder<Self::Database>) -> Result<Vec<T>>;

    /// The first row.
    async fn unpack_first<T: Packed>(&mut self, query: QueryBuilder<Self::Database>) -> Result<Option<T>>;
}

impl Unpack for SqliteConnection {
    async fn unpack_all<T: Packed>(&mut self, mut query: QueryBuilder<sqlx::Sqlite>) -> Result<Vec<T>> {
        let mut rows = query.build();
        let arguments = rows.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
        // In the order of the rows: SQLite does so wherever one text is made of a part with an order, though it promises that nowhere. Tests of lists would see it.
        let all = format!("SELECT '[' || group_concat(packed) || ']' FROM ({})", rows.sql().as_str());
        // Of no rows there is no text.
        let text: Option<String> = sqlx::query_scalar_with(AssertSqlSafe(all), arguments).fetch_one(self).await?;
        let Some(text) = text else { return Ok(Vec::new()) };
        let rows: Vec<T::Row<'_>> = serde_json::from_str(&text).map_err(unreadable)?;
        rows.into_iter().map(T::unpack).collect()
    }

    async fn unpack_first<T: Packed>(&mut self, mut query: QueryBuilder<sqlx::Sqlite>) -> Result<Option<T>> {
        let text: Option<String> = query.build_query_scalar().fetch_optional(self).await?;
        let Some(text) = text else { return Ok(None) };
        T::unpack(serde_json::from_str(&text).map_err(unreadable)?).map(Some)
    }
}

impl Unpack for PgConnection {
    async fn unpack_all<T: Packed>(&mut self, mut query: QueryBuilder<sqlx::Postgres>) -> Result<Vec<T>> {
        let rows = query.build().fetch_all(self).await?;
        rows.iter().map(|row| T::unpack(columns::read(row).map_err(unreadable)?)).collect()
    }

    async fn unpack_first<T: Packed>(&mut self, mut query: QueryBuilder<sqlx::Postgres>) -> Result<Option<T>> {
        let row = query.build().fetch_optional(self).await?;
        row.map(|row| T::unpack(columns::read(&row).map_err(unreadable)?)).transpose()
    }
}

/// What serde says of it may quote the row, and there are secrets in rows.
fn unreadable(_: impl serde::de::Error) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: "0".to_owned(), source: "not the row that was asked for".into() }
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
    /// Those of a row that is a part of this one.
    Part(&'static [Column]),
}

/// Selects them; on SQLite as `packed`.
pub(super) fn push_columns<D: Database>(query: &mut QueryBuilder<D>, columns: &[Column]) {
    push_part(query, columns);
    query.push(if is_sqlite::<D>() { " AS packed" } else { "" });
}

fn push_part<D: Database>(query: &mut QueryBuilder<D>, columns: &[Column]) {
    let is_sqlite = is_sqlite::<D>();
    query.push(if is_sqlite { "json_array(" } else { "" });
    for (at, column) in columns.iter().enumerate() {
        query.push(if at > 0 { ", " } else { "" });
        match column {
            // All of its digits: SQLite's JSON would do, but not its reader, which takes the last one not so seriously.
            Column::Real(name) if is_sqlite => {
                query.push(format_args!("CASE WHEN {name} IS NOT NULL THEN printf('%!.17g', {name}) END"));
            }
            Column::Columns(name) | Column::Real(name) => {
                query.push(name);
            }
            Column::TagsOf(id) if is_sqlite => {
                query.push(format_args!(
                    "(SELECT json_group_array(g.tag ORDER BY g.position) FROM stream_tags g WHERE g.stream_id = {id})"
                ));
            }
            // `ARRAY(…)` of sorted rows takes twice as long.
            Column::TagsOf(id) => {
                query.push(format_args!(
                    "COALESCE((SELECT array_agg(g.tag ORDER BY g.position) FROM stream_tags g WHERE g.stream_id = {id}), '{{}}') AS tags"
                ));
            }
            Column::Part(columns) => push_part(query, columns),
        }
    }
    query.push(if is_sqlite { ")" } else { "" });
}

fn is_sqlite<D: Database>() -> bool {
    D::NAME == "SQLite"
}

/// SQLite has numbers for it.
pub(super) fn flag<'de, D: Deserializer<'de>>(packed: D) -> Result<bool, D::Error> {
    struct Flag;

    impl Visitor<'_> for Flag {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("what is true or false, or a number")
        }

        fn visit_bool<E>(self, flag: bool) -> Result<bool, E> {
            Ok(flag)
        }

        fn visit_u64<E>(self, number: u64) -> Result<bool, E> {
            Ok(number != 0)
        }
    }

    packed.deserialize_any(Flag)
}

/// SQLite's come as [their digits](push_part).
pub(super) fn real<'de, D: Deserializer<'de>>(packed: D) -> Result<Option<f64>, D::Error> {
    struct Real;

    impl Visitor<'_> for Real {
        type Value = Option<f64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number, its digits, or nothing")
        }

        fn visit_f64<E>(self, number: f64) -> Result<Option<f64>, E> {
            Ok(Some(number))
        }

        fn visit_str<E: serde::de::Error>(self, digits: &str) -> Result<Option<f64>, E> {
            digits.parse().map(Some).map_err(E::custom)
        }

        fn visit_none<E>(self) -> Result<Option<f64>, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Option<f64>, E> {
            Ok(None)
        }
    }

    packed.deserialize_any(Real)
}
