//! What is not there yet. `afterlive serve` and `afterlive setup` make it; other commands make nothing, as in the wrong folder that would be a second, empty
//! installation which knows nobody.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::config::Config;
use crate::db::Location;

/// The file of a database that is not there.
pub(super) struct NoDatabase {
    /// From the root on: nobody knows in which folder a command was run.
    pub(super) path: PathBuf,
    setting: String,
}

impl NoDatabase {
    /// `None` where it is there, or where SQLite says better why it cannot be reached, and with PostgreSQL.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let Location::Sqlite(path) = &config.database else { return None };
        if path.try_exists().unwrap_or(true) {
            return None;
        }
        let setting = if path.starts_with(&config.data_dir) {
            format!("data_dir {}", config.data_dir.display())
        } else {
            "database.url".to_owned()
        };
        Some(Self { path: from_root(path), setting })
    }
}

impl fmt::Display for NoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, setting } = self;
        write!(
            f,
            "there is no database at {} ({setting}): run this in the folder where the server runs, or name it by --config or \
             AFTERLIVE__DATA_DIR",
            path.display()
        )
    }
}

/// The path as it is from every folder.
pub(super) fn from_root(path: &Path) -> PathBuf {
    // Fails where the working directory is gone, and then every path is as good.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a folder could be made, without making it: the nearest one above it that is there must be ours to write to.
///
/// # Errors
/// Names what stands in the way.
pub(super) fn could_be_made(folder: &Path) -> Result<(), String> {
    let folder = from_root(folder);
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let allowed = if there.is_dir() {
        rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    };
    allowed.map_err(|cause| format!("the folder {} cannot be made in {}: {cause}", folder.display(), there.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_could_be_made_below_a_folder_and_not_below_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(could_be_made(folder.path()), Ok(()));
        assert_eq!(could_be_made(&folder.path().join("a/b")), Ok(()));
        let refused = could_be_made(&folder.path().join("file/b")).unwrap_err();
        assert!(refused.contains("file/b cannot be made in"), "{refused}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "it makes nothing");
    }
}
