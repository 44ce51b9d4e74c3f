//! One style sheet of many: `style/main.css` with its imports laid in, then the components' files. Does not parse CSS beyond
//! `@import` lines and comments; what the browsers understand goes through as it is.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::files;

/// An import chain longer than this is taken for a circle.
const MAX_IMPORT_DEPTH: usize = 8;

/// First the layers of `style/`, in the order in which `main.css` imports them; then the CSS beside the components, by path.
pub fn bundle(root: &Path) -> anyhow::Result<String> {
    let main = root.join("style/main.css");
    let mut css = if main.exists() { with_imports(&main, 0)? } else { String::new() };
    for file in files::walk(&root.join("app/src"))? {
        if files::has_extension(&file, &["css"]) {
            css.push_str(&with_imports(&file, 0)?);
        }
    }
    Ok(css)
}

fn with_imports(file: &Path, depth: usize) -> anyhow::Result<String> {
    if depth > MAX_IMPORT_DEPTH {
        bail!("{}: imported in a circle", file.display());
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let text = minify(&files::read_text(file)?).with_context(|| file.display().to_string())?;
    let mut css = String::new();
    for line in text.lines() {
        match Import::parse(line) {
            None => css.push_str(line),
            Some(import) => {
                let import = import.with_context(|| format!("{}: {line}", file.display()))?;
                let imported = with_imports(&folder.join(import.path), depth + 1)?;
                match import.layer {
                    None => css.push_str(imported.trim_end()),
                    Some(layer) => css.push_str(&format!("@layer {layer}{{\n{imported}}}")),
                }
            }
        }
        css.push('\n');
    }
    Ok(css)
}

/// `@import "PATH";`, `@import url("PATH") layer(NAME);`: alone on its line.
#[derive(PartialEq, Eq, Debug)]
struct Import<'a> {
    path: &'a str,
    layer: Option<&'a str>,
}

impl<'a> Import<'a> {
    /// `None` where the line is none.
    fn parse(line: &'a str) -> Option<anyhow::Result<Self>> {
        let rest = line.trim().strip_prefix("@import")?.trim();
        Some(Self::parse_rest(rest).context("an import reads: @import \"FILE\" layer(NAME);"))
    }

    fn parse_rest(rest: &'a str) -> Option<Self> {
        let rest = rest.strip_suffix(';')?.trim();
        let (is_url, rest) = rest.strip_prefix("url(").map_or((false, rest), |rest| (true, rest));
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (path, rest) = rest[1..].split_once(quote)?;
        let rest = if is_url { rest.strip_prefix(')')? } else { rest };
        let layer = match rest.trim() {
            "" => None,
            rest => Some(rest.strip_prefix("layer(")?.strip_suffix(')')?),
        };
        Some(Self { path, layer })
    }
}

/// Takes away comments, indentation and empty lines. More would need a parser, and saves next to nothing once it is compressed.
fn minify(css: &str) -> anyhow::Result<String> {
    let mut kept = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, found) = rest.split_at(at);
        kept.push_str(before);
        let length = match found.as_bytes() {
            [b'/', b'*', ..] => {
                let end = found[2..].find("*/").context("a comment does not end")?;
                rest = &found[2 + end + 2..];
                continue;
            }
            [b'/', ..] => 1,
            _ => string_length(found).context("a string does not end")?,
        };
        kept.push_str(&found[..length]);
        rest = &found[length..];
    }
    kept.push_str(rest);
    let lines: Vec<&str> = kept.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines.join("\n"))
}

/// The bytes of the string that `text` begins with, quotes included.
fn string_length(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            '\n' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_laid_in_where_they_stand_and_in_their_layers_and_components_follow_by_path() {
        let scratch = tempfile::tempdir().unwrap();
        let write = |path: &str, css: &str| files::write(&scratch.path().join(path), css).unwrap();
        write("style/main.css", "@layer a, b;\n@import \"a.css\" layer(a);\n@import url('b/b.css');\nhtml { }\n");
        write("style/a.css", "/* a\n */ a { content: \"/* kept */\" }\n");
        write("style/b/b.css", "@import \"c.css\";\n\n  b { }\n");
        write("style/b/c.css", "c { }\n");
        write("app/src/ui/y.css", "y { }");
        write("app/src/ui/x.css", "x { }");
        write("app/src/ui/x.rs", "not css");
        let css = bundle(scratch.path()).unwrap();
        let expected = "@layer a, b;\n@layer a{\na { content: \"/* kept */\" }\n}\nc { }\nb { }\nhtml { }\nx { }\ny { }\n";
        assert_eq!(css, expected);
    }

    #[test]
    fn a_circle_of_imports_and_an_import_not_understood_are_errors() {
        let scratch = tempfile::tempdir().unwrap();
        for css in
            ["@import \"main.css\";", "@import main.css;", "@import \"print.css\" print;", "@import \"missing.css\";", "/*"]
        {
            files::write(&scratch.path().join("style/main.css"), css).unwrap();
            assert!(bundle(scratch.path()).is_err(), "{css}");
        }
    }

    #[test]
    fn a_quote_may_be_escaped_in_a_string() {
        assert_eq!(minify(r#"a { content: "\"/*" } /* gone */"#).unwrap(), r#"a { content: "\"/*" }"#);
        assert!(minify("a { content: \"open }").is_err());
    }
}
