//! A stream as the document and the reference show one. Checked against the schema, so that it has each field that there is.

use serde_json::{Value, json};

use crate::http::api::doc::{EXAMPLE_ASSET, EXAMPLE_STREAM};

/// It is live, and has a recording.
pub(super) fn example() -> Value {
    json!({
        "id": EXAMPLE_STREAM,
        "streamgroup": EXAMPLE_STREAM,
        "state": "live",
        "type": "low-latency",
        "created_at": "2026-11-04T17:09:19.899Z",
        "updated_at": "2026-11-04T17:12:03.120Z",
        "webrtc": false,
        "transcoding": false,
        "tags": ["title:Sunday service"],
        "ingest": {
            "rtmp": { "url": "rtmp://localhost:1935/rec", "streamname": "8sKpm-x49nB" },
            "rtmps": { "url": "rtmps://localhost:1937/rec", "streamname": "8sKpm-x49nB" },
        },
        "playout": {
            "h5live": [{
                "id": EXAMPLE_STREAM,
                "type": "live",
                "index": 0,
                "label": "Passthrough",
                "tags": ["Passthrough"],
                "processing": [{ "id": "rec", "duration": null }],
                "server": {
                    "websocket": "ws://localhost:3000/live/8sKpm-x49nB/ws",
                    "hls": "http://localhost:3000/live/8sKpm-x49nB/index.m3u8",
                    "progressive": "http://localhost:3000/live/8sKpm-x49nB/progressive.mp4",
                },
                "rtmp": { "url": "rtmp://localhost:1935/play", "streamname": "8sKpm-x49nB" },
                "info": { "width": 1280, "height": 720, "bitrate": 2_500_000, "fps": 30.0 },
            }],
            "hls": [{ "url": "http://localhost:3000/live/8sKpm-x49nB/index.m3u8", "type": "live" }],
            "rtmp": [{ "url": "rtmp://localhost:1935/play", "streamname": "8sKpm-x49nB", "type": "live" }],
            "web": [
                {
                    "url": format!("http://localhost:3000/playout/{EXAMPLE_STREAM}"),
                    "type": "live",
                    "createdAt": "2026-11-04T17:09:19.899Z",
                    "streamId": EXAMPLE_STREAM,
                    "id": EXAMPLE_STREAM,
                    "pushUrl": null,
                    "opcode": null,
                    "processing": [],
                    "tags": [],
                },
                {
                    "url": "http://localhost:3000/vod-eu/8sKpm/8sKpm-x49nB.mp4",
                    "type": "vod",
                    "createdAt": "2026-11-04T17:10:49.413Z",
                    "streamId": EXAMPLE_STREAM,
                    "index": 1,
                    "id": EXAMPLE_ASSET,
                    "region": "eu",
                    "state": "ready",
                    "duration_ms": 83_450,
                    "size_bytes": 26_411_008,
                    "width": 1280,
                    "height": 720,
                    "video_codec": "h264",
                    "audio_codec": "aac",
                    "thumbnail": "http://localhost:3000/vod-eu/8sKpm/thumbnails/8sKpm-x49nB.jpg",
                    "storyboard": null,
                },
            ],
            "thumbnails": [{
                "url": "http://localhost:3000/vod-eu/8sKpm/thumbnails/8sKpm-x49nB.jpg",
                "type": "image",
                "streamId": EXAMPLE_STREAM,
                "streamname": "8sKpm-x49nB",
            }],
        },
    })
}
