//! Two organisations that show nothing to strangers, what ours has, and everybody who might ask for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use afterlive_domain::organisation::Settings;
use afterlive_domain::{Role, UserId};
use afterlive_server::config::Config;
use afterlive_server::db::users::{self, User};
use afterlive_server::http::secure::{Policy, Way, secured};
use afterlive_server::hub::Publisher;
use afterlive_server::ingest::whip::Whip;
use afterlive_server::live::Use;
use afterlive_server::live::whep::Whep;
use afterlive_server::rtc::{self, Transport};
use afterlive_server::run::pages;
use afterlive_server::service::playback::Expiry;
use afterlive_server::service::session_tokens::LIFETIME_S;
use afterlive_server::service::{Caller, Opens};
use afterlive_server::sound::Interpreter;
use afterlive_server::storage::Key;
use axum::Router;
use axum::body::Body;
use futures::FutureExt as _;
use http::Request;
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::cells::FORM;
use super::columns::{self, COLUMNS, Column, Means, Whose};
use super::contents::Question;
use super::table::{Row, Thing};
use super::things::{self, Named};
use crate::accounts::as_user;
use crate::api::sessions::PASSWORD;
use crate::api::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant};
use crate::playback::{go_live, publishing};
use crate::second_factor;

const DAY_MS: i64 = 86_400_000;
/// So many of a side's marks, from the first on, are what its organisation is called.
pub const NAMES: usize = 3;

/// What rows name and is nobody's, or above both organisations.
const NOT_OURS: [&str; 6] = ["nothing", "organisation", "suspended", "system-administrator", "colleague", "colleague-email"];

/// An organisation, and a user of it who is there to be copied: hashing a password takes long.
pub struct Side {
    name: &'static str,
    pub tenant: Tenant,
    model: User,
    /// What no answer to somebody else may have in it.
    pub marks: Vec<String>,
}

/// Somebody who asks.
#[derive(Clone)]
pub struct Asker {
    pub header: (&'static str, String),
    /// What is their own, by the names that rows have for it.
    pub own: Named,
}

pub struct World {
    pub server: Server,
    pub ours: Side,
    pub theirs: Side,
    /// That of the system administrators.
    pub above: Side,
    /// Which signs users in without a password.
    sign_in: Router,
    askers: HashMap<&'static str, Asker>,
    pub standing: Named,
    contents: Question,
    on_air: Publisher,
    count: u64,
    _feed: Use,
    _webroot: TempDir,
}

impl Side {
    async fn new(server: &Server, name: &'static str) -> Self {
        let tenant = server.an_organisation().await;
        let settings = Settings { live_public: false, vod_public: false, ..tenant.organisation.settings };
        server.service.save_organisation(&tenant.admin, name, settings).await.unwrap();
        let email = format!("model@{}.example.com", name.to_lowercase());
        let model = server.service.add_user(&tenant.admin, &email, PASSWORD, Role::Admin).await.unwrap();
        let organisation = &tenant.organisation;
        let marks = vec![organisation.id.to_string(), organisation.hash.to_string(), name.to_owned(), email[6..].to_owned()];
        Self { name, tenant, model, marks }
    }

    pub async fn a_user(&self, server: &Server, role: Role) -> User {
        let email = self.model.email.replace("model", &Uuid::new_v4().to_string());
        let user = User { id: UserId(Uuid::new_v4()), email, role, ..self.model.clone() };
        let mut tx = server.db.write().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        tx.commit().await.unwrap();
        user
    }

    pub async fn a_system_administrator(&self, server: &Server) -> User {
        let user = self.a_user(server, Role::Admin).await;
        server.service.give_system_role(None, &user.email).await.unwrap();
        user
    }

    async fn a_session_token(&self, server: &Server, user: &User) -> String {
        server.service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap()
    }
}

impl World {
    pub async fn new(mut server: Server) -> Self {
        let (ours, mut theirs) = (Side::new(&server, "Quillfeather").await, Side::new(&server, "Marrowbone").await);
        let above = Side::new(&server, "Overlook").await;
        let shut = Side::new(&server, "Larkspur").await;
        let sign_in = server.router.clone();
        let admin = &ours.tenant.admin;
        let mut shown: HashMap<&'static str, String> = HashMap::new();
        let key = async |admin: &Caller, opens, expiry| server.service.create_api_key(admin, "a", opens, expiry).await.unwrap();

        // What is over when the rest begins.
        let soon = Some(Expiry::In(1));
        shown.insert(columns::EXPIRED_KEY, key(admin, Opens::Role(Role::Admin), soon).await.secret);
        shown.insert(columns::EXPIRED_PLAYER_KEY, key(admin, Opens::Playout, soon).await.secret);
        let early = ours.a_user(&server, Role::Admin).await;
        shown.insert(columns::EXPIRED_TOKEN, ours.a_session_token(&server, &early).await);
        shown.insert(columns::EXPIRED_SESSION, cookie(&sign_in, early.id).await);
        server.clock.advance_ms((LIFETIME_S * 1_000).max(15 * DAY_MS));
        for (name, opens) in [(columns::REVOKED_KEY, Opens::Role(Role::Admin)), (columns::REVOKED_PLAYER_KEY, Opens::Playout)] {
            let made = key(admin, opens, None).await;
            server.service.revoke_api_key(admin, made.row.id).await.unwrap().unwrap();
            shown.insert(name, made.secret);
        }
        shown.insert(columns::ENDED_TOKEN, ours.a_session_token(&server, &early).await);
        let by_early = as_user(&early);
        let tokens = server.service.open_account(&by_early).await.unwrap().tokens;
        server.service.end_session_token(&by_early, &tokens[0].0).await.unwrap();
        let gone = ours.a_user(&server, Role::Admin).await;
        shown.insert(columns::REMOVED_TOKEN, ours.a_session_token(&server, &gone).await);
        shown.insert(columns::REMOVED_SESSION, cookie(&sign_in, gone.id).await);
        server.service.remove_user(admin, gone.id).await.unwrap();
        shown.insert(columns::PLAYER_KEY, key(admin, Opens::Playout, None).await.secret);
        shown.insert(columns::THEIR_PLAYER_KEY, key(&theirs.tenant.admin, Opens::Playout, None).await.secret);
        shown.insert(columns::SUSPENDED_PLAYER_KEY, key(&shut.tenant.admin, Opens::Playout, None).await.secret);
        for name in [columns::NONSENSE, columns::NONSENSE_TOKEN, columns::NONSENSE_PLAYER_KEY] {
            shown.insert(name, "nonsense".to_owned());
        }
        shown.insert(columns::NONSENSE_BEARER, "Bearer nonsense".to_owned());
        shown.insert(columns::NONSENSE_SESSION, "afterlive_session=nonsense".to_owned());
        shown.insert(columns::NO_CREDENTIAL, "x".to_owned());
        shown.insert(columns::SIGNED_OUT, cookie(&sign_in, early.id).await);
        for column in COLUMNS {
            let (side, role) = match column.whose {
                Whose::Ours(role) => (&ours, role),
                Whose::Theirs => (&theirs, Role::Admin),
                Whose::System => (&above, Role::Admin),
                Whose::Suspended => (&shut, Role::Admin),
                Whose::Nobodys => continue,
            };
            let user = async || match column.whose {
                Whose::System => side.a_system_administrator(&server).await,
                _ => side.a_user(&server, role).await,
            };
            let value = match column.means {
                Means::Key => side.tenant.key(role).to_owned(),
                Means::SessionToken => side.a_session_token(&server, &user().await).await,
                Means::Bearer => format!("Bearer {}", side.a_session_token(&server, &user().await).await),
                Means::Session => cookie(&sign_in, user().await.id).await,
                Means::PlayerKey | Means::Nothing => continue,
            };
            shown.insert(column.name, value);
        }
        let closer = above.a_system_administrator(&server).await;
        server.service.suspend_organisation(&as_user(&closer), shut.tenant.organisation.id).await.unwrap();

        let (live, tag) = (a_stream(&server, &ours.tenant, &["quill-tag"]).await, "quill-tag".to_owned());
        server.service.require_publish_key(admin, true, false).await.unwrap();
        let asset = a_finished_recording(&server.db, live).await;
        let live = server.service.stream(admin, live).await.unwrap();
        let region = server.service.regions().iter().find(|store| store.name().to_string() == "eu").unwrap();
        for key in [Key::recording(&live.streamname, 1), Key::thumbnail(&live.streamname, 1)] {
            let path = region.path(&key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"media").unwrap();
        }
        let (on_air, feed) = go_live(&server, &live).await;
        let theirs_stream = a_stream(&server, &theirs.tenant, &["marrow-tag"]).await;
        let their_asset = a_finished_recording(&server.db, theirs_stream).await;
        theirs.marks.extend([
            "marrow-tag".to_owned(),
            theirs_stream.to_string(),
            their_asset.id.to_string(),
            their_asset.file_name,
        ]);

        let mut standing = Named::from([("tag", tag), ("nothing", Uuid::new_v4().to_string())]);
        standing.insert("reader-key", ours.tenant.reader_key.clone());
        standing.insert("own-name", ours.name.to_owned());
        standing.insert("own-session", "x".to_owned());
        standing.insert("own-session-token", "x".to_owned());
        let (webroot, router) = whole_router(&server).await;
        server.router = router;
        let contents = Question::new(&server.db).await;
        shown.insert(columns::HALF_SIGN_IN, half_signed_in(&server, &ours).await);
        let askers = shown.into_iter().map(|(name, value)| {
            let column = COLUMNS.iter().find(|column| column.name == name).unwrap();
            (name, Asker { header: (column.means.header(), value), own: Named::new() })
        });
        let askers = askers.collect();
        let mut world = Self {
            server,
            ours,
            theirs,
            above,
            sign_in,
            askers,
            standing,
            contents,
            on_air,
            count: 1_000,
            _feed: feed,
            _webroot: webroot,
        };
        for thing in Thing::ALL {
            let made = things::make(&world, thing).await;
            world.standing.extend(made);
        }
        world.standing.insert("live", live.id.to_string());
        world.standing.insert("streamname", live.streamname.to_string());
        world.standing.insert("hash", world.ours.tenant.organisation.hash.to_string());
        let somebody = world.ours.a_user(&world.server, Role::Admin).await;
        let open = world.open_of(&world.ours, &somebody, ["session", "session-token"]).await;
        world.standing.extend(open);
        let ours = &world.ours.marks;
        let is_mark = |name, value: &String| !NOT_OURS.contains(name) && value.len() > 1 && !ours.contains(value);
        let named = world.standing.iter().filter(|(name, value)| is_mark(name, value));
        let marks: Vec<String> = named.map(|(_, value)| value.clone()).chain([asset.id.to_string()]).collect();
        world.ours.marks.extend(marks);
        let signed_out = world.askers[columns::SIGNED_OUT].header.clone();
        let headers = [&[(signed_out.0, signed_out.1.as_str())][..], &FORM].concat();
        assert_eq!(world.server.send_with("POST /ui/sign_out", &headers, "").await.status.as_u16(), 302);
        // What a page of an organisation's first one writes is written: the secret of its playback tokens.
        for column in COLUMNS {
            let (name, value) = &world.askers[column.name].header;
            let headers = [(*name, value.as_str()), ("content-type", "application/json"), ("accept", "application/json")];
            world.server.send_with("POST /ui/home", &headers, "{}").await;
        }
        world
    }

    /// Who stands for the column.
    pub fn asker(&self, column: &Column) -> Asker {
        self.askers.get(column.name).unwrap_or_else(|| panic!("nobody with {}", column.name)).clone()
    }

    /// Somebody like them whom a request may sign out; also what rows take for their own.
    pub async fn fresh_asker(&self, column: &Column, row: &Row) -> Asker {
        let (side, role) = match (column.means, column.whose) {
            (Means::Session, Whose::Ours(role)) => (&self.ours, role),
            (Means::Session, Whose::Theirs) => (&self.theirs, Role::Admin),
            (Means::Session, Whose::System) => (&self.above, Role::Admin),
            _ => return self.asker(column),
        };
        let user = match column.whose {
            Whose::System => side.a_system_administrator(&self.server).await,
            _ => side.a_user(&self.server, role).await,
        };
        let header = (Means::Session.header(), cookie(&self.sign_in, user.id).await);
        let is_needed = row.mentions("own-session") || row.mentions("own-session-token");
        let mut own =
            if is_needed { self.open_of(side, &user, ["own-session", "own-session-token"]).await } else { Named::new() };
        own.insert("own-name", side.name.to_owned());
        Asker { header, own }
    }

    /// Another session and a session token of the user, as their own page names them.
    async fn open_of(&self, side: &Side, user: &User, [session, token]: [&'static str; 2]) -> Named {
        let caller = as_user(user);
        let open = async || self.server.service.open_account(&caller).await.unwrap();
        let before: BTreeSet<String> = open().await.sessions.into_iter().map(|session| session.id).collect();
        cookie(&self.sign_in, user.id).await;
        side.a_session_token(&self.server, user).await;
        let account = open().await;
        let new = account.sessions.iter().find(|session| !before.contains(&session.id)).unwrap();
        Named::from([(session, new.id.clone()), (token, account.tokens[0].0.clone())])
    }

    /// What a cell's request names; `<n>` is another number each time.
    pub fn with(&mut self, more: &[&Named]) -> Named {
        self.count += 1;
        let mut named = self.standing.clone();
        named.insert("n", self.count.to_string());
        named.extend(more.iter().flat_map(|more| more.iter().map(|(name, value)| (*name, value.clone()))));
        named
    }

    /// The same of nothing that there is.
    pub fn of_nothing(&self, named: &Named) -> Named {
        let nothing = |name: &'static str, value: &String| match name {
            "streamname" => format!("{}-00000", self.ours.tenant.organisation.hash),
            _ if Thing::ALL.iter().any(|thing| thing.as_str() == name) => Uuid::new_v4().to_string(),
            _ => value.clone(),
        };
        named.iter().map(|(name, value)| (*name, nothing(name, value))).collect()
    }

    pub async fn contents(&self) -> BTreeSet<String> {
        self.contents.ask(&self.server.db).await
    }

    /// Whether the encoder was told to go.
    pub fn is_cut(&self) -> bool {
        self.on_air.stop_requested().now_or_never().is_some()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

/// All that a running server has behind a listener: the dashboard, WebRTC, and what is answered before any route is looked for.
async fn whole_router(server: &Server) -> (TempDir, Router) {
    let webroot = tempfile::tempdir().unwrap();
    let folder = webroot.path().join(".well-known/acme-challenge");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("token"), "token.fingerprint").unwrap();
    let settings = [
        ("AFTERLIVE__HTTP__ACME_WEBROOT".to_owned(), webroot.path().display().to_string()),
        ("AFTERLIVE__DATA_DIR".to_owned(), server.folder.path().display().to_string()),
    ];
    let policy = Arc::new(Policy::from(&Config::from_sources(None, settings).unwrap()));

    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = rtc::Settings { listen, host_candidates: Vec::new(), max_sessions: 100 };
    let transport = Transport::bind(&settings).await.unwrap();
    let whip = Whip::new(transport.clone(), Arc::new(publishing::gate(server)), server.stop.clone());
    // Nobody here gets as far as being sent sound.
    let interpreter = Interpreter::new(server.hub.clone(), "none");
    let whep = Whep::new(transport, server.hub.clone(), interpreter, server.stop.clone());
    let router = server.router_over(pages(&server.service), Some((whip, whep)));
    (webroot, Router::new().fallback_service(secured(router, &policy, Way::Plain)))
}

/// Of a browser in which the user has signed in.
async fn cookie(sign_in: &Router, user: UserId) -> String {
    let request = Request::builder().uri(format!("/sign-in/{user}")).body(Body::empty()).unwrap();
    let answer = sign_in.clone().oneshot(request).await.unwrap();
    answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Of a browser in which an administrator with a second factor has given the password, and is asked for a code.
async fn half_signed_in(server: &Server, side: &Side) -> String {
    let user = side.a_user(server, Role::Admin).await;
    second_factor::set_up(server, &user).await;
    let body = format!("email={}&password={}", user.email, PASSWORD.replace(' ', "+"));
    let answer = server.send_with("POST /ui/sign_in", &FORM, &body).await;
    assert!(answer.headers["location"].to_str().unwrap().starts_with("/sign-in/code"));
    let mut cookies = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().unwrap().split(';').next());
    cookies.rfind(|cookie| cookie.starts_with("afterlive_session=")).unwrap().to_owned()
}

/// A text of a row with what its names stand for.
pub fn filled(text: &str, named: &BTreeMap<&'static str, String>) -> String {
    named.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}
