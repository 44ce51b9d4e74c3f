//! Each act of a caller is one row, with who, what, on what and from where; and nothing of it is a secret.

use std::collections::BTreeSet;

use afterlive_domain::organisation::Settings;
use afterlive_domain::{Act, EmbedDomains, KeyUse, Mode, Role, StreamId, Tags, ToldKinds};
use afterlive_server::db::audit_log::Entry;
use afterlive_server::db::browser_sessions;
use afterlive_server::db::users::User;
use afterlive_server::service::playback::{Expiry, RevokedToken, Secret, TokenOf, TokenWish};
use afterlive_server::service::{
    Caller, Chosen, CodeSignIn, EndpointChange, Enrolled, FactorChange, Identity, NewStream, Offered, Opens, PasswordChange,
    SetUp, SetUpForm, SignIn, SignedIn,
};

use super::{HOME, all_rows, at_home, rows};
use crate::fixture::browser::Browser;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant, on_a_server, on_each_server};
use crate::second_factor::{App, STEP_MS};

const PASSWORD: &str = "die Kirchturmuhr schlaegt dreizehn";
const OTHER_PASSWORD: &str = "wandering geese by night";

struct Scene<'a> {
    server: &'a Server,
    tenant: &'a Tenant,
    seen: i64,
    acts: BTreeSet<String>,
}

impl Scene<'_> {
    /// The rows since the last look.
    async fn since(&mut self) -> Vec<Entry> {
        let rows = rows(&self.server.db, self.server.service.audit(), self.tenant.organisation.id, self.seen).await;
        self.seen = rows.last().map_or(self.seen, |row| row.id);
        self.acts.extend(rows.iter().map(|row| row.act.clone()));
        rows
    }

    /// That since the last look one thing was done, and that it is that one.
    #[track_caller]
    fn did(&mut self, rows: Vec<Entry>, act: Act, who: (&str, &str), on: (&str, &str, &str)) -> Entry {
        let [row] = rows.try_into().unwrap_or_else(|rows: Vec<Entry>| panic!("{}: {rows:#?}", act.as_str()));
        assert_eq!((row.act.as_str(), row.denied, row.times), (act.as_str(), act.is_denied(), 1), "{row:#?}");
        assert_eq!((row.who_kind.as_str(), row.who_label.as_str()), who, "{row:#?}");
        let found = (row.on_kind.as_deref().unwrap(), row.on_id.as_deref().unwrap_or_default(), row.on_label.as_str());
        assert_eq!(found, on, "{row:#?}");
        assert_eq!(row.address.as_deref(), Some("203.0.113.9"), "{row:#?}");
        row
    }
}

/// Looks, and holds what is there to what is expected; gives the detail.
macro_rules! did {
    ($scene:ident, $act:ident, $who:expr, $on:expr) => {{
        let rows = $scene.since().await;
        $scene.did(rows, Act::$act, $who, $on).detail.unwrap_or_default()
    }};
}

#[tokio::test]
async fn each_act_is_one_row_that_says_who_did_it_on_what_and_from_where() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let caller = at_home(&server, &tenant).await;
        let mut scene = Scene { server: &server, tenant: &tenant, seen: 0, acts: BTreeSet::new() };
        let made = scene.since().await;
        assert!(made.iter().all(|row| row.who_kind == "operator" && row.address.is_none() && row.act == "key.made"), "{made:#?}");
        assert_eq!(made.len(), 3);

        let mut secrets = vec![tenant.admin_key.clone(), tenant.user_key.clone(), PASSWORD.into(), OTHER_PASSWORD.into()];
        Box::pin(of_the_organisation(&mut scene, &caller, &mut secrets)).await;
        Box::pin(of_people(&mut scene, &caller, &mut secrets)).await;
        Box::pin(of_keys_and_tokens(&mut scene, &caller, &mut secrets)).await;
        Box::pin(of_streams(&mut scene, &caller)).await;
        Box::pin(of_recordings(&mut scene, &caller)).await;
        Box::pin(of_endpoints(&mut scene, &caller, &mut secrets)).await;
        Box::pin(of_what_was_so_before(&mut scene, &caller)).await;

        // Nothing but a push URL's last part and what follows a host is typed by people and left out; all else is looked for whole.
        let everything = format!("{:?}", all_rows(&server, &tenant).await);
        for secret in secrets {
            assert!(!everything.contains(&secret), "{secret} is in the audit log");
        }
        // Those above the organisations stand in `system`, those of a provider in `oidc`.
        let elsewhere = [
            Act::OrganisationSetUp,
            Act::OrganisationCreated,
            Act::OrganisationSuspended,
            Act::OrganisationResumed,
            Act::SystemRoleGiven,
            Act::SystemRoleTaken,
            Act::RecordingPurged,
            Act::IdentityConnected,
            Act::IdentityDisconnected,
        ];
        let never = Act::ALL.iter().filter(|act| !act.is_denied() && !scene.acts.contains(act.as_str()));
        assert_eq!(never.copied().collect::<BTreeSet<_>>(), BTreeSet::from(elsewhere));
    })
    .await;
}

const KEY: (&str, &str) = ("key", "test");

async fn of_the_organisation(scene: &mut Scene<'_>, caller: &Caller, secrets: &mut Vec<String>) {
    let service = &scene.server.service;
    let id = scene.tenant.organisation.id.to_string();
    let settings = Settings { live_public: true, ..scene.tenant.organisation.settings };
    service.save_organisation(caller, "Minster", settings).await.unwrap();
    let on = ("organisation", id.as_str(), "Minster");
    let told = did!(scene, OrganisationChanged, KEY, on);
    assert_eq!(told, "name: Chapel → Minster; live_public: false → true");
    service
        .change_recording_settings(caller, |rules| afterlive_domain::organisation::RecordingSettings {
            retention_days: Some(7),
            ..rules
        })
        .await
        .unwrap();
    assert_eq!(did!(scene, RecordingRulesChanged, KEY, on), "retention_days: the server's → 7");
    service.set_embed_domains(caller, &"example.com".parse::<EmbedDomains>().unwrap()).await.unwrap();
    assert_eq!(did!(scene, EmbedDomainsChanged, KEY, on), "example.com");
    let url = "https://hooks.example.com/T0p-5ecret".parse().unwrap();
    service.set_webhook(caller, Some(&url)).await.unwrap();
    secrets.push("T0p-5ecret".into());
    assert!(did!(scene, WebhookChanged, KEY, on).contains("hooks.example.com"));
    service.set_webhook(caller, None).await.unwrap();
    did!(scene, WebhookChanged, KEY, on);
    service.require_publish_key(caller, true, false).await.unwrap();
    assert_eq!(did!(scene, PublishKeysChanged, KEY, on), "required");
}

/// Forms send all of their fields, also those that nobody changed.
async fn of_what_was_so_before(scene: &mut Scene<'_>, caller: &Caller) {
    let service = &scene.server.service;
    let organisation = service.organisation(caller).await.unwrap();
    let tags = Tags::new(["choir"]).unwrap();
    let stream = service.create_stream(caller, NewStream { tags: tags.clone(), default_mode: Mode::Rec }).await.unwrap();
    let user = service.users(caller).await.unwrap().remove(0);
    scene.since().await;

    service.save_organisation(caller, &organisation.name, organisation.settings).await.unwrap();
    service.change_recording_settings(caller, |rules| rules).await.unwrap();
    service.set_embed_domains(caller, &organisation.embed_domains).await.unwrap();
    service.set_webhook(caller, organisation.webhook.as_ref()).await.unwrap();
    service.change_role(caller, user.id, user.role).await.unwrap();
    assert_eq!(service.set_tags(caller, stream.id, &tags).await.unwrap().tags, tags);
    scene.server.clock.advance_ms(1_000);
    service.require_publish_key(caller, organisation.publish_keys.are_required(), false).await.unwrap();
    service.require_second_factor(caller, false).await.unwrap();
    assert_eq!(service.set_push_url(caller, stream.id, None).await.unwrap().updated_at, stream.updated_at);
    let rows = scene.since().await;
    assert!(rows.is_empty(), "{rows:#?}");
    assert_eq!(service.organisation(caller).await.unwrap().updated_at, organisation.updated_at);

    let pushed = "rtmp://live.example.com/app/another".parse().unwrap();
    let set = service.set_push_url(caller, stream.id, Some(&pushed)).await.unwrap();
    let endpoint =
        service.create_endpoint(caller, "https://example.com/a".parse().unwrap(), ToldKinds::all(), true).await.unwrap();
    scene.since().await;
    scene.server.clock.advance_ms(1_000);
    assert_eq!(service.set_push_url(caller, stream.id, Some(&pushed)).await.unwrap().updated_at, set.updated_at);
    let same = EndpointChange { url: Some(endpoint.url.clone()), kinds: Some(endpoint.kinds.clone()), enabled: Some(true) };
    assert_eq!(service.change_endpoint(caller, endpoint.id, same).await.unwrap().updated_at, endpoint.updated_at);
    let rows = scene.since().await;
    assert!(rows.is_empty(), "{rows:#?}");
    service.delete_endpoint(caller, endpoint.id).await.unwrap();
    scene.since().await;
}

async fn of_people(scene: &mut Scene<'_>, caller: &Caller, secrets: &mut Vec<String>) {
    let service = &scene.server.service;
    let ada = format!("ada@{}.example.com", scene.tenant.organisation.hash).to_lowercase();
    let user = service.add_user(caller, &ada, PASSWORD, Role::Admin).await.unwrap();
    let id = user.id.to_string();
    let (by_ada, on_ada) = (("user", ada.as_str()), ("user", id.as_str(), ada.as_str()));
    assert_eq!(did!(scene, UserAdded, KEY, on_ada), "as nanoAdmin");

    assert!(matches!(service.sign_in(&ada, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
    did!(scene, SignedIn, by_ada, on_ada);
    secrets.push(service.make_session_token(&ada, PASSWORD, None, HOME).await.unwrap());
    did!(scene, SessionTokenMade, by_ada, on_ada);
    let own = Caller { role: Role::Admin, identity: Identity::User(user.id), ..*caller };
    let tokens = service.open_account(&own).await.unwrap().tokens;
    service.end_session_token(&own, &tokens[0].0).await.unwrap();
    did!(scene, SessionTokenRevoked, by_ada, on_ada);
    service.end_session_token(&own, &tokens[0].0).await.unwrap();
    Box::pin(of_sessions(scene, &own, &user)).await;
    Box::pin(of_password_links(scene, caller, &user, secrets)).await;
    Box::pin(of_second_factors(scene, caller, &user, secrets)).await;
    Box::pin(of_invitations(scene, caller)).await;
    Box::pin(of_who_was_invited(scene, caller, secrets)).await;
}

async fn of_sessions(scene: &mut Scene<'_>, own: &Caller, user: &User) {
    let service = &scene.server.service;
    let (id, ada) = (user.id.to_string(), user.email.clone());
    let (by_ada, on_ada) = (("user", ada.as_str()), ("user", id.as_str(), ada.as_str()));
    for session in ["s1", "s2"] {
        let data = serde_json::json!({ "signed_in": SignedIn::new(user, service.clock().now(), HOME, "Browser") }).to_string();
        let (now, user) = (service.clock().now(), Some(user.id));
        let row = browser_sessions::Written { id: session, data: &data, user, used_at: now, expires_at: now.plus_ms(1_000_000) };
        let mut tx = scene.server.db.write().await.unwrap();
        assert!(browser_sessions::insert(&mut tx, row, 100).await.unwrap());
        tx.commit().await.unwrap();
    }
    service.end_session(own, "s1").await.unwrap();
    did!(scene, SessionRevoked, by_ada, on_ada);
    service.end_other_sessions(own, None, None).await.unwrap();
    assert_eq!(did!(scene, OtherSessionsRevoked, by_ada, on_ada), "1 of browsers, 0 of programs");
    service.end_other_sessions(own, None, None).await.unwrap();
    let changed = service.change_password(own, PASSWORD, OTHER_PASSWORD, None).await.unwrap();
    assert!(matches!(changed, PasswordChange::Done(_)));
    did!(scene, PasswordChanged, by_ada, on_ada);
    service.note_sign_out(own);
    did!(scene, SignedOut, by_ada, on_ada);
}

async fn of_password_links(scene: &mut Scene<'_>, caller: &Caller, user: &User, secrets: &mut Vec<String>) {
    let service = &scene.server.service;
    let (id, ada) = (user.id.to_string(), user.email.clone());
    let (by_ada, on_ada) = (("user", ada.as_str()), ("user", id.as_str(), ada.as_str()));
    let link = service.make_password_link(caller, user.id).await.unwrap();
    did!(scene, PasswordLinkMade, KEY, on_ada);
    let secret = link.rsplit('/').next().unwrap().to_owned();
    assert!(matches!(service.set_password_by_link(&secret, PASSWORD, Some(HOME)).await.unwrap(), Chosen::Done(_)));
    did!(scene, PasswordSetByLink, by_ada, on_ada);
    assert_eq!(service.set_password_by_link(&secret, PASSWORD, Some(HOME)).await.unwrap(), Chosen::WrongLink);
    secrets.push(secret);
}

async fn of_second_factors(scene: &mut Scene<'_>, caller: &Caller, user: &User, secrets: &mut Vec<String>) {
    let (server, service) = (scene.server, &scene.server.service);
    let (id, ada) = (user.id.to_string(), user.email.clone());
    let (by_ada, on_ada) = (("user", ada.as_str()), ("user", id.as_str(), ada.as_str()));
    let own = Caller { role: Role::Admin, identity: Identity::User(user.id), ..*caller };
    let on_organisation = scene.tenant.organisation.id.to_string();
    let on_organisation = ("organisation", on_organisation.as_str(), "Minster");

    let app = set_up_by(server, &own, secrets).await;
    did!(scene, SecondFactorOn, by_ada, on_ada);
    let SignIn::NeedsCode(half) = service.sign_in(&ada, PASSWORD, HOME).await.unwrap() else { panic!() };
    // Nobody has signed in yet.
    let wrong = app.wrong(server);
    assert_eq!(service.finish_sign_in(&half, &wrong, HOME).await.unwrap(), CodeSignIn::WrongCode);
    did!(scene, CodeRefused, ("stranger", ""), on_ada);
    assert!(matches!(service.finish_sign_in(&half, &app.shows(server, 0), HOME).await.unwrap(), CodeSignIn::Done(_)));
    assert_eq!(did!(scene, SignedIn, by_ada, on_ada), "with a code of their app");
    server.clock.advance_ms(2 * STEP_MS);
    service.require_second_factor(&own, true).await.unwrap();
    assert_eq!(did!(scene, SecondFactorRuleChanged, by_ada, on_organisation), "required");
    service.require_second_factor(&own, false).await.unwrap();
    assert_eq!(did!(scene, SecondFactorRuleChanged, by_ada, on_organisation), "not required");
    let renewed = service.renew_recovery_codes(&own, PASSWORD, &app.shows(server, 0)).await.unwrap();
    let FactorChange::Codes(codes) = renewed else { panic!() };
    did!(scene, RecoveryCodesMade, by_ada, on_ada);
    secrets.extend(codes.0.iter().map(|code| code.as_str().to_owned()));
    let removed = service.remove_second_factor(&own, PASSWORD, codes.0[0].as_str(), None).await.unwrap();
    assert!(matches!(removed, FactorChange::Off(_)));
    did!(scene, SecondFactorOff, by_ada, on_ada);
    set_up_by(server, &own, secrets).await;
    did!(scene, SecondFactorOn, by_ada, on_ada);
    service.reset_second_factor(caller, user.id).await.unwrap();
    did!(scene, SecondFactorReset, KEY, on_ada);
    service.reset_second_factor(caller, user.id).await.unwrap();
}

async fn set_up_by(server: &Server, own: &Caller, secrets: &mut Vec<String>) -> App {
    let Offered::Made(offer) = server.service.offer_second_factor(own, PASSWORD).await.unwrap() else { panic!() };
    let secret = server.service.show_offer(own, &offer).await.unwrap().unwrap().secret;
    let app = App::with(&secret);
    secrets.push(secret);
    let enrolled = server.service.enrol(own, &offer, &app.shows(server, 0), None).await.unwrap();
    let Enrolled::Done(_, codes) = enrolled else { panic!() };
    secrets.extend(codes.0.iter().map(|code| code.as_str().to_owned()));
    server.clock.advance_ms(2 * STEP_MS);
    app
}

const BOB: &str = "bob@example.org";

async fn of_invitations(scene: &mut Scene<'_>, caller: &Caller) {
    let service = &scene.server.service;
    service.invite(caller, BOB, Role::User).await.unwrap();
    let invitation = service.invitations(caller).await.unwrap().remove(0).id;
    let on_invitation = invitation.to_string();
    assert_eq!(did!(scene, UserInvited, KEY, ("invitation", &on_invitation, BOB)), "as nanoUser");
    service.revoke_invitation(caller, invitation).await.unwrap();
    did!(scene, InvitationRevoked, KEY, ("invitation", &on_invitation, BOB));
}

async fn of_who_was_invited(scene: &mut Scene<'_>, caller: &Caller, secrets: &mut Vec<String>) {
    let service = &scene.server.service;
    let link = service.invite(caller, BOB, Role::User).await.unwrap();
    scene.since().await;
    let secret = link.rsplit('/').next().unwrap().to_owned();
    let Chosen::Done(joined) = service.accept_invitation(&secret, PASSWORD, Some(HOME)).await.unwrap() else { panic!() };
    secrets.push(secret);
    let id = joined.id.to_string();
    did!(scene, InvitationAccepted, ("user", BOB), ("user", &id, BOB));
    service.change_role(caller, joined.id, Role::ReadOnly).await.unwrap();
    assert_eq!(did!(scene, RoleChanged, KEY, ("user", &id, BOB)), "nanoUser → nanoReadOnly");
    service.remove_user(caller, joined.id).await.unwrap();
    did!(scene, UserRemoved, KEY, ("user", &id, BOB));
    assert_eq!(scene.since().await, []);
}

async fn of_keys_and_tokens(scene: &mut Scene<'_>, caller: &Caller, secrets: &mut Vec<String>) {
    let service = &scene.server.service;
    let key = service.create_api_key(caller, "Playout", Opens::Playout, None).await.unwrap();
    assert_eq!(key.row.kind, KeyUse::Player);
    let id = key.row.id.to_string();
    secrets.push(key.secret);
    assert_eq!(did!(scene, KeyMade, KEY, ("key", &id, "Playout")), "for players");
    assert!(service.revoke_api_key(caller, key.row.id).await.unwrap().is_some());
    did!(scene, KeyRevoked, KEY, ("key", &id, "Playout"));
    assert!(service.revoke_api_key(caller, key.row.id).await.unwrap().is_none());

    let wish = |label: Option<&str>| TokenWish {
        of: TokenOf::Organisation,
        expiry: Expiry::In(60),
        not_before: None,
        ips: Vec::new(),
        domains: Vec::new(),
        label: label.map(str::to_owned),
    };
    let made = service.make_playback_token(caller, &wish(Some("Lobby"))).await.unwrap();
    let (id, Secret(token)) = (made.claims.id.to_string(), made.token);
    secrets.push(token);
    did!(scene, PlaybackTokenMade, KEY, ("playback_token", &id, "Lobby"));
    for _ in 0..3 {
        let Secret(token) = service.make_playback_token(caller, &wish(None)).await.unwrap().token;
        secrets.push(token);
    }
    let [many] = scene.since().await.try_into().unwrap();
    assert_eq!((many.act.as_str(), many.times, many.on_label.as_str()), ("playback_token.made", 3, "without a label"));
    service.revoke_playback_token(caller, RevokedToken::Id(made.claims.id)).await.unwrap();
    did!(scene, PlaybackTokenRevoked, KEY, ("playback_token", &id, ""));
    service.revoke_playback_token(caller, RevokedToken::Id(made.claims.id)).await.unwrap();
    service.renew_playback_secret(caller).await.unwrap();
    let on_organisation = scene.tenant.organisation.id.to_string();
    assert_eq!(did!(scene, PlaybackSecretRenewed, KEY, ("organisation", &on_organisation, "Minster")), "");
}

async fn of_streams(scene: &mut Scene<'_>, caller: &Caller) {
    let service = &scene.server.service;
    let tags = Tags::new(["title:Sunday service"]).unwrap();
    let stream = service.create_stream(caller, NewStream { tags, default_mode: Mode::Rec }).await.unwrap();
    let (id, text) = (stream.id, stream.id.to_string());
    let on = ("stream", text.as_str(), stream.streamname.as_str());
    assert_eq!(did!(scene, StreamCreated, KEY, on), "title:Sunday service");
    service.set_tags(caller, id, &Tags::new(["b"]).unwrap()).await.unwrap();
    assert_eq!(did!(scene, StreamTagged, KEY, on), "b");
    let url = "rtmp://live.example.com/app/5treamk3y".parse().unwrap();
    service.set_push_url(caller, id, Some(&url)).await.unwrap();
    let told = did!(scene, PushChanged, KEY, on);
    assert!(told.contains("live.example.com") && !told.contains("5treamk3y"), "{told}");
    service.renew_publish_key(caller, id).await.unwrap();
    did!(scene, PublishKeyRenewed, KEY, on);
    service.lock_stream(caller, id).await.unwrap();
    did!(scene, StreamLocked, KEY, on);
    // What was so before is no act.
    service.lock_stream(caller, id).await.unwrap();
    service.stop_stream(caller, id).await.unwrap();
    assert_eq!(scene.since().await, []);
    service.unlock_stream(caller, id).await.unwrap();
    did!(scene, StreamUnlocked, KEY, on);
    service.unlock_stream(caller, id).await.unwrap();
    let publisher = scene.server.hub.publish(id, service.clock().now()).unwrap();
    service.stop_stream(caller, id).await.unwrap();
    did!(scene, StreamStopped, KEY, on);
    drop(publisher);
    service.delete_stream(caller, id).await.unwrap();
    did!(scene, StreamDeleted, KEY, on);
    service.delete_stream(caller, id).await.unwrap();
    assert!(service.set_tags(caller, id, &Tags::new(["c"]).unwrap()).await.is_err());
    assert!(service.set_tags(caller, StreamId(uuid::Uuid::new_v4()), &Tags::new(["c"]).unwrap()).await.is_err());
    assert_eq!(scene.since().await, []);
}

async fn of_recordings(scene: &mut Scene<'_>, caller: &Caller) {
    let service = &scene.server.service;
    let new = NewStream { tags: Tags::default(), default_mode: Mode::Rec };
    let stream = service.create_stream(caller, new).await.unwrap();
    let asset = a_finished_recording(&scene.server.db, stream.id).await;
    scene.since().await;
    let id = asset.id.to_string();
    let on = ("recording", id.as_str(), asset.file_name.as_str());
    service.hold_asset(caller, asset.id, Some("as the court asks")).await.unwrap();
    assert_eq!(did!(scene, RecordingHeld, KEY, on), "as the court asks");
    assert!(service.delete_asset(caller, asset.id).await.is_err());
    service.lift_hold(caller, asset.id).await.unwrap();
    did!(scene, HoldLifted, KEY, on);
    service.lift_hold(caller, asset.id).await.unwrap();
    service.delete_asset(caller, asset.id).await.unwrap();
    did!(scene, RecordingBinned, KEY, on);
    service.delete_asset(caller, asset.id).await.unwrap();
    service.restore_asset(caller, asset.id).await.unwrap();
    did!(scene, RecordingRestored, KEY, on);
    service.restore_asset(caller, asset.id).await.unwrap();
    assert_eq!(scene.since().await, []);
}

async fn of_endpoints(scene: &mut Scene<'_>, caller: &Caller, secrets: &mut Vec<String>) {
    let service = &scene.server.service;
    let url = "https://example.com/h00k-5ecret".parse().unwrap();
    let endpoint = service.create_endpoint(caller, url, ToldKinds::all(), true).await.unwrap();
    secrets.extend(["h00k-5ecret".to_owned(), endpoint.secret.as_str().to_owned()]);
    let (id, shown) = (endpoint.id.to_string(), endpoint.url.without_target());
    let on = ("endpoint", id.as_str(), shown.as_str());
    did!(scene, EndpointMade, KEY, on);
    let message = service.test_endpoint(caller, endpoint.id).await.unwrap();
    did!(scene, EndpointTested, KEY, on);
    let rotated = service.rotate_endpoint_secret(caller, endpoint.id).await.unwrap();
    secrets.push(rotated.secret.as_str().to_owned());
    did!(scene, EndpointSecretRotated, KEY, on);
    let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
    service.change_endpoint(caller, endpoint.id, off).await.unwrap();
    assert_eq!(did!(scene, EndpointChanged, KEY, on), "enabled: true → false");
    let back = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
    service.change_endpoint(caller, endpoint.id, back).await.unwrap();
    did!(scene, EndpointChanged, KEY, on);
    service.resend_delivery(caller, message).await.unwrap();
    did!(scene, EventResent, KEY, ("event", &message.to_string(), ""));
    service.delete_endpoint(caller, endpoint.id).await.unwrap();
    let acts: Vec<(String, String)> = scene.since().await.into_iter().map(|row| (row.act, row.on_label)).collect();
    assert_eq!(acts, [("endpoint.changed".into(), shown.clone()), ("endpoint.deleted".into(), shown)]);
}

#[tokio::test]
async fn set_up_is_the_first_row_and_says_from_where() {
    on_each_server(async |server| {
        let link = server.service.set_up_link().await.unwrap().unwrap();
        let token = link.rsplit('=').next().unwrap();
        let form = SetUpForm { organisation_name: "Chapel", email: "ada@example.com", password: PASSWORD };
        let SetUp::Done(made) = server.service.set_up_with_link(token, form, Some(HOME)).await.unwrap() else { panic!() };
        let [row] = rows(&server.db, server.service.audit(), made.organisation.id, 0).await.try_into().unwrap();
        assert_eq!(
            (row.act.as_str(), row.who_kind.as_str(), row.who_label.as_str()),
            ("organisation.set_up", "user", "ada@example.com")
        );
        assert_eq!((row.on_label.as_str(), row.address.as_deref()), ("Chapel", Some("203.0.113.9")));
    })
    .await;
}

#[tokio::test]
async fn what_is_done_in_the_dashboard_and_by_the_api_says_from_where_it_came() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        server.service.add_user(&tenant.admin, &email, PASSWORD, Role::Admin).await.unwrap();
        let mut browser = Browser::signed_in(&server, &email, PASSWORD).await;
        browser.submit("create_stream", &[("tags", "a"), ("mode", "rec")]).await;
        browser.submit("sign_out", &[]).await;
        server.send("POST /stream", Some(&tenant.user_key), "{}").await.ok();
        let rows = all_rows(&server, &tenant).await;
        let told: Vec<(&str, &str, Option<&str>)> =
            rows[4..].iter().map(|row| (row.act.as_str(), row.who_kind.as_str(), row.address.as_deref())).collect();
        // Nobody has put an address into the requests: all have the one of those who have none.
        let from = Some("0.0.0.0");
        let expected = [
            ("session.began", "user", from),
            ("stream.created", "user", from),
            ("stream.created", "key", from),
            ("session.ended", "user", from),
        ];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test]
async fn behind_a_proxy_that_is_trusted_it_is_the_clients_address() {
    on_a_server(&[("HTTP__TRUSTED_PROXIES", "0.0.0.0")], async |server| {
        let tenant = server.an_organisation().await;
        let headers = [("x-bintu-apikey", tenant.user_key.as_str()), ("x-forwarded-for", "6.6.6.6, ::ffff:198.51.100.7")];
        server.send_with("POST /stream", &headers, "{}").await.ok();
        server.send_with("GET /organisation/apikey", &headers, "").await;
        let rows = all_rows(&server, &tenant).await;
        let told: Vec<(&str, Option<&str>)> = rows[3..].iter().map(|row| (row.act.as_str(), row.address.as_deref())).collect();
        assert_eq!(told, [("stream.created", Some("198.51.100.7")), ("request.denied", Some("198.51.100.7"))]);
    })
    .await;
}
