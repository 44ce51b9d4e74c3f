//! A service for tests of what stands behind its use cases. Those of the use cases are not here.

use std::sync::Arc;

use afterlive_domain::UnixMillis;

use super::Service;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Location};
use crate::hub::Hub;
use crate::record::Growing;
use crate::storage::Regions;

/// Over an empty SQLite database in the folder, with a simulated clock.
pub(super) async fn a_service(folder: &tempfile::TempDir) -> Service {
    let location: Location = format!("sqlite://{}", folder.path().join("a.db").display()).parse().unwrap();
    let data_dir = ("AFTERLIVE__DATA_DIR".to_owned(), folder.path().display().to_string());
    let config = Arc::new(Config::from_sources(None, [data_dir]).unwrap());
    let (db, regions) = (Db::open(&location).await.unwrap(), Regions::open([]).unwrap());
    Service::new(db, Clock::simulated(UnixMillis(1_793_812_159_899)), config, regions, Hub::new(), Growing::default())
}
