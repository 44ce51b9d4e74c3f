//! Every call of the API.

use afterlive_domain::Role::{Admin, ReadOnly, User};

use super::Thing::{Asset, Binned, Delivery, Endpoint, Key, Locked, Stream};
use super::{Door, Row};

pub fn rows() -> Vec<Row> {
    let call = |route, least| Row::new(route, Door::Call(least));
    vec![
        Row::new("GET /stream", Door::Players).query("?tags[]=<tag>"),
        call("POST /stream", User).body(r#"{"tags":["new"]}"#).changes(),
        Row::new("GET /stream/public", Door::Players).query("?tags[]=<tag>"),
        call("POST /stream/validate", ReadOnly).body(r#"{"streamname":"<streamname>"}"#),
        Row::new("GET /stream/{id}", Door::Viewers).of(Stream),
        call("DELETE /stream/{id}", Admin).of(Stream).changes(),
        Row::new("GET /stream/{id}/group", Door::Viewers).of(Stream),
        call("PUT /stream/{id}/tag", User).of(Stream).body(r#"{"tags":["changed"]}"#).changes(),
        call("PUT /stream/{id}/push_url", User).of(Stream).body(r#"{"url":"rtmp://live.example.com/app/<n>"}"#).changes(),
        call("POST /stream/{id}/publish_key", Admin).of(Stream).changes(),
        // Taken and without effect, for who sends it to the original.
        call("POST /stream/{id}/processing", User).of(Stream).body(r#"{"processing":[["a"]]}"#).may_change(),
        // Nothing is on air of a new one; what is on air of the one that is must stay so.
        call("PUT /stream/{id}/stop", Admin).of(Stream).may_change(),
        call("POST /stream/{id}/stop", Admin).of(Stream).may_change(),
        call("PUT /stream/{id}/lock", Admin).of(Stream).changes(),
        call("PUT /stream/{id}/unlock", Admin).of(Locked).changes(),
        call("GET /tag", ReadOnly),
        call("GET /asset", ReadOnly),
        call("GET /asset", ReadOnly).query("?stream=<stream>"),
        call("GET /asset", ReadOnly).query("?q=<streamname>"),
        call("GET /asset/{id}", ReadOnly).of(Asset),
        call("DELETE /asset/{id}", Admin).of(Asset).changes(),
        call("GET /asset/{id}/report", ReadOnly).of(Asset),
        call("POST /asset/{id}/restore", Admin).of(Binned).changes(),
        call("PUT /asset/{id}/hold", Admin).of(Asset).body(r#"{"hold":true,"note":"a"}"#).changes(),
        call("GET /organisation", ReadOnly),
        call("PUT /organisation/recording", Admin).body(r#"{"max_duration_s":<n>}"#).changes(),
        call("PUT /organisation/webhook", Admin).body(r#"{"webhook":"https://hooks.example.com/<n>"}"#).changes(),
        call("PUT /organisation/publish_key", Admin).body(r#"{"required":true,"renew_all":true}"#).changes(),
        call("GET /organisation/endpoint", Admin),
        call("POST /organisation/endpoint", Admin).body(r#"{"url":"https://example.com/<n>"}"#).changes(),
        call("PUT /organisation/endpoint/{id}", Admin).of(Endpoint).body(r#"{"url":"https://example.com/<n>"}"#).changes(),
        call("DELETE /organisation/endpoint/{id}", Admin).of(Endpoint).changes(),
        call("GET /organisation/endpoint/{id}/secret", Admin).of(Endpoint),
        call("POST /organisation/endpoint/{id}/secret", Admin).of(Endpoint).changes(),
        call("POST /organisation/endpoint/{id}/test", Admin).of(Endpoint).changes(),
        call("GET /organisation/endpoint/{id}/delivery", Admin).of(Endpoint),
        call("POST /organisation/delivery/{id}/resend", Admin).of(Delivery).changes(),
        call("GET /organisation/apikey", Admin),
        call("POST /organisation/apikey", Admin).body(r#"{"label":"new","role":"nanoAdmin"}"#).changes(),
        call("DELETE /organisation/apikey/{id}", Admin).of(Key).changes(),
        // Others have revoked a playback token of no effect by that id: below, and in the dashboard.
        call("GET /audit", Admin).tells_again(&["playback-token"]),
        call("GET /apikey", Admin),
        // These ask about what is in the request, and look at nothing else.
        Row::new("POST /apikey", Door::Open(401)).body(r#"{"apikey":"nonsense"}"#),
        Row::new("POST /apikey/{key}", Door::Open(200)).at("/apikey/<reader-key>"),
        Row::new("POST /user/validate", Door::Open(200))
            .body(r#"{"email":"<email>","password":"correct horse battery"}"#)
            .may_change(),
        call("GET /user", ReadOnly),
        call("GET /permission", ReadOnly),
        call("GET /token/playback", User),
        call("GET /token/playback", User).query("?stream=<stream>").of(Stream),
        call("POST /token/playback", User).body(r#"{"expires_in_s":600,"label":"new"}"#).changes(),
        call("POST /token/playback", User).of(Stream).body(r#"{"stream":"<stream>","expires_in_s":600,"label":"new"}"#).changes(),
        call("POST /token/verify", ReadOnly).body(r#"{"token":"<playback-secret>"}"#),
        call("POST /token/verify", ReadOnly).of(Stream).body(r#"{"token":"a","stream":"<stream>"}"#),
        // Of a token that is none of theirs another organisation revokes nothing: the id is noted among their own.
        call("POST /token/revoke", User).body(r#"{"id":"<playback-token>"}"#).changes(),
        // What they revoked themselves is no more on their list then.
        call("POST /organisation/playback_secret", Admin).changes().tells_again(&["playback-token"]),
        Row::new("GET /openapi.json", Door::Open(200)),
    ]
}
