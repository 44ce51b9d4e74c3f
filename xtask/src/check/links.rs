//! Links in Markdown documents that lead to files and headings of the repository. Does not look outside: what a web address answers
//! changes by the day, and is not ours.

use std::path::{Component, Path, PathBuf};

use crate::files;

pub fn check(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for name in tracked.iter().filter(|name| files::has_extension(name, &["md"])) {
        let text = files::read_text(&root.join(name))?;
        for (line, target) in targets(&text) {
            if let Some(problem) = broken(root, name, &text, target)? {
                problems.push(format!("{}:{line}: {target}: {problem}", name.display()));
            }
        }
    }
    Ok(problems)
}

/// Why a link in the document `name` leads nowhere.
fn broken(root: &Path, name: &Path, text: &str, target: &str) -> anyhow::Result<Option<&'static str>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() { name.to_owned() } else { join(name.parent().unwrap_or(Path::new("")), path) };
    if file.starts_with("..") || path.starts_with('/') {
        return Ok(Some("leads out of the repository"));
    }
    if !root.join(&file).exists() {
        return Ok(Some("there is no such file"));
    }
    let Some(anchor) = anchor.filter(|_| files::has_extension(&file, &["md"])) else { return Ok(None) };
    let other = if path.is_empty() { text.to_owned() } else { files::read_text(&root.join(&file))? };
    Ok((!has_heading(&other, anchor)).then_some("there is no such heading"))
}

/// `folder/path` without `.` and `..`, except for those at its start that lead out.
fn join(folder: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if joined.file_name().is_some() => {
                joined.pop();
            }
            part => joined.push(part),
        }
    }
    joined
}

/// The lines outside of fenced code, with their numbers.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        (!fence && !in_code).then_some((index + 1, line))
    })
}

/// Where the links and pictures of a document lead: `[…](TARGET)`, `[…]: TARGET`, `src="TARGET"`, `href="TARGET"`.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every other piece between backquotes is code.
        for piece in line.split('`').step_by(2) {
            for (opening, closing) in [("](", [')', ' ']), ("src=\"", ['"', '"']), ("href=\"", ['"', '"'])] {
                let starts = piece.match_indices(opening).map(|(at, _)| &piece[at + opening.len()..]);
                found.extend(starts.filter_map(|rest| Some((number, &rest[..rest.find(closing)?]))));
            }
        }
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
        found.extend(definition.and_then(|(_, target)| Some((number, target.split_whitespace().next()?))));
    }
    found
}

fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = prose(text).map(|(_, line)| line).filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#'))).any(|slug| slug == anchor)
}

/// The anchor that is made of a heading: small letters, `-` for spaces, no punctuation.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found_in_each_way_of_writing_one() {
        let scratch = tempfile::tempdir().unwrap();
        let readme = "\
# A house
[fine](docs/guide.md), [fine](docs/guide.md#the-second-part), [fine](#a-house), [fine](https://example.com/x)
[gone](docs/gone.md) and [no heading](docs/guide.md#third) and ![](picture.png \"title\")
`[code](not/a/link.md)`
```
[code](not/a/link.md)
```
<img src=\"gone.png\">
[name]: gone-too.md
";
        files::write(&scratch.path().join("README.md"), readme).unwrap();
        files::write(&scratch.path().join("docs/guide.md"), "## The second part!\n[up](../README.md) [out](../../x.md)").unwrap();
        let mut problems = check(scratch.path(), &["README.md", "docs/guide.md"].map(PathBuf::from)).unwrap();
        problems.sort();
        let expected = [
            "README.md:3: docs/gone.md: there is no such file",
            "README.md:3: docs/guide.md#third: there is no such heading",
            "README.md:3: picture.png: there is no such file",
            "README.md:8: gone.png: there is no such file",
            "README.md:9: gone-too.md: there is no such file",
            "docs/guide.md:2: ../../x.md: leads out of the repository",
        ];
        assert_eq!(problems, expected);
    }
}
