//! The people of an organisation: their roles, their going, and what that ends.

mod links;
mod own;

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role, UserId};
use afterlive_server::db::users::User;
use afterlive_server::service::{Caller, Error, Identity};

use crate::fixture::browser::Browser;
use crate::fixture::server::{Server, Tenant, on_each_server};

const PASSWORD: &str = "correct horse battery";

async fn a_user(server: &Server, tenant: &Tenant, role: Role) -> User {
    let email = format!("{}@{}.example.com", uuid::Uuid::new_v4(), tenant.organisation.hash).to_lowercase();
    server.service.add_user(&tenant.admin, &email, PASSWORD, role).await.unwrap()
}

fn as_user(user: &User) -> Caller {
    Caller { organisation: user.organisation, role: user.role, identity: Identity::User(user.id) }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn roles(server: &Server, tenant: &Tenant) -> Vec<(UserId, Role)> {
    server.service.users(&tenant.admin).await.unwrap().into_iter().map(|user| (user.id, user.role)).collect()
}

#[tokio::test]
async fn the_last_administrator_can_neither_go_nor_be_made_less() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (one, other) = (a_user(&server, &tenant, Role::Admin).await, a_user(&server, &tenant, Role::User).await);
        // Those of another organisation do not count.
        let theirs = server.an_organisation().await;
        a_user(&server, &theirs, Role::Admin).await;
        let (service, admin) = (&server.service, as_user(&one));
        for role in [Role::User, Role::ReadOnly] {
            assert_eq!(refusal(service.change_role(&admin, one.id, role).await), Refusal::LastAdmin { user: one.id });
        }
        assert_eq!(refusal(service.remove_user(&admin, one.id).await), Refusal::LastAdmin { user: one.id });
        service.change_role(&admin, one.id, Role::Admin).await.unwrap();
        service.change_role(&admin, other.id, Role::Admin).await.unwrap();
        service.change_role(&admin, one.id, Role::ReadOnly).await.unwrap();
        assert_eq!(refusal(service.remove_user(&tenant.admin, other.id).await), Refusal::LastAdmin { user: other.id });
        service.change_role(&tenant.admin, one.id, Role::Admin).await.unwrap();
        service.remove_user(&admin, one.id).await.unwrap();
        assert_eq!(roles(&server, &tenant).await, [(other.id, Role::Admin)]);
    })
    .await;
}

#[tokio::test]
async fn of_administrators_who_go_all_at_once_one_stays() {
    on_each_server(async |server| {
        for is_removed in [true, false] {
            let tenant = server.an_organisation().await;
            let mut admins = Vec::new();
            for _ in 0..4 {
                admins.push(a_user(&server, &tenant, Role::Admin).await);
            }
            // Each takes away the next.
            let racers = (0..4).map(|n| {
                let (service, caller, next) = (Arc::clone(&server.service), as_user(&admins[n]), admins[(n + 1) % 4].id);
                tokio::spawn(async move {
                    if is_removed {
                        service.remove_user(&caller, next).await
                    } else {
                        service.change_role(&caller, next, Role::User).await
                    }
                })
            });
            let mut refused = 0;
            for racer in racers.collect::<Vec<_>>() {
                if let Err(error) = racer.await.unwrap() {
                    assert!(matches!(error, Error::Refused(Refusal::LastAdmin { .. })), "{error}");
                    refused += 1;
                }
            }
            let left = roles(&server, &tenant).await.into_iter().filter(|(_, role)| *role == Role::Admin).count();
            assert_eq!((refused, left), (1, 1));
        }
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_another_organisation_does_not_exist() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let user = a_user(&server, &theirs, Role::User).await;
        let none = Refusal::NoSuchUser { user: user.id };
        assert_eq!(refusal(server.service.change_role(&ours.admin, user.id, Role::Admin).await), none);
        assert_eq!(refusal(server.service.remove_user(&ours.admin, user.id).await), none);
        assert_eq!(roles(&server, &theirs).await, [(user.id, Role::User)]);
        assert_eq!(roles(&server, &ours).await, []);
    })
    .await;
}

#[tokio::test]
async fn who_is_removed_is_signed_out_everywhere_with_the_next_request() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browsers =
            [Browser::signed_in(&server, &user.email, PASSWORD).await, Browser::signed_in(&server, &user.email, PASSWORD).await];
        let token = server.service.make_session_token(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
        let with_token = async || server.send_with("GET /user", &[("X-BINTU-TOKEN", &token)], "").await.status.as_u16();
        for browser in &mut browsers {
            assert_eq!(browser.load("home", "{}").await.status.as_u16(), 200);
            assert_eq!(browser.open("/organisation").await.status.as_u16(), 200);
        }
        assert_eq!(with_token().await, 200);
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        for browser in &mut browsers {
            assert_eq!(browser.load("home", "{}").await.status.as_u16(), 401);
            assert_eq!(browser.open("/organisation").await.header("location"), "/auth?next=%2Forganisation");
            assert_eq!(browser.open("/events").await.status.as_u16(), 401);
        }
        assert_eq!(with_token().await, 401);
        // Whoever comes next under that address has nothing of it.
        server.service.add_user(&tenant.admin, &user.email, PASSWORD, Role::Admin).await.unwrap();
        assert_eq!((browsers[0].load("home", "{}").await.status.as_u16(), with_token().await), (401, 401));
    })
    .await;
}

#[tokio::test]
async fn the_list_says_when_each_last_signed_in() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let last = async || server.service.users(&tenant.admin).await.unwrap()[0].last_sign_in_at;
        assert_eq!(last().await, None);
        server.service.sign_in(&user.email, "wrong", [192, 0, 2, 1].into()).await.unwrap();
        assert_eq!(last().await, None);
        server.service.sign_in(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
        assert_eq!(last().await, Some(server.clock.now()));
    })
    .await;
}
