//! Who may watch a stream live.

use std::net::IpAddr;

use afterlive_domain::{Error as Refusal, StreamId, StreamState, Streamname};

use super::{Caller, Result, Service};
use crate::db::{organisations, streams};

/// Who wants to watch, as far as the request says.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub caller: Option<Caller>,
    /// A playback token.
    pub token: Option<String>,
    pub address: IpAddr,
    /// The host name of the page that the player stands on, where the browser tells it.
    pub site: Option<String>,
}

impl Service {
    /// The stream, where this viewer may watch it live: for its organisation, and for anybody where the organisation is public. Whether it
    /// is live at this moment is not asked.
    ///
    /// # Errors
    /// `NoSuchStream`; to who has no credential `BadCredentials` instead, whether there is such a stream or not.
    pub async fn watch_live(&self, streamname: &str, viewer: &Viewer) -> Result<StreamId> {
        let no_such_stream = || Refusal::NoSuchStream { stream: streamname.chars().take(100).collect() };
        let hidden = || if viewer.caller.is_some() { no_such_stream() } else { Refusal::BadCredentials };
        let name: Streamname = streamname.parse().map_err(|_| hidden())?;
        let mut connection = self.db.read().await?;
        let stream = streams::by_streamname(&mut connection, &name).await?.filter(|stream| stream.state != StreamState::Deleted);
        let stream = stream.ok_or_else(hidden)?;
        if viewer.caller.is_none_or(|caller| caller.organisation != stream.organisation) {
            let organisation = organisations::by_id(&mut connection, stream.organisation).await?;
            if !organisation.is_some_and(|organisation| organisation.settings.vod_public) {
                return Err(hidden().into());
            }
        }
        Ok(stream.id)
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
}
