//! HTTP: one list of routes, and a module for each of what stands behind them. Decides nothing that `service/` decides.

mod acme;
pub mod api;
pub mod arrival;
pub mod browser_session;
mod credentials;
mod embed;
pub mod error;
mod etag;
pub mod events;
mod flash;
mod health;
mod instructions;
pub mod listen;
mod live;
mod live_still;
mod reference;
mod report;
pub mod request;
pub mod router;
mod sdp;
pub mod secure;
mod sendfile;
pub mod ui;
pub mod viewer;
pub mod vod;
mod whep;
mod whip;
