//! Who may watch a stream live.

use afterlive_domain::{Error as Refusal, StreamId, StreamState, Streamname};

use super::{Caller, Result, Service};
use crate::db::{organisations, streams};

impl Service {
    /// The stream, where this caller may watch it live. Whether it is live is for the hub to say.
    ///
    /// # Errors
    /// `NoSuchStream`; `BadCredentials` to who has none, unless the organisation is public.
    pub async fn watch_live(&self, streamname: &str, caller: Option<&Caller>) -> Result<StreamId> {
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
        Ok(stream.id)
    }
}
