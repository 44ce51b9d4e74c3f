//! What live streams look like.

use afterlive_domain::{Error as Refusal, StreamState, Streamname};

use super::{Caller, Result, Service};
use crate::db::{organisations, streams};
use crate::hub::Still;

impl Service {
    /// A picture of a stream that is live, some seconds old: for its organisation, and for anybody where the organisation's recordings are public.
    ///
    /// # Errors
    /// `NoSuchStream`, also where it is not live or there is no picture yet. To who has no credential `BadCredentials` instead, unless
    /// the organisation is public: whether there is such a stream is not told.
    pub async fn live_still(&self, caller: Option<&Caller>, streamname: &str) -> Result<Still> {
        let no_such_stream = || Refusal::NoSuchStream { stream: streamname.chars().take(100).collect() };
        let hidden = || if caller.is_some() { no_such_stream() } else { Refusal::BadCredentials };
        let name: Streamname = streamname.parse().map_err(|_| hidden())?;
        let mut connection = self.db.read().await?;
        let stream = streams::by_streamname(&mut connection, &name).await?.filter(|stream| stream.state != StreamState::Deleted);
        let stream = stream.ok_or_else(hidden)?;
        if caller.is_none_or(|caller| caller.organisation != stream.organisation) {
            let organisation = organisations::by_id(&mut connection, stream.organisation).await?;
            if !organisation.is_some_and(|organisation| organisation.settings.vod_public) {
                return Err(hidden().into());
            }
        }
        Ok(self.hub.still(stream.id).ok_or_else(no_such_stream)?)
    }

    /// Where [`Service::live_still`] is to be had.
    #[must_use]
    pub fn live_still_url(&self, streamname: &Streamname) -> String {
        format!("{}/live/{streamname}/thumbnail.jpg", self.config.http.public_url)
    }
}
