//! Tests of syncs that fail: what the kernel then gives to read is not what is on disk.

use std::sync::atomic::Ordering;

use afterlive_domain::{AssetId, AssetState, OrganisationId, SessionId, StreamId, UnixMillis};
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{Scanned, scan};
use bytes::Bytes;
use uuid::Uuid;

use super::growing::Growing;
use super::opening::{Opening, Start};
use super::room::Room;
use super::take::Take;
use super::{End, Limits};
use crate::db::assets::{Asset, Facts};
use crate::finalise::Opened;
use crate::hub::Message;
use crate::storage::{RegionSettings, Regions, SpoolNote};

/// A frame of sound is 1,024 samples at 48 kHz.
fn frames(from: i64, to: i64) -> impl Iterator<Item = Message> {
    (from..to).map(|n| {
        let data = Bytes::from_static(b"\x21\x10\x04");
        Message::Frame(Frame { kind: TrackKind::Audio, dts: n * 1_024, pts_offset: 0, keyframe: true, data })
    })
}

fn start() -> Start {
    let codec = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
    let mut opening = Opening::default();
    opening.offer(Message::TrackChanged(TrackConfig { codec, timescale: 48_000 }));
    frames(0, 1).for_each(|frame| opening.offer(frame));
    opening.start().unwrap()
}

/// A recording of which five seconds are on disk and five more are written.
async fn half_synced(regions: &Regions, growing: &Growing) -> (Take, u64) {
    let store = regions.iter().next().unwrap();
    let (id, stream, session) = (AssetId(Uuid::new_v4()), StreamId(Uuid::new_v4()), SessionId(Uuid::new_v4()));
    let (region, created_at) = (store.name().clone(), UnixMillis(1));
    let asset = Asset {
        id,
        organisation: OrganisationId(Uuid::new_v4()),
        stream,
        session,
        index: 1,
        region: region.clone(),
        file_name: "8sKpm-x49nB.mp4".to_owned(),
        state: AssetState::Recording,
        reason: None,
        created_at,
        ended_at: None,
        updated_at: created_at,
        facts: Facts::default(),
        has_poster: false,
        hold: None,
        has_storyboard: false,
        deleted_at: None,
        purged_at: None,
    };
    let streamname = "8sKpm-x49nB".parse().unwrap();
    let note = SpoolNote { asset: id, stream, session, streamname, index: 1, region, created_at };
    let start = start();
    let room = Room::create(store, &note, &start.tracks).unwrap();
    let entry = growing.enter(&asset, Facts::default(), room.file.clone());
    let mut take = Take::new(asset, room, &start, entry, Limits::default());
    for frame in start.messages.into_iter().chain(frames(1, 235)) {
        take.offer(frame).await.unwrap();
    }
    take.sync().await.unwrap();
    let synced = take.media_bytes();
    for frame in frames(235, 470) {
        take.offer(frame).await.unwrap();
    }
    assert!(synced > 0 && take.media_bytes() > synced);
    (take, synced)
}

#[tokio::test]
async fn a_recording_whose_sync_fails_ends_at_the_last_one_that_did_not_whenever_that_is() {
    for at_its_end in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let settings = RegionSettings {
            name: "eu".parse().unwrap(),
            storage: folder.path().join("eu"),
            vod_url: "http://localhost:3000/vod-eu".parse().unwrap(),
        };
        let regions = Regions::open([settings]).unwrap();
        let growing = Growing::default();
        let (mut take, synced) = half_synced(&regions, &growing).await;
        let asset = take.asset().clone();
        let (_, file) = growing.file(&asset.region, &asset.file_name).unwrap();
        // A write of the second half may have been synced with it, on a slow machine.
        let synced = synced.max(file.synced_bytes());
        file.fails_syncs.store(true, Ordering::Relaxed);
        let end = if at_its_end { End::Published } else { take.sync().await.unwrap_err() };
        let closed = take.close(&end).await;
        assert!(closed.recording.is_err() && closed.hashed.is_none() && closed.account.checksum.is_none(), "{closed:?}");
        // What came is known all the same.
        assert_eq!(closed.account.received.map(|received| received[1].frames), Some(470));
        let path = regions.iter().next().unwrap().spool().recording_path(asset.id);
        let Scanned::Growing { recording, .. } = scan(&mut Opened(&std::fs::File::open(&path).unwrap())).unwrap() else {
            panic!("it is not finished")
        };
        let length = std::fs::metadata(&path).unwrap().len();
        assert_eq!((recording.good_length, length), (length, recording.layout.media_offset + synced), "{at_its_end}");
    }
}
