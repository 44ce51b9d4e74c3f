//! A line of the audit log as the API tells it.

use afterlive_domain::UnixMillis;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::db::audit_log::Entry;
use crate::http::api::doc::EXAMPLE_STREAM;

/// What was done or tried, once, or so many times within a minute.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuditLine", example = example())]
pub struct LineJson {
    /// Ascends in the order in which the lines were written: `after` of the next call.
    id: i64,
    /// When; of attempts that are counted together the last.
    at: UnixMillis,
    /// Of attempts that are counted together the first.
    first_at: UnixMillis,
    /// How many are counted together.
    count: i64,
    /// What was done, as `docs/audit.md` lists it. There may be more in a later version.
    act: String,
    /// Whether it is an attempt that came to nothing.
    denied: bool,
    who: WhoJson,
    /// The address from which it came; null for what was done at the server itself.
    from: Option<String>,
    /// Null where it is on nothing in particular.
    on: Option<ThingJson>,
    /// More of it, in words for people.
    detail: Option<String>,
}

/// Who it was, as they were called then.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuditWho")]
struct WhoJson {
    /// `user`, `session_token` (a program with a user's), `key`, `operator` (at the server's terminal), `system_administrator` (one of another organisation), `server`, `encoder`, `stranger`, or `several`.
    kind: String,
    id: Option<String>,
    /// A user's e-mail address, or a key's label; empty where there is none.
    label: String,
}

/// What it was done on, as it was called then.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuditThing")]
struct ThingJson {
    /// `organisation`, `user`, `invitation`, `key`, `session_token`, `playback_token`, `stream`, `recording`, `endpoint` or `event`.
    kind: String,
    id: Option<String>,
    label: String,
}

impl From<Entry> for LineJson {
    fn from(entry: Entry) -> Self {
        let Entry { id, at, first_at, times, act, denied, address, detail, .. } = entry;
        let who = WhoJson { kind: entry.who_kind, id: entry.who_id, label: entry.who_label };
        let on = entry.on_kind.map(|kind| ThingJson { kind, id: entry.on_id, label: entry.on_label });
        Self { id, at, first_at, count: times, act, denied, who, from: address, on, detail }
    }
}

fn example() -> Value {
    json!({
        "id": 4711,
        "at": "2026-11-04T17:09:19.899Z",
        "first_at": "2026-11-04T17:09:19.899Z",
        "count": 1,
        "act": "stream.locked",
        "denied": false,
        "who": { "kind": "user", "id": "1b0f3a86-2f5e-4a0e-8a37-6f2f5a9d7c10", "label": "ada@example.com" },
        "from": "203.0.113.9",
        "on": { "kind": "stream", "id": EXAMPLE_STREAM, "label": "8sKpm-x49nB" },
        "detail": null,
    })
}

#[cfg(test)]
mod tests {
    use afterlive_domain::{ThingKind, WhoKind};
    use schemars::schema_for;

    use super::*;

    #[test]
    fn the_document_names_every_kind() {
        let about =
            |schema: schemars::Schema| schema.as_value()["properties"]["kind"]["description"].as_str().unwrap().to_owned();
        let (who, thing) = (about(schema_for!(WhoJson)), about(schema_for!(ThingJson)));
        for kind in WhoKind::ALL {
            assert!(who.contains(&format!("`{}`", kind.as_str())), "{who}");
        }
        for kind in ThingKind::ALL {
            assert!(thing.contains(&format!("`{}`", kind.as_str())), "{thing}");
        }
    }
}
