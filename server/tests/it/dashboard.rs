//! Who may do what in the dashboard: every server function, by everybody who might call it.

mod markup;
mod nul;

use std::collections::BTreeSet;

use afterlive_domain::Role;
use afterlive_server::db::stream_search::MAX_SEARCH_CHARS;
use afterlive_server::db::users::User;
use afterlive_server::service::Chosen;
use leptos::server_fn::axum::server_fn_paths;
use serde_json::json;

use crate::api::streams::a_stream;
use crate::fixture::browser::Browser;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant, on_a_server, on_each_server};

const PASSWORD: &str = "correct horse battery";

/// Who may call a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum May {
    /// Also who has not signed in.
    Anybody,
    /// Who has that role, or one above.
    Least(Role),
    /// Who administers the installation: none of the roles here.
    Above,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
enum Sends {
    /// A page's question, in JSON.
    Question(&'static str),
    /// A form's fields.
    Form(&'static [(&'static str, &'static str)]),
}

use May::{Above, Anybody, Least};
use Sends::{Form, Question};

const READER: May = Least(Role::ReadOnly);
const USER: May = Least(Role::User);
const ADMIN: May = Least(Role::Admin);
/// Of nothing that there is.
const NONE: &str = "5f86a12f-3801-415a-b450-6b6a46842349";

/// Every server function. `STREAM` stands for one of the organisation's.
const FUNCTIONS: &[(&str, May, Sends)] = &[
    ("access", Anybody, Question("{}")),
    ("take_flash", Anybody, Question("{}")),
    ("typed_email", Anybody, Question("{}")),
    ("sign_in", Anybody, Form(&[("email", "nobody@example.com"), ("password", "x")])),
    ("sign_out", Anybody, Form(&[])),
    ("set_up", Anybody, Form(&[("token", "x"), ("organisation_name", "x"), ("email", "x@example.com"), ("password", "x")])),
    ("theme", Anybody, Form(&[("theme", "dark")])),
    ("home", READER, Question("{}")),
    (
        "streams",
        READER,
        Question(
            r#"{"filter":{"state":null,"tag":null,"search":null,"from":null,"to":null,"sort":"created","page":1,"page_size":25}}"#,
        ),
    ),
    ("overview", READER, Question(r#"{"stream":"STREAM","recordings":{"Page":1},"token":null}"#)),
    ("library", READER, Question(r#"{"filter":{"page_size":25}}"#)),
    ("recording", READER, Question(r#"{"asset":"5f86a12f-3801-415a-b450-6b6a46842349"}"#)),
    ("organisation", READER, Question("{}")),
    ("playback_tokens", USER, Question(r#"{"stream":"STREAM"}"#)),
    ("create_stream", USER, Form(&[("tags", "a"), ("mode", "rec")])),
    ("set_tags", USER, Form(&[("stream", "STREAM"), ("tags", "a")])),
    ("set_push_url", USER, Form(&[("stream", "STREAM"), ("url", "rtmp://live.example.com/app/key")])),
    ("make_playback_token", USER, Form(&[("stream", "STREAM"), ("label", "a"), ("amount", "1"), ("unit", "days")])),
    // One that is not on the list; of those that are users revoke each.
    ("revoke_playback_token", ADMIN, Form(&[("stream", "STREAM"), ("token", NONE)])),
    ("renew_playback_secret", ADMIN, Form(&[])),
    ("stop_and_lock", ADMIN, Form(&[("stream", "STREAM")])),
    ("unlock", ADMIN, Form(&[("stream", "STREAM")])),
    ("renew_publish_key", ADMIN, Form(&[("stream", "STREAM")])),
    ("delete_stream", ADMIN, Form(&[("stream", "STREAM")])),
    ("bin_recording", ADMIN, Form(&[("asset", NONE)])),
    ("restore_recording", ADMIN, Form(&[("asset", NONE)])),
    ("hold_recording", ADMIN, Form(&[("asset", NONE), ("note", "a")])),
    ("lift_hold", ADMIN, Form(&[("asset", NONE)])),
    ("save_organisation", ADMIN, Form(&[("name", "Chapel")])),
    ("save_recording_settings", ADMIN, Form(&[("max_duration_s", "3600")])),
    ("save_embed_domains", ADMIN, Form(&[("domains", "example.com")])),
    ("save_webhook", ADMIN, Form(&[("url", "")])),
    ("require_publish_key", ADMIN, Form(&[])),
    ("create_api_key", ADMIN, Form(&[("label", "a"), ("role", "nanoReadOnly")])),
    ("revoke_api_key", ADMIN, Form(&[("key", NONE)])),
    ("audit", ADMIN, Question(r#"{"filter":{"about":null,"who":null,"denied":false,"after":null}}"#)),
    ("endpoints", ADMIN, Question("{}")),
    ("endpoint", ADMIN, Question(r#"{"id":"5f86a12f-3801-415a-b450-6b6a46842349","after":null}"#)),
    ("create_endpoint", ADMIN, Form(&[("url", "https://example.com/events"), ("asset_ready", "on")])),
    ("change_endpoint", ADMIN, Form(&[("id", NONE), ("url", "https://example.com/events"), ("asset_ready", "on")])),
    ("switch_endpoint", ADMIN, Form(&[("id", NONE), ("enabled", "true")])),
    ("delete_endpoint", ADMIN, Form(&[("id", NONE)])),
    ("rotate_endpoint_secret", ADMIN, Form(&[("id", NONE)])),
    ("test_endpoint", ADMIN, Form(&[("id", NONE)])),
    ("resend_delivery", ADMIN, Form(&[("delivery", NONE), ("endpoint", NONE)])),
    ("people", ADMIN, Question("{}")),
    ("change_role", ADMIN, Form(&[("user", NONE), ("role", "nanoAdmin")])),
    ("remove_user", ADMIN, Form(&[("user", NONE)])),
    ("invite", ADMIN, Form(&[("email", "new@example.com"), ("role", "nanoUser")])),
    ("revoke_invitation", ADMIN, Form(&[("invitation", NONE)])),
    ("make_password_link", ADMIN, Form(&[("user", NONE), ("email", "a@example.com")])),
    ("mail_fate", ADMIN, Question(r#"{"secret":"x"}"#)),
    ("sends_mail", Anybody, Question("{}")),
    ("ask_for_password_link", Anybody, Form(&[("email", "a@example.com")])),
    ("account", READER, Question("{}")),
    ("change_password", READER, Form(&[("present", "x"), ("password", PASSWORD)])),
    ("end_session", READER, Form(&[("id", "x")])),
    ("end_session_token", READER, Form(&[("id", "x")])),
    ("end_other_sessions", READER, Form(&[])),
    ("is_code_asked", Anybody, Question("{}")),
    ("sign_in_with_code", Anybody, Form(&[("code", "000000")])),
    ("second_factor", READER, Question("{}")),
    ("begin_second_factor", READER, Form(&[("present", "x")])),
    ("second_factor_offer", READER, Question("{}")),
    ("confirm_second_factor", READER, Form(&[("code", "000000")])),
    ("renew_recovery_codes", READER, Form(&[("present", "x"), ("code", "000000")])),
    ("remove_second_factor", READER, Form(&[("present", "x"), ("code", "000000")])),
    ("reset_second_factor", ADMIN, Form(&[("user", NONE)])),
    ("second_factor_rule", ADMIN, Question("{}")),
    ("require_second_factor", ADMIN, Form(&[])),
    ("provider", Anybody, Question("{}")),
    ("connection", READER, Question("{}")),
    ("disconnect", READER, Form(&[("present", "x")])),
    ("disconnect_user", ADMIN, Form(&[("user", NONE)])),
    ("system", Above, Question(r#"{"page":1}"#)),
    ("tenant", Above, Question(r#"{"organisation":"5f86a12f-3801-415a-b450-6b6a46842349"}"#)),
    ("system_mail_fate", Above, Question(r#"{"secret":"x"}"#)),
    ("create_organisation", Above, Form(&[("name", "Chapel"), ("email", "first@example.com")])),
    ("rename_organisation", Above, Form(&[("organisation", NONE), ("name", "Chapel")])),
    ("suspend_organisation", Above, Form(&[("organisation", NONE)])),
    ("resume_organisation", Above, Form(&[("organisation", NONE)])),
    ("invite_administrator", Above, Form(&[("organisation", NONE), ("email", "second@example.com")])),
    ("give_system_role", Above, Form(&[("email", "second@example.com")])),
    ("take_system_role", Above, Form(&[("user", NONE)])),
    ("invitation", Anybody, Question(r#"{"secret":"x"}"#)),
    ("accept_invitation", Anybody, Form(&[("secret", "x"), ("password", PASSWORD)])),
    ("password_link", Anybody, Question(r#"{"secret":"x"}"#)),
    ("choose_password", Anybody, Form(&[("secret", "x"), ("password", PASSWORD)])),
];

/// How the server took a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Taken,
    Denied,
    /// Led to the sign-in.
    SignIn,
}

async fn call(browser: &mut Browser<'_>, function: &str, sends: Sends, stream: &str) -> Outcome {
    match sends {
        Question(question) => {
            let answer = browser.load(function, &question.replace("STREAM", stream)).await;
            match answer.status.as_u16() {
                // Allowed to ask for what there is none of.
                200 | 404 => Outcome::Taken,
                401 => Outcome::SignIn,
                403 => Outcome::Denied,
                status => panic!("{function}: {status} {}", answer.text),
            }
        }
        Form(fields) => {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, if *value == "STREAM" { stream } else { value })).collect();
            let to = browser.submit(function, &fields).await;
            if to.starts_with("/auth?next=") {
                return Outcome::SignIn;
            }
            // What cannot be read, and a failure of ours, is no answer.
            assert!(!to.contains("error=server") && !to.contains("__err"), "{function}: {to}");
            let flash = if to.contains("notice=flash") { browser.flash().await } else { String::new() };
            assert!(!flash.contains("Something went wrong") && flash != "null", "{function}: {flash}");
            if flash.contains("Your role does not allow this.") { Outcome::Denied } else { Outcome::Taken }
        }
    }
}

#[tokio::test]
async fn every_server_function_has_its_row() {
    // The functions are known once what has them is linked; to list the routes takes a runtime.
    let _ = afterlive_app::shell::routes();
    let known: BTreeSet<&str> = server_fn_paths().map(|(path, _)| path).collect();
    let rows: BTreeSet<String> = FUNCTIONS.iter().map(|(function, ..)| format!("/ui/{function}")).collect();
    assert_eq!(rows.len(), FUNCTIONS.len(), "a row each");
    assert_eq!(known, rows.iter().map(String::as_str).collect());
}

/// Somebody with that role, signed in.
async fn somebody<'a>(server: &'a Server, tenant: &Tenant, role: Role) -> (User, Browser<'a>) {
    let email = format!("{}@{}.example.com", uuid::Uuid::new_v4(), tenant.organisation.hash).to_lowercase();
    let user = server.service.add_user(&tenant.admin, &email, PASSWORD, role).await.unwrap();
    let browser = Browser::signed_in(server, &email, PASSWORD).await;
    (user, browser)
}

#[tokio::test]
async fn each_server_function_does_what_the_role_allows() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        // An administrator who stays, so that each other one can go.
        somebody(&server, &tenant, Role::Admin).await;
        for (function, may, sends) in FUNCTIONS {
            for role in [None, Some(Role::ReadOnly), Some(Role::User), Some(Role::Admin)] {
                let stream = a_stream(&server, &tenant, &[]).await.to_string();
                let mut browser = match role {
                    Some(role) => somebody(&server, &tenant, role).await.1,
                    None => Browser::new(&server),
                };
                let expected = match (may, role) {
                    (Anybody, _) => Outcome::Taken,
                    (Least(_) | Above, None) => Outcome::SignIn,
                    (Least(least), Some(role)) if role >= *least => Outcome::Taken,
                    (Least(_) | Above, Some(_)) => Outcome::Denied,
                };
                assert_eq!(call(&mut browser, function, *sends, &stream).await, expected, "{function} as {role:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_server_function_does_anything_for_whose_sign_in_is_over() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let service = &server.service;
        let (_, expired) = somebody(&server, &tenant, Role::Admin).await;
        server.clock.advance_ms(14 * 86_400_000);
        let (_, stays) = somebody(&server, &tenant, Role::Admin).await;
        let (removed_user, removed) = somebody(&server, &tenant, Role::Admin).await;
        service.remove_user(&tenant.admin, removed_user.id).await.unwrap();
        let (forgetful, other_password) = somebody(&server, &tenant, Role::Admin).await;
        let link = service.make_password_link(&tenant.admin, forgetful.id).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        let chosen = service.set_password_by_link(secret, "wandering geese by night", None).await.unwrap();
        assert!(matches!(chosen, Chosen::Done(_)), "{chosen:?}");
        let (_, signed_out) = somebody(&server, &tenant, Role::Admin).await;
        signed_out.clone().submit("sign_out", &[]).await;
        let stream = a_stream(&server, &tenant, &[]).await.to_string();
        for (why, browser) in
            [("expired", expired), ("removed", removed), ("other password", other_password), ("signed out", signed_out)]
        {
            for (function, may, sends) in FUNCTIONS {
                let expected = if *may == Anybody { Outcome::Taken } else { Outcome::SignIn };
                assert_eq!(call(&mut browser.clone(), function, *sends, &stream).await, expected, "{function}: {why}");
            }
        }
        assert_eq!(call(&mut stays.clone(), "people", Question("{}"), &stream).await, Outcome::Taken);
    })
    .await;
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_page_for_browsers_and_an_error_of_the_api_for_programs() {
    on_a_server(&[], async |server| {
        let server = server.with_dashboard();
        let key = server.an_organisation().await.reader_key;
        let (html, json) = (("accept", "text/html,*/*;q=0.8"), ("accept", "application/json"));
        let cases: [(&str, &[(&str, &str)]); 5] = [
            ("GET /streams", &[json]),
            ("GET /stream/", &[]),
            ("GET /nope", &[html, ("x-bintu-apikey", &key)]),
            ("POST /stream/x/nope", &[html]),
            ("DELETE /nope", &[]),
        ];
        for (call, headers) in cases {
            let answer = server.send_with(call, headers, "").await;
            assert_eq!(answer.error(), (404, 3013), "{call}");
            assert_eq!(answer.header("content-type"), "application/json; charset=utf-8", "{call}");
            let (method, path) = call.split_once(' ').unwrap();
            let error = &answer.json()["error"];
            assert_eq!(error["userinfo"], json!({ "method": method, "path": path }), "{call}");
            assert_eq!(error["message"], format!("There is no call {call}. All calls are at /docs"));
        }
        let page = server.send_with("GET /nope", &[html], "").await;
        assert_eq!(page.status.as_u16(), 404);
        assert!(page.header("content-type").starts_with("text/html") && page.text.contains("There is nothing here"));
        assert_eq!(server.send("POST /vod", None, "").await.error(), (405, 3014), "a page's path");
    })
    .await;
}

#[tokio::test]
async fn an_administrator_of_another_organisation_changes_nothing_here() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (_, mut stranger) = somebody(&server, &theirs, Role::Admin).await;
        let stream = a_stream(&server, &ours, &[]).await;
        let before = server.service.stream(&ours.admin, stream).await.unwrap();
        let with_stream = FUNCTIONS.iter().filter(|(_, _, sends)| format!("{sends:?}").contains("STREAM"));
        let mut asked = 0;
        for (function, _, sends) in with_stream {
            call(&mut stranger, function, *sends, &stream.to_string()).await;
            assert_eq!(server.service.stream(&ours.admin, stream).await.unwrap(), before, "{function}");
            asked += 1;
        }
        assert!(asked > 8, "{asked}");
        assert!(server.service.playback_tokens(&ours.admin, Some(stream)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_a_long_text_to_search_for_the_beginning_counts() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &["a".repeat(MAX_SEARCH_CHARS).as_str()]).await;
        a_finished_recording(&server.db, stream).await;
        let (_, mut browser) = somebody(&server, &tenant, Role::ReadOnly).await;
        for (letter, found) in [("a", 1), ("b", 0)] {
            // Nearly as much as a form may hold.
            let text = letter.repeat(60_000);
            let of_streams = json!({ "search": text, "sort": "created", "page": 1, "page_size": 25 });
            for (function, filter) in [("streams", of_streams), ("library", json!({ "search": text, "page_size": 25 }))] {
                let answer = browser.load(function, &json!({ "filter": filter }).to_string()).await;
                assert_eq!(answer.status.as_u16(), 200, "{function}: {}", answer.text);
                assert_eq!(answer.json()["rows"].as_array().unwrap().len(), found, "{function}: {letter}");
            }
        }
    })
    .await;
}
