//! What only the browser can do: clipboard, local time, chance, the theme at once, playing, the stream of events. On the server each is its twin that
//! does nothing.

/// How a connection to the server's events does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connection {
    Stands,
    /// The browser makes another one.
    Broken,
    /// Answered by something else than events, and the browser asks no more: this reader is told nothing, or there was no place for now.
    Refused,
}

#[cfg(feature = "hydrate")]
mod inner {
    use std::rc::Rc;
    use std::time::Duration;

    use afterlive_domain::UnixMillis;
    use wasm_bindgen::{JsCast, JsValue, closure::Closure};
    use web_sys::{
        Document, EventSource, HtmlDocument, HtmlElement, HtmlTextAreaElement, HtmlVideoElement, VisibilityState, Window,
    };

    use super::Connection;
    use crate::request::Theme;

    fn window() -> Option<Window> {
        web_sys::window()
    }

    fn document() -> Option<Document> {
        window()?.document()
    }

    /// Leaves for a page that is loaded anew, with all that stands around it; *Back* does not lead to the present one.
    pub fn leave_for(path: &str) {
        if let Some(window) = window() {
            // Fails for what is no URL, and this is a path of ours.
            let _ = window.location().replace(path);
        }
    }

    /// Copies and then tells whether that worked.
    pub fn copy(text: String, done: impl FnOnce(bool) + 'static) {
        wasm_bindgen_futures::spawn_local(async move {
            let copied = match clipboard() {
                Some(clipboard) => wasm_bindgen_futures::JsFuture::from(clipboard.write_text(&text)).await.is_ok(),
                None => false,
            };
            done(copied || copy_by_selection(&text).is_some_and(|copied| copied));
        });
    }

    /// There is none over plain HTTP, except on localhost.
    fn clipboard() -> Option<web_sys::Clipboard> {
        let window = window()?;
        window.is_secure_context().then(|| window.navigator().clipboard())
    }

    /// The old way, which works over plain HTTP too.
    fn copy_by_selection(text: &str) -> Option<bool> {
        let document = document()?;
        let area: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
        area.set_value(text);
        area.set_class_name("offscreen");
        let focused = document.active_element().and_then(|element| element.dyn_into::<HtmlElement>().ok());
        let body = document.body()?;
        body.append_child(&area).ok()?;
        area.select();
        let copied = document.dyn_ref::<HtmlDocument>()?.exec_command("copy").ok()?;
        body.remove_child(&area).ok()?;
        if let Some(focused) = focused {
            let _ = focused.focus();
        }
        Some(copied)
    }

    /// In the reader's zone and language.
    #[must_use]
    pub fn local_time(at: UnixMillis) -> Option<String> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of our centuries fit a double")]
        let date = js_sys::Date::new(&JsValue::from_f64(at.0 as f64));
        date.to_locale_string("default", &JsValue::UNDEFINED).as_string()
    }

    #[must_use]
    pub fn now() -> Option<UnixMillis> {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of our centuries fit")]
        Some(UnixMillis(js_sys::Date::now() as i64))
    }

    /// A while of at least `least` and less than `most`, another one for each reader.
    #[must_use]
    pub fn between(least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(js_sys::Math::random())
    }

    /// Brings the element with this id to the top of what is seen.
    pub fn scroll_to(id: &str) {
        if let Some(element) = document().and_then(|document| document.get_element_by_id(id)) {
            element.scroll_into_view();
        }
    }

    /// Plays it, for who has just pressed something to see it.
    pub fn play(video: &HtmlVideoElement) {
        if let Ok(begun) = video.play() {
            wasm_bindgen_futures::spawn_local(async move {
                // Cut off by a pause, or there is nothing that plays, of which the player tells by itself.
                let _ = wasm_bindgen_futures::JsFuture::from(begun).await;
            });
        }
    }

    #[must_use]
    pub fn is_visible() -> bool {
        document().is_some_and(|document| document.visibility_state() == VisibilityState::Visible)
    }

    #[must_use]
    pub fn theme() -> Theme {
        let cookies = document().and_then(|document| document.dyn_into::<HtmlDocument>().ok()?.cookie().ok());
        cookies.map_or(Theme::System, |cookies| Theme::from_cookies(&cookies))
    }

    /// Shows it and keeps it.
    pub fn set_theme(theme: Theme) {
        let Some(document) = document() else { return };
        if let Some(root) = document.document_element() {
            let _ = root.set_attribute("data-theme", theme.as_str());
        }
        if let Ok(document) = document.dyn_into::<HtmlDocument>() {
            let _ = document.set_cookie(&theme.to_cookie());
        }
    }

    /// A connection to the server's events, which the browser makes anew when it breaks, but not when it is refused; closed when dropped.
    pub struct Events {
        source: EventSource,
        _message: Closure<dyn Fn()>,
        _open: Closure<dyn Fn()>,
        _error: Closure<dyn Fn()>,
    }

    impl Events {
        /// Calls `heard` for each event, and `connected` when the connection stands, breaks or is refused.
        #[must_use]
        pub fn open(url: &str, heard: impl Fn() + 'static, connected: impl Fn(Connection) + 'static) -> Option<Self> {
            let source = EventSource::new(url).ok()?;
            let connected = Rc::new(connected);
            let message = Closure::<dyn Fn()>::new(heard);
            let open = {
                let connected = Rc::clone(&connected);
                Closure::<dyn Fn()>::new(move || connected(Connection::Stands))
            };
            let error = {
                let source = source.clone();
                Closure::<dyn Fn()>::new(move || {
                    let is_refused = source.ready_state() == EventSource::CLOSED;
                    connected(if is_refused { Connection::Refused } else { Connection::Broken });
                })
            };
            source.set_onmessage(Some(message.as_ref().unchecked_ref()));
            source.add_event_listener_with_callback("resync", message.as_ref().unchecked_ref()).ok()?;
            source.set_onopen(Some(open.as_ref().unchecked_ref()));
            source.set_onerror(Some(error.as_ref().unchecked_ref()));
            Some(Self { source, _message: message, _open: open, _error: error })
        }
    }

    impl Drop for Events {
        fn drop(&mut self) {
            self.source.close();
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod inner {
    use std::time::Duration;

    use afterlive_domain::UnixMillis;
    use leptos::web_sys::HtmlVideoElement;

    use super::Connection;
    use crate::request::Theme;

    pub fn leave_for(_path: &str) {}

    pub fn copy(_text: String, _done: impl FnOnce(bool) + 'static) {}

    #[must_use]
    pub fn local_time(_at: UnixMillis) -> Option<String> {
        None
    }

    #[must_use]
    pub fn now() -> Option<UnixMillis> {
        None
    }

    #[must_use]
    pub fn between(least: Duration, _most: Duration) -> Duration {
        least
    }

    pub fn scroll_to(_id: &str) {}

    pub fn play(_video: &HtmlVideoElement) {}

    #[must_use]
    pub fn is_visible() -> bool {
        false
    }

    #[must_use]
    pub fn theme() -> Theme {
        Theme::System
    }

    pub fn set_theme(_theme: Theme) {}

    pub struct Events;

    impl Events {
        #[must_use]
        pub fn open(_url: &str, _heard: impl Fn() + 'static, _connected: impl Fn(Connection) + 'static) -> Option<Self> {
            None
        }
    }
}

pub use inner::{Events, between, copy, is_visible, leave_for, local_time, now, play, scroll_to, set_theme, theme};
