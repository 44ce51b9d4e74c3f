//! What only the server knows of a request: its backend, its cookies, its answer's status and redirect. The browser's twin of each does nothing.
//!
//! Together with [`crate::browser`] this is the only place that asks which side it is compiled for.

use serde::{Deserialize, Serialize};

/// How the reader chose to see the pages; without a choice they follow the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

/// The choice lives in a cookie rather than in the browser's storage: so the server renders it, and no page flashes in the other colours.
pub const THEME_COOKIE: &str = "theme";
/// One year.
pub const THEME_MAX_AGE_S: u32 = 31_536_000;

/// What was typed as the e-mail address into a sign-in that failed, for the form that comes after it. A cookie, as strangers have no session; the page's script
/// does not see it.
#[cfg(feature = "ssr")]
const TYPED_EMAIL_COOKIE: &str = "typed_email";
/// Five minutes.
#[cfg(feature = "ssr")]
const TYPED_EMAIL_MAX_AGE_S: u32 = 300;
/// Longer ones are no addresses.
#[cfg(feature = "ssr")]
const MAX_TYPED_EMAIL_BYTES: usize = 254;

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name).unwrap_or_default()
    }

    /// Reads a `Cookie` header, or what `document.cookie` says.
    #[must_use]
    pub fn from_cookies(cookies: &str) -> Self {
        cookies
            .split(';')
            .find_map(|pair| pair.trim().strip_prefix(THEME_COOKIE)?.strip_prefix('='))
            .map_or(Self::System, Self::from_name)
    }

    /// The `Set-Cookie` text, which `document.cookie` takes as well.
    #[must_use]
    pub fn to_cookie(self) -> String {
        format!("{THEME_COOKIE}={}; Path=/; Max-Age={THEME_MAX_AGE_S}; SameSite=Lax", self.as_str())
    }
}

#[cfg(feature = "ssr")]
mod server {
    use http::{HeaderValue, StatusCode, header, request::Parts};
    use leptos::prelude::{expect_context, use_context};
    use leptos_axum::ResponseOptions;
    use leptos_router::location::Url;

    use super::{MAX_TYPED_EMAIL_BYTES, TYPED_EMAIL_COOKIE, TYPED_EMAIL_MAX_AGE_S, Theme};
    use crate::backend::SharedBackend;

    /// # Panics
    /// Where the server has provided none, which is a fault of its wiring.
    #[must_use]
    pub fn backend() -> SharedBackend {
        expect_context::<SharedBackend>()
    }

    pub fn set_status(code: u16) {
        if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(code)) {
            response.set_status(status);
        }
    }

    /// Does not end the caller: what calls this must return next. `path` is a local path of visible ASCII.
    pub fn redirect(path: &str) {
        leptos_axum::redirect(path);
    }

    /// Whether the browser was signed in, and that was ended elsewhere.
    #[must_use]
    pub fn has_lost_session() -> bool {
        backend().has_lost_session()
    }

    pub fn set_theme(theme: Theme) {
        if let (Some(response), Ok(cookie)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&theme.to_cookie())) {
            response.append_header(header::SET_COOKIE, cookie);
        }
    }

    /// Keeps it for [`typed_email`]; an empty one ends that.
    pub fn keep_typed_email(email: &str) {
        let email = if email.len() > MAX_TYPED_EMAIL_BYTES { "" } else { email };
        if email.is_empty() && typed_email().is_empty() {
            return;
        }
        let max_age_s = if email.is_empty() { 0 } else { TYPED_EMAIL_MAX_AGE_S };
        // A cookie takes neither spaces nor semicolons nor other scripts' letters.
        let value = Url::escape(email);
        let secure = if backend().is_secure() { "; Secure" } else { "" };
        let cookie = format!("{TYPED_EMAIL_COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
        if let (Some(response), Ok(cookie)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
            response.append_header(header::SET_COOKIE, cookie);
        }
    }

    /// Empty where none was typed.
    #[must_use]
    pub fn typed_email() -> String {
        let parts = use_context::<Parts>();
        let cookies = parts.as_ref().and_then(|parts| parts.headers.get(header::COOKIE)?.to_str().ok()).unwrap_or_default();
        let value = cookies.split(';').find_map(|pair| pair.trim().strip_prefix(TYPED_EMAIL_COOKIE)?.strip_prefix('='));
        value.map(Url::unescape).unwrap_or_default()
    }

    #[must_use]
    pub fn theme() -> Theme {
        let parts = use_context::<Parts>();
        let cookies = parts.as_ref().and_then(|parts| parts.headers.get(header::COOKIE)?.to_str().ok());
        cookies.map_or(Theme::System, Theme::from_cookies)
    }
}

#[cfg(feature = "ssr")]
pub use server::{backend, has_lost_session, keep_typed_email, redirect, set_status, set_theme, theme, typed_email};

#[cfg(not(feature = "ssr"))]
pub use crate::browser::theme;

#[cfg(not(feature = "ssr"))]
pub fn set_status(_code: u16) {}

#[cfg(not(feature = "ssr"))]
pub fn redirect(_path: &str) {}

#[cfg(not(feature = "ssr"))]
#[must_use]
pub fn has_lost_session() -> bool {
    false
}

/// The path to go to after signing in: only a path of this site, so that no link to us leads a reader away after typing a password.
#[must_use]
pub fn local_path(next: &str) -> &str {
    let local = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    if local { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_local() {
        assert_eq!(local_path("/stream?state=live"), "/stream?state=live");
        for outside in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nSet-Cookie: b", "stream", "/ä", "/a b"]
        {
            assert_eq!(local_path(outside), "/", "{outside:?}");
        }
    }

    #[test]
    fn the_theme_is_read_back_from_its_cookie() {
        assert_eq!(Theme::from_cookies("session=abc; theme=dark"), Theme::Dark);
        assert_eq!(Theme::from_cookies("mytheme=dark"), Theme::System);
        assert_eq!(Theme::from_cookies("theme=purple"), Theme::System);
        for theme in Theme::ALL {
            assert_eq!(Theme::from_cookies(&theme.to_cookie()), theme);
        }
    }
}
