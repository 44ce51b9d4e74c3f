//! Streams: made, found, listed, tagged, stopped, locked, deleted.

use std::time::Duration;

use afterlive_domain::push::PushUrl;
use afterlive_domain::{
    Act, Error as Refusal, EventKind, Mode, Permission, Role, StreamId, StreamState, Streamname, Tags, UnixMillis,
};
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::write::{Change, Note, who};
use super::{Caller, Result, Service};
use crate::db::organisations::Organisation;
use crate::db::stream_search::{self, Place, Search};
use crate::db::streams::{self, Stream, Transition};
use crate::db::{Connection, assets};
use crate::hub::Hub;
use crate::jobs::{self, Task};
use crate::publish_key::{PublishKey, PublishKeys, bare_name};
use crate::push::PushStatus;
use crate::random;
use crate::sound::Loudness;

/// The most streams on a page.
pub const MAX_PAGE: u32 = 1_000;
/// The most tags that are listed; more suggest nothing to anybody.
pub const MAX_LISTED_TAGS: u32 = 1_000;
/// How often a streamname is drawn. An organisation with 9 million of the 916 million names needs a fourth draw once in a million times.
const DRAWS: usize = 8;
/// How long a stop waits for the encoder's connection to be gone. The stop itself has happened by then.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// A stream to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewStream {
    pub tags: Tags,
    /// Which ingest URL is offered first.
    pub default_mode: Mode,
}

/// Which page of which streams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamList {
    pub search: Search,
    /// Behind this place; `None` for the first page.
    pub after: Option<(Place, StreamId)>,
    /// At most [`MAX_PAGE`] are given.
    pub limit: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPage {
    pub streams: Vec<Stream>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<(Place, StreamId)>,
}

impl Service {
    /// # Errors
    /// `Denied` for readers.
    pub async fn create_stream(&self, caller: &Caller, new: NewStream) -> Result<Stream> {
        caller.require(Permission::EditStreams)?;
        let organisation = self.organisation(caller).await?;
        let mut draws_left = DRAWS;
        loop {
            let stream = draw_stream(&organisation, &new, self.clock.now());
            let mut tx = self.write_as(caller, Permission::EditStreams).await?;
            match streams::insert(&mut tx, &stream).await {
                Err(error) if error.is_unique_violation() && draws_left > 0 => draws_left -= 1,
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    let tags = stream.tags.as_slice().join(", ");
                    tx.commit(Note::of(Act::StreamCreated, stream.id).saying(tags)).await?;
                    return Ok(stream);
                }
            }
        }
    }

    /// A stream of the caller's organisation, deleted ones too.
    ///
    /// # Errors
    /// `NoSuchStream`, also where it is another organisation's.
    pub async fn stream(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        caller.require(Permission::Read)?;
        stream_of(&mut self.db.read().await?, caller, id).await
    }

    /// The stream of the caller's organisation that `text` names by its streamname or its id, deleted ones too; `None` where there is none.
    ///
    /// # Errors
    /// `Denied` where the caller may not read.
    pub async fn stream_called(&self, caller: &Caller, text: &str) -> Result<Option<StreamId>> {
        caller.require(Permission::Read)?;
        let id = match (text.parse::<StreamId>(), text.parse::<Streamname>()) {
            (Ok(id), _) => id,
            (_, Ok(name)) => match self.own_stream_named(caller, &name).await? {
                Some(stream) => return Ok(Some(stream.id)),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let found = streams::of_organisation(&mut self.db.read().await?, caller.organisation, id).await?;
        Ok(found.map(|stream| stream.id))
    }

    /// Names of other organisations are not looked up, so that not even how long it takes tells whether there is one.
    async fn own_stream_named(&self, caller: &Caller, name: &Streamname) -> Result<Option<Stream>> {
        if name.organisation_hash() != self.organisation(caller).await?.hash {
            return Ok(None);
        }
        let found = streams::by_streamname(&mut self.db.read().await?, name).await?;
        Ok(found.filter(|stream| stream.organisation == caller.organisation))
    }

    /// Whether the organisation has, or had, a stream of that name: a name once given is never given again. Those of other organisations are not looked at.
    ///
    /// # Errors
    /// `Denied` where the caller may not read.
    pub async fn is_streamname_taken(&self, caller: &Caller, streamname: &str) -> Result<bool> {
        caller.require(Permission::Read)?;
        let Ok(streamname) = bare_name(streamname).parse::<Streamname>() else { return Ok(false) };
        Ok(self.own_stream_named(caller, &streamname).await?.is_some())
    }

    /// # Errors
    /// `Denied` where the caller may not read; `TooMany` where too much is searched at once.
    pub async fn streams(&self, caller: &Caller, list: &StreamList) -> Result<StreamPage> {
        caller.require(Permission::Read)?;
        let _place = self.turn_to_search(caller, list.search.reads_far()).await?;
        page_of(&mut self.db.read().await?, caller, list).await
    }

    /// The tags in use, sorted; at most `limit`, and never more than 1,000.
    ///
    /// # Errors
    /// `Denied` where the caller may not read.
    pub async fn tags(&self, caller: &Caller, limit: u32) -> Result<Vec<String>> {
        caller.require(Permission::Read)?;
        Ok(stream_search::tags(&mut self.db.read().await?, caller.organisation, limit.min(MAX_LISTED_TAGS)).await?)
    }

    /// A stream that the caller may change.
    ///
    /// # Errors
    /// `Denied` for readers; `NoSuchStream`; `WrongState` where it is deleted.
    pub async fn stream_to_edit(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        caller.require(Permission::EditStreams)?;
        self.not_deleted(caller, id).await
    }

    /// Replaces all tags, of a stream with many recordings some at a time ([`streams::tags_at_a_time`]): each time is a change of its own, with its
    /// turn, its line and its event, and others write in between. Where somebody else has replaced tags by then, theirs stay: they came later.
    ///
    /// # Errors
    /// `Denied` for readers; `NoSuchStream`; `WrongState` where it is deleted; `TooMany` where a turn does not come soon. Some may be replaced by
    /// then, as where the caller goes before the end; the same again replaces the rest.
    pub async fn set_tags(&self, caller: &Caller, id: StreamId, tags: &Tags) -> Result<Stream> {
        let mut left: Option<Tags> = None;
        loop {
            let mut tx = self.write_as(caller, Permission::EditStreams).await?;
            let found = streams::of_organisation(&mut tx, caller.organisation, id).await?;
            let Some(stream) = found.filter(|stream| stream.state != StreamState::Deleted) else {
                tx.roll_back();
                break;
            };
            // Two who go on whatever the other has done would take each other's for ever.
            let is_anothers = left.as_ref().is_some_and(|left| *left != stream.tags);
            if stream.tags == *tags || is_anothers {
                tx.roll_back();
                return Ok(stream);
            }
            let next = stream.tags.towards(tags, streams::tags_at_a_time(&mut tx, id).await?);
            if !streams::set_tags(&mut tx, caller.organisation, id, &next, self.clock.now()).await? {
                tx.roll_back();
                break;
            }
            tx.commit(Note::of(Act::StreamTagged, id).saying(next.as_slice().join(", "))).await?;
            self.forget_stream(&stream.streamname);
            if next == *tags {
                return self.stream(caller, id).await;
            }
            left = Some(next);
        }
        // It is deleted, or was never there for this caller.
        self.not_deleted(caller, id).await
    }

    /// Sets where the stream is also pushed to while it is live, at once where it is; `None`: nowhere.
    ///
    /// # Errors
    /// `Denied` for readers; for `url` where it is this server's own; `NoSuchStream`; `WrongState` where it is deleted.
    pub async fn set_push_url(&self, caller: &Caller, id: StreamId, url: Option<&PushUrl>) -> Result<Stream> {
        caller.require(Permission::EditStreams)?;
        let public_url = format!("{}/", self.config.rtmp.public_url);
        if url.is_some_and(|url| format!("{}/", url.server()).starts_with(&public_url)) {
            let expected = "the URL of another server: this is our own".to_owned();
            return Err(Refusal::WrongType { parameter: "url".to_owned(), expected }.into());
        }
        let mut tx = self.write_as(caller, Permission::EditStreams).await?;
        let before = streams::of_organisation(&mut tx, caller.organisation, id).await?;
        if let Some(stream) = before.filter(|stream| stream.state != StreamState::Deleted && stream.push_url.as_ref() == url) {
            tx.roll_back();
            return Ok(stream);
        }
        if streams::set_push_url(&mut tx, caller.organisation, id, url, self.clock.now()).await? {
            // Its last part is a key.
            let to = url.map_or("nowhere".to_owned(), PushUrl::without_key);
            tx.commit(Note::of(Act::PushChanged, id).saying(to)).await?;
            tracing::info!(stream = %id, target = ?url, by = %caller.identity, "changed where a stream is pushed to");
        } else {
            tx.roll_back();
            self.not_deleted(caller, id).await?;
        }
        self.stream(caller, id).await
    }

    /// How the push of a stream does; `None` where it is not live or is pushed nowhere. Who asks must have been shown the stream.
    #[must_use]
    pub fn push_status(&self, stream: &Stream) -> Option<PushStatus> {
        // One whose URL has just been taken away is over in a moment.
        stream.push_url.as_ref().and_then(|_| self.pushes.status(stream.id))
    }

    /// How loud the stream is; `None` where that is not known. To ask is to have it measured for a while. Who asks must have been shown the stream.
    #[must_use]
    pub fn loudness(&self, id: StreamId) -> Option<Loudness> {
        self.meters.as_ref().filter(|_| self.hub.is_live(id))?.look(id)
    }

    /// The push URL as the caller may see it: readers without the key in it.
    #[must_use]
    pub fn shown_push_url(role: Role, stream: &Stream) -> Option<String> {
        let url = stream.push_url.as_ref()?;
        Some(if role.allows(Permission::EditStreams) { url.as_str().to_owned() } else { url.without_key() })
    }

    /// Makes the stream's publish key another one: the one before lets nobody in from now on. What is on air goes on.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchStream`; `WrongState` where it is deleted.
    pub async fn renew_publish_key(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if streams::renew_publish_key(&mut tx, caller.organisation, id, self.clock.now()).await? {
            tx.commit(Note::of(Act::PublishKeyRenewed, id)).await?;
            tracing::info!(stream = %id, by = %caller.identity, "renewed a publish key");
        } else {
            tx.roll_back();
            self.not_deleted(caller, id).await?;
        }
        self.stream(caller, id).await
    }

    /// What the caller's encoder must show to publish the stream; `None` where that is nothing, where it is lost, and for readers, who are not to publish.
    #[must_use]
    pub fn shown_publish_key(role: Role, organisation: &Organisation, stream: &Stream) -> Option<PublishKey> {
        match &organisation.publish_keys {
            PublishKeys::On(secret) if role.allows(Permission::EditStreams) => {
                Some(secret.key(stream.id, stream.publish_key_renewals))
            }
            _ => None,
        }
    }

    /// Ends the running publish, and returns when the encoder is gone, or nearly so. Where there is none, nothing happens.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchStream`; `WrongState` where it is deleted.
    pub async fn stop_stream(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        caller.require(Permission::Administer)?;
        self.not_deleted(caller, id).await?;
        if self.hub.is_live(id) {
            // It is the encoder's leaving that changes the stream: nothing is written now, and where nothing can be written it is stopped all the same.
            self.note(caller.organisation, (who(caller.identity), caller.from), Note::of(Act::StreamStopped, id));
        }
        self.cut(id).await;
        self.stream(caller, id).await
    }

    /// Ends the running publish and refuses new ones until [`Service::unlock_stream`].
    ///
    /// # Errors
    /// As [`Service::stop_stream`].
    pub async fn lock_stream(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let outcome = streams::lock(&mut tx, caller.organisation, id, self.clock.now()).await?;
        let mut guard = CutUnlessCalledOff::new(&self.hub, matches!(outcome, Transition::Done { .. }).then_some(id));
        let commit = commit_transition(tx, outcome, Note::of(Act::StreamLocked, id));
        commit.await.inspect_err(|_| guard.call_off())?;
        self.transition_result(caller, id, outcome).await?;
        guard.call_off();
        self.cut(id).await;
        self.stream(caller, id).await
    }

    /// Takes publishes again.
    ///
    /// # Errors
    /// As [`Service::stop_stream`]; `WrongState` while the publish that the lock cut is still on its way out.
    pub async fn unlock_stream(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let outcome = streams::unlock(&mut tx, caller.organisation, id, self.clock.now()).await?;
        commit_transition(tx, outcome, Note::of(Act::StreamUnlocked, id)).await?;
        self.transition_result(caller, id, outcome).await?;
        self.stream(caller, id).await
    }

    /// Takes the stream from its users, and its recordings to the bin. One that is being recorded follows when it is finished; one under legal hold stays.
    /// Deleting a second time changes nothing.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchStream`.
    pub async fn delete_stream(&self, caller: &Caller, id: StreamId) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if let Transition::Done { .. } = streams::delete(&mut tx, caller.organisation, id, now).await? {
            let binned = assets::delete_of_stream(&mut tx, caller.organisation, id, now).await?;
            let with = if binned.is_empty() { String::new() } else { format!("with {} recordings", binned.len()) };
            jobs::enqueue_all(&mut tx, binned.into_iter().map(|asset| Task::Place { asset }), now).await?;
            let mut guard = CutUnlessCalledOff::new(&self.hub, Some(id));
            tx.commit(Note::of(Act::StreamDeleted, id).saying(with)).await.inspect_err(|_| guard.call_off())?;
            tracing::info!(stream = %id, "deleted a stream");
            guard.call_off();
            self.cut(id).await;
            self.forget_stream(&self.stream(caller, id).await?.streamname);
            return Ok(());
        }
        tx.roll_back();
        // It is deleted already, or was never there for this caller.
        self.stream(caller, id).await?;
        self.cut(id).await;
        Ok(())
    }

    async fn transition_result(&self, caller: &Caller, id: StreamId, outcome: Transition) -> Result<()> {
        match outcome {
            Transition::Done { .. } | Transition::Already => Ok(()),
            Transition::Refused(state) => Err(Refusal::WrongState { state: state.to_string() }.into()),
            Transition::NoSuchStream => self.not_deleted(caller, id).await.map(drop),
        }
    }

    async fn not_deleted(&self, caller: &Caller, id: StreamId) -> Result<Stream> {
        let stream = self.stream(caller, id).await?;
        match stream.state {
            StreamState::Deleted => Err(Refusal::WrongState { state: StreamState::Deleted.to_string() }.into()),
            _ => Ok(stream),
        }
    }

    /// Cuts the running publish, if there is one, and waits a little for it to be gone.
    async fn cut(&self, id: StreamId) {
        let mut events = self.db.subscribe();
        if !self.hub.stop(id) {
            return;
        }
        let gone = async {
            loop {
                match events.recv().await {
                    Ok(event) if event.kind == EventKind::StreamEnded && event.stream == Some(id) => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                }
            }
        };
        if tokio::time::timeout(STOP_WAIT, gone).await.is_err() {
            tracing::warn!(stream = %id, "the encoder's connection takes long to end");
        }
    }
}

/// Of the caller's organisation, who was found to be allowed to read.
pub(super) async fn stream_of(connection: &mut Connection, caller: &Caller, id: StreamId) -> Result<Stream> {
    let found = streams::of_organisation(connection, caller.organisation, id).await?;
    Ok(found.ok_or_else(|| Refusal::no_such_stream(id))?)
}

/// As [`stream_of`].
pub(super) async fn page_of(connection: &mut Connection, caller: &Caller, list: &StreamList) -> Result<StreamPage> {
    let (organisation, limit) = (caller.organisation, list.limit.min(MAX_PAGE));
    if limit == 0 {
        return Ok(StreamPage { streams: Vec::new(), next: None });
    }
    // One more than asked for tells whether there is a next page.
    let mut streams = match &list.after {
        None => stream_search::page(connection, organisation, &list.search, limit + 1, 0).await?,
        Some(after) => stream_search::page_after(connection, organisation, &list.search, after, limit + 1).await?,
    };
    let more = streams.len() > limit as usize;
    streams.truncate(limit as usize);
    let next = streams.last().filter(|_| more).map(|last| (list.search.order.place(last), last.id));
    Ok(StreamPage { streams, next })
}

/// Sees to it that a stream that was locked or deleted goes off the air, also where the caller hangs up while that is being committed and the
/// request's future is dropped in the middle.
struct CutUnlessCalledOff<'a> {
    hub: &'a Hub,
    stream: Option<StreamId>,
}

impl<'a> CutUnlessCalledOff<'a> {
    fn new(hub: &'a Hub, stream: Option<StreamId>) -> Self {
        Self { hub, stream }
    }

    fn call_off(&mut self) {
        self.stream = None;
    }
}

impl Drop for CutUnlessCalledOff<'_> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.hub.stop(stream);
        }
    }
}

/// Commits what was done; where it was so before, or may not be, there is nothing to commit.
async fn commit_transition(tx: Change, outcome: Transition, note: Note) -> Result<()> {
    match outcome {
        Transition::Done { .. } => tx.commit(note).await,
        Transition::Already | Transition::Refused(_) | Transition::NoSuchStream => {
            tx.roll_back();
            Ok(())
        }
    }
}

fn draw_stream(organisation: &Organisation, new: &NewStream, now: UnixMillis) -> Stream {
    Stream {
        id: StreamId(Uuid::new_v4()),
        organisation: organisation.id,
        streamname: Streamname::draw(&organisation.hash, random::below_62),
        state: StreamState::Created,
        default_mode: new.default_mode,
        live_session: None,
        first_live_at: None,
        last_live_at: None,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        push_url: None,
        publish_key_renewals: 0,
        tags: new.tags.clone(),
    }
}
