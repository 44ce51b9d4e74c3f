//! The account of a recording, for those who must prove that it is whole: figures, then tables, then the checksum.

use afterlive_domain::report::{Checksum, Gap, MAX_LISTED, Reconnect, TrackReport};
use afterlive_domain::{Report, UnixMillis};
use leptos::prelude::*;

use super::copy::{CopyBlock, CopyRow};
use super::when::When;
use crate::format;
use crate::verdict::missing;

/// `began_at` is the wall time of the recording's beginning, `file_name` what a download of it is called.
#[component]
pub fn ReportTables(report: Report, began_at: UnixMillis, file_name: String) -> impl IntoView {
    let Report { tracks, checksum, reconnects, reconnect_count, av_begin_offset_ms, av_end_offset_ms, .. } = report;
    let clock = WallClock { began_at, reconnects: reconnects.clone() };
    view! {
        <Figures tracks=tracks.clone() reconnect_count av_begin_offset_ms av_end_offset_ms />
        <Tracks tracks=tracks.clone() />
        {(!reconnects.is_empty()).then(|| view! { <Reconnects reconnects count=reconnect_count /> })}
        <Gaps tracks clock />
        {checksum.map(|checksum| view! { <Proof checksum file_name /> })}
    }
}

/// A few numbers that answer most questions.
#[component]
fn Figures(
    tracks: Vec<TrackReport>,
    reconnect_count: u64,
    av_begin_offset_ms: Option<i64>,
    av_end_offset_ms: Option<i64>,
) -> impl IntoView {
    let dropped: Option<u64> = tracks.iter().map(missing).sum();
    let gaps: u64 = tracks.iter().map(|track| track.gap_count).sum();
    let offset = |ms: Option<i64>| ms.map_or_else(|| "–".to_owned(), format::offset);
    let dropped_class = if dropped == Some(0) { "figure good" } else { "figure warn" };
    let dropped = dropped.map_or_else(|| "not known".to_owned(), format::thousands);
    let figure = |class: &'static str, name: &'static str, value: String| {
        view! {
            <div class=class>
                <dt>{name}</dt>
                <dd>{value}</dd>
            </div>
        }
    };
    view! {
        <dl class="figures">
            {figure(dropped_class, "Dropped frames", dropped)} {figure("figure", "Gaps", format::thousands(gaps))}
            {figure("figure", "Reconnects", format::thousands(reconnect_count))}
            {figure("figure", "A/V offset at the beginning", offset(av_begin_offset_ms))}
            {figure("figure", "A/V offset at the end", offset(av_end_offset_ms))}
        </dl>
    }
}

/// A number where it is known.
fn known(number: Option<u64>, write: fn(u64) -> String) -> String {
    number.map_or_else(|| "not known".to_owned(), write)
}

#[component]
fn Tracks(tracks: Vec<TrackReport>) -> impl IntoView {
    let row = |track: TrackReport| {
        let dropped = missing(&track);
        let set_ups = if track.configurations > 1 { format!(" in {} set-ups", track.configurations) } else { String::new() };
        view! {
            <tr>
                <th scope="row">
                    {track.kind.clone()} <small>{set_ups}</small>
                </th>
                <td class="number" data-label="Frames received">
                    {known(track.received_frames, format::thousands)}
                </td>
                <td class="number" data-label="Frames stored">
                    {format::thousands(track.stored_frames)}
                </td>
                <td class="number" data-label="Frames left out">
                    {known(track.left_out_frames, format::thousands)}
                </td>
                <td class=if dropped == Some(0) { "number good" } else { "number warn" } data-label="Dropped">
                    {known(dropped, format::thousands)}
                </td>
                <td class="number" data-label="Time received">
                    {known(track.received_ms, format::precise_duration)}
                </td>
                <td class="number" data-label="Time stored">
                    {format::precise_duration(track.lasts_ms)}
                </td>
                <td class="number" data-label="Size">
                    {format::megabytes(track.media_bytes)}
                </td>
            </tr>
        }
    };
    view! {
        <table class="report-table">
            <caption>"Received and stored, by track"</caption>
            <thead>
                <tr>
                    <th scope="col">"Track"</th>
                    <th scope="col" class="number">
                        "Frames received"
                    </th>
                    <th scope="col" class="number">
                        "stored"
                    </th>
                    <th scope="col" class="number">
                        <abbr title="Came before the first keyframe: no player can show them, so they were left out">"left out"</abbr>
                    </th>
                    <th scope="col" class="number">
                        "dropped"
                    </th>
                    <th scope="col" class="number">
                        "Time received"
                    </th>
                    <th scope="col" class="number">
                        "stored"
                    </th>
                    <th scope="col" class="number">
                        "Size"
                    </th>
                </tr>
            </thead>
            <tbody>{tracks.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn Reconnects(reconnects: Vec<Reconnect>, count: u64) -> impl IntoView {
    let unlisted = count.saturating_sub(reconnects.len() as u64);
    let row = |Reconnect { at_ms, left_at, back_at }: Reconnect| {
        let away_ms = u64::try_from(back_at.ms_since(left_at)).unwrap_or(0);
        view! {
            <tr>
                <td data-label="In the recording">{format::precise_duration(at_ms)}</td>
                <td data-label="Left at (UTC)">
                    <When at=Signal::stored(left_at) />
                </td>
                <td data-label="Back at (UTC)">
                    <When at=Signal::stored(back_at) />
                </td>
                <td class="number" data-label="Away">
                    {format::seconds(away_ms)}
                </td>
            </tr>
        }
    };
    view! {
        <table class="report-table">
            <caption>"Reconnects: the encoder left, and came back to the same recording"</caption>
            <thead>
                <tr>
                    <th scope="col">"In the recording"</th>
                    <th scope="col">
                        "Left at " <small>"(UTC)"</small>
                    </th>
                    <th scope="col">
                        "Back at " <small>"(UTC)"</small>
                    </th>
                    <th scope="col" class="number">
                        "Away"
                    </th>
                </tr>
            </thead>
            <tbody>{reconnects.into_iter().map(row).collect_view()}</tbody>
        </table>
        <Unlisted count=unlisted of="" />
    }
}

/// That there are more than the table has.
#[component]
fn Unlisted(count: u64, of: &'static str) -> impl IntoView {
    (count > 0).then(|| {
        view! {
            <p class="muted small unlisted">
                {format!("And {} more: the first {MAX_LISTED}{of} are listed.", format::thousands(count))}
            </p>
        }
    })
}

/// When something in the recording was, on the wall.
#[derive(Clone)]
struct WallClock {
    began_at: UnixMillis,
    reconnects: Vec<Reconnect>,
}

impl WallClock {
    /// Behind a reconnect the clock goes on from when the encoder was back.
    fn at(&self, media_ms: u64) -> UnixMillis {
        let from = |start: UnixMillis, at_ms: u64| start.plus_ms(i64::try_from(media_ms - at_ms).unwrap_or(i64::MAX));
        let passed = self.reconnects.iter().rev().find(|reconnect| reconnect.at_ms <= media_ms);
        passed.map_or_else(|| from(self.began_at, 0), |reconnect| from(reconnect.back_at, reconnect.at_ms))
    }
}

#[component]
fn Gaps(tracks: Vec<TrackReport>, clock: WallClock) -> impl IntoView {
    let listed: Vec<(String, Gap)> =
        tracks.iter().flat_map(|track| track.gaps.iter().map(|gap| (track.kind.clone(), *gap))).collect();
    let all: u64 = tracks.iter().map(|track| track.gap_count).sum();
    let unlisted = all.saturating_sub(listed.len() as u64);
    let row = move |(kind, Gap { from_ms, to_ms }): (String, Gap)| {
        view! {
            <tr>
                <td data-label="Track">{kind}</td>
                <td data-label="From–to">{format::precise_duration(from_ms)} " – " {format::precise_duration(to_ms)}</td>
                <td class="number" data-label="Length">
                    {format::seconds(to_ms.saturating_sub(from_ms))}
                </td>
                <td data-label="Wall time (UTC)">
                    <span class="span">
                        <When at=Signal::stored(clock.at(from_ms)) /> " – " <When at=Signal::stored(clock.at(to_ms)) />
                    </span>
                </td>
            </tr>
        }
    };
    (!listed.is_empty()).then(|| {
        view! {
            <table class="report-table">
                <caption>"Gaps: more than a second in which nothing arrived on a track"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Track"</th>
                        <th scope="col">"From–to, in the recording"</th>
                        <th scope="col" class="number">
                            "Length"
                        </th>
                        <th scope="col">
                            "From–to, on the clock " <small>"(UTC)"</small>
                        </th>
                    </tr>
                </thead>
                <tbody>{listed.into_iter().map(row).collect_view()}</tbody>
            </table>
            <Unlisted count=unlisted of=" of each track" />
        }
    })
}

/// The line for a shell that gives the same sum for a file that is whole.
#[must_use]
pub fn check_line(checksum: &Checksum, file_name: &str) -> String {
    format!("tail -c {} {file_name} | sha256sum", checksum.last_bytes)
}

#[component]
fn Proof(checksum: Checksum, file_name: String) -> impl IntoView {
    let line = check_line(&checksum, &file_name);
    view! {
        <div class="proof">
            <h3>"Is a copy of it whole?"</h3>
            <p class="muted small">
                {format!(
                    "While it was recorded, a checksum was made of all that lies behind the file's index: its last {} bytes. In the folder of a downloaded copy this line must print the same.",
                    format::thousands(checksum.last_bytes),
                )}
            </p>
            <CopyRow label="SHA-256" value=checksum.sha256 />
            <CopyBlock label="Check a downloaded file" value=line />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_checks_a_file_takes_its_last_bytes() {
        let checksum = Checksum { last_bytes: 26_000_000, sha256: String::new() };
        assert_eq!(check_line(&checksum, "8sKpm-x49nB-2.mp4"), "tail -c 26000000 8sKpm-x49nB-2.mp4 | sha256sum");
    }

    #[test]
    fn the_wall_clock_goes_on_from_the_return_of_the_encoder() {
        let reconnect = Reconnect { at_ms: 5_000, left_at: UnixMillis(105_000), back_at: UnixMillis(119_000) };
        let clock = WallClock { began_at: UnixMillis(100_000), reconnects: vec![reconnect] };
        assert_eq!([0, 4_999, 5_000, 6_000].map(|ms| clock.at(ms).0), [100_000, 104_999, 119_000, 120_000]);
    }
}
