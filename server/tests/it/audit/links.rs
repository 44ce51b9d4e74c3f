//! Links that let nobody in: noted where it is known whose they were, by who tries to use them.

use afterlive_domain::Role;
use afterlive_server::service::Chosen;

use super::{HOME, all_rows};
use crate::fixture::server::on_each_server;

const PASSWORD: &str = "die Kirchturmuhr schlaegt dreizehn";
const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn who_would_use_a_link_that_is_over_is_noted_at_the_organisation_that_made_it() {
    on_each_server(async |server| {
        let (tenant, other) = (server.an_organisation().await, server.an_organisation().await);
        let service = &server.service;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        let user = service.add_user(&tenant.admin, &email, PASSWORD, Role::User).await.unwrap();
        let invitation = service.invite(&tenant.admin, "bob@example.org", Role::User).await.unwrap();
        let link = service.make_password_link(&tenant.admin, user.id).await.unwrap();
        let [invitation, link] = [&invitation, &link].map(|link| link.rsplit_once('/').unwrap().1);
        server.clock.advance_ms(8 * DAY_MS);
        // To look is no attempt: whatever reads people's mail does.
        assert!(service.invitation(invitation).await.unwrap().is_none() && service.password_link(link).await.unwrap().is_none());
        let never = "00".repeat(32);
        for secret in [invitation, invitation, &never] {
            let chosen = service.accept_invitation(secret, PASSWORD, Some(HOME)).await.unwrap();
            assert_eq!(chosen, Chosen::WrongLink);
        }
        for secret in [link, &never] {
            assert_eq!(service.set_password_by_link(secret, PASSWORD, Some(HOME)).await.unwrap(), Chosen::WrongLink);
        }
        let rows: Vec<_> = all_rows(&server, &tenant).await.into_iter().filter(|row| row.denied).collect();
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (row.act.as_str(), row.who_kind.as_str(), row.on_kind.as_deref().unwrap(), row.on_label.as_str(), row.times)
            })
            .collect();
        let expected = [
            ("user.link_refused", "stranger", "invitation", "bob@example.org", 2),
            ("user.link_refused", "stranger", "user", email.as_str(), 1),
        ];
        assert_eq!(told.len(), 2, "{rows:#?}");
        assert!(expected.iter().all(|row| told.contains(row)), "{rows:#?}");
        for row in &rows {
            assert_eq!((row.detail.as_deref(), row.address.as_deref()), (Some("it had expired"), Some("203.0.113.9")));
        }
        let text = format!("{rows:?}");
        assert!(!text.contains(invitation) && !text.contains(link), "{text}");
        assert!(all_rows(&server, &other).await.iter().all(|row| !row.denied));
    })
    .await;
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_who_comes_too_late_is_noted() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let service = &server.service;
        let link = service.invite(&tenant.admin, "bob@example.org", Role::User).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        let accept = || service.accept_invitation(secret, PASSWORD, Some(HOME));
        let (one, other) = tokio::join!(accept(), accept());
        let done = [one, other].into_iter().filter(|chosen| matches!(chosen, Ok(Chosen::Done(_)))).count();
        assert_eq!(done, 1);
        let rows: Vec<_> = all_rows(&server, &tenant).await.into_iter().filter(|row| row.denied).collect();
        // Where the other only began when the link was gone already it is nobody's any more.
        assert!(rows.len() <= 1 && rows.iter().all(|row| row.act == "user.link_refused"), "{rows:#?}");
    })
    .await;
}
