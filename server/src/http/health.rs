//! `GET /healthz`: whether the process lives. Asks nobody else, so that a slow database does not get the process restarted.

pub async fn healthz() -> &'static str {
    "ok\n"
}
