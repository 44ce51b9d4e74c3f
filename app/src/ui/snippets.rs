//! Code to copy into other people's pages and programs.

use leptos::prelude::*;

use super::copy::CopyBlock;
use super::icon::Icon;
use super::playback_tokens::WhereTokensAreMade;
use crate::backend::{Overview, RecordingRow};
use crate::format::attribute;

/// The HTML that plays one recording in any page.
#[must_use]
pub fn video_html(url: &str, poster: Option<&str>) -> String {
    let poster = poster.map(|poster| format!(" poster=\"{}\"", attribute(poster))).unwrap_or_default();
    format!(
        "<video controls preload=\"metadata\" width=\"640\" style='max-width: 100%'{poster} src=\"{}\"></video>",
        attribute(url)
    )
}

#[must_use]
pub fn recording_html(recording: &RecordingRow) -> String {
    video_html(&recording.url, recording.poster_url.as_deref())
}

/// `url` is that of the player alone. It has the given size where there is room, and becomes smaller with the page where there is not.
#[must_use]
pub fn iframe_html(url: &str) -> String {
    format!(
        "<iframe src=\"{}\" width=\"640\" height=\"360\" style='max-width: 100%; height: auto; aspect-ratio: 16/9; border: 0' allow=\"autoplay; fullscreen; picture-in-picture\" title=\"Player\"></iframe>",
        attribute(url)
    )
}

/// `url` is that of a stream's HLS list.
#[must_use]
pub fn ffplay_hls(url: &str) -> String {
    format!("ffplay '{url}'")
}

/// A test picture with a tone.
#[must_use]
pub fn ffmpeg_test(url: &str) -> String {
    format!(
        "ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 \\\n  \
         -c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 0 -b:v 2500k -g 60 \\\n  \
         -c:a aac -b:a 128k -ac 2 -f flv '{url}'"
    )
}

/// A file, as it is.
#[must_use]
pub fn ffmpeg_file(url: &str) -> String {
    format!("ffmpeg -re -i input.mp4 -c copy -f flv '{url}'")
}

/// `page` is the playout page, which shares its origin with the API.
#[must_use]
pub fn curl(page: &str, stream: &str) -> String {
    let origin = page.split("/playout/").next().unwrap_or_default();
    format!(
        "curl --request GET \\\n  --url '{origin}/stream/{stream}?asset_limit=10' \\\n  \
         --header 'X-BINTU-APIKEY: REPLACE_WITH_YOUR_API_KEY'"
    )
}

/// Why some of the snippets do not play as they stand here, for who is not signed in.
fn guarded(live_public: bool, vod_public: bool) -> Option<&'static str> {
    match (live_public, vod_public) {
        (true, true) => None,
        (false, true) => Some("Live is not public: the iframe and HLS play only with a playback token behind their URLs."),
        (true, false) => Some("Recordings are not public: they play only with a playback token behind their URLs."),
        (false, false) => Some("Neither live nor recordings are public: they play only with a playback token behind their URLs."),
    }
}

/// All of them, for one stream.
#[component]
pub fn Snippets(
    overview: Signal<Overview>,
    /// Beside [`super::encoder::EncoderSteps`], which have the line for a test picture already.
    #[prop(optional)]
    beside_steps: bool,
) -> impl IntoView {
    let text = move |of: fn(&Overview) -> String| Signal::derive(move || overview.with(of));
    let push = Memo::new(move |_| {
        overview.with(|overview| overview.ingest.as_ref().map(|ingest| super::ingest::full_url(ingest, overview.default_mode)))
    });
    let newest = Memo::new(move |_| {
        overview.with(|overview| overview.recordings.rows.iter().find(|row| row.state.is_playable()).map(recording_html))
    });
    let guarded = Memo::new(move |_| overview.with(|overview| guarded(overview.live_public, overview.vod_public)));
    view! {
        <div class="snippets">
            {move || {
                guarded
                    .get()
                    .map(|what| {
                        view! {
                            <p class="notice warn">
                                {Icon::Info.draw()} <span>{what} " " <WhereTokensAreMade overview /></span>
                            </p>
                        }
                    })
            }}
            {move || {
                push.get()
                    .map(|url| {
                        view! {
                            {(!beside_steps)
                                .then(|| view! { <CopyBlock label="Send a test picture with ffmpeg" value=ffmpeg_test(&url) /> })}
                            <CopyBlock label="Send a file with ffmpeg" value=ffmpeg_file(&url) />
                        }
                    })
            }} <CopyBlock label="The player in an iframe" value=text(|overview| iframe_html(&overview.playout.embed)) />
            <CopyBlock label="The live stream in a player of your own, by HLS" value=text(|overview| ffplay_hls(&overview.playout.hls)) />
            {move || {
                newest.get().map(|html| view! { <CopyBlock label="The newest recording as HTML video" value=html /> })
            }}
            <CopyBlock
                label="The stream and its recordings from the REST API"
                value=text(|overview| curl(&overview.playout.page, &overview.stream.id.to_string()))
            />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_escape_what_stands_in_attributes() {
        let html = video_html("http://localhost/a.mp4?x=1&y=\"2\"", None);
        assert_eq!(
            html,
            "<video controls preload=\"metadata\" width=\"640\" style='max-width: 100%' src=\"http://localhost/a.mp4?x=1&amp;y=&quot;2&quot;\"></video>"
        );
    }

    #[test]
    fn a_frame_is_given_leave_once() {
        // Beside `allow`, browsers complain of an `allowfullscreen`.
        let html = iframe_html("http://localhost/embed/1?a&b");
        assert!(html.contains("src=\"http://localhost/embed/1?a&amp;b\"") && html.contains("fullscreen;"), "{html}");
        assert!(!html.contains("allowfullscreen"), "{html}");
    }

    #[test]
    fn curl_asks_the_origin_of_the_playout_page() {
        let line = curl("http://localhost:3000/playout/5f86a12f", "5f86a12f");
        assert!(line.contains("'http://localhost:3000/stream/5f86a12f?asset_limit=10'"), "{line}");
    }
}
