//! The icons: own drawings on a 16 by 16 grid, in the colour of the text beside them, which says what they mean.

use leptos::prelude::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icon {
    Live,
    Created,
    Ended,
    Locked,
    Deleted,
    Recording,
    Ready,
    Incomplete,
    Failed,
    Copy,
    Download,
    Play,
    Plus,
    Search,
    System,
    Light,
    Dark,
    Person,
    Previous,
    Next,
    Info,
    Key,
    Restore,
    Hold,
}

impl Icon {
    /// Path data; strokes of 1.5 unless [`is_filled`](Self::is_filled).
    fn path(self) -> &'static str {
        match self {
            Self::Live => "M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5ZM3.8 3.8a6 6 0 0 0 0 8.4M12.2 3.8a6 6 0 0 1 0 8.4",
            Self::Created => "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Z",
            Self::Ended => "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM6 6h4v4H6Z",
            Self::Locked => "M3.5 7.25h9v6.25h-9ZM5.25 7.25V5a2.75 2.75 0 0 1 5.5 0v2.25M8 9.75v1.5",
            Self::Deleted => "M2.75 4.25h10.5M6 4.25V2.5h4v1.75M4.25 4.25 5 13.5h6l.75-9.25M7 7v4M9 7v4",
            Self::Recording => "M8 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7Z",
            Self::Ready => "M3 8.5l3.25 3.25L13 4.75",
            Self::Incomplete => "M8 2.25 14.25 13.5H1.75ZM8 6.5v3M8 11.5v.1",
            Self::Failed => "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM6 6l4 4M10 6l-4 4",
            Self::Copy => "M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3",
            Self::Download => "M8 2.25v8M4.75 7.25 8 10.5l3.25-3.25M2.75 13.5h10.5",
            Self::Play => "M5 3.25v9.5L12.75 8Z",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Search => "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9ZM10.25 10.25 13.75 13.75",
            Self::System => "M2.25 3h11.5v7.75H2.25ZM5.5 13.5h5M8 10.75v2.75",
            Self::Light => {
                "M8 5.25a2.75 2.75 0 1 1 0 5.5 2.75 2.75 0 0 1 0-5.5ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7"
            }
            Self::Dark => "M13.25 9.5A5.75 5.75 0 0 1 6.5 2.75a5.75 5.75 0 1 0 6.75 6.75Z",
            Self::Person => "M8 2.5a2.75 2.75 0 1 1 0 5.5 2.75 2.75 0 0 1 0-5.5ZM2.75 13.75a5.25 5.25 0 0 1 10.5 0",
            Self::Previous => "M10 3.5 5.5 8l4.5 4.5",
            Self::Next => "M6 3.5 10.5 8 6 12.5",
            Self::Info => "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM8 7.25v3.5M8 5.1v.1",
            Self::Restore => "M3 6.5h6.75a3.5 3.5 0 0 1 0 7H6M5.75 3.75 3 6.5l2.75 2.75",
            Self::Hold => "M8 2 13 4v4c0 3-2 5-5 6-3-1-5-3-5-6V4Z",
            Self::Key => "M5.25 7.5a2.75 2.75 0 1 1 0 5.5 2.75 2.75 0 0 1 0-5.5ZM7.25 8.25 12.75 2.75M10.5 5l2 2",
        }
    }

    fn is_filled(self) -> bool {
        matches!(self, Self::Recording | Self::Play)
    }

    /// The drawing, hidden from screen readers.
    #[must_use]
    pub fn draw(self) -> AnyView {
        let class = if self.is_filled() { "icon filled" } else { "icon" };
        view! {
            <svg class=class viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
                <path d=self.path() />
            </svg>
        }
        .into_any()
    }
}

/// The product's mark: a light that was live, and what stays of it.
#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 20" width="32" height="20" aria-hidden="true" focusable="false">
            <circle class="echo" cx="22" cy="10" r="8" opacity=".28" />
            <circle class="echo" cx="16" cy="10" r="8" opacity=".5" />
            <circle class="now" cx="10" cy="10" r="8" />
        </svg>
    }
}
