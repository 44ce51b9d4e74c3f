//! The walls between the rooms of ARCHITECTURE.md, and what must stand nowhere in the repository. Reads lines, not syntax:
//! comments are told from code by how their lines begin.

use std::path::{Path, PathBuf};

use crate::files;

/// Words that may stand only in some places.
struct Wall {
    words: &'static [&'static str],
    /// Folders and files that the wall encloses.
    within: &'static [&'static str],
    /// Parts of them that it does not.
    except: &'static [&'static str],
    extensions: &'static [&'static str],
    because: &'static str,
}

const WALLS: [Wall; 11] = [
    Wall {
        words: &["sqlx", "tokio", "std::fs", "std::net"],
        within: &["domain/", "media/"],
        except: &["media/examples/", "media/tests/"],
        extensions: &["rs", "toml"],
        because: "domain and media do no I/O",
    },
    Wall {
        words: &["sqlx", "tokio", "afterlive_media"],
        within: &["app/src/"],
        except: &["app/src/fake.rs", "app/src/tests.rs", "app/src/tests/"],
        extensions: &["rs"],
        because: "the app reaches the server through its port only",
    },
    Wall {
        words: &["sqlx", "SELECT", "INSERT INTO", "DELETE FROM", "UPDATE sessions", "UPDATE streams", "UPDATE assets"],
        within: &["server/src/"],
        except: &["server/src/db/", "server/src/db.rs"],
        extensions: &["rs"],
        because: "SQL is in server/src/db only",
    },
    Wall {
        words: &["axum", "leptos", "crate::db", "crate::storage", "crate::ingest"],
        within: &["server/src/hub/", "server/src/hub.rs"],
        except: &[],
        extensions: &["rs"],
        because: "the hub knows no protocol, disk or SQL",
    },
    Wall {
        words: &["leptos", "crate::db", "crate::storage", "crate::ingest", "crate::record", "crate::service", "crate::http"],
        within: &["server/src/live/"],
        except: &[],
        extensions: &["rs"],
        because: "live delivery reads the hub; who may watch is service's to say, routes are in http",
    },
    Wall {
        words: &["db.write()", "db().write()"],
        within: &["server/src/service/"],
        except: &["server/src/service/write.rs"],
        extensions: &["rs"],
        because: "what callers change is noted in the audit log: write.rs begins the transactions",
    },
    Wall {
        words: &["document", "window", "navigator", "performance", "Date", "setTimeout", "fetch", "addEventListener"],
        within: &[
            "player/src/clock.js",
            "player/src/codecs.js",
            "player/src/edge.js",
            "player/src/finished.js",
            "player/src/fragments.js",
            "player/src/rate.js",
            "player/src/states.js",
            "player/src/storyboard.js",
            "player/src/waits.js",
        ],
        except: &[],
        extensions: &["js"],
        because: "what the player decides without a browser is pure, and tested under Node",
    },
    Wall {
        words: &["axum", "leptos", "crate::db", "crate::hub", "crate::ingest", "crate::live", "afterlive_media"],
        within: &["server/src/rtc/"],
        except: &[],
        extensions: &["rs"],
        because: "the WebRTC transport knows no stream",
    },
    Wall {
        words: &["str0m"],
        within: &["app/", "domain/", "media/", "server/src/"],
        except: &["server/src/rtc/", "server/src/ingest/whip/", "server/src/live/whep/"],
        extensions: &["rs", "toml"],
        because: "WebRTC stands in rtc, and in the ingest and the delivery that use it",
    },
    Wall {
        words: &["lettre"],
        within: &["app/", "domain/", "media/", "server/src/"],
        except: &["server/src/mail/"],
        extensions: &["rs", "toml"],
        because: "SMTP stands in mail",
    },
    Wall {
        words: &["todo!", "unimplemented!", "dbg!", "#[ignore"],
        within: &["app/", "domain/", "media/", "server/"],
        except: &[],
        extensions: &["rs"],
        because: "nothing is left for later in the code",
    },
];

pub fn check(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let homes = machine_paths(root);
    let mut problems = Vec::new();
    for name in tracked {
        // What is no text is no source.
        let Ok(text) = String::from_utf8(files::read(&root.join(name))?) else { continue };
        let report = |line: usize, problem: &str| format!("{}:{line}: {problem}", name.display());
        for (line, text) in text.lines().enumerate().map(|(index, text)| (index + 1, text)) {
            let walls = WALLS.iter().filter(|wall| wall.encloses(name));
            problems.extend(
                walls.flat_map(|wall| wall.broken_by(text).map(|word| report(line, &format!("`{word}`: {}", wall.because)))),
            );
            let paths = homes.iter().filter(|home| contains_path(text, home));
            problems.extend(paths.map(|path| report(line, &format!("`{path}` is a path of one machine"))));
        }
    }
    Ok(problems)
}

impl Wall {
    fn encloses(&self, file: &Path) -> bool {
        let lies_in = |places: &[&str]| places.iter().any(|place| file.to_str().is_some_and(|file| file.starts_with(place)));
        lies_in(self.within) && !lies_in(self.except) && files::has_extension(file, self.extensions)
    }

    fn broken_by(&self, line: &str) -> impl Iterator<Item = &'static str> {
        let is_comment = line.trim_start().starts_with("//");
        self.words.iter().copied().filter(move |word| !is_comment && contains_word(line, word))
    }
}

/// Whether `word` stands in `line` with no letter, digit or `_` at its ends.
fn contains_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_word);
        let after = word.ends_with(part_of_word) && line[at + word.len()..].chars().next().is_some_and(part_of_word);
        !before && !after
    })
}

/// Whether an absolute path that begins so stands in `line`, and not just the like of it at the end of another path.
fn contains_path(line: &str, path: &str) -> bool {
    let part_of_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}');
    line.match_indices(path).any(|(at, _)| !line[..at].chars().next_back().is_some_and(part_of_path))
}

/// Beginnings of paths that mean something on the machine of whoever wrote them only.
fn machine_paths(root: &Path) -> Vec<String> {
    // Put together here, since this file is checked too.
    let mut paths: Vec<String> = ["home", "root", "Users"].map(|folder| format!("/{folder}/")).into();
    paths.push(root.display().to_string());
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_in(name: &str, text: &str) -> usize {
        let scratch = tempfile::tempdir().unwrap();
        files::write(&scratch.path().join(name), text).unwrap();
        check(scratch.path(), &[PathBuf::from(name)]).unwrap().len()
    }

    #[test]
    fn sql_stands_in_the_database_room_only() {
        let query = "sqlx::query(\"SELECT 1\")";
        assert_eq!(problems_in("server/src/http/api.rs", query), 2);
        assert_eq!(problems_in("server/src/db/streams.rs", query), 0);
        assert_eq!(problems_in("server/src/db.rs", query), 0);
        assert_eq!(problems_in("server/tests/it/main.rs", query), 0);
    }

    #[test]
    fn the_rooms_without_io_name_no_runtime() {
        assert_eq!(problems_in("media/src/flv.rs", "use tokio::io;"), 1);
        assert_eq!(problems_in("media/Cargo.toml", "tokio = \"1\""), 1);
        assert_eq!(problems_in("media/src/flv.rs", "let tokio_like = 1;"), 0);
        assert_eq!(problems_in("media/src/flv.rs", "//! no tokio"), 0);
        assert_eq!(problems_in("server/src/run.rs", "use tokio::io;"), 0);
    }

    #[test]
    fn a_path_of_one_machine_stands_nowhere() {
        assert_eq!(problems_in("README.md", &format!("in /{}/ann/afterlive", "home")), 1);
        assert_eq!(problems_in("README.md", "in ~/afterlive"), 0);
        assert_eq!(problems_in("README.md", &format!("in system/{}/bin", "root")), 0);
    }
}
