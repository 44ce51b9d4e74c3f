//! Who may do what in the dashboard: every server function, by everybody who might call it.

use std::collections::BTreeSet;

use afterlive_domain::Role;
use leptos::server_fn::axum::server_fn_paths;

use crate::api::streams::a_stream;
use crate::fixture::browser::Browser;
use crate::fixture::server::{Server, Tenant, on_each_server};

const PASSWORD: &str = "correct horse battery";

/// Who may call a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum May {
    /// Also who has not signed in.
    Anybody,
    /// Who has that role, or one above.
    Least(Role),
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
enum Sends {
    /// A page's question, in JSON.
    Question(&'static str),
    /// A form's fields.
    Form(&'static [(&'static str, &'static str)]),
}

use May::{Anybody, Least};
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
    ("revoke_playback_token", USER, Form(&[("stream", "STREAM"), ("token", NONE)])),
    ("stop_and_lock", ADMIN, Form(&[("stream", "STREAM")])),
    ("unlock", ADMIN, Form(&[("stream", "STREAM")])),
    ("delete_stream", ADMIN, Form(&[("stream", "STREAM")])),
    ("bin_recording", ADMIN, Form(&[("asset", NONE)])),
    ("restore_recording", ADMIN, Form(&[("asset", NONE)])),
    ("hold_recording", ADMIN, Form(&[("asset", NONE), ("note", "a")])),
    ("lift_hold", ADMIN, Form(&[("asset", NONE)])),
    ("save_organisation", ADMIN, Form(&[("name", "Chapel")])),
    ("save_recording_settings", ADMIN, Form(&[("max_duration_s", "3600")])),
    ("save_embed_domains", ADMIN, Form(&[("domains", "example.com")])),
    ("save_webhook", ADMIN, Form(&[("url", "")])),
    ("create_api_key", ADMIN, Form(&[("label", "a"), ("role", "nanoReadOnly")])),
    ("revoke_api_key", ADMIN, Form(&[("key", NONE)])),
    ("people", ADMIN, Question("{}")),
    ("change_role", ADMIN, Form(&[("user", NONE), ("role", "nanoAdmin")])),
    ("remove_user", ADMIN, Form(&[("user", NONE)])),
    ("invite", ADMIN, Form(&[("email", "new@example.com"), ("role", "nanoUser")])),
    ("revoke_invitation", ADMIN, Form(&[("invitation", NONE)])),
    ("make_password_link", ADMIN, Form(&[("user", NONE), ("email", "a@example.com")])),
    ("account", READER, Question("{}")),
    ("change_password", READER, Form(&[("present", "x"), ("password", PASSWORD)])),
    ("end_session", READER, Form(&[("id", "x")])),
    ("end_session_token", READER, Form(&[("id", "x")])),
    ("end_other_sessions", READER, Form(&[])),
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
            assert!(!to.contains("error=server"), "{function}: {to}");
            if to.contains("notice=flash") && browser.flash().await.contains("Your role does not allow this.") {
                Outcome::Denied
            } else {
                Outcome::Taken
            }
        }
    }
}

#[test]
fn every_server_function_has_its_row() {
    // The functions are known once what has them is linked.
    let _ = afterlive_app::shell::routes();
    let known: BTreeSet<&str> = server_fn_paths().map(|(path, _)| path).collect();
    let rows: BTreeSet<String> = FUNCTIONS.iter().map(|(function, ..)| format!("/ui/{function}")).collect();
    assert_eq!(rows.len(), FUNCTIONS.len(), "a row each");
    assert_eq!(known, rows.iter().map(String::as_str).collect());
}

/// Somebody with that role, signed in; `None`: nobody.
async fn somebody<'a>(server: &'a Server, tenant: &Tenant, role: Option<Role>, is_removed: bool) -> Browser<'a> {
    let Some(role) = role else { return Browser::new(server) };
    let email = format!("{}@{}.example.com", uuid::Uuid::new_v4(), tenant.organisation.hash).to_lowercase();
    let user = server.service.add_user(&tenant.admin, &email, PASSWORD, role).await.unwrap();
    let browser = Browser::signed_in(server, &email, PASSWORD).await;
    if is_removed {
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
    }
    browser
}

#[tokio::test]
async fn each_server_function_does_what_the_role_allows_and_nothing_for_who_is_gone() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        // An administrator who stays, so that each other one can go.
        somebody(&server, &tenant, Some(Role::Admin), false).await;
        for (function, may, sends) in FUNCTIONS {
            let people = [
                (None, false),
                (Some(Role::ReadOnly), false),
                (Some(Role::User), false),
                (Some(Role::Admin), false),
                (Some(Role::Admin), true),
            ];
            for (role, is_removed) in people {
                let stream = a_stream(&server, &tenant, &[]).await.to_string();
                let mut browser = somebody(&server, &tenant, role, is_removed).await;
                let expected = match (may, role.filter(|_| !is_removed)) {
                    (Anybody, _) => Outcome::Taken,
                    (Least(_), None) => Outcome::SignIn,
                    (Least(least), Some(role)) if role >= *least => Outcome::Taken,
                    (Least(_), Some(_)) => Outcome::Denied,
                };
                let outcome = call(&mut browser, function, *sends, &stream).await;
                assert_eq!(outcome, expected, "{function} as {role:?}, removed: {is_removed}");
            }
        }
    })
    .await;
}
