//! Turns an FLV file into a recording as the server would: `flv_to_mp4 IN.flv GROWING.mp4 FINISHED.mp4 [RESERVE_BYTES]`.
//!
//! Writes the file as it is while it grows, and the same finalised. For trying the pieces against other people's players.

use std::error::Error;
use std::fs;

use afterlive_media::flv::{Demuxer, FileTag, Packet, file_tags};
use afterlive_media::frame::{TrackConfig, TrackKind};
use afterlive_media::mp4::{FinalisePlan, Fragment, LARGE_RESERVE_BYTES, RecordingWriter, finalise};
use bytes::Bytes;

const FRAGMENT_MS: i64 = 1_000;
const BLOCK_BYTES: u32 = 4_096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, growing, finished, rest @ ..] = arguments.as_slice() else {
        return Err("usage: flv_to_mp4 IN.flv GROWING.mp4 FINISHED.mp4 [RESERVE_BYTES]".into());
    };
    let reserve_bytes = rest.first().map_or(Ok(LARGE_RESERVE_BYTES), |text| text.parse())?;
    let packets = packets(&Bytes::from(fs::read(input)?))?;

    let configs =
        packets.iter().filter_map(|(_, packet)| if let Packet::Config(config) = packet { Some(config.clone()) } else { None });
    let mut tracks: Vec<TrackConfig> = Vec::new();
    for config in configs {
        if !tracks.iter().any(|track| track.codec.kind() == config.codec.kind()) {
            tracks.push(config);
        }
    }
    let (mut writer, head) = RecordingWriter::new(&tracks, reserve_bytes);
    let mut file = head.to_vec();
    let append = |file: &mut Vec<u8>, fragment: Fragment| fragment.parts.iter().for_each(|part| file.extend_from_slice(part));
    let mut cut_ms = None;
    for (timestamp_ms, packet) in packets {
        match packet {
            Packet::Config(config) => writer.configure(&config)?.iter().for_each(|step| step.apply(&mut file)),
            Packet::Frame(frame) => {
                writer.push(frame)?;
                if timestamp_ms - *cut_ms.get_or_insert(timestamp_ms) >= FRAGMENT_MS {
                    cut_ms = Some(timestamp_ms);
                    writer.cut().into_iter().for_each(|fragment| append(&mut file, fragment));
                }
            }
            Packet::Nothing(_) => {}
        }
    }
    let (last, recording) = writer.finish();
    last.into_iter().for_each(|fragment| append(&mut file, fragment));
    fs::write(growing, &file)?;

    match finalise::plan(&recording, file.len() as u64, Some(BLOCK_BYTES))? {
        FinalisePlan::InPlace(steps) | FinalisePlan::InsertRange(steps) => steps.iter().for_each(|step| step.apply(&mut file)),
        FinalisePlan::Copy(copy) => file = [&copy.head, &file[copy.source.start as usize..copy.source.end as usize]].concat(),
    }
    fs::write(finished, &file)?;
    Ok(())
}

/// The packets of an FLV file, each with its timestamp.
fn packets(file: &Bytes) -> Result<Vec<(i64, Packet)>, Box<dyn Error>> {
    let mut demuxer = Demuxer::new();
    let mut packets = Vec::new();
    for FileTag { kind, timestamp_ms, payload } in file_tags(file) {
        let packet = match kind {
            TrackKind::Video => demuxer.video(timestamp_ms, &payload)?,
            TrackKind::Audio => demuxer.audio(timestamp_ms, &payload)?,
        };
        packets.push((timestamp_ms, packet));
    }
    Ok(packets)
}
