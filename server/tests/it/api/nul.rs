//! A NUL in any text of any call is no failure of ours, also where PostgreSQL could not keep it.

use afterlive_server::http::api::openapi::DOCUMENT;
use serde_json::{Value, json};

use super::streams::a_stream;
use crate::fixture::server::on_each_server;

/// What calls ask for, so that they look at the rest.
fn body() -> Value {
    json!({ "label": "a", "role": "nanoReadOnly", "expires_in_s": 600, "required": false, "hold": true, "url": "https://example.com/events" })
}

#[tokio::test]
async fn no_call_fails_for_a_nul_in_a_text() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &["a"]).await.to_string();
        let mut tried = 0;
        for (path, calls) in DOCUMENT["paths"].as_object().unwrap() {
            for (method, call) in calls.as_object().unwrap() {
                let id = if path.starts_with("/stream") && method != "delete" { stream.as_str() } else { "a%00" };
                let path = path.replace("{id}", id).replace("{key}", "a%00");
                let call_of = |query: String| format!("{} {path}{query}", method.to_uppercase());
                let parameters = call["parameters"].as_array().map_or(&[][..], Vec::as_slice);
                let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
                let queries = queries.map(|query| format!("?{}=a%00", query["name"].as_str().unwrap()));
                let mut requests: Vec<(String, Value)> =
                    std::iter::once(String::new()).chain(queries).map(|query| (call_of(query), body())).collect();
                let schema = &call["requestBody"]["content"]["application/json"]["schema"];
                for name in schema["properties"].as_object().map(|fields| fields.keys()).into_iter().flatten() {
                    for nul in [json!("a\0"), json!(["a\0"])] {
                        let mut body = body();
                        body[name] = nul;
                        requests.push((call_of(String::new()), body));
                    }
                }
                for (request, body) in requests {
                    let answer = server.send(&request, Some(&tenant.admin_key), &body.to_string()).await;
                    assert!(!answer.status.is_server_error(), "{request} {body}: {} {}", answer.status, answer.text);
                    tried += 1;
                }
            }
        }
        assert!(tried > 150, "{tried}");
    })
    .await;
}
