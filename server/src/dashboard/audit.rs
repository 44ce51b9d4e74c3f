//! From the service's terms to the pages': the audit log. Decides nothing and reads nothing.

use afterlive_app::backend::{AuditFilter, AuditPage, AuditRow, Named};
use afterlive_domain::{Act, ThingKind, UnixMillis, WhoKind};

use crate::db::audit_log::{Entry, Filter, Place};
use crate::service;

/// What is asked for, and where it begins. A place that is none is as good as absent.
pub(super) fn asked(filter: AuditFilter) -> (Filter, Option<Place>) {
    let AuditFilter { about, who, denied, after } = filter;
    let group = about.filter(|about| Act::groups().contains(&about.as_str()));
    (Filter { group, who, denied }, after.and_then(|after| place(&after)))
}

pub(super) fn page(page: service::AuditPage, keep_days: u64) -> AuditPage {
    let next = page.next.map(|Place { at, id }| format!("{}-{id}", at.0));
    AuditPage { rows: page.entries.into_iter().map(row).collect(), next, keep_days }
}

fn place(text: &str) -> Option<Place> {
    let (at, id) = text.rsplit_once('-')?;
    Some(Place { at: UnixMillis(at.parse().ok()?), id: id.parse().ok()? })
}

/// In words; what a later version wrote in its own.
fn row(entry: Entry) -> AuditRow {
    let act = entry.act.parse().map_or(entry.act, |act: Act| act.in_words().to_owned());
    let who_kind = entry.who_kind.parse().map_or(entry.who_kind, |kind: WhoKind| kind.in_words().to_owned());
    let who = Named { kind: who_kind, id: entry.who_id, label: entry.who_label, path: None };
    let (id, label) = (entry.on_id, entry.on_label);
    let on = entry.on_kind.map(|kind| match kind.parse::<ThingKind>() {
        Ok(known) => {
            let path = id.as_deref().and_then(|id| path(known, id));
            Named { kind: known.in_words().to_owned(), id, label, path }
        }
        Err(()) => Named { kind, id, label, path: None },
    });
    AuditRow {
        id: entry.id,
        at: entry.at,
        count: u64::try_from(entry.times).unwrap_or(0),
        act,
        denied: entry.denied,
        who,
        from: entry.address,
        on,
        detail: entry.detail,
    }
}

fn path(kind: ThingKind, id: &str) -> Option<String> {
    match kind {
        ThingKind::Stream => Some(format!("/stream/{id}")),
        ThingKind::Recording => Some(format!("/vod/{id}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_url_and_what_is_none_is_absent() {
        let at = UnixMillis(1_793_812_159_899);
        assert_eq!(place("1793812159899-7"), Some(Place { at, id: 7 }));
        for bad in ["", "7", "-", "a-7", "7-b", "1-2-3x"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
