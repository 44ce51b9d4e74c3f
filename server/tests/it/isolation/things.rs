//! What a request names, made anew: so that each request which is let in has something of its own to do it to.

use std::collections::BTreeMap;

use afterlive_domain::{OrganisationId, Role, ToldKinds};
use afterlive_server::db::user_identities::{self, Identity};
use afterlive_server::db::users;
use afterlive_server::service::playback::{Expiry, Secret, TokenOf, TokenWish};
use afterlive_server::service::{Caller, EndpointChange, Opens};
use uuid::Uuid;

use super::table::Thing;
use super::world::World;
use crate::fixture::database::{self, NOW};
use crate::fixture::recordings::a_finished_recording;

/// What the names in rows stand for.
pub type Named = BTreeMap<&'static str, String>;

/// One of ours.
pub async fn make(world: &World, thing: Thing) -> Named {
    let (service, tenant, db) = (&world.server.service, &world.ours.tenant, &world.server.db);
    let admin = &tenant.admin;
    let stream = async || database::a_stream(db, &tenant.organisation).await.id;
    let asset = async || a_finished_recording(db, stream().await).await.id;
    let made = match thing {
        Thing::Stream => stream().await.to_string(),
        Thing::Locked => {
            let stream = stream().await;
            service.lock_stream(admin, stream).await.unwrap();
            stream.to_string()
        }
        // There is one.
        Thing::Live => return world.standing.get("live").map(|id| Named::from([("live", id.clone())])).unwrap_or_default(),
        Thing::Asset => asset().await.to_string(),
        Thing::Binned => {
            let asset = asset().await;
            service.delete_asset(admin, asset).await.unwrap();
            asset.to_string()
        }
        Thing::Held => {
            let asset = asset().await;
            service.hold_asset(admin, asset, None).await.unwrap();
            asset.to_string()
        }
        Thing::Key => service.create_api_key(admin, "made", Opens::Role(Role::ReadOnly), None).await.unwrap().row.id.to_string(),
        Thing::Endpoint | Thing::Delivery => return an_endpoint(world).await,
        Thing::PlaybackToken => {
            let (of, expiry, label) = (TokenOf::Organisation, Expiry::In(3_600), Some("made".to_owned()));
            let wish = TokenWish { of, expiry, not_before: None, ips: Vec::new(), domains: Vec::new(), label };
            let made = service.make_playback_token(admin, &wish).await.unwrap();
            let Secret(token) = made.token;
            return Named::from([(thing.as_str(), made.claims.id.to_string()), ("playback-secret", token)]);
        }
        Thing::User => {
            let user = world.ours.a_user(&world.server, Role::User).await;
            // For who resets it. Who signs in by the address has none.
            let by_address = world.ours.a_user(&world.server, Role::User).await;
            let mut tx = db.write().await.unwrap();
            assert!(users::set_second_factor(&mut tx, user.id, None, Some("made")).await.unwrap());
            // For who disconnects it.
            let (id, issuer) = (Uuid::new_v4().to_string(), "https://login.example.com".to_owned());
            let identity = Identity { id, user: user.id, issuer, subject: user.id.to_string(), called: None, connected_at: NOW };
            assert!(user_identities::insert(&mut tx, &identity).await.unwrap());
            tx.commit().await.unwrap();
            return Named::from([(thing.as_str(), user.id.to_string()), ("email", by_address.email)]);
        }
        Thing::Invitation => {
            let email = format!("{}@quillfeather.example.com", Uuid::new_v4());
            service.invite(admin, &email, Role::User).await.unwrap();
            let invited = service.invitations(admin).await.unwrap();
            invited.into_iter().find(|invitation| invitation.email == email).unwrap().id.to_string()
        }
        Thing::Organisation => an_organisation(world).await.to_string(),
        Thing::Suspended => {
            let organisation = an_organisation(world).await;
            service.suspend_organisation(&Caller::operator(organisation), organisation).await.unwrap();
            organisation.to_string()
        }
        Thing::Colleague => {
            let user = world.above.a_user(&world.server, Role::User).await;
            return Named::from([(thing.as_str(), user.id.to_string()), ("colleague-email", user.email)]);
        }
        Thing::SystemAdministrator => world.above.a_system_administrator(&world.server).await.id.to_string(),
    };
    Named::from([(thing.as_str(), made)])
}

async fn an_organisation(world: &World) -> OrganisationId {
    let email = format!("{}@fresh.example.com", Uuid::new_v4());
    world.server.service.create_organisation(None, "Fresh", &email).await.unwrap().organisation.id
}

/// With something that it was to be told and that was given up.
async fn an_endpoint(world: &World) -> Named {
    let (service, admin) = (&world.server.service, &world.ours.tenant.admin);
    let url = "https://example.com/events".parse().unwrap();
    let endpoint = service.create_endpoint(admin, url, ToldKinds::all(), true).await.unwrap().id;
    let delivery = service.test_endpoint(admin, endpoint).await.unwrap();
    for enabled in [Some(false), Some(true)] {
        service.change_endpoint(admin, endpoint, EndpointChange { enabled, ..EndpointChange::default() }).await.unwrap();
    }
    Named::from([("endpoint", endpoint.to_string()), ("delivery", delivery.to_string())])
}

/// There may be a few endpoints only: those that rows before have made go.
pub async fn tidy(world: &World) {
    for tenant in [&world.ours.tenant, &world.theirs.tenant] {
        for old in world.server.service.endpoints(&tenant.admin).await.unwrap() {
            if Some(&old.id.to_string()) != world.standing.get("endpoint") {
                world.server.service.delete_endpoint(&tenant.admin, old.id).await.unwrap();
            }
        }
    }
}
