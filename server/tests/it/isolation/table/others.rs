//! What is neither a call nor of the dashboard: media, what encoders, scripts, frames and watchdogs ask for, files.

use super::Thing::{Asset, Live};
use super::{Door, Row};

pub fn rows() -> Vec<Row> {
    let media = |route| Row::new(route, Door::Media).of(Live);
    vec![
        // Who may watch hears that this is no WebSocket, and that this is no offer.
        media("GET /live/{streamname}/ws").answers(400),
        media("POST /live/{streamname}/whep").answers(415),
        media("GET /live/{streamname}/{file}").at("/live/<streamname>/index.m3u8"),
        media("GET /live/{streamname}/{file}").at("/live/<streamname>/media.m3u8"),
        // `progressive.mp4` beside them goes on for as long as the publish: it is asked for in `playback` and `live`.
        media("GET /live/{streamname}/thumbnail.jpg"),
        media("GET /vod-{region}/{key}").at("/vod-eu/<hash>/<streamname>.mp4"),
        media("GET /vod-{region}/{key}").at("/vod-eu/<hash>/thumbnails/<streamname>.jpg"),
        // A session's address, which nobody can guess, is all that its owner has to show.
        Row::new("DELETE /live/{streamname}/whep/{id}", Door::Open(404)),
        Row::new("PATCH /live/{streamname}/whep/{id}", Door::Open(404)),
        Row::new("DELETE /p/webrtc/{id}", Door::Open(404)),
        Row::new("PATCH /p/webrtc/{id}", Door::Open(404)),
        // The name and the publish key open it, and nothing else does: here there is no key.
        Row::new("POST /p/webrtc", Door::Open(403))
            .query("?stream_name=<streamname>&stream_url=rtmp://localhost/rec")
            .body("v=0\r\n"),
        Row::new("GET /events", Door::Script),
        Row::new("GET /events", Door::Hearing).query("?stream=<live>").of(Live),
        Row::new("GET /vod/{id}/report", Door::Script).of(Asset),
        Row::new("GET /embed/{id}", Door::Frame).of(Live),
        Row::new("GET /embed/{id}/facts", Door::Frame).of(Live),
        // Leads to the frame, whoever asks, and whether there is such a stream or not.
        Row::new("GET /playout/{id}?embed", Door::Open(302)).at("/playout/<live>?embed"),
        // Without a provider there is nothing; with one, `it/oidc` asks.
        Row::new("POST /oidc/sign-in", Door::Open(404)),
        Row::new("POST /oidc/connect", Door::Open(404)),
        Row::new("POST /oidc/accept", Door::Open(404)),
        Row::new("GET /oidc/callback", Door::Open(404)),
        Row::new("GET /healthz", Door::Open(200)),
        Row::new("GET /readyz", Door::Open(200)),
        Row::new("GET /docs", Door::Open(200)),
        Row::new("GET /.well-known/acme-challenge/{token}", Door::Open(200)).at("/.well-known/acme-challenge/token"),
        // Where nothing is, or a file of the site would be.
        Row::new("GET /{file}", Door::Open(404)).at("/nothing.txt"),
    ]
}
