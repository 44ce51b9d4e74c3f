//! What holds for all calls, and the types that they answer with.

use std::collections::BTreeMap;

use afterlive_domain::stream::{MAX_TAG_CHARS, MAX_TAGS};
use serde_json::Value;

use super::call::fields;
use super::kind::kind;
use super::markup::{code_block, escaped, prose, table};
use crate::http::api::body::MAX_BODY_BYTES;
use crate::http::api::query::MAX_FILTER_TAGS;
use crate::http::arrival::BODY_TIMEOUT;
use crate::http::listen::{MAX_HEADER_BYTES, MAX_HEADERS};
use crate::service::{MAX_CREDENTIAL_BYTES, MAX_PAGE};

/// Id, title and HTML of what stands before the calls.
pub(super) fn before(document: &Value, base_url: &str) -> [(&'static str, &'static str, String); 8] {
    [
        ("begin", "To begin with", begin(base_url)),
        ("names", "What is what", names()),
        ("credentials", "Credentials", credentials(document)),
        ("paging", "Paging", paging(base_url)),
        ("polling", "Asking again", polling(base_url)),
        ("errors", "Errors", errors(document)),
        ("cors", "From a browser", cors()),
        ("limits", "Limits", limits()),
    ]
}

fn paragraphs<const COUNT: usize>(texts: [&str; COUNT]) -> String {
    texts.into_iter().map(|text| format!("<p>{}</p>", prose(text))).collect()
}

fn begin(base_url: &str) -> String {
    let text = paragraphs([
        "Programs that were written for bintu's API run against this one with another base URL and another key. Every success answers 200, in JSON, and so does every \
         error, with another status. Fields and parameters that a call does not know are ignored, no body is as good as `{}`, and a parameter without a value as good as none. Fields may be added to answers.",
        "An administrator makes a key in the dashboard under Organisation. The examples take it, and what else is yours, from variables of the shell:",
    ]);
    let example = format!(
        "KEY=…      # an API key\ncurl \"{base_url}/stream\" -H \"X-BINTU-APIKEY: $KEY\"\nSTREAM=…   # the id of a stream, ASSET that of a recording"
    );
    text + &code_block("In a shell", "how to begin in a shell", &example)
}

/// By what streams, recordings and the rest are known, once for all calls.
fn names() -> String {
    let rows = [
        (
            "id of a stream, `$STREAM`",
            "5f86a12f-3801-415a-b450-6b6a46842349",
            "A UUID, made with the stream and never changed: the `{id}` in paths of `/stream`, and `streamId` in answers. `streamgroup` is the same, for programs that ask for it.",
        ),
        (
            "streamname",
            "8sKpm-x49nB",
            "What an encoder publishes under, and what URLs of live streams and recordings have in them: the hash, `-`, and a name. Upper and lower case differ. \
             No two streams ever have the same.",
        ),
        (
            "hash of the organisation",
            "8sKpm",
            "Five letters and digits: the part of each of its streamnames before the first `-`, and the folder in the URLs of its recordings.",
        ),
        (
            "id of the organisation",
            "0d1b77aa-9c11-4d02-8a44-d3f1c0a8e5b7",
            "A UUID. A key says by itself whose it is: no call asks for this one.",
        ),
        (
            "id of a recording, `$ASSET`",
            "b7c1e9d2-52f4-4f0e-9a53-1c7d90e2a6f8",
            "A UUID: the `{id}` in paths of `/asset`, and `id` of the entries of `playout.web` that are of the type `vod`.",
        ),
        (
            "name of a recording",
            "8sKpm-x49nB-2.mp4",
            "The streamname, and from the stream's second recording on its number, `index`. Never given again, not even after a deletion.",
        ),
        ("tag", "title:Sunday service", "A word of yours on a stream. That behind `title:` is what pages call it."),
        ("region", "eu", "Where a recording is stored. Each region has a base URL of its own."),
        (
            "API key, `$KEY`, and its id, `$KEY_ID`",
            "3f9a0c…d21e",
            "64 hexadecimal digits: a credential, and shown once. Its id is a UUID by which it is listed and revoked.",
        ),
        (
            "publish key",
            "8sKpm-x49nB?key=…",
            "Where the organisation requires one, what stands behind the streamname that the encoder is given: `ingest.rtmp.streamname` has both.",
        ),
    ];
    let text = paragraphs(["Each is explained here once; calls and answers below only name it."]);
    let rows = rows.map(|(name, example, meaning)| [prose(name), format!("<code>{}</code>", escaped(example)), prose(meaning)]);
    text + &table("Names and ids", ["Name", "For instance", "What it is"], rows)
}

fn credentials(document: &Value) -> String {
    let schemes = document["components"]["securitySchemes"].as_object().into_iter().flatten().map(|(_, scheme)| {
        let header = scheme["name"].as_str().unwrap_or("Authorization: Bearer");
        [format!("<code>{}</code>", escaped(header)), prose(scheme["description"].as_str().unwrap_or_default())]
    });
    let roles = document["components"]["schemas"]["Role"]["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|role| [kind(role), prose(role["description"].as_str().unwrap_or_default())]);
    let text = paragraphs([
        "One is sent with each call, in a header. What belongs to another organisation does not exist: 404, never 403. A browser session of the dashboard is none here.",
    ]);
    text + &table("Headers with credentials", ["Header", "What it is"], schemes) + &table("Roles", ["Role", "May"], roles)
}

fn paging(base_url: &str) -> String {
    paragraphs([
        "Lists answer with an array, and where there is more, with the URL of the next page in the header `Link`, with the same filters. Follow it until there is none. \
         A page begins behind the last entry of the page before: streams and recordings that are made or deleted meanwhile shift nothing. With `sort=updated` a stream that changes meanwhile goes to the front, where this walk has been already.",
    ]) + &code_block(
        "A header of an answer",
        "a header of an answer",
        &format!("Link: <{base_url}/stream?quantity=50&cursor=…>; rel=\"next\""),
    )
}

fn polling(base_url: &str) -> String {
    paragraphs([
        "What programs ask for again and again is answered with an `ETag`. Sent back in `If-None-Match`, it gets 304 and no body where the answer to the same caller would be the \
         same; keep the tag with the answer, as what a credential shows is `Cache-Control: no-store`. The answer about a stream that is live has its bitrate in it, and changes each second.",
    ]) + &code_block(
        "In a shell",
        "how to ask again in a shell",
        &format!("curl -i \"{base_url}/stream/$STREAM\" \\\n  -H \"X-BINTU-APIKEY: $KEY\" \\\n  -H 'If-None-Match: \"4f2d…\"'"),
    )
}

/// All that some call gives, by status and code.
fn errors(document: &Value) -> String {
    let mut found: BTreeMap<(u64, u64), (String, String)> = BTreeMap::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for operation in paths.flat_map(|(_, methods)| methods.as_object().into_iter().flatten()).map(|(_, operation)| operation) {
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let examples = response["content"]["application/json"]["examples"].as_object().into_iter().flatten();
            for error in examples.map(|(_, example)| &example["value"]["error"]) {
                let key = (status.parse().unwrap_or_default(), error["code"].as_u64().unwrap_or_default());
                let message = error["message"].as_str().unwrap_or_default().to_owned();
                found.entry(key).or_insert((message, error["userinfo"].to_string()));
            }
        }
    }
    let rows = found.into_iter().map(|((status, code), (message, userinfo))| {
        [status.to_string(), code.to_string(), escaped(&message), format!("<code>{}</code>", escaped(&userinfo))]
    });
    let text = paragraphs([
        "The code is for programs, the message for people, and `userinfo` says what it is about.",
        "A path that is no call is answered with 404/3013, a method that a path does not have with 405/3014: the header `Allow` says which it has.",
    ]);
    text + &code_block(
        "The body of an error",
        "the body of an error",
        "{\"error\":{\"message\":\"Parameter required\",\"code\":1002,\"userinfo\":{\"required_parameter\":\"tags\"}}}",
    ) + &table("All errors", ["Status", "Code", "Message", "userinfo, for instance"], rows)
}

fn cors() -> String {
    paragraphs([
        "Pages on every site may make these calls: `Access-Control-Allow-Origin` is `*`, and no cookie is ever looked at. The headers of credentials, `Accept`, `Content-Type` and \
         `If-None-Match` may be sent; `ETag`, `Link`, `Retry-After` and `X-Request-Id` may be read. An API key in a page is everybody's: a player key is made for that.",
        "What a browser asks for as a page (`Accept: text/html`, without a credential) is answered by the dashboard.",
    ])
}

fn limits() -> String {
    let rows = [
        ("The head of a request", format!("{MAX_HEADER_BYTES} bytes and {MAX_HEADERS} headers, else 431 without a body")),
        (
            "A body",
            format!("{MAX_BODY_BYTES} bytes, else 413/1005; all of it within {} s, else 408/1004", BODY_TIMEOUT.as_secs()),
        ),
        ("A credential", format!("{MAX_CREDENTIAL_BYTES} bytes, else 401/4002")),
        ("Tags of a stream", format!("{MAX_TAGS}, each of at most {MAX_TAG_CHARS} characters, else 400/1004")),
        ("Tags to filter by", format!("{MAX_FILTER_TAGS}, else 400/1004")),
        ("A page", format!("{MAX_PAGE} entries; of more that are asked for, so many come")),
    ];
    let text = paragraphs([
        "Who tries too many keys or passwords, and who comes while too many lists are being read for player keys, gets 429/1006, and in `Retry-After` the seconds to wait.",
    ]);
    text + &table("All limits", ["What", "At most"], rows.map(|(what, most)| [what.to_owned(), most]))
}

/// The types that have a name.
pub(super) fn types(document: &Value) -> String {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let each = schemas.map(|(name, schema)| {
        let about = prose(schema["description"].as_str().unwrap_or_default());
        format!("<article class=\"card type\" aria-labelledby=\"type-{name}\"><h3 id=\"type-{name}\">{name}</h3><p>{about}</p>{}</article>", shape(name, schema))
    });
    each.collect()
}

/// An object's fields, or the values that there are.
fn shape(name: &str, schema: &Value) -> String {
    if schema.get("properties").is_some() {
        return fields(&format!("Fields of {name}"), schema);
    }
    let several = ["oneOf", "anyOf"].into_iter().find_map(|several| schema[several].as_array());
    let Some(several) = several else { return format!("<p>{}</p>", kind(schema)) };
    if several.iter().any(|one| one.get("properties").is_some()) {
        return several.iter().zip(1..).map(|(one, number)| fields(&format!("Form {number} of {name}"), one)).collect();
    }
    let rows = several.iter().map(|one| [kind(one), prose(one["description"].as_str().unwrap_or_default())]);
    table(&format!("Values of {name}"), ["Value", "Meaning"], rows)
}
