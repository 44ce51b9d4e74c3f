//! Pictures of recordings: right ones of good media, a reason for bad ones, and bounded work for long ones. The decoder's process is the real one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use afterlive_domain::{AssetId, AssetState, Mode, SessionId};
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::RecordingWriter;
use afterlive_server::clock::Clock;
use afterlive_server::db::assets::{self, Asset, Facts, NewAsset};
use afterlive_server::db::sessions::{EndReason, GoLive, NewSession, end_session, go_live};
use afterlive_server::db::streams::Stream;
use afterlive_server::db::{self, Db};
use afterlive_server::finalise::Finaliser;
use afterlive_server::hub::{Hub, Still};
use afterlive_server::jobs::{self, Task, Worker};
use afterlive_server::pictures::{Darkroom, DarkroomError, LiveStills};
use afterlive_server::storage::{Key, KeyKind, RegionSettings, Regions};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};
use crate::fixture::encoder::{encode, ffprobe, send};
use crate::fixture::program::darkroom;
use crate::fixture::server::on_each_server;

/// A region with recordings that came from elsewhere, and the jobs on them.
struct Archive {
    db: Db,
    regions: Regions,
    stream: Stream,
    folder: tempfile::TempDir,
}

impl Archive {
    async fn new(db: Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = RegionSettings {
            name: "eu".parse().unwrap(),
            storage: folder.path().join("eu"),
            vod_url: Url::parse("http://localhost:3000/vod-eu").unwrap(),
        };
        let stream = a_stream(&db, &an_organisation(&db).await).await;
        Self { regions: Regions::open([settings]).unwrap(), db, stream, folder }
    }

    /// A finished recording that is the file which `make` writes.
    async fn add(&self, duration_ms: u64, make: impl FnOnce(&Path)) -> Asset {
        let region: afterlive_domain::Region = "eu".parse().unwrap();
        let (protocol, peer) = ("rtmp", "192.0.2.7:50000".to_owned());
        let id = SessionId(Uuid::new_v4());
        let session = NewSession { id, stream: self.stream.id, mode: Mode::Rec, region: region.clone(), protocol, peer };
        let mut tx = self.db.write().await.unwrap();
        assert_eq!(go_live(&mut tx, &session, NOW).await.unwrap(), GoLive::Started);
        let new = NewAsset { id: AssetId(Uuid::new_v4()), stream: self.stream.id, session: session.id, region, created_at: NOW };
        let asset = assets::begin(&mut tx, &new).await.unwrap();
        end_session(&mut tx, session.id, EndReason::Unpublished, 0, NOW).await.unwrap();
        let facts = Facts { duration_ms, ..Facts::default() };
        assert!(assets::finish(&mut tx, &asset, &facts, None, None, NOW, NOW).await.unwrap().is_some());
        jobs::enqueue(&mut tx, Task::Probe { asset: asset.id }, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let place = self.path(&asset, KeyKind::Recording);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        make(&place);
        asset
    }

    fn path(&self, asset: &Asset, kind: KeyKind) -> PathBuf {
        self.regions.iter().next().unwrap().path(&Key::from_file_name(&asset.file_name).unwrap().to(kind))
    }

    async fn run_jobs(&self, darkroom: Darkroom) -> usize {
        let clock = Clock::simulated(NOW);
        let finaliser = Finaliser::new(self.db.clone(), clock.clone(), self.regions.clone()).with_darkroom(darkroom);
        let worker = Worker::new(self.db.clone(), clock, move |task| {
            let finaliser = finaliser.clone();
            Box::pin(async move { finaliser.perform(task).await })
        });
        worker.run_due().await.unwrap()
    }

    async fn read(&self, asset: &Asset) -> Asset {
        assets::by_id(&mut self.db.read().await.unwrap(), asset.id).await.unwrap().unwrap()
    }

    /// Why jobs were given up, oldest first.
    async fn given_up(&self) -> Vec<String> {
        let dead = db::jobs::dead(&mut self.db.read().await.unwrap(), 100).await.unwrap();
        dead.into_iter().map(|job| job.error).collect()
    }
}

/// Runs ffmpeg on what `arguments` say, and has it write an MP4 with its index in front.
fn ffmpeg(arguments: &[&str], place: &Path) {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .args(["-movflags", "+faststart", "-f", "mp4"])
        .arg(place)
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Of a source of libavfilter's, with a keyframe each second of 25 pictures.
fn film(source: &str, seconds: &str, place: &Path) {
    let codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"];
    ffmpeg(&[&["-f", "lavfi", "-i", source, "-t", seconds], &codec[..]].concat(), place);
}

/// The mean brightness of a picture, of 255.
fn brightness(picture: &Path) -> f64 {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(picture)
        .args(["-vf", "format=gray", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    done.stdout.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / done.stdout.len() as f64
}

/// Of one colour, made by `matrix`, and saying so by `tags`.
fn coloured(colour: &str, size: &str, matrix: &str, tags: Option<&str>, place: &Path) {
    let source = format!("color={colour}:size={size}:rate=25");
    let filter = format!("scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p,setparams=colorspace=unknown");
    let mut arguments = vec!["-f", "lavfi", "-i", &source, "-t", "2", "-vf", &filter, "-c:v", "libx264", "-preset", "ultrafast"];
    if let Some(tags) = tags {
        arguments.extend(["-colorspace", tags, "-color_primaries", tags, "-color_trc", tags]);
    }
    ffmpeg(&arguments, place);
}

/// Red, green and blue in the middle of a JPEG, by the matrix that all JPEGs have.
fn colour(picture: &Path) -> [u8; 3] {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(picture)
        .args(["-vf", "crop=2:2,scale=in_color_matrix=bt601:in_range=full,format=rgb24", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    done.stdout[..3].try_into().unwrap()
}

/// The media of the file, overwritten.
fn spoil_media(place: &Path, with: impl Fn(usize) -> u8) {
    let mut bytes = std::fs::read(place).unwrap();
    let at = bytes.windows(4).position(|window| window == b"mdat").unwrap() + 4;
    for (n, byte) in bytes[at..].iter_mut().enumerate() {
        *byte = with(n);
    }
    std::fs::write(place, bytes).unwrap();
}

/// Start and end of each cue in milliseconds, and its rectangle.
fn cues(vtt: &str, sprite: &str) -> Vec<(u64, u64, [u32; 4])> {
    let ms = |text: &str| {
        let numbers: Vec<u64> = text.split([':', '.']).map(|part| part.parse().unwrap()).collect();
        ((numbers[0] * 60 + numbers[1]) * 60 + numbers[2]) * 1_000 + numbers[3]
    };
    let mut blocks = vtt.split("\n\n");
    assert_eq!(blocks.next(), Some("WEBVTT"));
    let cue = |block: &str| {
        let (times, target) = block.trim().split_once('\n').unwrap();
        let (from, to) = times.split_once(" --> ").unwrap();
        let (image, part) = target.split_once("#xywh=").unwrap();
        assert_eq!(image, sprite);
        let part: Vec<u32> = part.split(',').map(|number| number.parse().unwrap()).collect();
        (ms(from), ms(to), part.try_into().unwrap())
    };
    blocks.map(cue).collect()
}

/// The cues of a recording's storyboard, found to be in order, without a gap, as long as the recording, and inside the sprite.
fn sound_cues(archive: &Archive, asset: &Asset, duration_ms: u64) -> Vec<(u64, u64, [u32; 4])> {
    let (track, sprite) = (archive.path(asset, KeyKind::Storyboard), archive.path(asset, KeyKind::StoryboardSprite));
    let size: Vec<u32> = ffprobe(&sprite, "stream=width,height")[0].split(',').map(|number| number.parse().unwrap()).collect();
    let cues = cues(&std::fs::read_to_string(track).unwrap(), sprite.file_name().unwrap().to_str().unwrap());
    assert_eq!((cues[0].0, cues[cues.len() - 1].1), (0, duration_ms));
    for pair in cues.windows(2) {
        assert_eq!(pair[0].1, pair[1].0);
        assert_ne!(pair[0].2, pair[1].2);
    }
    for (from, to, [x, y, width, height]) in &cues {
        assert!(from < to && x + width <= size[0] && y + height <= size[1], "{from} {to} {x} {y} in {size:?}");
    }
    cues
}

#[tokio::test]
async fn a_recording_has_a_poster_and_a_storyboard_of_its_keyframes_which_go_to_the_bin_with_it() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let asset = archive.add(9_000, |place| film("testsrc2=size=640x360:rate=25", "9", place)).await;
        assert_eq!(archive.run_jobs(darkroom()).await, 2);
        let row = archive.read(&asset).await;
        assert!(row.has_poster && row.has_storyboard);
        assert_eq!(ffprobe(&archive.path(&asset, KeyKind::Thumbnail), "stream=codec_name,width,height"), ["mjpeg,640,360"]);
        let cues = sound_cues(&archive, &asset, 9_000);
        assert_eq!(cues.iter().map(|cue| cue.0).collect::<Vec<_>>(), [0, 2_000, 4_000, 6_000, 8_000]);
        assert_eq!(cues[4].2, [640, 0, 160, 90]);
        assert_eq!(archive.run_jobs(darkroom()).await, 0);

        for delete in [true, false] {
            let mut tx = archive.db.write().await.unwrap();
            assert!(if delete {
                assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap()
            } else {
                assets::restore(&mut tx, asset.organisation, asset.id, NOW).await.unwrap()
            });
            jobs::enqueue(&mut tx, Task::Place { asset: asset.id }, NOW).await.unwrap();
            tx.commit().await.unwrap();
            archive.run_jobs(darkroom()).await;
            for kind in [KeyKind::Thumbnail, KeyKind::Storyboard, KeyKind::StoryboardSprite] {
                assert_eq!(archive.path(&asset, kind).is_file(), !delete, "{kind:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_poster_is_the_first_picture_that_is_not_black_however_late_it_comes() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let black =
            |seconds: u32| format!("color=black:size=320x180:rate=25,drawbox=color=white:t=fill:enable='gte(t,{seconds})'");
        // Among the first pictures; far behind them; never.
        let soon = archive.add(6_000, |place| film(&black(2), "6", place)).await;
        let late = archive.add(60_000, |place| film(&black(45), "60", place)).await;
        let never = archive.add(4_000, |place| film("color=black:size=320x180:rate=25", "4", place)).await;
        archive.run_jobs(darkroom()).await;
        assert!(archive.given_up().await.is_empty());
        for (asset, expected) in [(&soon, 255.0), (&late, 255.0), (&never, 0.0)] {
            let poster = archive.path(asset, KeyKind::Thumbnail);
            assert!((brightness(&poster) - expected).abs() < 30.0, "{}", brightness(&poster));
        }
        assert!(archive.read(&never).await.has_storyboard);
    })
    .await;
}

#[tokio::test]
async fn a_poster_has_the_colours_of_its_film_by_whichever_matrix_that_was_made() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let mut made = Vec::new();
        for (size, matrix, tags, said) in [
            ("320x180", "bt709", Some("bt709"), "bt709"),
            ("1280x720", "bt709", Some("bt709"), "bt709"),
            ("1280x720", "bt601", Some("smpte170m"), "smpte170m"),
            // What does not say so is told by its lines.
            ("1280x720", "bt709", None, "unknown"),
            ("320x180", "bt601", None, "unknown"),
        ] {
            for (name, truth) in [("0xff0000", [255, 0, 0]), ("0x00ff00", [0, 255, 0]), ("0xc06020", [192, 96, 32])] {
                let asset = archive.add(2_000, |place| coloured(name, size, matrix, tags, place)).await;
                assert_eq!(
                    ffprobe(&archive.path(&asset, KeyKind::Recording), "stream=color_space"),
                    [said],
                    "{size} {matrix} {tags:?}"
                );
                made.push((asset, truth, format!("{name} {size} {matrix} {tags:?}")));
            }
        }
        archive.run_jobs(darkroom()).await;
        assert!(archive.given_up().await.is_empty());
        for (asset, truth, what) in made {
            let seen = colour(&archive.path(&asset, KeyKind::Thumbnail));
            let off = seen.into_iter().zip(truth).map(|(seen, truth): (u8, u8)| seen.abs_diff(truth)).max();
            assert!(off <= Some(6), "{what}: {seen:?} is not {truth:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_frame_and_no_frame_are_dealt_with() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let single = archive.add(40, |place| film("testsrc2=size=180x320:rate=25", "0.04", place)).await;
        let sound = ["-f", "lavfi", "-i", "sine", "-t", "1", "-c:a", "aac"];
        let silent_film = archive.add(1_000, |place| ffmpeg(&sound, place)).await;
        assert_eq!(archive.run_jobs(darkroom()).await, 3);
        assert!(archive.given_up().await.is_empty());
        assert_eq!(ffprobe(&archive.path(&single, KeyKind::Thumbnail), "stream=width,height"), ["180,320"]);
        let cues = sound_cues(&archive, &single, 40);
        assert_eq!(cues, [(0, 40, [0, 0, 50, 90])]);
        let row = archive.read(&silent_film).await;
        assert!(!row.has_poster && !row.has_storyboard);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_video_ends_its_job_with_a_reason_and_harms_nothing() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let pattern = |place: &Path| film("testsrc2=size=320x180:rate=25", "3", place);
        let cut = |place: &Path, keep_per_cent: u64| {
            pattern(place);
            let file = std::fs::File::options().write(true).open(place).unwrap();
            file.set_len(file.metadata().unwrap().len() * keep_per_cent / 100).unwrap();
        };
        let bad = [
            archive.add(3_000, |place| std::fs::write(place, b"").unwrap()).await,
            archive.add(3_000, |place| std::fs::write(place, vec![0x42; 100_000]).unwrap()).await,
            // In the middle of the index.
            archive.add(3_000, |place| cut(place, 1)).await,
            archive
                .add(3_000, |place| {
                    pattern(place);
                    spoil_media(place, |n| (n * n % 251) as u8);
                })
                .await,
            archive
                .add(3_000, |place| {
                    pattern(place);
                    spoil_media(place, |_| 0);
                })
                .await,
            archive.add(3_000, |place| std::fs::write(place, "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n").unwrap()).await,
            archive.add(3_000, |place| std::fs::write(place, huge(16_384, [(1, 1); 2])).unwrap()).await,
            // What the container says is no more than a claim.
            archive.add(3_000, |place| std::fs::write(place, huge(320, [(1_024, 1_024); 2])).unwrap()).await,
        ];
        // In the middle of the media: there are pictures of what is left.
        let half = archive.add(3_000, |place| cut(place, 50)).await;
        assert_eq!(archive.run_jobs(darkroom()).await, bad.len() + 2);

        let reasons = archive.given_up().await;
        assert_eq!(reasons.len(), bad.len(), "{reasons:#?}");
        assert!(reasons.iter().all(|reason| reason.starts_with("there is no picture of it: ")), "{reasons:#?}");
        assert!(reasons[6].contains("16384 × 16384 are too large"), "{reasons:#?}");
        for asset in &bad {
            let row = archive.read(asset).await;
            assert_eq!((row.state, row.has_poster, row.has_storyboard), (AssetState::Ready, false, false));
            assert!(archive.path(asset, KeyKind::Recording).is_file());
            assert!(!archive.path(asset, KeyKind::Thumbnail).exists());
        }
        assert!(archive.read(&half).await.has_poster);
        sound_cues(&archive, &half, 3_000);
    })
    .await;
}

/// A recording of one H.264 keyframe, whose container says that it has `width` pixels each way, and whose parameter sets say so many macroblocks.
fn huge(width: u16, macroblocks: [(u32, u32); 2]) -> Vec<u8> {
    let sps = sps(macroblocks[0]);
    let pps = [0x68, 0xCE, 0x38, 0x80];
    let mut avcc = vec![1, 66, 0, 62, 0xFF, 0xE1];
    for (set, count) in [(&sps[..], None), (&pps[..], Some(1))] {
        avcc.extend(count);
        avcc.extend((set.len() as u16).to_be_bytes());
        avcc.extend_from_slice(set);
    }
    let codec = CodecConfig::H264 { avcc: avcc.into(), width, height: width };
    let (mut writer, head) = RecordingWriter::new(&[TrackConfig { codec, timescale: 1_000 }], 0);
    // An IDR slice: first_mb 0, slice type I, PPS 0, and then whatever.
    let nal = [&[0x65, 0x88, 0x84][..], &[0x5A; 4_000]].concat();
    let data = Bytes::from([&(nal.len() as u32).to_be_bytes()[..], &nal].concat());
    for dts in [0, 40] {
        writer.push(Frame { kind: TrackKind::Video, dts, pts_offset: 0, keyframe: true, data: data.clone() }).unwrap();
    }
    let mut file = head.to_vec();
    writer.finish().0.into_iter().flat_map(|fragment| fragment.parts).for_each(|part| file.extend_from_slice(&part));
    file
}

/// A sequence parameter set (ITU-T H.264 §7.3.2.1.1) of baseline profile that says the size in macroblocks.
fn sps((width, height): (u32, u32)) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let golomb = |bits: &mut Vec<bool>, value: u32| {
        let length = 32 - (value + 1).leading_zeros();
        bits.extend(std::iter::repeat_n(false, length as usize - 1));
        bits.extend((0..length).rev().map(|n| (value + 1) >> n & 1 == 1));
    };
    // Id, frame number bits, order type 2, one reference, no gaps.
    for value in [0, 0, 2, 1] {
        golomb(&mut bits, value);
    }
    bits.push(false);
    golomb(&mut bits, width - 1);
    golomb(&mut bits, height - 1);
    // Frames only, direct 8x8, no cropping, no VUI, the stop bit.
    bits.extend([true, true, false, false, true]);
    bits.resize(bits.len().next_multiple_of(8), false);
    let bytes = bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit)));
    [0x67, 66, 0, 62].into_iter().chain(bytes).collect()
}

#[tokio::test]
async fn ten_hours_cost_a_hundred_keyframes() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let hours = 10 * 3_600_000;
        let asset = archive
            .add(hours, |place| {
                let minute = place.with_extension("minute");
                film("testsrc=size=160x90:rate=5", "60", &minute);
                ffmpeg(&["-stream_loop", "599", "-i", minute.to_str().unwrap(), "-c", "copy"], place);
            })
            .await;
        assert_eq!(archive.run_jobs(darkroom()).await, 2);
        assert!(archive.given_up().await.is_empty());
        let cues = sound_cues(&archive, &asset, hours);
        assert_eq!((cues.len(), cues[1].0), (100, 360_000));
        assert_eq!(ffprobe(&archive.path(&asset, KeyKind::StoryboardSprite), "stream=width,height"), ["1600,900"]);

        let recording = archive.path(&asset, KeyKind::Recording);
        assert_eq!(ffprobe(&recording, "stream=nb_frames"), ["180000"]);
        let made = darkroom().storyboard(&recording, hours).await.unwrap().unwrap();
        assert_eq!((made.cues.len(), made.decoded_packets), (100, 100), "no picture between two keyframes is decoded");
    })
    .await;
}

#[tokio::test]
async fn a_recording_of_few_keyframes_has_few_tiles() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let asset = archive
            .add(20_000, |place| {
                let source = "testsrc2=size=320x180:rate=25";
                ffmpeg(&["-f", "lavfi", "-i", source, "-t", "20", "-c:v", "libx264", "-g", "250", "-keyint_min", "250"], place);
            })
            .await;
        archive.run_jobs(darkroom()).await;
        let starts: Vec<u64> = sound_cues(&archive, &asset, 20_000).into_iter().map(|cue| cue.0).collect();
        assert_eq!(starts, [0, 10_000]);
    })
    .await;
}

#[tokio::test]
async fn a_decoder_that_dies_or_hangs_is_a_failed_try_and_no_more() {
    on_each_database(async |db| {
        let archive = Archive::new(db).await;
        let asset = archive.add(1_000, |place| film("testsrc2=size=160x90:rate=25", "1", place)).await;
        // It runs, and answers nothing.
        assert_eq!(archive.run_jobs(Darkroom::new("/bin/false")).await, 1);
        assert!(archive.given_up().await.is_empty());
        assert!(db::jobs::next_run_at(&mut archive.db.read().await.unwrap()).await.unwrap() > Some(NOW));
        assert!(!archive.read(&asset).await.has_poster);
        let died = Darkroom::new("/bin/false").look(Path::new("/"), 0).await.unwrap_err();
        assert!(matches!(&died, DarkroomError::Died(how) if how.contains("1")), "{died}");

        // A pipe that nobody writes: opening it never comes back, and no callback of the decoder's is asked.
        let pipe = archive.folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let hung = darkroom().with_time_limit(Duration::from_millis(300)).look(&pipe, 0).await.unwrap_err();
        assert!(matches!(hung, DarkroomError::Hung(_)), "{hung}");

        let missing = Darkroom::new("/nowhere/afterlive").look(Path::new("/"), 0).await.unwrap_err();
        assert!(matches!(missing, DarkroomError::Process(_)) && !missing.is_of_the_file(), "{missing}");
    })
    .await;
}

#[tokio::test]
async fn a_live_stream_is_seen_by_a_still_as_long_as_it_is_live() {
    let sent = encode(1, true, true);
    let (hub, stop) = (Hub::new(), CancellationToken::new());
    let stream = afterlive_domain::StreamId(Uuid::new_v4());
    let working = tokio::spawn(LiveStills::new(hub.clone(), Clock::simulated(NOW), darkroom()).run(stop.clone()));
    // One that cannot be decoded stands in nobody's way.
    let mut broken = hub.publish(afterlive_domain::StreamId(Uuid::new_v4()), NOW).unwrap();
    let codec = CodecConfig::H264 { avcc: Bytes::from_static(b"nonsense"), width: 320, height: 180 };
    broken.set_track(TrackConfig { codec, timescale: 1_000 });
    broken.frame(&Frame { kind: TrackKind::Video, dts: 0, pts_offset: 0, keyframe: true, data: Bytes::from_static(b"xyz") });

    let mut publisher = hub.publish(stream, NOW).unwrap();
    send(&mut publisher, &sent);
    while hub.still(stream).is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Still { jpeg, taken_at } = hub.still(stream).unwrap();
    assert_eq!(taken_at, NOW);
    let file = tempfile::NamedTempFile::with_suffix(".jpg").unwrap();
    std::fs::write(file.path(), &jpeg).unwrap();
    assert_eq!(ffprobe(file.path(), "stream=codec_name,width,height"), ["mjpeg,320,180"]);
    assert!(brightness(file.path()) > 50.0);
    drop(publisher);
    assert_eq!(hub.still(stream), None);
    stop.cancel();
    working.await.unwrap();
}

#[tokio::test]
async fn who_may_watch_a_stream_may_see_its_still_and_nobody_else() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server.db, &ours.organisation).await;
        let call = format!("GET /live/{}/thumbnail.jpg", stream.streamname);
        let thumbnails = async |key: Option<&str>| {
            server.send(&format!("GET /stream/{}", stream.id), key, "").await.ok()["playout"]["thumbnails"].clone()
        };
        assert_eq!(server.send(&call, Some(&ours.reader_key), "").await.error(), (404, 3001), "not live");
        let mut publisher = server.hub.publish(stream.id, NOW).unwrap();
        let codec = CodecConfig::H264 { avcc: Bytes::new(), width: 320, height: 180 };
        publisher.set_track(TrackConfig { codec, timescale: 1_000 });
        publisher.frame(&Frame { kind: TrackKind::Video, dts: 0, pts_offset: 0, keyframe: true, data: Bytes::new() });
        assert_eq!(server.send(&call, Some(&ours.reader_key), "").await.error(), (404, 3001), "no picture yet");
        assert_eq!(thumbnails(Some(&ours.reader_key)).await, serde_json::json!([]));
        let still = Still { jpeg: Bytes::from_static(b"jpeg"), taken_at: NOW };
        server.hub.newest_keyframe(stream.id).unwrap().show(still);

        let seen = server.send(&call, Some(&ours.reader_key), "").await;
        assert_eq!((seen.status.as_u16(), &*seen.text), (200, "jpeg"));
        assert_eq!((seen.header("content-type"), seen.header("cache-control")), ("image/jpeg", "private, max-age=5"));
        assert!(seen.header("vary").contains("X-BINTU-TOKEN"), "whoever else asks is another");
        let user =
            server.service.add_user(&ours.admin, "v@example.com", "correct horse battery", afterlive_domain::Role::ReadOnly);
        let signed_in = server.send(&format!("GET /sign-in/{}", user.await.unwrap().id), None, "").await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        assert_eq!(server.send_with(&call, &[("cookie", &cookie)], "").await.text, "jpeg");
        assert_eq!(server.send(&call, Some(&theirs.admin_key), "").await.error(), (404, 3001));
        assert_eq!(server.send(&call, Some("wrong"), "").await.error(), (401, 4002));
        let unknown = format!("GET /live/{}-00000/thumbnail.jpg", ours.organisation.hash);
        for call in [&call, &unknown] {
            assert_eq!(server.send(call, None, "").await.error(), (403, 2001), "{call}");
        }
        for call in ["GET /live/8sKpm-00000/thumbnail.jpg", "GET /live/x/thumbnail.jpg"] {
            assert_eq!(server.send(call, None, "").await.error(), (404, 3001), "{call}");
        }
        let url = format!("http://localhost:3000/live/{}/thumbnail.jpg", stream.streamname);
        let listed = thumbnails(Some(&ours.reader_key)).await;
        assert_eq!((&listed[0]["url"], &listed[0]["type"]), (&serde_json::json!(url), &serde_json::json!("image")));

        let public = afterlive_domain::organisation::Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&ours.admin, "Chapel", public).await.unwrap();
        for key in [None, Some(&*theirs.admin_key)] {
            assert_eq!(server.send(&call, key, "").await.text, "jpeg");
        }
        assert_eq!(thumbnails(None).await[0]["url"], serde_json::json!(url));
        drop(publisher);
        assert_eq!(thumbnails(None).await, serde_json::json!([]), "gone with the stream");
        assert_eq!(server.send(&call, None, "").await.text, "jpeg", "for who was told of it just before");
    })
    .await;
}

#[test]
fn the_decoders_process_speaks_one_protocol_and_says_so() {
    let output = crate::fixture::program::run(Command::new(env!("CARGO_BIN_EXE_afterlive")), "");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("pictures"), "not for people");
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterlive"));
    command.args(["pictures", "--protocol", "0"]);
    let output = crate::fixture::program::run(command, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("protocol 0"));
}
