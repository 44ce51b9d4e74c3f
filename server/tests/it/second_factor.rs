//! The second factor: set up, asked for, guessed at, lost, and required of everybody.

mod lost;
mod pages;
mod required;
mod sign_in;
mod told;

use std::net::IpAddr;

use afterlive_domain::Role;
use afterlive_server::db::users::{self, User};
use afterlive_server::service::{CodeSignIn, Enrolled, HalfSignIn, Offer, Offered, SignIn};
use totp_rs::{Builder, Secret, Totp};

use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::{Server, Tenant};

pub const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
/// One step of the codes.
pub const STEP_MS: i64 = 30_000;

/// An app for codes on somebody's phone.
pub struct App(Totp);

impl App {
    /// With the secret as the page writes it.
    pub fn with(secret: &str) -> Self {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits: String =
            secret.bytes().map(|letter| format!("{:05b}", letters.iter().position(|known| *known == letter).unwrap())).collect();
        let bytes: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&bits[8 * at..8 * at + 8], 2).unwrap()).collect();
        let bytes: [u8; 20] = bytes.try_into().unwrap();
        Self(Builder::new().with_secret(Secret::new_stack(bytes)).build().unwrap())
    }

    /// What it shows so many steps from now, by a clock that goes right.
    pub fn shows(&self, server: &Server, steps: i64) -> String {
        let at_ms = server.clock.now().plus_ms(steps * STEP_MS).0;
        self.at(u64::try_from(at_ms / 1_000).unwrap())
    }

    /// What it shows then, in seconds since 1970.
    pub fn at(&self, at_s: u64) -> String {
        self.0.generate(at_s).to_string()
    }

    /// A code that it shows at none of the steps around now.
    pub fn wrong(&self, server: &Server) -> String {
        let good = [-1, 0, 1].map(|steps| self.shows(server, steps));
        (0..10).map(|n| format!("{n}00000")).find(|code| !good.contains(code)).unwrap()
    }
}

pub async fn an_offer(server: &Server, user: &User) -> (Offer, App) {
    let caller = as_user(user);
    let Offered::Made(offer) = server.service.offer_second_factor(&caller, PASSWORD).await.unwrap() else { panic!() };
    let shown = server.service.show_offer(&caller, &offer).await.unwrap().unwrap();
    (offer, App::with(&shown.secret))
}

/// Sets a second factor up, and gives the user as it is then, the app and the recovery codes. The next code is a fresh one.
pub async fn set_up(server: &Server, user: &User) -> (User, App, Vec<String>) {
    let (offer, app) = an_offer(server, user).await;
    let enrolled = server.service.enrol(&as_user(user), &offer, &app.shows(server, 0), None).await.unwrap();
    let Enrolled::Done(user, codes) = enrolled else { panic!() };
    server.clock.advance_ms(2 * STEP_MS);
    (user, app, codes.0.iter().map(|code| code.as_str().to_owned()).collect())
}

pub async fn a_user_with_one(server: &Server, tenant: &Tenant, role: Role) -> (User, App, Vec<String>) {
    let user = a_user(server, tenant, role).await;
    set_up(server, &user).await
}

pub async fn by_id(server: &Server, user: &User) -> User {
    users::by_id(&mut server.db.read().await.unwrap(), user.id).await.unwrap().unwrap()
}

/// Gives the right password.
pub async fn half(server: &Server, user: &User) -> HalfSignIn {
    match server.service.sign_in(&user.email, PASSWORD, HOME).await.unwrap() {
        SignIn::NeedsCode(half) => half,
        other => panic!("{other:?}"),
    }
}

/// Gives the code for which a browser is asked: it lets that one in, and not a twin that has the session from before.
pub async fn comes_in_alone(browser: &mut Browser<'_>, mut twin: Browser<'_>, code: &str) {
    assert_ne!(browser.cookie(), twin.cookie());
    assert_eq!(twin.submit("sign_in_with_code", &[("code", code)]).await, "/auth?error=again&next=%2F");
    assert_eq!(twin.load("home", "{}").await.status.as_u16(), 401);
    assert_eq!(browser.submit("sign_in_with_code", &[("code", code)]).await, "/");
    assert_eq!(browser.load("home", "{}").await.status.as_u16(), 200);
}

pub fn is_done(outcome: &CodeSignIn, user: &User) -> bool {
    matches!(outcome, CodeSignIn::Done(found) if found.id == user.id)
}
