//! The library: an organisation's recordings, filtered, newest first, a page behind the last row of the one before. What has been removed for good
//! is in none of the lists.

mod place;
pub(super) mod walk;

use afterlive_domain::{AssetId, AssetState, OrganisationId, Region, StreamId, Tags, UnixMillis};
use sqlx::QueryBuilder;

pub use self::place::{BadPlace, Place};
use super::asset_row::push_tagged;
use super::assets::Asset;
use super::packed::Unpack as _;
use super::{Connection, Result, counts, on};

/// Which recordings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    pub stream: Option<StreamId>,
    /// The stream has exactly these tags, each of them.
    pub tags: Vec<String>,
    pub region: Option<Region>,
    /// `None`: all but the deleted. `Deleted`: the bin.
    pub state: Option<AssetState>,
    /// Only those under legal hold; where no state is asked for, those in the bin too.
    pub held: bool,
    /// Part of the asset's or the stream's id, of the file's name or of a tag, whatever the case of its letters.
    pub text: Option<String>,
    /// Began at or after.
    pub from: Option<UnixMillis>,
    /// Began before.
    pub to: Option<UnixMillis>,
}

impl Search {
    /// Whether much more may be read than is found: a text is part of no index, and of several filters one is a range of an index, while the others are looked at row by
    /// row, which are all of them where they have nothing in common. From when and until when is part of each range; what one stream has is not far.
    #[must_use]
    pub fn reads_far(&self) -> bool {
        let Self { stream, tags, region, state, held, text, from: _, to: _ } = self;
        let filters = [region.is_some(), state.is_some(), *held].into_iter().filter(|is_set| *is_set).count();
        text.is_some() || stream.is_none() && filters + tags.len() > 1
    }
}

/// A recording in a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed {
    pub asset: Asset,
    /// Its stream's.
    pub tags: Tags,
}

impl Listed {
    #[must_use]
    pub fn place(&self) -> Place {
        Place { created_at: self.asset.created_at, id: self.asset.id }
    }
}

/// At most `limit` recordings behind the place, or from the newest on. What comes or goes before the place shifts nothing.
pub async fn page(
    connection: &mut Connection,
    organisation: OrganisationId,
    search: &Search,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<Listed>> {
    let walk = walk::choose(connection, organisation, search).await?;
    on!(connection, c => c.unpack_all(walk.page(organisation, search, after, limit)).await)
}

/// One recording, whatever its state.
pub async fn by_id(connection: &mut Connection, id: AssetId) -> Result<Option<Listed>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_tagged(&mut query);
        query.push(" FROM assets a WHERE id = ").push_bind(id.to_string());
        c.unpack_first(query).await
    })
}

/// How many recordings match: counts each of them, but where only state or region are asked for.
pub async fn count(connection: &mut Connection, organisation: OrganisationId, search: &Search) -> Result<u64> {
    if let Search { stream: None, tags, region, state, held: false, text: None, from: None, to: None } = search
        && tags.is_empty()
    {
        return counts::assets(connection, organisation, region.as_ref(), *state).await;
    }
    let walk = walk::choose(connection, organisation, search).await?;
    let count: i64 = on!(connection, c => walk.count(organisation, search).build_query_scalar().fetch_one(c).await)?;
    Ok(count.unsigned_abs())
}
