//! How old a session may become.

use afterlive_domain::Role;

use super::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::on_each_server;

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn a_session_in_daily_use_ends_thirty_days_after_the_sign_in() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::ReadOnly).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        for day in 1..30 {
            server.clock.advance_ms(DAY_MS);
            assert_eq!(browser.load("account", "{}").await.status.as_u16(), 200, "day {day}");
        }
        server.clock.advance_ms(DAY_MS - 1);
        assert_eq!(browser.load("account", "{}").await.status.as_u16(), 200, "the last millisecond");
        server.clock.advance_ms(1);
        assert_ne!(browser.load("account", "{}").await.status.as_u16(), 200, "however much it was used");
        let mut again = Browser::signed_in(&server, &user.email, PASSWORD).await;
        assert_eq!(again.load("account", "{}").await.status.as_u16(), 200);
    })
    .await;
}
