//! Who may watch by a protocol that is no HTTP: from the name and the query that a player gives to the stream, or to words for the one who looks at the
//! player. Decides nothing: that is `service/`'s.

use std::net::IpAddr;

use afterlive_domain::{Error as Refusal, StreamId, Streamname};
use async_trait::async_trait;
use tracing::error;
use url::form_urlencoded;

use crate::service::playback::token::TOKEN;
use crate::service::playback::{self, Secret, Viewer};
use crate::service::{Error, Service};

const UNKNOWN: &str = "stream name unknown";

/// A player's wish to watch. Not `Debug`: its query may hold a token, and goes in no log.
#[derive(Clone)]
pub struct ViewRequest {
    /// As sent, without the query.
    pub streamname: String,
    /// What stood behind a `?` in the stream's name.
    pub query: Option<String>,
    pub address: IpAddr,
    /// The host of the page that the player says it stands on.
    pub site: Option<String>,
}

impl ViewRequest {
    fn viewer(&self) -> Viewer {
        Viewer { caller: None, token: self.token(), address: self.address, site: self.site.clone() }
    }

    fn token(&self) -> Option<Secret> {
        let query = self.query.as_deref()?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == TOKEN).map(|(_, token)| Secret(token.into_owned()))
    }
}

/// Lets viewers in.
#[async_trait]
pub trait Usher: Send + Sync + 'static {
    /// The stream that a viewer names. Whether it is live is for the hub to say.
    ///
    /// # Errors
    /// Why not, in words.
    async fn admit_viewer(&self, request: ViewRequest) -> Result<StreamId, String>;

    /// Waits until who was admitted may not watch any more: why, in words. Safe to cancel.
    async fn until_withdrawn(&self, request: ViewRequest) -> String;
}

#[async_trait]
impl Usher for Service {
    async fn admit_viewer(&self, request: ViewRequest) -> Result<StreamId, String> {
        let admitted = self.watch_live(&request.streamname, &request.viewer()).await;
        admitted.map(|right| right.stream).map_err(|refused| match refused {
            Error::Refused(Refusal::PlaybackDenied { reason }) => reason,
            Error::Refused(_) => UNKNOWN.to_owned(),
            cause => {
                error!(%cause, "whether a viewer may watch cannot be found out");
                "the server cannot show streams at the moment, try again".to_owned()
            }
        })
    }

    async fn until_withdrawn(&self, request: ViewRequest) -> String {
        // Who was admitted has named a stream.
        let Ok(streamname) = request.streamname.parse::<Streamname>() else { return UNKNOWN.to_owned() };
        let viewer = request.viewer();
        let ask = async || Ok(self.watch_live(streamname.as_str(), &viewer).await?.until);
        let refusal = self.until_refused(&streamname.organisation_hash(), ask).await;
        playback::words(refusal)
    }
}
