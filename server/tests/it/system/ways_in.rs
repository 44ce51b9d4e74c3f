//! Ways by which somebody could come in above who was not let in there, or into an organisation from above, and what a suspension must not take.

use afterlive_domain::{AssetState, Error as Refusal, Mode, Role, Tags, UnixMillis};
use afterlive_server::db::{assets, retention};
use afterlive_server::service::{Chosen, CodeSignIn, NewStream, SignIn};

use super::{HOME, a_system_administrator, is_system_administrator, refusal, secret};
use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::on_each_server;
use crate::second_factor::{a_user_with_one, half, is_done};

const OTHER_PASSWORD: &str = "wandering geese by night";
const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn who_administers_an_organisation_is_helped_above_by_nothing_they_may_there() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let service = &server.service;
        let admin = as_user(&a_user(&server, &tenant, Role::Admin).await);
        let (bob, _, _) = a_user_with_one(&server, &tenant, Role::User).await;
        let before = service.make_password_link(&admin, bob.id).await.unwrap();
        service.give_system_role(None, &bob.email).await.unwrap();
        // Made for less.
        assert!(service.password_link(secret(&before)).await.unwrap().is_none());
        let not_one = Refusal::NotSystemAdministrator;
        assert_eq!(refusal(service.make_password_link(&admin, bob.id).await), not_one);
        assert_eq!(refusal(service.reset_second_factor(&admin, bob.id).await), not_one);
        // A peer helps, and no longer than they are one.
        let (ada, above) = a_system_administrator(&server, &tenant).await;
        let by_ada = service.make_password_link(&above, bob.id).await.unwrap();
        assert!(service.password_link(secret(&by_ada)).await.unwrap().is_some());
        service.operator_takes_system_role(&ada.email).await.unwrap();
        let chosen = service.set_password_by_link(secret(&by_ada), OTHER_PASSWORD, None).await.unwrap();
        assert_eq!(chosen, Chosen::WrongLink);
        // Who is none has nothing to lose, whoever else is one.
        service.operator_takes_system_role(&ada.email).await.unwrap();
        assert!(is_system_administrator(&server, &bob).await);
    })
    .await;
}

#[tokio::test]
async fn of_those_who_are_invited_from_above_only_the_last_comes_in() {
    on_each_server(async |server| {
        let home = server.an_organisation().await;
        let (_, above) = a_system_administrator(&server, &home).await;
        let service = &server.service;
        let made = service.create_organisation(Some(&above), "Harbour Choir", "mistyped@example.com").await.unwrap();
        let right = service.invite_administrator(&above, made.organisation.id, "right@example.com").await.unwrap();
        let chosen = service.accept_invitation(secret(&right), OTHER_PASSWORD, None).await.unwrap();
        assert!(matches!(chosen, Chosen::Done(_)), "{chosen:?}");
        let chosen = service.accept_invitation(secret(&made.link), OTHER_PASSWORD, None).await.unwrap();
        assert_eq!(chosen, Chosen::WrongLink);
    })
    .await;
}

#[tokio::test]
async fn neither_a_code_nor_a_link_opens_an_organisation_that_was_suspended_on_the_way() {
    on_each_server(async |server| {
        let (home, tenant) = (server.an_organisation().await, server.an_organisation().await);
        let (_, above) = a_system_administrator(&server, &home).await;
        let service = &server.service;
        let (bob, app, _) = a_user_with_one(&server, &tenant, Role::User).await;
        let eve = a_user(&server, &tenant, Role::User).await;
        let link = service.make_password_link(&tenant.admin, eve.id).await.unwrap();
        let on_the_way = half(&server, &bob).await;
        service.suspend_organisation(&above, tenant.organisation.id).await.unwrap();
        let code = app.shows(&server, 0);
        assert_eq!(service.finish_sign_in(&on_the_way, &code, HOME).await.unwrap(), CodeSignIn::Over);
        assert_eq!(service.sign_in(&bob.email, PASSWORD, HOME).await.unwrap(), SignIn::Suspended);
        let chosen = service.set_password_by_link(secret(&link), OTHER_PASSWORD, None).await.unwrap();
        assert_eq!(chosen, Chosen::WrongLink);
        // Neither was used up.
        service.resume_organisation(&above, tenant.organisation.id).await.unwrap();
        assert!(is_done(&service.finish_sign_in(&on_the_way, &code, HOME).await.unwrap(), &bob));
        let chosen = service.set_password_by_link(secret(&link), OTHER_PASSWORD, None).await.unwrap();
        assert!(matches!(chosen, Chosen::Done(_)), "{chosen:?}");
    })
    .await;
}

#[tokio::test]
async fn what_was_in_the_bin_can_be_restored_for_as_long_again_once_its_organisation_is_resumed() {
    on_each_server(async |server| {
        let (home, tenant) = (server.an_organisation().await, server.an_organisation().await);
        let (_, above) = a_system_administrator(&server, &home).await;
        let service = &server.service;
        let new = NewStream { tags: Tags::default(), default_mode: Mode::Rec };
        let stream = service.create_stream(&tenant.admin, new).await.unwrap();
        let asset = a_finished_recording(&server.db, stream.id).await;
        service.delete_asset(&tenant.admin, asset.id).await.unwrap();
        let region = "eu".parse().unwrap();
        let taken = async || {
            let before = server.clock.now().plus_ms(-7 * DAY_MS);
            !retention::binned(&mut server.db.read().await.unwrap(), &region, UnixMillis(0)..before, before, 10)
                .await
                .unwrap()
                .is_empty()
        };
        server.clock.advance_ms(6 * DAY_MS);
        service.suspend_organisation(&above, tenant.organisation.id).await.unwrap();
        server.clock.advance_ms(10 * DAY_MS);
        assert!(!taken().await);
        // Whoever looked before it was suspended, and acts now, takes nothing.
        let mut tx = server.db.write().await.unwrap();
        assert!(!retention::purge(&mut tx, asset.id, server.clock.now()).await.unwrap());
        tx.commit().await.unwrap();
        service.resume_organisation(&above, tenant.organisation.id).await.unwrap();
        server.clock.advance_ms(6 * DAY_MS);
        assert!(!taken().await);
        server.clock.advance_ms(DAY_MS + 1);
        assert!(taken().await);
        let found = assets::by_id(&mut server.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        assert_eq!(found.state, AssetState::Deleted);
    })
    .await;
}
