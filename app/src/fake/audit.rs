//! The fake's audit log: some rows of each kind, the same for everybody.

use super::{ADA, LIVE, NOW, State};
use crate::backend::{Answer, AuditFilter, AuditPage, AuditRow, Named};

fn rows() -> Vec<AuditRow> {
    let named = |kind: &str, id: Option<String>, label: &str, path: Option<String>| Named {
        kind: kind.into(),
        id,
        label: label.into(),
        path,
    };
    let ada = || named("user", Some(ADA.to_string()), "ada@example.com", None);
    let stream = || named("stream", Some(LIVE.to_string()), "8sKpm-x49nB", Some(format!("/stream/{LIVE}")));
    let row = |id, act: &str, who, from: Option<&str>, on, detail: Option<&str>| AuditRow {
        id,
        at: NOW.plus_ms(id * 1_000),
        count: 1,
        act: act.into(),
        denied: false,
        who,
        from: from.map(str::to_owned),
        on,
        detail: detail.map(str::to_owned),
    };
    let refused = row(
        3,
        "was refused to publish",
        named("encoder", None, "", None),
        Some("2001:db8::7"),
        Some(stream()),
        Some("wrong publish key, by rtmp"),
    );
    vec![
        AuditRow { denied: true, count: 12, ..refused },
        row(2, "locked a stream", ada(), Some("203.0.113.9"), Some(stream()), None),
        row(
            1,
            "made a key",
            named("operator", None, "", None),
            None,
            Some(named("key", None, "Playout", None)),
            Some("as nanoUser"),
        ),
    ]
}

impl State {
    pub(super) fn audit(&self, filter: &AuditFilter) -> Answer<AuditPage> {
        let is_shown = |row: &AuditRow| {
            let of_who = filter.who.as_ref().is_none_or(|who| row.who.id.as_ref() == Some(who));
            of_who && (row.denied || !filter.denied) && filter.about.as_deref().is_none_or(|about| about == "stream")
        };
        let next = filter.after.is_none().then(|| "7-1".to_owned());
        Ok(AuditPage { rows: rows().into_iter().filter(is_shown).collect(), next, keep_days: 400 })
    }
}
