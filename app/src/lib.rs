//! The dashboard: pages, the components they are built of, and the server functions they call. It reaches the server only through
//! [`backend::Backend`]; media, SQL and protocols are not its business.
//!
//! The same crate is compiled twice: with `ssr` into the server, with `hydrate` into the browser's WASM.

#![recursion_limit = "512"]

pub mod backend;
pub mod browser;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod format;
pub mod health;
pub mod live;
pub mod pages;
pub mod query;
pub mod request;
pub mod server_fns;
pub mod shell;
pub mod ui;
pub mod verdict;

pub use shell::{App, shell};

/// Takes over the page that the server has rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
}

#[cfg(all(test, feature = "ssr"))]
mod tests;
