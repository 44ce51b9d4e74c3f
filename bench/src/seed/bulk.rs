//! Rows as each database takes many of them: SQLite as values of an `INSERT`, PostgreSQL as CSV of a `COPY`.

use std::fmt::Write as _;

/// Statements of about so many bytes.
const STATEMENT_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// What stands in a column. Texts have no quotes, commas or line ends in them, and are never empty.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Text(&'a str),
    Number(i64),
    Null,
}

/// A table and its columns, in the order in which rows refer to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Organisations,
    Streams,
    StreamTags,
    Sessions,
    Assets,
}

const TABLES: [&str; 5] = [
    "organisations (id, hash, name, recording_enabled, vod_public, created_at, updated_at)",
    "streams (id, organisation_id, streamname, state, default_mode, first_live_at, last_live_at, next_asset_index, created_at, updated_at, deleted_at)",
    "stream_tags (stream_id, organisation_id, tag, position)",
    "sessions (id, organisation_id, stream_id, mode, region, protocol, peer, started_at, ended_at, end_reason, bytes_in)",
    "assets (id, organisation_id, stream_id, session_id, asset_index, region, file_name, state, reason, created_at, ended_at, updated_at, \
     duration_ms, size_bytes, width, height, fps, video_codec, audio_codec, has_poster, deleted_at, purged_at, held_at)",
];

/// For SQLite a whole statement; for PostgreSQL that, and the rows that follow it.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) rows: String,
}

pub(super) struct Bulk {
    dialect: Dialect,
    rows: [String; 5],
}

impl Bulk {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, rows: Default::default() }
    }

    pub(super) fn add(&mut self, table: Table, cells: &[Cell<'_>]) {
        let rows = &mut self.rows[table as usize];
        if self.dialect == Dialect::Sqlite {
            rows.push_str(if rows.is_empty() { "(" } else { ", (" });
        }
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                rows.push(',');
            }
            // Text takes all that is written to it.
            let _ = match (cell, self.dialect) {
                (Cell::Number(number), _) => write!(rows, "{number}"),
                (Cell::Text(text), Dialect::Sqlite) => write!(rows, "'{text}'"),
                (Cell::Text(text), Dialect::Postgres) => write!(rows, "{text}"),
                (Cell::Null, Dialect::Sqlite) => write!(rows, "NULL"),
                (Cell::Null, Dialect::Postgres) => Ok(()),
            };
        }
        rows.push(if self.dialect == Dialect::Sqlite { ')' } else { '\n' });
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.iter().any(|rows| rows.len() > STATEMENT_BYTES)
    }

    /// What is to be executed, in this order.
    pub(super) fn take(&mut self) -> Vec<Statement> {
        let taken = self.rows.iter_mut().zip(TABLES).filter(|(rows, _)| !rows.is_empty());
        taken
            .map(|(rows, table)| match self.dialect {
                Dialect::Sqlite => {
                    Statement { text: format!("INSERT INTO {table} VALUES {}", std::mem::take(rows)), rows: String::new() }
                }
                Dialect::Postgres => {
                    Statement { text: format!("COPY {table} FROM STDIN (FORMAT csv)"), rows: std::mem::take(rows) }
                }
            })
            .collect()
    }
}
