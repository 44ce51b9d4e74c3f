//! The names of finished files inside a region. Nothing else in the program joins such a path, and nothing that does not parse here is ever looked up.

use std::fmt;

use afterlive_domain::{OrganisationHash, Streamname};

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKind {
    /// `{HASH}/{streamname}.mp4`, from the second recording on `{HASH}/{streamname}-{index}.mp4`.
    Recording,
    /// `{HASH}/thumbnails/{streamname}.jpg`, from the second recording on `{HASH}/thumbnails/{streamname}-{index}.jpg`.
    Thumbnail,
    /// Small pictures of the recording on one sheet: as the poster, with `-storyboard` before the `.jpg`.
    StoryboardSprite,
    /// Which of them shows what time: the same with `.vtt`.
    Storyboard,
}

/// What stands between a recording's name and the end of its storyboard's.
const STORYBOARD: &str = "-storyboard";

/// The place of a recording, or of a picture of it, inside its region: the same on a disk, in a bucket and in a URL.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    kind: KeyKind,
    streamname: Streamname,
    index: u32,
}

impl Key {
    /// The key of a stream's recording number `index`, counted from 1.
    #[must_use]
    pub fn recording(streamname: &Streamname, index: u32) -> Self {
        Self { kind: KeyKind::Recording, streamname: streamname.clone(), index: index.max(1) }
    }

    /// The key of the poster that belongs to a stream's recording number `index`.
    #[must_use]
    pub fn thumbnail(streamname: &Streamname, index: u32) -> Self {
        Self { kind: KeyKind::Thumbnail, ..Self::recording(streamname, index) }
    }

    /// Reads a recording's bare file name, as an asset's row has it.
    #[must_use]
    pub fn from_file_name(file_name: &str) -> Option<Self> {
        Self::from_stem(KeyKind::Recording, file_name.strip_suffix(".mp4")?)
    }

    /// Reads a path such as `8sKpm/8sKpm-x49nB-2.mp4`. There is exactly one spelling of each key: `None` for every other.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (hash, rest) = path.split_once('/')?;
        let hash: OrganisationHash = hash.parse().ok()?;
        let key = match rest.strip_prefix("thumbnails/") {
            Some(file) => Self::from_thumbnail(file)?,
            None => Self::from_file_name(rest)?,
        };
        (key.streamname.organisation_hash() == hash).then_some(key)
    }

    fn from_thumbnail(file: &str) -> Option<Self> {
        let (stem, extension) = file.rsplit_once('.')?;
        match (stem.strip_suffix(STORYBOARD), extension) {
            (Some(stem), "jpg") => Self::from_stem(KeyKind::StoryboardSprite, stem),
            (Some(stem), "vtt") => Self::from_stem(KeyKind::Storyboard, stem),
            (None, "jpg") => Self::from_stem(KeyKind::Thumbnail, stem),
            _ => None,
        }
    }

    fn from_stem(kind: KeyKind, stem: &str) -> Option<Self> {
        let (streamname, index) = match stem.match_indices('-').nth(1) {
            None => (stem, 1),
            Some((at, _)) => {
                let digits = &stem[at + 1..];
                let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
                let index: u32 = digits.parse().ok().filter(|index| canonical && *index > 1)?;
                (&stem[..at], index)
            }
        };
        Some(Self { kind, streamname: streamname.parse().ok()?, index })
    }

    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    #[must_use]
    pub fn streamname(&self) -> &Streamname {
        &self.streamname
    }

    /// The last part of the path; what a download is called.
    #[must_use]
    pub fn file_name(&self) -> String {
        let mut file_name = String::new();
        self.push_file_name(&mut file_name);
        file_name
    }

    fn push_file_name(&self, text: &mut String) {
        self.streamname.push_recording_stem(self.index, text);
        let (of, extension) = match self.kind {
            KeyKind::Recording => ("", ".mp4"),
            KeyKind::Thumbnail => ("", ".jpg"),
            KeyKind::StoryboardSprite => (STORYBOARD, ".jpg"),
            KeyKind::Storyboard => (STORYBOARD, ".vtt"),
        };
        text.push_str(of);
        text.push_str(extension);
    }

    /// Puts it behind a text. A list of streams has hundreds of URLs, and a formatter takes five times as long for each.
    pub(super) fn push_to(&self, text: &mut String) {
        text.push_str(self.streamname.organisation_half());
        text.push_str(match self.kind {
            KeyKind::Recording => "/",
            KeyKind::Thumbnail | KeyKind::StoryboardSprite | KeyKind::Storyboard => "/thumbnails/",
        });
        self.push_file_name(text);
    }

    /// The recording's poster.
    #[must_use]
    pub fn to_thumbnail(&self) -> Self {
        self.to(KeyKind::Thumbnail)
    }

    /// The file of that kind that belongs to the same recording.
    #[must_use]
    pub fn to(&self, kind: KeyKind) -> Self {
        Self { kind, ..self.clone() }
    }

    /// All files of the same recording; itself comes last: where they go one after another, it is what says that all have gone.
    #[must_use]
    pub fn all_of_recording(&self) -> [Self; 4] {
        [KeyKind::Storyboard, KeyKind::StoryboardSprite, KeyKind::Thumbnail, KeyKind::Recording].map(|kind| self.to(kind))
    }

    /// In letters that [`object_store::path::Path`] takes as they are.
    pub(super) fn to_path(&self) -> object_store::path::Path {
        object_store::path::Path::from(self.to_string())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_what_the_api_promises() {
        let name: Streamname = "8sKpm-x49nB".parse().unwrap();
        assert_eq!(Key::recording(&name, 1).to_string(), "8sKpm/8sKpm-x49nB.mp4");
        assert_eq!(Key::recording(&name, 12).to_string(), "8sKpm/8sKpm-x49nB-12.mp4");
        assert_eq!(Key::thumbnail(&name, 1).to_string(), "8sKpm/thumbnails/8sKpm-x49nB.jpg");
        assert_eq!(Key::recording(&name, 2).to_thumbnail().to_string(), "8sKpm/thumbnails/8sKpm-x49nB-2.jpg");
        assert_eq!(Key::from_file_name("8sKpm-x49nB-2.mp4"), Some(Key::recording(&name, 2)));
        assert_eq!(Key::recording(&name, 1).to(KeyKind::Storyboard).to_string(), "8sKpm/thumbnails/8sKpm-x49nB-storyboard.vtt");
        let sprite = Key::recording(&name, 2).to(KeyKind::StoryboardSprite);
        assert_eq!(sprite.to_string(), "8sKpm/thumbnails/8sKpm-x49nB-2-storyboard.jpg");
    }

    #[test]
    fn other_spellings_are_no_keys() {
        for path in [
            "",
            "8sKpm",
            "8sKpm/",
            "/8sKpm/8sKpm-x49nB.mp4",
            "8sKpm//8sKpm-x49nB.mp4",
            "8sKpm/../8sKpm/8sKpm-x49nB.mp4",
            "8sKpm/8sKpm-x49nB-1.mp4",
            "8sKpm/8sKpm-x49nB-0.mp4",
            "8sKpm/8sKpm-x49nB-02.mp4",
            "8sKpm/8sKpm-x49nB-+2.mp4",
            "8sKpm/8sKpm-x49nB-99999999999.mp4",
            "8sKpm/8sKpm-x49nB-2-3.mp4",
            "8sKpm/8sKpm-x49nB.MP4",
            "8sKpm/8sKpm-x49nB.mp4.mp4",
            "8sKpm/8sKpm-x49nB.jpg",
            "8sKpm/thumbnails/8sKpm-x49nB.mp4",
            "8sKpm/Thumbnails/8sKpm-x49nB.jpg",
            "8sKpm/thumbnails/8sKpm-x49nB.vtt",
            "8sKpm/thumbnails/8sKpm-x49nB-1-storyboard.jpg",
            "8sKpm/thumbnails/8sKpm-x49nB-storyboard-2.jpg",
            "8sKpm/thumbnails/8sKpm-x49nB-storyboard-storyboard.vtt",
            "8sKpm/8sKpm-x49nB-storyboard.jpg",
            "8sKpm/8sKpm-x49nB-storyboard.mp4",
            "other/8sKpm-x49nB.mp4",
            "8sKpm/8sKpm%2Dx49nB.mp4",
            ".bin/8sKpm/8sKpm-x49nB.mp4",
            ".spool/5f86a12f-3801-415a-b450-6b6a46842349.mp4",
        ] {
            assert_eq!(Key::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn each_key_is_read_back(stem in "[A-Za-z0-9]{5}-[A-Za-z0-9]{5}", index in 1..u32::MAX, which in 0..4_usize) {
            let name: Streamname = stem.parse().unwrap();
            let key = Key::recording(&name, index).all_of_recording()[which].clone();
            prop_assert_eq!(Key::parse(&key.to_string()), Some(key));
        }

        #[test]
        fn what_parses_is_written_as_it_was_read(path in "[A-Za-z0-9./%-]{0,40}|8sKpm/(thumbnails/)?8sKpm-x49nB[-0-9]{0,4}(-storyboard)?\\.(mp4|jpg|vtt)") {
            if let Some(key) = Key::parse(&path) {
                prop_assert_eq!(key.to_string(), path);
            }
        }
    }
}
