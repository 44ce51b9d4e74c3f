//! Where an encoder sends to.

use afterlive_domain::Mode;
use leptos::prelude::*;

use super::copy::CopyRow;
use super::icon::Icon;
use crate::backend::{IngestUrls, KeyInName};

const OVER_TLS: &str = "RTMPS server";
const WITHOUT_TLS: &str = "RTMP server";

/// The URL and what a publish to it becomes, the default first.
#[must_use]
pub fn servers(ingest: &IngestUrls) -> [(Mode, String); 2] {
    default_first(ingest.default_mode, &ingest.rec_url, &ingest.live_url)
}

fn default_first(default_mode: Mode, rec_url: &str, live_url: &str) -> [(Mode, String); 2] {
    let (rec, live) = ((Mode::Rec, rec_url.to_owned()), (Mode::Live, live_url.to_owned()));
    match default_mode {
        Mode::Rec => [rec, live],
        Mode::Live => [live, rec],
    }
}

/// Server and stream key in one, as ffmpeg takes it; over TLS where there is that.
#[must_use]
pub fn full_url(ingest: &IngestUrls, mode: Mode) -> String {
    let plain = (&ingest.rec_url, &ingest.live_url);
    let (rec, live) = ingest.over_tls.as_ref().map_or(plain, |urls| (&urls.rec_url, &urls.live_url));
    let server = if mode == Mode::Rec { rec } else { live };
    format!("{server}/{}", ingest.stream_key)
}

/// What records all that it is sent, and what it is called; over TLS where there is that.
#[must_use]
pub fn recording_server(ingest: &IngestUrls) -> (&'static str, String) {
    match &ingest.over_tls {
        Some(urls) => (OVER_TLS, urls.rec_url.clone()),
        None => (WITHOUT_TLS, ingest.rec_url.clone()),
    }
}

fn label(mode: Mode) -> &'static str {
    match mode {
        Mode::Rec => "live + recording",
        Mode::Live => "live only",
    }
}

#[component]
pub fn IngestRows(ingest: IngestUrls, recording_enabled: bool) -> impl IntoView {
    let note = move |mode| if recording_enabled { label(mode) } else { "live only" };
    let rows_of = |label: &'static str, rec_url: &str, live_url: &str| {
        default_first(ingest.default_mode, rec_url, live_url)
            .map(|(mode, url)| view! { <CopyRow label=label value=url note=note(mode) /> })
            .into_iter()
            .collect_view()
    };
    let plain = rows_of(WITHOUT_TLS, &ingest.rec_url, &ingest.live_url);
    // Where there is TLS nobody should have to look for it: without, whoever is on the way reads the stream key.
    let (first, without_tls) = match &ingest.over_tls {
        Some(urls) => (rows_of(OVER_TLS, &urls.rec_url, &urls.live_url), Some(plain)),
        None => (plain, None),
    };
    let whole =
        servers(&ingest).map(|(mode, _)| view! { <CopyRow label="In one URL" value=full_url(&ingest, mode) note=note(mode) /> });
    let by_webrtc = default_first(ingest.default_mode, &ingest.whip_rec_url, &ingest.whip_live_url)
        .map(|(mode, url)| view! { <CopyRow label="WHIP URL" value=url note=note(mode) /> });
    view! {
        <div class="ingest-rows">
            {(!recording_enabled).then(|| view! { <RecordingOff /> })} {first}
            <CopyRow label="Stream key" value=ingest.stream_key.clone() />
            {(ingest.key_in_name == KeyInName::Withheld).then(|| view! { <KeyWithheld /> })}
            {(ingest.key_in_name == KeyInName::Lost).then(|| view! { <KeyLost /> })}
            <details class="more">
                <summary>"In one URL, for ffmpeg and hardware encoders"</summary>
                {whole.into_iter().collect_view()}
            </details>
            {without_tls
                .map(|rows| {
                    view! {
                        <details class="more">
                            <summary>"Without TLS (RTMP), for encoders that cannot"</summary>
                            {rows}
                        </details>
                    }
                })}
            <details class="more">
                <summary>"By WebRTC, for OBS 30 and other WHIP encoders"</summary>
                {by_webrtc.into_iter().collect_view()}
            </details>
        </div>
    }
}

#[component]
fn KeyWithheld() -> impl IntoView {
    view! {
        <p class="notice warn">
            {Icon::Info.draw()}
            <span>
                "To publish takes the stream's publish key too, which your role is not shown. Who may create streams sees it here, behind the stream's name."
            </span>
        </p>
    }
}

#[component]
fn KeyLost() -> impl IntoView {
    view! {
        <p class="notice warn">
            {Icon::Info.draw()}
            <span>
                "Publish keys are required, and the server has lost them: no encoder is let in. An administrator can make new ones: "
                <a href="/organisation">"save “Publish key required”"</a> " again."
            </span>
        </p>
    }
}

#[component]
fn RecordingOff() -> impl IntoView {
    view! {
        <p class="notice warn">
            {Icon::Info.draw()}
            <span>
                "Recording is off for your organisation: both URLs are live only. An administrator can "
                <a href="/organisation">"switch it on"</a> "."
            </span>
        </p>
    }
}
