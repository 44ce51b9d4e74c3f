//! Streams as those see them who watch, or have a player key: which may be everybody. What the organisation itself sees and does is `streams`.

use std::time::Duration;

use afterlive_domain::{Error as Refusal, OrganisationId, StreamId, StreamState};

use super::turns::OnlyPlace;
use super::{Holder, Player, Result, Service, StreamList, StreamPage, Viewer};
use crate::db;
use crate::db::organisations::Organisation;
use crate::db::stream_search::{self, Among, Order, Search};
use crate::db::streams::{self, Stream};

/// The most streams on a page for who has a player key, which is everybody.
pub const MAX_PLAYER_PAGE: u32 = 100;
/// The most rows of the list that a page for them looks at. With tags that no stream shares it would else be all of them.
const MAX_PLAYER_LOOK: u32 = 10_000;
/// Who has waited so long for a place is told to come back later. Long enough for many visitors of one page that come at once.
const PLAYER_LIST_WAIT: Duration = Duration::from_secs(3);

/// A stream and whose it is, for a viewer from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamWithOrganisation {
    pub stream: Stream,
    pub organisation: Organisation,
    /// Whether this viewer may watch it live.
    pub sees_live: bool,
    /// Whether this viewer may also watch its recordings.
    pub sees_recordings: bool,
}

/// Streams as players see them, whose they are, and where it was a player who asked the place among those who do. It is theirs until all that is shown of the
/// streams has been read and written out: that is ten times as much as they are.
pub struct PlayerList {
    pub page: StreamPage,
    pub organisation: Organisation,
    pub place: Option<OnlyPlace>,
}

/// A stream and whose it is, and why a viewer may not watch it live and its recordings, where that is so.
pub(super) struct StreamAsSeen {
    pub(super) stream: Stream,
    pub(super) organisation: Organisation,
    pub(super) no_live: Option<Refusal>,
    pub(super) no_recordings: Option<Refusal>,
}

impl Service {
    /// A stream as a viewer without a key or a sign-in of the organisation sees it: where live is public, or with a playback token.
    ///
    /// # Errors
    /// `NoSuchStream`, also where it is deleted; `PlaybackDenied` where live is not public.
    pub async fn stream_for_viewer(&self, id: StreamId, viewer: &Viewer) -> Result<StreamWithOrganisation> {
        let found = self.stream_as_seen(id, viewer).await?.ok_or_else(|| Refusal::no_such_stream(id))?;
        let StreamAsSeen { stream, organisation, no_live, no_recordings } = found;
        match no_live {
            Some(refusal) => Err(refusal.into()),
            // Whether recordings are public, or it is the token that opens them.
            None => {
                Ok(StreamWithOrganisation { stream, organisation, sees_live: true, sees_recordings: no_recordings.is_none() })
            }
        }
    }

    /// A stream as who has a player key sees it, also where live is not public: to watch it then takes a playback token all the same, and with one `viewer` is shown
    /// what that opens.
    ///
    /// # Errors
    /// `NoSuchStream`, also where it is deleted or another organisation's.
    pub async fn stream_for_player(&self, player: &Player, id: StreamId, viewer: &Viewer) -> Result<StreamWithOrganisation> {
        // Whose it is first: of another's not even is asked who may watch it.
        let found = self.stream_of(Some(player.organisation), id, viewer).await?;
        let StreamAsSeen { stream, organisation, no_live, no_recordings } = found.ok_or_else(|| Refusal::no_such_stream(id))?;
        let (sees_live, sees_recordings) = (no_live.is_none(), no_recordings.is_none());
        Ok(StreamWithOrganisation { stream, organisation, sees_live, sees_recordings })
    }

    /// Streams as players see them, and whose they are. Deleted ones are not among them, whatever is searched for. A player key, which is in everybody's hands,
    /// opens no list of all that there is: it finds what has a tag that its page knows, by means that cost little. So a page for it may be short, or empty, with more
    /// behind it.
    ///
    /// # Errors
    /// `Denied` for a caller who may not read; for `state` where it is that of the deleted; with a player key for `tags` where there are none, and for what else
    /// it may not search by; `TooMany` where too many lists are read for players.
    pub async fn public_streams(&self, holder: &Holder, list: &StreamList) -> Result<PlayerList> {
        let organisation = holder.organisation()?;
        if let Holder::Player(_) = holder {
            only_what_players_search_by(&list.search)?;
        }
        if list.search.state == Some(StreamState::Deleted) {
            let expected = "all, created, live, ended or locked".to_owned();
            return Err(Refusal::WrongType { parameter: "state".to_owned(), expected }.into());
        }
        let (page, place) = match holder {
            Holder::Caller(caller) => (self.streams(caller, list).await?, None),
            // Before it takes one of the database's connections.
            Holder::Player(_) => {
                let place = self.player_lists.take(organisation, PLAYER_LIST_WAIT).await?;
                (self.page_for_player(organisation, list).await?, Some(place))
            }
        };
        let found = db::organisations::by_id(&mut self.db.read().await?, organisation).await?;
        // A credential's organisation is never deleted; were it, the credential would be worth nothing.
        Ok(PlayerList { page, organisation: found.ok_or(Refusal::BadCredentials)?, place })
    }

    async fn page_for_player(&self, organisation: OrganisationId, list: &StreamList) -> Result<StreamPage> {
        let limit = list.limit.min(MAX_PLAYER_PAGE);
        if limit == 0 {
            return Ok(StreamPage { streams: Vec::new(), next: None });
        }
        let mut connection = self.db.read().await?;
        let (search, after) = (&list.search, list.after.as_ref());
        let found = stream_search::page_among(&mut connection, organisation, search, after, limit, MAX_PLAYER_LOOK).await?;
        let Among { streams, next } = found;
        Ok(StreamPage { streams, next })
    }

    /// `None` where there is no such stream, or it is deleted.
    pub(super) async fn stream_as_seen(&self, id: StreamId, viewer: &Viewer) -> Result<Option<StreamAsSeen>> {
        self.stream_of(None, id, viewer).await
    }

    /// The same, of that organisation alone where there is one.
    async fn stream_of(&self, owner: Option<OrganisationId>, id: StreamId, viewer: &Viewer) -> Result<Option<StreamAsSeen>> {
        let is_seen =
            |stream: &Stream| stream.state != StreamState::Deleted && owner.is_none_or(|owner| stream.organisation == owner);
        let mut connection = self.db.read().await?;
        let Some(stream) = streams::by_id(&mut connection, id).await?.filter(is_seen) else { return Ok(None) };
        let organisation = db::organisations::by_id(&mut connection, stream.organisation).await?;
        let Some(organisation) = organisation else { return Ok(None) };
        drop(connection);
        let no_live = refusal_of(self.watch_live(stream.streamname.as_str(), viewer).await)?;
        let no_recordings = refusal_of(self.watch_recording(&stream.streamname, viewer).await)?;
        Ok(Some(StreamAsSeen { stream, organisation, no_live, no_recordings }))
    }
}

/// By tags, at least one, and by state; in the one order there is an index for.
fn only_what_players_search_by(search: &Search) -> Result<(), Refusal> {
    let Search { state: _, tags, text, from, to, order } = search;
    let others = [("q", text.is_some()), ("from", from.is_some()), ("to", to.is_some()), ("sort", *order != Order::NewestFirst)];
    if let Some((parameter, _)) = others.into_iter().find(|(_, is_asked)| *is_asked) {
        let expected = "nothing: with a player key streams are found by tags and state".to_owned();
        return Err(Refusal::WrongType { parameter: parameter.to_owned(), expected });
    }
    if tags.is_empty() { Err(Refusal::ParameterRequired { parameter: "tags".to_owned() }) } else { Ok(()) }
}

/// Why it was refused, where it was.
fn refusal_of<T>(outcome: Result<T>) -> Result<Option<Refusal>> {
    match outcome {
        Ok(_) => Ok(None),
        Err(super::Error::Refused(refusal)) => Ok(Some(refusal)),
        Err(failure) => Err(failure),
    }
}
