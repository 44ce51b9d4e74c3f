//! The audit log carried off by a program: whose it is, page by page, and that who follows it misses nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use afterlive_domain::{Mode, Role, Tags};
use afterlive_server::db::audit_log::Filter;
use afterlive_server::service::{NewStream, Opens};
use serde_json::Value;

use super::{HOME, all_rows, at_home};
use crate::fixture::server::{Server, on_each_server};

/// The lines of an answer, and where the next ones are.
async fn lines(server: &Server, call: &str, key: &str) -> (Vec<Value>, Option<String>) {
    let answer = server.send(call, Some(key), "").await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let next = answer.headers.get("link").map(|link| link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned());
    let next = next.map(|next| format!("GET {}", next.strip_prefix("http://localhost:3000").unwrap()));
    (answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), next)
}

#[tokio::test]
async fn only_administrators_get_the_log_and_only_their_organisations() {
    on_each_server(async |server| {
        let (tenant, other) = (server.an_organisation().await, server.an_organisation().await);
        for key in [&tenant.user_key, &tenant.reader_key] {
            assert_eq!(server.send("GET /audit", Some(key), "").await.error(), (403, 2001));
        }
        assert_eq!(server.send("GET /audit", None, "").await.error(), (401, 4002));
        let (theirs, next) = lines(&server, "GET /audit", &other.admin_key).await;
        assert_eq!((theirs.len(), next), (3, None));
        let ours: Vec<i64> = all_rows(&server, &tenant).await.iter().map(|row| row.id).collect();
        assert!(theirs.iter().all(|line| !ours.contains(&line["id"].as_i64().unwrap())));
        assert_eq!(theirs[0]["who"]["kind"], "operator");
        assert_eq!(theirs[0]["from"], Value::Null);
        assert_eq!(theirs[0]["at"], "2026-11-04T17:09:19.899Z");
        assert_eq!(theirs[0]["on"]["label"], "test");
    })
    .await;
}

#[tokio::test]
async fn it_comes_page_by_page_oldest_first_and_between_two_instants() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for n in 0..7 {
            server.clock.advance_ms(60_000);
            server.service.create_api_key(&tenant.admin, &format!("{n}"), Opens::Playout, None).await.unwrap();
        }
        let label = |line: &Value| line["on"]["label"].as_str().unwrap().to_owned();
        let (mut labels, mut call) = (Vec::new(), Some("GET /audit?quantity=4".to_owned()));
        while let Some(asked) = call {
            let (lines, next) = lines(&server, &asked, &tenant.admin_key).await;
            assert!(lines.len() <= 4);
            labels.extend(lines.iter().map(label));
            call = next;
        }
        assert_eq!(labels, ["test", "test", "test", "0", "1", "2", "3", "4", "5", "6"]);
        let call = "GET /audit?from=2026-11-04T17:11:19.899Z&to=2026-11-04T17:13:19.899Z";
        let (some, next) = lines(&server, call, &tenant.admin_key).await;
        assert_eq!((some.iter().map(label).collect::<Vec<_>>(), next), (vec!["1".to_owned(), "2".to_owned()], None));
        for wrong in ["quantity=x", "after=x", "from=yesterday"] {
            assert_eq!(
                server.send(&format!("GET /audit?{wrong}"), Some(&tenant.admin_key), "").await.error(),
                (400, 1004),
                "{wrong}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn who_follows_the_log_while_two_write_misses_no_line() {
    const EACH: usize = 60;
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let done = Arc::new(AtomicBool::new(false));
        let caller = at_home(&server, &tenant).await;
        let writers = [0, 1].map(|_| {
            let service = Arc::clone(&server.service);
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let new = NewStream { tags: Tags::default(), default_mode: Mode::Live };
                    service.create_stream(&caller, new).await.unwrap();
                }
            })
        });
        let follower = {
            let (service, done) = (Arc::clone(&server.service), Arc::clone(&done));
            tokio::spawn(async move {
                let (mut seen, mut after) = (Vec::new(), 0);
                loop {
                    // Looked at first: what is done by then is all there in the page that follows.
                    let is_last = done.load(Ordering::SeqCst);
                    let page = service.export_audit(&caller, after, (None, None), 3).await.unwrap();
                    after = page.entries.last().map_or(after, |entry| entry.id);
                    seen.extend(page.entries.iter().map(|entry| entry.id));
                    if is_last && page.next.is_none() {
                        return seen;
                    }
                }
            })
        };
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        let seen = follower.await.unwrap();
        let all: Vec<i64> = all_rows(&server, &tenant).await.iter().map(|row| row.id).collect();
        assert_eq!(all.len(), 3 + 2 * EACH);
        assert_eq!(seen, all);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    })
    .await;
}

#[tokio::test]
async fn people_see_the_newest_first_and_what_they_filter_by() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let caller = at_home(&server, &tenant).await;
        let reader = server.service.key_caller(&tenant.reader_key, HOME).await.unwrap();
        for n in 0..60 {
            server.clock.advance_ms(1_000);
            server.service.create_api_key(&tenant.admin, &format!("{n}"), Opens::Role(Role::User), None).await.unwrap();
        }
        server.service.note_denied(&reader, "GET /x");
        all_rows(&server, &tenant).await;
        let page = async |filter: &Filter, after| server.service.audit_page(&caller, filter, after).await.unwrap();
        let all = page(&Filter::default(), None).await;
        assert_eq!(
            (all.entries.len(), all.entries[0].act.as_str(), all.entries[1].on_label.as_str()),
            (50, "request.denied", "59")
        );
        let rest = page(&Filter::default(), all.next).await;
        assert_eq!((rest.entries.len(), rest.next), (14, None));
        assert_eq!(rest.entries[0].on_label, "10");
        let of = |group: &str, denied| Filter { group: Some(group.into()), who: None, denied };
        assert_eq!(page(&of("key", false), rest.next).await.entries.len(), 50);
        assert_eq!(page(&of("request", true), None).await.entries.len(), 1);
        assert_eq!(page(&of("key", true), None).await.entries.len(), 0);
        assert_eq!(page(&of("stream", false), None).await.entries.len(), 0);
        let Some(who) = all.entries[0].who_id.clone() else { panic!("{:?}", all.entries[0]) };
        assert_eq!(page(&Filter { who: Some(who), ..Filter::default() }, None).await.entries.len(), 1);
        assert!(server.service.audit_page(&reader, &Filter::default(), None).await.is_err());
    })
    .await;
}
