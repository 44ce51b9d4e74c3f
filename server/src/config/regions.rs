//! The regions of the settings: those that are always there, and those that are added.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use afterlive_domain::Region;
use toml::Value;

use super::Http;
use super::reader::{Reader, Setting, from_text};
use super::urls::{HttpUrl, default_vod_url};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionConfig {
    /// The folder in which its recordings are.
    pub storage: PathBuf,
    /// The base of its recordings' URLs, without a `/` at its end.
    pub vod_url: String,
    /// Host names in an encoder's URL that mean this region, in lower case.
    pub ingest_hosts: Vec<String>,
    pub(super) vod_url_is_default: bool,
}

/// The three regions that are always there, and those that the settings add.
pub(super) fn read_regions(reader: &mut Reader, data_dir: &Path, http: &Http) -> BTreeMap<Region, RegionConfig> {
    let mut names: Vec<String> = ["eu", "us", "au"].map(str::to_owned).into();
    names.extend(reader.names_below("regions"));
    let mut regions = BTreeMap::new();
    for name in names {
        let region: Region = match name.parse() {
            Ok(region) if regions.contains_key(&region) => continue,
            Ok(region) => region,
            Err(cause) => {
                reader.refuse(&format!("regions.{name}"), cause.to_string());
                continue;
            }
        };
        let vod_url: Option<HttpUrl> = reader.take_option(&format!("regions.{name}.vod_url"));
        let hosts: Vec<String> = reader.take(&format!("regions.{name}.ingest_hosts"), Vec::new());
        let config = RegionConfig {
            storage: reader
                .take_option(&format!("regions.{name}.storage"))
                .map_or_else(|| data_dir.join("vod").join(&name), |Folder(path)| path),
            vod_url_is_default: vod_url.is_none(),
            vod_url: vod_url.map_or_else(|| default_vod_url(&http.public_url, &region), |HttpUrl(url)| url),
            ingest_hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        };
        for (other, taken) in &regions {
            refuse_doubles(reader, &name, &config, other, taken);
        }
        regions.insert(region, config);
    }
    regions
}

/// Two regions with one folder, one URL or one host name could not be told apart.
fn refuse_doubles(reader: &mut Reader, name: &str, config: &RegionConfig, other: &Region, taken: &RegionConfig) {
    if config.storage == taken.storage {
        reader.refuse(&format!("regions.{name}.storage"), format!("regions.{other} has the same folder"));
    }
    if config.vod_url == taken.vod_url {
        reader.refuse(&format!("regions.{name}.vod_url"), format!("regions.{other} has the same URL"));
    }
    for host in config.ingest_hosts.iter().filter(|host| taken.ingest_hosts.contains(host)) {
        reader.refuse(&format!("regions.{name}.ingest_hosts"), format!("regions.{other} has {host} too"));
    }
}

pub(super) fn europe() -> Region {
    "eu".parse().expect("eu is a region's name")
}

/// A folder of this machine.
struct Folder(PathBuf);

impl Setting for Folder {
    fn from_value(value: &Value) -> Result<Self, String> {
        let path = PathBuf::from_value(value)?;
        if path.to_string_lossy().contains("://") {
            return Err(format!("{value} is not a folder: this version stores on disks only"));
        }
        Ok(Self(path))
    }
}

impl Setting for Region {
    fn from_value(value: &Value) -> Result<Self, String> {
        from_text(value, "a region's name, such as eu")
    }
}
