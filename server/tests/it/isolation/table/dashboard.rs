//! Every page of the dashboard, and every server function behind them.

use afterlive_domain::Role::{Admin, ReadOnly, User};

use super::Thing::{self, Asset, Binned, Delivery, Endpoint, Held, Live, Locked, Stream};
use super::{Door, Row};

pub fn pages() -> Vec<Row> {
    let page = |route, least| Row::new(route, Door::Page(least));
    vec![
        Row::new("PAGE /auth", Door::Open(200)),
        Row::new("PAGE /sign-in/code", Door::Open(200)),
        Row::new("PAGE /setup", Door::Open(200)),
        Row::new("PAGE /forgotten", Door::Open(200)),
        // What a link's secret opens is whoever's who has it; this one is none.
        Row::new("PAGE /invitation/{secret}", Door::Open(200)).at("/invitation/x"),
        Row::new("PAGE /password/{secret}", Door::Open(200)).at("/password/x"),
        page("PAGE /", ReadOnly),
        page("PAGE /stream", ReadOnly),
        page("PAGE /stream/create", User),
        page("PAGE /stream/new/{id}", User).of(Stream),
        page("PAGE /stream/{id}", ReadOnly).of(Live),
        page("PAGE /playout/{id}", ReadOnly).of(Live),
        page("PAGE /webcaster", User),
        page("PAGE /webcaster/{id}", User).of(Stream),
        page("PAGE /vod", ReadOnly),
        page("PAGE /vod/{id}", ReadOnly).of(Asset),
        page("PAGE /account", ReadOnly),
        page("PAGE /account/second-factor", ReadOnly),
        page("PAGE /organisation", ReadOnly),
        page("PAGE /organisation/audit", Admin).tells_again(&["playback-token"]),
        page("PAGE /organisation/events", Admin),
        page("PAGE /organisation/events/{id}", Admin).of(Endpoint),
    ]
}

pub fn functions() -> Vec<Row> {
    let question = |route, least| Row::new(route, Door::Question(least)).body("{}");
    let form = |route, least| Row::new(route, Door::Form(least));
    let anybodys_question = |route| Row::new(route, Door::Open(200)).body("{}");
    let anybodys_form = |route| Row::new(route, Door::Open(302));
    let streams =
        r#"{"filter":{"state":null,"tag":null,"search":null,"from":null,"to":null,"sort":"created","page":1,"page_size":25}}"#;
    vec![
        anybodys_question("POST /ui/access"),
        // Only one's own.
        anybodys_question("POST /ui/take_flash").may_change(),
        anybodys_question("POST /ui/typed_email"),
        anybodys_question("POST /ui/sends_mail"),
        anybodys_question("POST /ui/provider"),
        question("POST /ui/connection", ReadOnly),
        anybodys_form("POST /ui/ask_for_password_link").body("email=nobody@example.com"),
        anybodys_form("POST /ui/sign_in").body("email=nobody@example.com&password=x"),
        anybodys_form("POST /ui/sign_out").may_change(),
        anybodys_form("POST /ui/set_up").body("token=x&organisation_name=x&email=x@example.com&password=x"),
        anybodys_form("POST /ui/theme").body("theme=dark"),
        question("POST /ui/home", ReadOnly),
        question("POST /ui/streams", ReadOnly).body(streams),
        question("POST /ui/overview", ReadOnly).of(Live).body(r#"{"stream":"<live>","recordings":{"Page":1},"token":null}"#),
        question("POST /ui/library", ReadOnly).body(r#"{"filter":{"page_size":25}}"#),
        question("POST /ui/library", ReadOnly).body(r#"{"filter":{"page_size":25,"stream":"<streamname>"}}"#),
        question("POST /ui/recording", ReadOnly).of(Asset).body(r#"{"asset":"<asset>"}"#),
        question("POST /ui/organisation", ReadOnly),
        question("POST /ui/playback_tokens", User).of(Stream).body(r#"{"stream":"<stream>"}"#),
        form("POST /ui/create_stream", User).body("tags=new&mode=rec").changes(),
        form("POST /ui/set_tags", User).of(Stream).body("stream=<stream>&tags=changed").changes(),
        form("POST /ui/set_push_url", User).of(Stream).body("stream=<stream>&url=rtmp://live.example.com/app/<n>").changes(),
        form("POST /ui/make_playback_token", User).of(Stream).body("stream=<stream>&label=new&amount=1&unit=days").changes(),
        // As the call of the API.
        form("POST /ui/revoke_playback_token", User).body("stream=<stream>&token=<playback-token>").changes(),
        form("POST /ui/renew_playback_secret", Admin).changes().tells_again(&["playback-token"]),
        form("POST /ui/stop_and_lock", Admin).of(Stream).body("stream=<stream>").changes(),
        form("POST /ui/unlock", Admin).of(Locked).body("stream=<locked>").changes(),
        form("POST /ui/renew_publish_key", Admin).of(Stream).body("stream=<stream>").changes(),
        form("POST /ui/delete_stream", Admin).of(Stream).body("stream=<stream>").changes(),
        form("POST /ui/bin_recording", Admin).of(Asset).body("asset=<asset>").changes(),
        form("POST /ui/restore_recording", Admin).of(Binned).body("asset=<binned>").changes(),
        form("POST /ui/hold_recording", Admin).of(Asset).body("asset=<asset>&note=a").changes(),
        form("POST /ui/lift_hold", Admin).of(Held).body("asset=<held>").changes(),
        // Live and recordings stay private.
        form("POST /ui/save_organisation", Admin).body("name=<own-name>+<n>&recording_enabled=on").changes(),
        form("POST /ui/save_recording_settings", Admin).body("max_duration_s=<n>").changes(),
        form("POST /ui/save_embed_domains", Admin).body("domains=d<n>.example.com").changes(),
        form("POST /ui/save_webhook", Admin).body("url=https://hooks.example.com/<n>").changes(),
        // Required they are already.
        form("POST /ui/require_publish_key", Admin).body("required=on").may_change(),
        form("POST /ui/create_api_key", Admin).body("label=new&role=nanoAdmin").changes(),
        // One that is not there counts as revoked, as where two click at once: nobody hears whether it ever was.
        form("POST /ui/revoke_api_key", Admin).body("key=<key>").changes(),
        question("POST /ui/endpoints", Admin),
        question("POST /ui/endpoint", Admin).of(Endpoint).body(r#"{"id":"<endpoint>","after":null}"#),
        form("POST /ui/create_endpoint", Admin).body("url=https://example.com/<n>&asset_ready=on").changes(),
        form("POST /ui/change_endpoint", Admin)
            .of(Endpoint)
            .body("id=<endpoint>&url=https://example.com/<n>&asset_ready=on")
            .changes(),
        form("POST /ui/switch_endpoint", Admin).of(Endpoint).body("id=<endpoint>&enabled=false").changes(),
        form("POST /ui/delete_endpoint", Admin).of(Endpoint).body("id=<endpoint>").changes(),
        form("POST /ui/rotate_endpoint_secret", Admin).of(Endpoint).body("id=<endpoint>").changes(),
        form("POST /ui/test_endpoint", Admin).of(Endpoint).body("id=<endpoint>").changes(),
        form("POST /ui/resend_delivery", Admin).of(Delivery).body("delivery=<delivery>&endpoint=<endpoint>").changes(),
        question("POST /ui/audit", Admin)
            .body(r#"{"filter":{"about":null,"who":null,"denied":false,"after":null}}"#)
            .tells_again(&["playback-token"]),
        question("POST /ui/people", Admin),
        question("POST /ui/mail_fate", Admin).body(r#"{"secret":"x"}"#),
        form("POST /ui/change_role", Admin).of(Thing::User).body("user=<user>&role=nanoAdmin").changes(),
        form("POST /ui/remove_user", Admin).of(Thing::User).body("user=<user>").changes(),
        form("POST /ui/invite", Admin).body("email=new<n>@example.com&role=nanoUser").changes(),
        form("POST /ui/revoke_invitation", Admin).of(Thing::Invitation).body("invitation=<invitation>").changes(),
        form("POST /ui/make_password_link", Admin).of(Thing::User).body("user=<user>&email=a@example.com").changes(),
        question("POST /ui/account", ReadOnly),
        // Who gave the password and no code yet is counted for a wrong one.
        anybodys_question("POST /ui/is_code_asked"),
        anybodys_form("POST /ui/sign_in_with_code").body("code=0").may_change(),
        question("POST /ui/second_factor", ReadOnly),
        form("POST /ui/begin_second_factor", ReadOnly).body("present=x"),
        // Nothing of the database is changed before a code is shown.
        form("POST /ui/begin_second_factor", ReadOnly).body("present=correct+horse+battery"),
        question("POST /ui/second_factor_offer", ReadOnly),
        form("POST /ui/confirm_second_factor", ReadOnly).body("code=0&x=present=x"),
        form("POST /ui/renew_recovery_codes", ReadOnly).body("present=x&code=0"),
        form("POST /ui/remove_second_factor", ReadOnly).body("present=x&code=0"),
        form("POST /ui/reset_second_factor", Admin).of(Thing::User).body("user=<user>").changes(),
        form("POST /ui/disconnect_user", Admin).of(Thing::User).body("user=<user>").changes(),
        question("POST /ui/second_factor_rule", Admin),
        // Off it is already, and on only who has one themselves switches it: `second_factor` asks who may.
        form("POST /ui/require_second_factor", Admin).body(""),
        // Of somebody who does not know the password, and of somebody who does.
        form("POST /ui/change_password", ReadOnly).body("present=x&password=wandering+geese+by+night"),
        form("POST /ui/change_password", ReadOnly)
            .body("present=correct+horse+battery&password=wandering+geese+by+night")
            .changes(),
        // There is no provider to be disconnected from.
        form("POST /ui/disconnect", ReadOnly).body("present=x"),
        // Somebody else's is left alone, whoever asks.
        form("POST /ui/end_session", ReadOnly).body("id=<session>"),
        form("POST /ui/end_session", ReadOnly).body("id=<own-session>").changes(),
        form("POST /ui/end_session_token", ReadOnly).body("id=<session-token>"),
        form("POST /ui/end_session_token", ReadOnly).body("id=<own-session-token>").changes(),
        form("POST /ui/end_other_sessions", ReadOnly).body("x=<own-session>").changes(),
        anybodys_question("POST /ui/invitation").body(r#"{"secret":"x"}"#),
        anybodys_form("POST /ui/accept_invitation").body("secret=x&password=wandering+geese+by+night"),
        anybodys_question("POST /ui/password_link").body(r#"{"secret":"x"}"#),
        anybodys_form("POST /ui/choose_password").body("secret=x&password=wandering+geese+by+night"),
    ]
}
