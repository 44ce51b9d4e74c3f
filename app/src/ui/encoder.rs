//! How to go live in three steps.

use leptos::prelude::*;

use super::copy::CopyBlock;
use super::ingest::{IngestRows, full_url};
use super::snippets;
use crate::backend::IngestUrls;

#[component]
pub fn EncoderSteps(ingest: IngestUrls, recording_enabled: bool) -> impl IntoView {
    let url = full_url(&ingest, ingest.default_mode);
    view! {
        <ol class="steps">
            <li>
                <h3>"Take the address"</h3>
                <p>"Any encoder that speaks RTMP asks for a server and a stream key. These are yours:"</p>
                <IngestRows ingest recording_enabled />
            </li>
            <li>
                <h3>"Set up the encoder"</h3>
                <p>
                    "In OBS Studio open " <b>"Settings → Stream"</b> ", choose the service " <b>"Custom…"</b>
                    " and paste the RTMP server that does what you want, and the stream key."
                </p>
                <p>
                    "Under " <b>"Settings → Output"</b> " choose the output mode " <b>"Advanced"</b>
                    ", and there, under " <b>"Streaming"</b>
                    ", H.264 for video, a keyframe interval of 2 s, and about 2,500 to 6,000 kbit/s. For viewers by WebRTC choose the tuning zerolatency, or 0 B-frames. The sound is AAC as it is."
                </p>
                <p>"Without OBS: this line sends a test picture with a tone."</p>
                <CopyBlock label="ffmpeg" value=snippets::ffmpeg_test(&url) />
            </li>
            <li>
                <h3>"Start streaming"</h3>
                <p>
                    {if recording_enabled {
                        "The stream's page shows at once what arrives. When you stop, the recording stands there with its URL, ready to play."
                    } else {
                        "The stream's page shows at once what arrives. Recording is off for your organisation, so nothing is kept."
                    }}
                </p>
            </li>
        </ol>
    }
}
