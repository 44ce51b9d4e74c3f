//! `afterlive check`: tries everything that a start needs, and says of each what is wrong and how to mend it.

use std::io::{self, Write};

use url::Url;

use crate::config::Config;
use crate::db::Db;
use crate::run;
use crate::storage::{RegionSettings, Regions};

/// Says whether all is well. The settings have been read by now, which is the first thing to check.
pub(super) async fn check(config: &Config, out: &mut impl Write) -> io::Result<bool> {
    writeln!(out, "ok      configuration")?;
    let mut well = true;
    let database = async {
        run::make_data_dir(config).map_err(|error| error.to_string())?;
        let db = Db::open(&config.database).await.map_err(|error| run::Error::from(error).to_string())?;
        let mut tx = db.write().await.map_err(|error| error.to_string())?;
        crate::db::organisations::any(&mut tx).await.map_err(|error| error.to_string())?;
        drop(tx);
        db.close().await;
        Ok(())
    };
    well &= report(out, "database", database.await)?;
    for (name, region) in &config.regions {
        let result = async {
            let settings = RegionSettings {
                name: name.clone(),
                storage: region.storage.clone(),
                vod_url: Url::parse(&region.vod_url).map_err(|error| error.to_string())?,
            };
            let regions = Regions::open([settings]).map_err(|error| error.to_string())?;
            for store in regions.iter() {
                store.check().await.map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        let result = result.await.map_err(|error: String| {
            let storage = region.storage.display();
            format!("{error}. Give this user the right to write to {storage}, or change regions.{name}.storage.")
        });
        well &= report(out, &format!("region {name}"), result)?;
    }
    Ok(well)
}

fn report(out: &mut impl Write, what: &str, result: Result<(), String>) -> io::Result<bool> {
    match result {
        Ok(()) => writeln!(out, "ok      {what}").map(|()| true),
        Err(problem) => writeln!(out, "FAILED  {what}: {problem}").map(|()| false),
    }
}
