//! Tests that documents name: `it::recording::name`, `src/oidc/flow.rs::name`. A promise whose test is renamed or gone is a promise without one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::links::prose;
use crate::files;

/// A name of so many words is a test's, and no function's of a library that a document speaks of.
const WORDS: usize = 4;
/// Short for these folders.
const FOLDERS: [(&str, &str); 2] = [("it/", "server/tests/it/"), ("src/", "server/src/")];

pub fn check(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut functions = HashSet::new();
    for name in tracked.iter().filter(|name| files::has_extension(name, &["rs"])) {
        let text = files::read_text(&root.join(name))?;
        functions.extend(functions_of(&text).map(|function| (name.clone(), function.to_owned())));
    }
    let mut problems = Vec::new();
    for name in tracked.iter().filter(|name| name.starts_with("docs") && files::has_extension(name, &["md"])) {
        let text = files::read_text(&root.join(name))?;
        for (line, place, test) in named(&text) {
            let file = place.ends_with(".rs").then(|| whole(place));
            let is_it = |(path, function): &(PathBuf, String)| {
                file.as_ref().is_none_or(|file| path == file)
                    && test.strip_suffix('…').map_or(function == test, |begins| function.starts_with(begins))
            };
            if !functions.iter().any(is_it) {
                problems.push(format!("{}:{line}: {place}::{test}: there is no such test", name.display()));
            }
        }
    }
    Ok(problems)
}

fn whole(place: &str) -> PathBuf {
    let long = FOLDERS.iter().find_map(|(short, long)| Some(format!("{long}{}", place.strip_prefix(short)?)));
    PathBuf::from(long.unwrap_or_else(|| place.to_owned()))
}

fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split("fn ").skip(1).map(|rest| rest.split(|c: char| !is_of_name(c)).next().unwrap_or_default());
    names.filter(|name| !name.is_empty())
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What a document names, each with its line and the module or file before it.
fn named(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every other piece between backquotes is code.
        for code in line.split('`').skip(1).step_by(2) {
            let Some((place, test)) = code.rsplit_once("::") else { continue };
            let name = test.strip_suffix('…').unwrap_or(test);
            if name.split('_').count() >= WORDS && name.chars().all(is_of_name) {
                found.push((number, place, test));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_tests_by_modules_and_by_files() {
        let text = "Shown by `it::vod::a_range_is_a_range`, `src/a.rs::what_is_cut_off_here…`; `std::fs::read`.\n```\n`a::not_in_code_of_course`\n```\n";
        let tests = [(1, "it::vod", "a_range_is_a_range"), (1, "src/a.rs", "what_is_cut_off_here…")];
        assert_eq!(named(text), tests);
        assert_eq!(whole("src/a.rs"), PathBuf::from("server/src/a.rs"));
        assert_eq!(whole("it/a/b.rs"), PathBuf::from("server/tests/it/a/b.rs"));
        assert_eq!(whole("media/src/a.rs"), PathBuf::from("media/src/a.rs"));
    }

    #[test]
    fn functions_are_found_in_a_source() {
        let source = "async fn one_two(x: u8) {}\npub fn three<T>() {}\n// fn\n";
        assert_eq!(functions_of(source).collect::<Vec<_>>(), ["one_two", "three"]);
    }
}
