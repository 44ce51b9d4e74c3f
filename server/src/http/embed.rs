//! `GET /embed/{id}`: the player alone, for frames in other people's pages. It is small and needs no WASM; what it does by itself is in `player/src/embed.js`.
//! Which sites may frame it is the organisation's to say; what it plays is guarded where that is served.

use std::fmt::Write as _;
use std::sync::Arc;

use afterlive_app::format::attribute;
use afterlive_app::ui::overview::title_of;
use afterlive_domain::{AssetId, EmbedDomains, Error as Refusal, StreamId};
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde_json::{Value, json};
use tower_sessions::Session;
use url::form_urlencoded;

use super::api::json::Json;
use super::api::query::Query;
use super::browser_session;
use super::error::ApiError;
use super::{ui, viewer};
use crate::service::playback::token::{MAX_TOKEN_BYTES, Site, TOKEN, with_token};
use crate::service::{self, Embedded, EmbeddedRecording, Service};

/// What the frame's URL asks for.
struct Asked {
    stream: StreamId,
    asset: Option<AssetId>,
    token: Option<String>,
    /// Begin by itself; `None` is what each kind does by default: live does, a recording does not.
    autoplay: Option<bool>,
    muted: bool,
}

impl Asked {
    fn read(id: &str, query: &Query) -> Result<Self, Refusal> {
        let flag = |name| query.text(name).map(|text| !matches!(text, "0" | "false" | "no"));
        Ok(Self {
            stream: id.parse().map_err(|_| Refusal::NoSuchStream { stream: id.chars().take(100).collect() })?,
            asset: query.parsed("asset", "a recording's ID")?,
            token: query.text(TOKEN).filter(|token| token.len() <= MAX_TOKEN_BYTES).map(str::to_owned),
            autoplay: flag("autoplay"),
            muted: flag("muted").unwrap_or(false),
        })
    }

    /// `url` with the token behind it.
    fn guarded(&self, url: &str) -> String {
        self.token.as_ref().map_or_else(|| url.to_owned(), |token| with_token(url, token))
    }

    /// Where the page asks for what there is by now.
    fn facts_url(&self) -> String {
        let url = format!("/embed/{}/facts", self.stream);
        self.guarded(&self.asset.map_or(url.clone(), |asset| format!("{url}?asset={asset}")))
    }
}

async fn found(service: &Service, session: &Session, asked: &Asked, request: &Parts) -> Result<Embedded, service::Error> {
    let caller = browser_session::caller(service, session).await?;
    service.embedded(&viewer::of(request, caller), asked.stream, asked.asset).await
}

/// The page. A refusal is a page too, which every site may show: it names nothing.
pub async fn page(
    State(service): State<Arc<Service>>,
    session: Session,
    Path(id): Path<String>,
    query: Query,
    request: Parts,
) -> Response {
    let answer = async {
        let asked = Asked::read(&id, &query)?;
        let found = found(&service, &session, &asked, &request).await?;
        Ok::<_, service::Error>((asked, found))
    }
    .await;
    match answer {
        Ok((asked, found)) => {
            let mut response =
                framed(StatusCode::OK, &policy(&service, &found.domains), document(&title(&found), &player(&asked, &found)));
            narrow(&mut response, &found.sites);
            response
        }
        Err(service::Error::Refused(refusal)) => {
            let (status, text) = match refusal {
                Refusal::BadCredentials => {
                    (StatusCode::UNAUTHORIZED, "This player needs a link with a token, or its owner to be signed in.".to_owned())
                }
                Refusal::PlaybackDenied { reason } => (StatusCode::FORBIDDEN, format!("This cannot be watched: {reason}.")),
                Refusal::Denied { .. } => (StatusCode::FORBIDDEN, "You may not watch this.".to_owned()),
                _ => (StatusCode::NOT_FOUND, "There is nothing to watch here, or not any more.".to_owned()),
            };
            let policy = policy(&service, &EmbedDomains::default());
            framed(status, &policy, document("Player", &format!("<p class=\"refused\" role=\"alert\">{}</p>", attribute(&text))))
        }
        Err(failure) => ApiError::from(failure).into_response(),
    }
}

/// What there is to watch by now, for the page.
pub async fn facts(
    State(service): State<Arc<Service>>,
    session: Session,
    Path(id): Path<String>,
    query: Query,
    request: Parts,
) -> Result<Response, ApiError> {
    let asked = Asked::read(&id, &query)?;
    let found = found(&service, &session, &asked, &request).await?;
    let recording = found.recording.as_ref().map(|recording| recording_json(&asked, recording));
    let facts = json!({ "live": found.is_live, "awaited": found.is_awaited, "recording": recording });
    let mut response = Json(facts).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn recording_json(asked: &Asked, recording: &EmbeddedRecording) -> Value {
    json!({
        "id": recording.id.to_string(),
        "name": recording.file_name,
        "url": asked.guarded(&recording.url),
        "growing": recording.is_growing,
        "duration_ms": recording.duration_ms,
        "poster": recording.poster_url.as_ref().map(|url| asked.guarded(url)),
        "storyboard": recording.storyboard_url.as_ref().map(|url| asked.guarded(url)),
    })
}

/// Where frames of old, `/playout/{id}?embed`, find the player; `None` for every other page.
pub fn moved(uri: &Uri) -> Option<Response> {
    let id: StreamId = uri.path().strip_prefix("/playout/")?.parse().ok()?;
    let query: Vec<_> = form_urlencoded::parse(uri.query()?.as_bytes()).into_owned().collect();
    if !query.iter().any(|(name, _)| name == "embed") {
        return None;
    }
    let rest: String =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(query.iter().filter(|(name, _)| name != "embed")).finish();
    let to = if rest.is_empty() { format!("/embed/{id}") } else { format!("/embed/{id}?{rest}") };
    let to = HeaderValue::from_str(&to).ok()?;
    Some((StatusCode::FOUND, [(LOCATION, to)]).into_response())
}

fn title(found: &Embedded) -> String {
    title_of(&found.tags).unwrap_or_else(|| "Player".to_owned())
}

fn player(asked: &Asked, found: &Embedded) -> String {
    let live_path = format!("/live/{}", found.streamname);
    // An encoder that was cut off is waited for: the picture goes on where it stood.
    let shows_live = (found.is_live || found.is_awaited) && asked.asset.is_none();
    let recording = found.recording.as_ref().filter(|_| !shows_live);
    let mut html = String::from("<afterlive-player bare");
    let mut set = |name: &str, value: &str| {
        // Writing to a text never fails.
        let _ = write!(html, " {name}=\"{}\"", attribute(value));
    };
    match recording {
        Some(recording) => {
            set("label", &recording.file_name);
            set("src", &asked.guarded(&recording.url));
            set("duration-ms", &recording.duration_ms.to_string());
            if recording.is_growing {
                set("growing", "");
            }
            if let Some(url) = &recording.storyboard_url {
                set("storyboard", &asked.guarded(url));
            }
            set("data-recording", &recording.id.to_string());
        }
        None => {
            set("label", &title(found));
            set("live", &live_path);
        }
    }
    if asked.asset.is_some() {
        set("data-fixed", "");
    } else {
        set("data-live", &live_path);
        if let Some(recording) = &found.recording {
            set("data-recording", &recording.id.to_string());
        }
    }
    if let Some(token) = &asked.token {
        set("token", token);
    }
    set("data-facts", &asked.facts_url());
    if let Some(autoplay) = asked.autoplay {
        set("autoplay", if autoplay { "1" } else { "0" });
    }
    if asked.muted {
        set("muted", "");
    }
    html.push_str("><video slot=\"video\" controls playsinline");
    // Without scripts this is the player; some browsers play a list by themselves.
    match recording {
        Some(recording) => {
            let _ = write!(html, " preload=\"metadata\" src=\"{}\"", attribute(&asked.guarded(&recording.url)));
            if let Some(url) = &recording.poster_url {
                let _ = write!(html, " poster=\"{}\"", attribute(&asked.guarded(url)));
            }
        }
        None => {
            let list = asked.guarded(&format!("{live_path}/index.m3u8"));
            let _ = write!(html, " preload=\"none\" src=\"{}\"", attribute(&list));
            // There is no picture of its own while nothing arrives.
            let poster =
                found.recording.as_ref().filter(|_| found.is_awaited).and_then(|recording| recording.poster_url.as_ref());
            if let Some(url) = poster {
                let _ = write!(html, " poster=\"{}\"", attribute(&asked.guarded(url)));
            }
        }
    }
    if asked.muted {
        html.push_str(" muted");
    }
    html.push_str("></video></afterlive-player><button type=\"button\" id=\"to-live\" hidden>Live now: watch</button>");
    html
}

fn document(title: &str, body: &str) -> String {
    let folder = ui::player_folder();
    let preloads: String =
        ui::player_modules().map(|name| format!("<link rel=\"modulepreload\" href=\"/{folder}/{name}\">")).collect();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><meta name=\"color-scheme\" content=\"dark\"><title>{}</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"/{folder}/embed.css\">{preloads}\
         <script type=\"module\" src=\"/{folder}/embed.js\"></script></head><body><main>{body}</main></body></html>",
        attribute(title)
    )
}

/// A token that is bound to sites binds its frame too, as what is asked from within that comes from our own site. A browser keeps to each of several
/// policies, so that a token never opens what the organisation does not.
fn narrow(response: &mut Response, sites: &[Site]) {
    if sites.is_empty() {
        return;
    }
    let sites: Vec<_> = sites.iter().map(Site::as_str).collect();
    if let Ok(policy) = HeaderValue::from_str(&format!("frame-ancestors {}", sites.join(" "))) {
        response.headers_mut().append(CONTENT_SECURITY_POLICY, policy);
    }
}

/// Scripts and styles are ours alone, and none is inline.
fn policy(service: &Service, domains: &EmbedDomains) -> String {
    let mut media: Vec<String> = service.regions().iter().map(|region| region.vod_url().origin().ascii_serialization()).collect();
    media.sort();
    media.dedup();
    let media = media.join(" ");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {media}; connect-src 'self' {media}; \
         media-src 'self' blob: {media}; base-uri 'none'; form-action 'none'; frame-ancestors {}",
        domains.frame_ancestors()
    )
}

fn framed(status: StatusCode, policy: &str, html: String) -> Response {
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    let fixed = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    headers.extend([
        fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The URL may hold a token.
        fixed(REFERRER_POLICY, "same-origin"),
        fixed(CACHE_CONTROL, "no-store"),
        fixed(VARY, "Cookie"),
    ]);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5f86a12f-3801-415a-b450-6b6a46842349";

    fn asked(query: &str) -> Asked {
        Asked::read(ID, &Query::parse(query)).unwrap()
    }

    fn embedded(is_live: bool, recording: Option<EmbeddedRecording>) -> Embedded {
        Embedded {
            streamname: "8sKpm-x49nB".parse().unwrap(),
            tags: afterlive_domain::Tags::new(["title:A \"quoted\" <title>"]).unwrap(),
            is_live,
            is_awaited: false,
            recording,
            domains: EmbedDomains::default(),
            sites: Vec::new(),
        }
    }

    fn recording() -> EmbeddedRecording {
        EmbeddedRecording {
            id: ID.parse().unwrap(),
            file_name: "8sKpm-x49nB.mp4".into(),
            url: "http://localhost/vod-eu/8sKpm/8sKpm-x49nB.mp4".into(),
            poster_url: None,
            storyboard_url: Some("http://localhost/a.vtt".into()),
            is_growing: false,
            duration_ms: 1_500,
        }
    }

    #[test]
    fn what_is_live_comes_first_and_a_named_recording_before_it() {
        let live = player(&asked(""), &embedded(true, Some(recording())));
        assert!(live.contains(" live=\"/live/8sKpm-x49nB\"") && !live.contains(" src=\"http"), "{live}");
        let newest = player(&asked(""), &embedded(false, Some(recording())));
        assert!(
            newest.contains(" src=\"http://localhost/vod-eu/8sKpm/8sKpm-x49nB.mp4\"") && !newest.contains(" live="),
            "{newest}"
        );
        assert!(newest.contains(" data-live=\"/live/8sKpm-x49nB\""), "{newest}");
        let interrupted = player(&asked(""), &Embedded { is_awaited: true, ..embedded(false, Some(recording())) });
        assert!(interrupted.contains(" live=\"/live/8sKpm-x49nB\"") && !interrupted.contains(" src=\"http"), "{interrupted}");
        let waits = player(&asked(""), &embedded(false, None));
        assert!(waits.contains(" live=\"/live/8sKpm-x49nB\""), "{waits}");
        let fixed = player(&asked(&format!("asset={ID}")), &embedded(true, Some(recording())));
        assert!(fixed.contains(" data-fixed=") && !fixed.contains("data-live"), "{fixed}");
    }

    #[test]
    fn a_token_goes_along_with_everything_and_breaks_out_of_nothing() {
        let asked = asked("token=a%22%3E%26b&muted=1&autoplay=0");
        let html = player(&asked, &embedded(false, Some(recording())));
        assert!(html.contains("token=\"a&quot;>&amp;b\""), "{html}");
        assert!(html.contains("x49nB.mp4?token=a%22%3E%26b\"") && html.contains("a.vtt?token=a%22%3E%26b\""), "{html}");
        assert!(html.contains(" autoplay=\"0\"") && html.contains(" muted=\"\""), "{html}");
        assert!(document("a<b\"", "").contains("<title>a&lt;b&quot;</title>"));
    }

    #[test]
    fn frames_of_old_are_led_on_and_nothing_else_is() {
        let to =
            |path: &str| moved(&path.parse().unwrap()).map(|response| response.headers()[LOCATION].to_str().unwrap().to_owned());
        assert_eq!(to(&format!("/playout/{ID}?embed=1")), Some(format!("/embed/{ID}")));
        assert_eq!(to(&format!("/playout/{ID}?embed&token=a%2Bb")), Some(format!("/embed/{ID}?token=a%2Bb")));
        for other in [
            format!("/playout/{ID}"),
            format!("/playout/{ID}?page=2"),
            format!("/stream/{ID}?embed=1"),
            "/playout/x?embed".into(),
        ] {
            assert_eq!(to(&other), None, "{other}");
        }
    }
}
