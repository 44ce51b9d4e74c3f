//! Tests that documents name: `it::recording::name`, `src/oidc/flow.rs::name`, `e2e/answers.spec.ts` *what it says*. A promise whose test is renamed or gone, or
//! that names a function which nobody runs as a test, is a promise without one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::links::prose;
use crate::files;

/// A name of so many words is a test's, and no function's of a library that a document speaks of.
const WORDS: usize = 4;
/// Short for these folders.
const FOLDERS: [(&str, &str); 3] = [("it/", "server/tests/it/"), ("src/", "server/src/"), ("e2e/", SPECS)];
/// Where the browser's tests are, in files of this kind.
const SPECS: &str = "end2end/tests/";
const SPEC: &str = ".spec.ts";
/// How what makes a function a test begins, also one that `proptest!` makes.
const ATTRIBUTES: [&str; 2] = ["#[test]", "#[tokio::test"];

pub fn check(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut tests = HashSet::new();
    for name in tracked {
        let found = match name.to_str() {
            Some(source) if source.ends_with(".rs") => tests_of,
            Some(source) if source.ends_with(SPEC) => titles_of,
            _ => continue,
        };
        let text = files::read_text(&root.join(name))?;
        tests.extend(found(&text).into_iter().map(|test| (name.clone(), test.to_owned())));
    }
    let mut problems = Vec::new();
    for name in tracked.iter().filter(|name| name.starts_with("docs") && files::has_extension(name, &["md"])) {
        let text = files::read_text(&root.join(name))?;
        for (line, place, test) in named(&text) {
            let file = place.ends_with(".rs").then(|| whole(place));
            let is_it = |(path, name): &(PathBuf, String)| {
                file.as_ref().is_none_or(|file| path == file)
                    && test.strip_suffix('…').map_or(name == test, |begins| name.starts_with(begins))
            };
            if !tests.iter().any(is_it) {
                problems.push(format!("{}:{line}: {place}::{test}: there is no such test", name.display()));
            }
        }
        for (line, place, title) in specs(&text) {
            let file = if place.contains('/') { whole(place) } else { Path::new(SPECS).join(place) };
            let problem = match title {
                _ if !tracked.contains(&file) => "there is no such file",
                Some(title) if !tests.contains(&(file.clone(), title.to_owned())) => "there is no such test",
                _ => continue,
            };
            let title = title.map(|title| format!(" *{title}*")).unwrap_or_default();
            problems.push(format!("{}:{line}: {place}{title}: {problem}", name.display()));
        }
    }
    Ok(problems)
}

fn whole(place: &str) -> PathBuf {
    let long = FOLDERS.iter().find_map(|(short, long)| Some(format!("{long}{}", place.strip_prefix(short)?)));
    PathBuf::from(long.unwrap_or_else(|| place.to_owned()))
}

/// The functions that are run as tests: each the next behind an attribute that says so.
fn tests_of(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_next = false;
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        if line.starts_with('#') {
            is_next |= ATTRIBUTES.iter().any(|attribute| line.starts_with(attribute));
        } else if let (true, Some((_, rest))) = (is_next, line.split_once("fn ")) {
            found.extend(rest.split(|c: char| !is_of_name(c)).next());
            is_next = false;
        }
    }
    found
}

/// What the tests in a file for the browser are called.
fn titles_of(text: &str) -> Vec<&str> {
    let calls = text.lines().filter_map(|line| line.trim_start().strip_prefix("test("));
    calls.filter_map(|call| call.split(call.chars().next().filter(|first| matches!(first, '\'' | '"' | '`'))?).nth(1)).collect()
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

/// The files of the browser's tests that a document names, each with its line, and with the title in italics that stands right behind it, where one does.
fn specs(text: &str) -> Vec<(usize, &str, Option<&str>)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let pieces: Vec<&str> = line.split('`').collect();
        for (at, code) in pieces.iter().enumerate().skip(1).step_by(2) {
            // All of them are `*.spec.ts`.
            if code.ends_with(SPEC) && !code.starts_with('*') {
                let behind = pieces.get(at + 1).and_then(|behind| behind.strip_prefix(" *"));
                found.push((number, *code, behind.and_then(|behind| Some(behind.split_once('*')?.0))));
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
    fn a_test_is_the_function_behind_an_attribute_that_says_so() {
        let attribute = ATTRIBUTES[0];
        let source = [
            attribute,
            "#[expect(unused, reason = \"fn of_no_use\")]",
            "fn one_two() {}",
            "async fn beside_it(x: u8) {}",
            "#[tokio::test(flavor = \"multi_thread\")]",
            "async fn three<T>() {}",
            "proptest! {",
            &format!("    {attribute}"),
            "    fn four(x in 0..7) {",
            &format!("// {attribute}"),
            "fn five() {}",
        ];
        assert_eq!(tests_of(&source.join("\n")), ["one_two", "three", "four"]);
    }

    #[test]
    fn a_test_of_the_browsers_is_named_by_its_file_and_its_title() {
        let source =
            "test('one, and so on', async () => {\n  test(\"it's two\", async () => {\n// test('none', \ntest.use({});\n";
        assert_eq!(titles_of(source), ["one, and so on", "it's two"]);
        let text = "By `e2e/a.spec.ts` *one, and so on*, `b.spec.ts` and *not by that*. All are `*.spec.ts`.\n";
        assert_eq!(specs(text), [(1, "e2e/a.spec.ts", Some("one, and so on")), (1, "b.spec.ts", None)]);
        assert_eq!(whole("e2e/a.spec.ts"), PathBuf::from("end2end/tests/a.spec.ts"));
    }

    #[test]
    fn what_is_no_test_any_more_is_found_and_what_is_one_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let promises = "`it/a.rs::it_is_shown_by_this`, `it/a.rs::nobody_runs_this_any_more`\n`a.spec.ts` *a page opens*, `e2e/a.spec.ts` *it closes*, `b.spec.ts`\n";
        let sources = format!("{}\nfn it_is_shown_by_this() {{}}\nfn nobody_runs_this_any_more() {{}}\n", ATTRIBUTES[0]);
        let tree: [(&str, &str); 3] = [
            ("docs/promises.md", promises),
            ("server/tests/it/a.rs", &sources),
            ("end2end/tests/a.spec.ts", "test('a page opens', async () => {\n"),
        ];
        for (name, text) in tree {
            files::write(&scratch.path().join(name), text).unwrap();
        }
        let problems = check(scratch.path(), &tree.map(|(name, _)| PathBuf::from(name))).unwrap();
        let expected = [
            "docs/promises.md:1: it/a.rs::nobody_runs_this_any_more: there is no such test",
            "docs/promises.md:2: e2e/a.spec.ts *it closes*: there is no such test",
            "docs/promises.md:2: b.spec.ts: there is no such file",
        ];
        assert_eq!(problems, expected);
    }
}
