//! The API's document: that it is whole, true and as it was written down.

use std::path::Path;

use afterlive_server::http::api::openapi::DOCUMENT;
use serde_json::{Map, Value};

use crate::fixture::contract::validate;
use crate::fixture::server::on_a_server;
use crate::fixture::sources;

/// Set, the file is written anew.
const RENEW: &str = "AFTERLIVE_RENEW_OPENAPI";

/// Routes that are no calls of the API: pages, media, what players and encoders open, and what watches over the server.
const NO_CALLS: [&str; 18] = [
    "/docs",
    "/embed/{id}",
    "/embed/{id}/facts",
    "/events",
    "/healthz",
    "/live/{streamname}/thumbnail.jpg",
    "/live/{streamname}/whep",
    "/live/{streamname}/whep/{id}",
    "/live/{streamname}/ws",
    "/live/{streamname}/{file}",
    "/oidc/accept",
    "/oidc/callback",
    "/oidc/connect",
    "/oidc/sign-in",
    "/p/webrtc",
    "/p/webrtc/{id}",
    "/readyz",
    "/vod/{id}/report",
];

fn operations() -> impl Iterator<Item = (String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

#[test]
fn the_document_is_the_one_in_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let text = format!("{:#}\n", *DOCUMENT);
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "the API is not as docs/openapi.json says. Where that is meant:\n\
         {RENEW}=1 cargo test --release --workspace --test it the_document_is_the_one_in_the_repository"
    );
}

/// The table of calls adds no route without its documentation, and `contract` fails each call that a test makes past the document. What is left: a route that
/// stands beside the table, and a call of the document that the router does not know.
#[tokio::test]
async fn each_route_is_in_the_document_and_each_call_of_it_is_a_route() {
    for (file, path) in sources::routes() {
        let Some(path) = path else {
            assert_eq!(file, "api.rs", "a route whose path stands elsewhere");
            continue;
        };
        assert!(NO_CALLS.contains(&path.as_str()), "{file}: {path} belongs in the table of calls, or in NO_CALLS");
    }
    on_a_server(&[], async |server| {
        for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
            let answer = server.send(&format!("TRACE {}", path.replace(['{', '}'], "")), None, "").await;
            assert_eq!(answer.status, 405, "{path}");
            let mut allowed: Vec<String> = answer.header("allow").split(',').map(|method| method.trim().to_lowercase()).collect();
            allowed.retain(|method| method != "head");
            allowed.sort_unstable();
            let mut documented: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
            documented.sort_unstable();
            assert_eq!(allowed, documented, "{path}");
        }
    })
    .await;
}

#[test]
fn each_call_says_what_it_is_who_may_make_it_and_what_comes_of_it() {
    let mut ids = Vec::new();
    for (call, operation) in operations() {
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{call}");
        assert!(operation["security"].is_array(), "{call}");
        ids.push(operation["operationId"].as_str().unwrap());
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{call} {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{call}: {parameter}");
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "each has an id of its own");
}

#[test]
fn examples_are_as_their_schemas_say() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            validate(
                &format!("an example of {name}"),
                &serde_json::json!({ "$ref": format!("#/components/schemas/{name}") }),
                example,
            );
        }
    }
    for (call, operation) in operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if let Some(example) = parameter.get("example") {
                validate(&format!("an example of {call} {}", parameter["name"]), &parameter["schema"], example);
            }
        }
        if let Some(content) = operation["requestBody"]["content"].get("application/json") {
            validate(&format!("the example of {call}"), &content["schema"], &content["example"]);
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = &response["content"]["application/json"];
            for example in content["examples"].as_object().into_iter().flat_map(Map::values) {
                validate(&format!("an example of {call} {status}"), &content["schema"], &example["value"]);
            }
        }
    }
}

#[tokio::test]
async fn programs_and_browsers_alike_get_the_document_without_a_credential() {
    on_a_server(&[], async |server| {
        for headers in [&[][..], &[("Accept", "text/html,*/*;q=0.8")]] {
            let answer = server.send_with("GET /openapi.json", headers, "").await;
            assert_eq!(answer.ok(), *DOCUMENT);
        }
    })
    .await;
}
