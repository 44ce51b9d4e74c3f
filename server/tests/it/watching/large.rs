//! A recording of more than 4 GiB: its places need 64 bits, in its index and in ranges. Nearly all of it is a hole, which takes no room on the disk.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::UNIX_EPOCH;

use afterlive_domain::AssetId;
use afterlive_media::frame::TrackConfig;
use afterlive_media::mp4::{Fragment, LARGE_RESERVE_BYTES, RecordingWriter};
use afterlive_server::db::Location;
use afterlive_server::db::assets::NewAsset;
use afterlive_server::finalise::{recover, write_parts};
use afterlive_server::storage::{Key, SpoolNote};
use uuid::Uuid;

use super::*;
use crate::fixture::encoder::encode_as;

/// So much filler stands behind each of most pictures.
const FILLER_BYTES: usize = 64 << 20;
/// What takes room all the same: the media, the reserve, and what a block is larger than what is in it.
const MOST_ROOM_BYTES: u64 = 16 << 20;

/// The same picture with a NAL unit of filler data behind it, which decoders leave out.
fn filled(frame: Frame) -> Frame {
    const FILLER_DATA: u8 = 12;
    let length = u32::try_from(FILLER_BYTES - 4).unwrap();
    let mut data = vec![0; frame.data.len() + FILLER_BYTES];
    let (picture, filler) = data.split_at_mut(frame.data.len());
    picture.copy_from_slice(&frame.data);
    filler[..4].copy_from_slice(&length.to_be_bytes());
    filler[4] = FILLER_DATA;
    Frame { data: data.into(), ..frame }
}

/// Writes all but the filler.
fn write(file: &File, fragment: &Fragment) {
    let mut offset = fragment.offset;
    for part in &fragment.parts {
        let written = if part.len() > FILLER_BYTES { part.len() - FILLER_BYTES + 5 } else { part.len() };
        write_parts(file, offset, &[part.slice(..written)]).unwrap();
        offset += part.len() as u64;
    }
    file.set_len(offset).unwrap();
}

/// Records into a file as a server does that is killed at the end.
fn write_all(file: &File, sent: &[Message]) {
    let is_track = |message: &Message| if let Message::TrackChanged(track) = message { Some(track.clone()) } else { None };
    let tracks: Vec<TrackConfig> = sent.iter().filter_map(is_track).collect();
    let (mut writer, head) = RecordingWriter::new(&tracks, LARGE_RESERVE_BYTES);
    write_parts(file, 0, &[head]).unwrap();
    let mut pictures = 0;
    for message in sent {
        let Message::Frame(frame) = message else { continue };
        let mut frame = frame.clone();
        if frame.kind == TrackKind::Video {
            pictures += 1;
            // The last second is as it was sent.
            if (6..=75).contains(&pictures) {
                frame = filled(frame);
            }
            if pictures % 5 == 0
                && let Some(fragment) = writer.cut()
            {
                write(file, &fragment);
            }
        }
        writer.push(frame).unwrap();
    }
    write(file, &writer.finish().0.unwrap());
}

/// The hashes of what is decoded from a time on: a line a picture or frame of sound, without their times.
fn decoded(input: &str, from_s: &str) -> Vec<String> {
    let done = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-ss", from_s, "-i", input, "-map", "0:v", "-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg is installed");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{input}");
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_of_more_than_4_gib_is_finished_served_and_gone_on_with_to_its_last_picture() {
    let input = "-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=sample_rate=48000 -t 4 -g 25";
    let sent = encode_as(&input.split(' ').collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let location: Location = format!("sqlite://{}", folder.path().join("test.db").display()).parse().unwrap();
    // Longer than a busy machine takes for all that is looked at before the encoder is back.
    let limits = Limits { reconnect_window: Duration::from_secs(3_600), ..Limits::default() };
    let cinema = Cinema::with_limits(Db::open(&location).await.unwrap(), limits).await;
    let studio = &cinema.studio;
    // As it is without filler.
    let small = studio.record(&sent).await;
    let (id, region) = (AssetId(Uuid::new_v4()), small.region.clone());
    let new = NewAsset { id, stream: small.stream, session: small.session, region: region.clone(), created_at: NOW };
    let mut tx = studio.db.write().await.unwrap();
    let large = assets::begin(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let streamname = studio.stream.streamname.clone();
    let (stream, session, index) = (small.stream, small.session, large.index);
    let note = SpoolNote { asset: id, stream, session, streamname, index, region, created_at: NOW };
    let left_behind = studio.store().spool().create(&note).unwrap();
    write_all(&left_behind, &sent);
    // When it was written last is when its encoder left, by the studio's clock.
    left_behind.set_modified(UNIX_EPOCH + Duration::from_millis(NOW.0.unsigned_abs())).unwrap();

    let locks = studio.finaliser.regions().lock_spools().unwrap();
    assert_eq!(recover(&studio.finaliser, &locks).await.unwrap().recordings, 1);
    let found = async |id| assets::by_id(&mut studio.db.read().await.unwrap(), id).await.unwrap().unwrap();
    let asset = found(id).await;
    assert_eq!((asset.state, asset.facts.duration_ms), (AssetState::Ready, small.facts.duration_ms));
    let path = studio.place(&asset);
    let file = std::fs::metadata(&path).unwrap();
    assert!(file.len() > 1 << 32 && file.len() == asset.facts.size_bytes, "{}", file.len());
    assert!(file.blocks() * 512 < MOST_ROOM_BYTES, "finishing has filled no hole: {} bytes", file.blocks() * 512);
    let front = front_of(&path);
    assert!(front.windows(4).any(|name| name == b"co64") && !front.windows(4).any(|name| name == b"stco"));
    assert_eq!(ffprobe(&path, "stream=nb_frames"), ffprobe(&studio.place(&small), "stream=nb_frames"));

    let key = Key::from_file_name(&asset.file_name).unwrap();
    let url = Url::parse(&format!("http://{}/vod-eu/{key}", cinema.address)).unwrap();
    let whole = cinema.viewer.head(url.clone()).send().await.unwrap();
    assert_eq!(header(&whole, "content-length"), file.len().to_string());
    // Around the place that 32 bits come to, and the end.
    for (from, to) in [((1 << 32) - 9, (1 << 32) + 9), (file.len() - 70_000, file.len() - 1)] {
        let range = format!("bytes={from}-{to}");
        let answer = cinema.get(&url).header("range", &range).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(header(&answer, "content-range"), format!("bytes {from}-{to}/{}", file.len()));
        let mut expected = vec![0; usize::try_from(to - from + 1).unwrap()];
        std::os::unix::fs::FileExt::read_exact_at(&File::open(&path).unwrap(), &mut expected, from).unwrap();
        assert!(answer.bytes().await.unwrap() == expected, "{range}");
    }
    let (seen, as_it_is) = (url.to_string(), studio.place(&small).display().to_string());
    let last_second = blocking(move || [decoded(&seen, "3"), decoded(&as_it_is, "3")]).await;
    assert_eq!(last_second[0], last_second[1]);
    assert_eq!(last_second[0].len(), 25);

    // The encoder is back, and everything that it sends lies behind 4 GiB.
    studio.record(&sent).await;
    let asset = found(id).await;
    assert_eq!((studio.assets().await.len(), asset.state, &asset.reason), (2, AssetState::Ready, &None));
    assert!(asset.facts.duration_ms.abs_diff(2 * small.facts.duration_ms) < 100, "{:?}", asset.facts);
    let seen = url.to_string();
    let last_second = blocking(move || decoded(&seen, "7")).await;
    assert!(last_second.len().abs_diff(25) <= 2, "{}", last_second.len());
}

/// All in front of the media.
fn front_of(path: &Path) -> Vec<u8> {
    let mut front = vec![0; LARGE_RESERVE_BYTES as usize];
    std::os::unix::fs::FileExt::read_exact_at(&File::open(path).unwrap(), &mut front, 0).unwrap();
    front
}
