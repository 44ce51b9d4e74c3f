//! Files and folders as build steps see them: walked in order, fingerprinted, replaced as a whole. Knows nothing of what is in them.

use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// All files below `folder`, sorted; none where there is no such folder.
pub fn walk(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

pub fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
}

pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

pub fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Writes a file and the folders it lies in.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(path, content).with_context(|| path.display().to_string())
}

/// Of what a step's result depends on. The same inputs give the same text, with this build of this program.
pub struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Begins with this program itself: another xtask may do another thing.
    pub fn new() -> anyhow::Result<Self> {
        let mut fingerprint = Self(DefaultHasher::new());
        fingerprint.add(&read(&std::env::current_exe()?)?);
        Ok(fingerprint)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
    }

    /// Adds the files' paths and contents.
    pub fn add_files(&mut self, files: &[PathBuf]) -> anyhow::Result<()> {
        for file in files {
            self.add(file.as_os_str().as_encoded_bytes());
            self.add(&read(file)?);
        }
        Ok(())
    }

    pub fn finish(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// Has `fill` make `folder` anew, unless it was made from inputs of this `fingerprint` before. The folder is replaced as a whole at
/// the end: a step that fails leaves the last result, or none, but never a half. Tells whether it was made.
pub fn make_folder(folder: &Path, fingerprint: &str, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<bool> {
    // Beside the folder, not in it: what is in it is shipped.
    let stamp = folder.with_extension("stamp");
    if folder.is_dir() && fs::read_to_string(&stamp).is_ok_and(|made| made == fingerprint) {
        return Ok(false);
    }
    let unfinished = folder.with_extension("unfinished");
    remove_folder(&unfinished)?;
    fs::create_dir_all(&unfinished)?;
    fill(&unfinished)?;
    // Without a stamp the folder counts as not made, so the order of these steps makes an interruption harmless.
    if stamp.exists() {
        fs::remove_file(&stamp)?;
    }
    remove_folder(folder)?;
    fs::rename(&unfinished, folder).with_context(|| folder.display().to_string())?;
    write(&stamp, fingerprint)?;
    Ok(true)
}

fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_for_the_same_inputs_and_kept_when_making_it_again_fails() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("made");
        let content = || fs::read_to_string(folder.join("deep/file")).unwrap();

        assert!(make_folder(&folder, "1", |new| write(&new.join("deep/file"), "one")).unwrap());
        assert!(!make_folder(&folder, "1", |_| panic!("made twice")).unwrap());
        make_folder(&folder, "2", |new| {
            write(&new.join("deep/file"), "two")?;
            anyhow::bail!("half-way")
        })
        .unwrap_err();
        assert_eq!(content(), "one");
        assert!(make_folder(&folder, "2", |new| write(&new.join("deep/file"), "two")).unwrap());
        assert_eq!(content(), "two");
    }

    #[test]
    fn a_fingerprint_tells_where_one_input_ends_and_the_next_begins() {
        let of = |inputs: &[&str]| {
            let mut fingerprint = Fingerprint::new().unwrap();
            inputs.iter().for_each(|input| fingerprint.add(input.as_bytes()));
            fingerprint.finish()
        };
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
    }
}
