//! What live streams look like.

use afterlive_domain::{Error as Refusal, StreamId, Streamname};

use super::{Result, Service};
use crate::hub::Still;

impl Service {
    /// A picture of a stream that is live or was a moment ago, some seconds old. Who asks must have been found to be allowed to watch it: that is not checked again.
    ///
    /// # Errors
    /// `NoSuchStream`, where it is not live or there is no picture yet.
    pub fn live_still(&self, stream: StreamId) -> Result<Still> {
        Ok(self.hub.still_or_last(stream).ok_or_else(|| Refusal::no_such_stream(stream))?)
    }

    /// Where [`Service::live_still`] is to be had.
    #[must_use]
    pub fn live_still_url(&self, streamname: &Streamname) -> String {
        format!("{}/live/{streamname}/thumbnail.jpg", self.config.http.public_url)
    }

    /// Where the stream can be watched by WebSocket.
    #[must_use]
    pub fn live_socket_url(&self, streamname: &Streamname) -> String {
        let origin = &self.config.http.public_url;
        let origin = origin.strip_prefix("http").map_or_else(|| origin.clone(), |rest| format!("ws{rest}"));
        format!("{origin}/live/{streamname}/ws")
    }

    /// Where the stream can be watched by HLS.
    #[must_use]
    pub fn live_hls_url(&self, streamname: &Streamname) -> String {
        format!("{}/live/{streamname}/index.m3u8", self.config.http.public_url)
    }

    /// Where the stream can be watched by one HTTP answer.
    #[must_use]
    pub fn live_progressive_url(&self, streamname: &Streamname) -> String {
        format!("{}/live/{streamname}/progressive.mp4", self.config.http.public_url)
    }
}
