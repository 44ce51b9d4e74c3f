//! Mail to people, over a real conversation in SMTP: links that are mailed, what is shown of that, and who has forgotten the password.

mod forgotten;
mod program;

use std::time::Duration;

use afterlive_app::backend::{MailFate, People};
use afterlive_domain::Role;
use afterlive_server::db::Raw;
use afterlive_server::db::link_mails::{self, Fate};
use tokio::net::TcpListener;

use crate::accounts::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::database::NOW;
use crate::fixture::mail_server::{MailServer, settings};
use crate::fixture::server::{Server, on_each_server_with};

/// What waits so long for another try has none within a test.
const NEVER: [Duration; 1] = [Duration::from_secs(3_600)];
const SOON: [Duration; 1] = [Duration::from_millis(50)];

/// Sends a form that makes a link, and gives that link from the page after it.
async fn link(browser: &mut Browser<'_>, form: &str, fields: &[(&str, &str)]) -> String {
    assert!(browser.submit(form, fields).await.contains("notice=flash"));
    let flash: serde_json::Value = serde_json::from_str(&browser.flash().await).unwrap();
    let of = |kind: &str| flash[kind]["link"].as_str().map(str::to_owned);
    of("Invitation").or_else(|| of("PasswordLink")).unwrap_or_else(|| panic!("{flash}"))
}

fn secret(link: &str) -> &str {
    link.rsplit_once('/').unwrap().1
}

/// What the page says of the mail with a link, once its first try has ended.
async fn fate(browser: &mut Browser<'_>, link: &str) -> Option<MailFate> {
    loop {
        let answer = browser.load("mail_fate", &format!(r#"{{"secret":"{}"}}"#, secret(link))).await;
        let fate = serde_json::from_str(&answer.text).unwrap_or_else(|_| panic!("{}", answer.text));
        if fate != Some(MailFate::Waiting { problem: None }) {
            return fate;
        }
    }
}

async fn until(browser: &mut Browser<'_>, link: &str, settled: &MailFate) {
    while fate(browser, link).await.as_ref() != Some(settled) {
        tokio::task::yield_now().await;
    }
}

async fn people(browser: &mut Browser<'_>) -> People {
    let answer = browser.load("people", "{}").await;
    serde_json::from_str(&answer.text).unwrap_or_else(|_| panic!("{}", answer.text))
}

/// All that the table says of mails, as text.
async fn all_of_link_mails(server: &Server) -> String {
    let mut connection = server.db.read().await.unwrap();
    let all = "SELECT secret_hash || organisation_id || state || COALESCE(problem, '') FROM link_mails";
    let rows: Vec<String> = match connection.raw() {
        Raw::Sqlite(sqlite) => sqlx::query_scalar(all).fetch_all(sqlite).await.unwrap(),
        Raw::Postgres(postgres) => sqlx::query_scalar(all).fetch_all(postgres).await.unwrap(),
    };
    rows.join("\n")
}

#[tokio::test]
async fn a_link_is_mailed_as_it_is_shown_and_the_mailed_one_works() {
    for name in ["Chapel", "Kapelle Sankt Märgen, Übertragung"] {
        let mails = MailServer::start().await;
        on_each_server_with(&mails.settings(), &NEVER, async |server| {
            let server = server.with_dashboard();
            let tenant = server.an_organisation().await;
            server.service.save_organisation(&tenant.admin, name, tenant.organisation.settings).await.unwrap();
            let admin = a_user(&server, &tenant, Role::Admin).await;
            let mut browser = Browser::signed_in(&server, &admin.email, PASSWORD).await;
            assert!(people(&mut browser).await.sends_mail);
            let before = mails.taken().len();
            let to = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();

            let shown = link(&mut browser, "invite", &[("email", &to), ("role", "nanoReadOnly")]).await;
            assert_eq!(fate(&mut browser, &shown).await, Some(MailFate::Sent));
            assert_eq!(people(&mut browser).await.invitations[0].mail, Some(MailFate::Sent));
            let mail = mails.nth(before + 1).await;
            assert_eq!((mail.from.as_str(), &mail.to), ("noreply@live.example.com", &vec![to.clone()]));
            assert_eq!(mail.link(), shown);
            assert!(mail.body.contains(&format!("to join \"{name}\" as nanoReadOnly")), "{}", mail.body);
            assert!(mail.body.contains("until 2026-11-11 17:09 UTC"), "{}", mail.body);
            assert!(mail.header.contains("From: Afterlive <noreply@live.example.com>"), "{}", mail.header);
            assert!(mail.header.contains(&format!("To: {to}")) && !mail.header.contains("Bcc"), "{}", mail.header);

            let fields = [("secret", secret(mail.link())), ("password", PASSWORD)];
            assert_eq!(Browser::new(&server).submit("accept_invitation", &fields).await, "/?notice=joined");
            let users = server.service.users(&tenant.admin).await.unwrap();
            let ada = users.iter().find(|user| user.email == to).unwrap();

            let id = ada.id.to_string();
            let shown = link(&mut browser, "make_password_link", &[("user", &id), ("email", &to)]).await;
            assert_eq!(fate(&mut browser, &shown).await, Some(MailFate::Sent));
            let mail = mails.nth(before + 2).await;
            assert_eq!((&mail.to, mail.link()), (&vec![to.clone()], shown.as_str()));
            let fields = [("secret", secret(mail.link())), ("password", "wandering geese by night")];
            assert_eq!(Browser::new(&server).submit("choose_password", &fields).await, "/?notice=password");

            let rows = all_of_link_mails(&server).await;
            assert!(rows.contains("sent") && !rows.contains(secret(&shown)) && !rows.contains('@'), "{rows}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_refused_recipient_is_shown_with_what_the_mail_server_said_and_the_link_works_all_the_same() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &NEVER, async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let admin = a_user(&server, &tenant, Role::Admin).await;
        let mut browser = Browser::signed_in(&server, &admin.email, PASSWORD).await;
        let shown = link(&mut browser, "invite", &[("email", "refused@example.com"), ("role", "nanoUser")]).await;
        let problem = "the mail server answered 550: 5.1.1 … is nobody here".to_owned();
        assert_eq!(fate(&mut browser, &shown).await, Some(MailFate::Failed { problem: problem.clone() }));
        assert_eq!(people(&mut browser).await.invitations[0].mail, Some(MailFate::Failed { problem }));
        // Nobody else is told, not even who administers another organisation.
        let theirs = server.an_organisation().await;
        let stranger = a_user(&server, &theirs, Role::Admin).await;
        let mut other = Browser::signed_in(&server, &stranger.email, PASSWORD).await;
        assert_eq!(fate(&mut other, &shown).await, None);
        let fields = [("secret", secret(&shown)), ("password", PASSWORD)];
        assert_eq!(Browser::new(&server).submit("accept_invitation", &fields).await, "/?notice=joined");

        // No address that mail could be sent to, though it may sign in.
        let shown = link(&mut browser, "invite", &[("email", "a,b@example.com"), ("role", "nanoUser")]).await;
        let problem = "this is no address that mail can be sent to".to_owned();
        assert_eq!(fate(&mut browser, &shown).await, Some(MailFate::Failed { problem }));
    })
    .await;
    assert_eq!(mails.taken().len(), 0);
}

#[tokio::test]
async fn where_the_mail_server_is_away_the_link_is_there_and_the_page_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    on_each_server_with(&settings(nobody), &NEVER, async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let admin = a_user(&server, &tenant, Role::Admin).await;
        let mut browser = Browser::signed_in(&server, &admin.email, PASSWORD).await;
        let shown = link(&mut browser, "invite", &[("email", "ada@example.com"), ("role", "nanoUser")]).await;
        let problem = Some("the mail server cannot be reached".to_owned());
        assert_eq!(fate(&mut browser, &shown).await, Some(MailFate::Waiting { problem }));
        let fields = [("secret", secret(&shown)), ("password", PASSWORD)];
        assert_eq!(Browser::new(&server).submit("accept_invitation", &fields).await, "/?notice=joined");

        // What waits when the server stops is lost, and does not look as if it were under way.
        let shown = link(&mut browser, "invite", &[("email", "bob@example.com"), ("role", "nanoUser")]).await;
        assert!(matches!(fate(&mut browser, &shown).await, Some(MailFate::Waiting { .. })));
        server.stop.cancel();
        let stopped = MailFate::Failed { problem: "the server was stopped before it was sent".to_owned() };
        until(&mut browser, &shown, &stopped).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_put_off_is_tried_again_unless_the_link_is_worth_nothing_by_then() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &SOON, async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let admin = a_user(&server, &tenant, Role::Admin).await;
        let mut browser = Browser::signed_in(&server, &admin.email, PASSWORD).await;
        let hash = tenant.organisation.hash.to_string().to_lowercase();
        let [held, later, busy] = ["held", "later", "busy"].map(|name| format!("{name}@{hash}.example.com"));

        mails.hold();
        link(&mut browser, "invite", &[("email", &held), ("role", "nanoUser")]).await;
        mails.named(&held, 1).await;
        let [invitation] = server.service.invitations(&tenant.admin).await.unwrap().try_into().unwrap();
        server.service.revoke_invitation(&tenant.admin, invitation.id).await.unwrap();
        mails.release();

        let shown = link(&mut browser, "invite", &[("email", &later), ("role", "nanoUser")]).await;
        mails.named(&later, 2).await;
        until(&mut browser, &shown, &MailFate::Sent).await;
        assert_eq!(mails.taken().last().unwrap().link(), shown);

        let shown = link(&mut browser, "invite", &[("email", &busy), ("role", "nanoUser")]).await;
        let problem = "the mail server answered 451: 4.7.1 come again later".to_owned();
        until(&mut browser, &shown, &MailFate::Failed { problem }).await;
        assert_eq!(mails.times_named(&busy), 2);
        // Whose second try would have come before all of these.
        assert_eq!(mails.times_named(&held), 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_on_its_way_in_a_process_that_is_gone_is_lost_after_a_while() {
    on_each_server_with(&[], &[], async |server| {
        let organisation = server.an_organisation().await.organisation.id;
        let (lost_at, expires_at) = (NOW.plus_ms(10), NOW.plus_ms(100));
        let mut tx = server.db.write().await.unwrap();
        link_mails::put(&mut tx, "hash", organisation, &Fate::Waiting { problem: None }, lost_at, expires_at).await.unwrap();
        let mut at = async |ms: i64| link_mails::fate(&mut tx, organisation, "hash", NOW.plus_ms(ms)).await.unwrap();
        assert_eq!(at(9).await, Some(Fate::Waiting { problem: None }));
        assert_eq!(at(10).await, Some(Fate::Failed { problem: "the server ended before it was sent".to_owned() }));
        link_mails::settle(&mut tx, "hash", &Fate::Sent).await.unwrap();
        let mut at = async |ms: i64| link_mails::fate(&mut tx, organisation, "hash", NOW.plus_ms(ms)).await.unwrap();
        assert_eq!(at(10).await, Some(Fate::Sent));
    })
    .await;
}

#[tokio::test]
async fn what_became_of_a_mail_is_forgotten_when_its_link_opens_nothing_any_more() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &NEVER, async |server| {
        let tenant = server.an_organisation().await;
        let (service, admin) = (&server.service, &tenant.admin);
        let address = |name: &str| format!("{name}@{}.example.com", tenant.organisation.hash).to_lowercase();
        let invite = async |name: &str| service.invite(admin, &address(name), Role::User).await.unwrap();
        let (used, _revoked, first) = (invite("used").await, invite("revoked").await, invite("again").await);
        let second = invite("again").await;
        let user = a_user(&server, &tenant, Role::User).await;
        let password = service.make_password_link(admin, user.id).await.unwrap();
        service.accept_invitation(secret(&used), PASSWORD, None).await.unwrap();
        let invited = service.invitations(admin).await.unwrap();
        let revoked = invited.iter().find(|invitation| invitation.email == address("revoked")).unwrap();
        service.revoke_invitation(admin, revoked.id).await.unwrap();
        let swept = async |now| {
            let mut tx = server.db.write().await.unwrap();
            let swept = link_mails::delete_unwanted(&mut tx, now).await.unwrap();
            tx.commit().await.unwrap();
            swept
        };
        let fate = async |link: &str| service.mail_fate(admin, secret(link)).await.unwrap();
        assert!(fate(&first).await.is_some());
        assert_eq!(swept(NOW).await, 3, "used, revoked, replaced");
        assert_eq!((fate(&first).await, fate(&used).await), (None, None));
        assert!(fate(&second).await.is_some() && fate(&password).await.is_some());
        // The one is good for a day, the other for a week.
        assert_eq!((swept(NOW.plus_ms(86_400_000)).await, swept(NOW.plus_ms(7 * 86_400_000)).await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn an_organisation_has_so_many_mails_sent_and_its_links_made_all_the_same() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &NEVER, async |server| {
        let server = server.with_dashboard();
        let (tenant, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let admin = a_user(&server, &tenant, Role::Admin).await;
        let mut browser = Browser::signed_in(&server, &admin.email, PASSWORD).await;
        // A link for the own password each time: of one there is but the newest.
        for _ in 0..100 {
            server.service.make_password_link(&tenant.admin, admin.id).await.unwrap();
        }
        let shown = link(&mut browser, "invite", &[("email", "ada@example.com"), ("role", "nanoUser")]).await;
        let Some(MailFate::Failed { problem }) = fate(&mut browser, &shown).await else { panic!("it is sent") };
        assert!(problem.contains("too many mails") && problem.contains("31 s"), "{problem}");
        assert!(server.service.invitation(secret(&shown)).await.unwrap().is_some());
        let other = a_user(&server, &theirs, Role::Admin).await;
        let mut other = Browser::signed_in(&server, &other.email, PASSWORD).await;
        let shown = link(&mut other, "invite", &[("email", "bob@example.com"), ("role", "nanoUser")]).await;
        until(&mut other, &shown, &MailFate::Sent).await;
    })
    .await;
}
