//! Reads settings key by key from a TOML file and the environment, and collects every problem on the way.
//! Knows no key by name: what keys there are stands in `config`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use toml::Value;

/// What begins the name of each environment variable that is a setting; `__` also parts its sections.
pub(super) const ENV_PREFIX: &str = "AFTERLIVE__";
/// No secret file is longer; a wrong path must not read a disk into memory.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// One thing to mend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub key: String,
    /// The file or the environment variable; empty where the key is nowhere.
    pub place: String,
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.is_empty(), self.place.is_empty()) {
            (true, _) => write!(f, "{}: {}", self.place, self.problem),
            (false, true) => write!(f, "{}: {}", self.key, self.problem),
            (false, false) => write!(f, "{} ({}): {}", self.key, self.place, self.problem),
        }
    }
}

#[derive(Debug)]
struct Found {
    value: Value,
    place: String,
}

/// The settings that were found and not yet asked for, and what is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    found: BTreeMap<String, Found>,
    known: Vec<String>,
    problems: Vec<Problem>,
}

/// A setting's type: how it is read from TOML and, as text, from the environment.
pub(super) trait Setting: Sized {
    /// The error completes "`value` …", as in "`value` is not a whole number".
    fn from_value(value: &Value) -> Result<Self, String>;
}

impl Reader {
    /// `file` is its name and its text. What is in the environment wins over the file.
    pub(super) fn new(file: Option<(&str, &str)>, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut reader = Self::default();
        if let Some((name, text)) = file {
            match text.parse::<toml::Table>() {
                Ok(table) => reader.flatten("", name, table),
                Err(cause) => reader.problems.push(Problem {
                    key: String::new(),
                    place: name.to_owned(),
                    problem: format!("is not TOML: {}", cause.to_string().trim_end()),
                }),
            }
        }
        for (variable, text) in environment {
            if let Some(key) = variable.strip_prefix(ENV_PREFIX) {
                let key = key.to_ascii_lowercase().replace("__", ".");
                reader.found.insert(key, Found { value: Value::String(text), place: variable });
            }
        }
        reader
    }

    fn flatten(&mut self, prefix: &str, place: &str, table: toml::Table) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(table) => self.flatten(&key, place, table),
                value => {
                    self.found.insert(key, Found { value, place: place.to_owned() });
                }
            }
        }
    }

    /// The value of a key, or nothing where it is absent or wrong; what is wrong is noted.
    pub(super) fn take_option<T: Setting>(&mut self, key: &str) -> Option<T> {
        self.known.push(key.to_owned());
        let found = self.found.remove(key)?;
        match T::from_value(&found.value) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(Problem { key: key.to_owned(), place: found.place, problem });
                None
            }
        }
    }

    pub(super) fn take<T: Setting>(&mut self, key: &str, default: T) -> T {
        self.take_option(key).unwrap_or(default)
    }

    /// As [`Reader::take`], for a number that makes sense only in a range.
    pub(super) fn take_in(&mut self, key: &str, default: u64, range: std::ops::RangeInclusive<u64>) -> u64 {
        let place = self.place(key);
        let value = self.take(key, default);
        if !range.contains(&value) {
            self.refuse_at(key, &place, format!("{value} is not between {} and {}", range.start(), range.end()));
        }
        value
    }

    /// A secret: the value of `key`, or the text of the file that `key_file` names, without its line end.
    pub(super) fn take_secret(&mut self, key: &str) -> Option<String> {
        let file_key = format!("{key}_file");
        let place = self.place(&file_key);
        let value: Option<String> = self.take_option(key);
        let path: Option<std::path::PathBuf> = self.take_option(&file_key);
        match (value, path) {
            (Some(_), Some(_)) => {
                self.refuse_at(&file_key, &place, format!("only one of {key} and {file_key} can be given"));
                None
            }
            (None, Some(path)) => match read_secret(&path) {
                Ok(text) => Some(text),
                Err(cause) => {
                    self.refuse_at(&file_key, &place, format!("{} cannot be read: {cause}", path.display()));
                    None
                }
            },
            (value, None) => value,
        }
    }

    /// Notes that a key's value cannot be, although it is of the right type.
    pub(super) fn refuse(&mut self, key: &str, problem: impl Into<String>) {
        self.refuse_at(key, "", problem.into());
    }

    fn refuse_at(&mut self, key: &str, place: &str, problem: String) {
        self.problems.push(Problem { key: key.to_owned(), place: place.to_owned(), problem });
    }

    /// Where a key stands that nobody has asked for yet; empty where it is nowhere.
    pub(super) fn place(&self, key: &str) -> String {
        self.found.get(key).map(|found| found.place.clone()).unwrap_or_default()
    }

    /// The names that stand directly below a section, as `eu` and `us` below `regions`.
    pub(super) fn names_below(&self, section: &str) -> Vec<String> {
        let prefix = format!("{section}.");
        let mut names: Vec<String> = self
            .found
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix)?.split_once('.').map(|(name, _)| name.to_owned()))
            .collect();
        names.dedup();
        names
    }

    /// Everything that is wrong, with a line for each key that nobody asked for.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        for (key, found) in std::mem::take(&mut self.found) {
            let near = self.known.iter().map(|known| (distance(&key, known), known)).min();
            let problem = match near {
                Some((distance, known)) if distance <= 3 => format!("there is no such key; is {known} meant?"),
                _ => "there is no such key".to_owned(),
            };
            self.problems.push(Problem { key, place: found.place, problem });
        }
        self.problems
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> &[String] {
        &self.known
    }
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The number of letters to add, take or change between two keys (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Reads what has a text form and comes from TOML as a string.
pub(super) fn from_text<T: FromStr>(value: &Value, expected: &str) -> Result<T, String> {
    let text = value.as_str().ok_or_else(|| format!("{value} is not {expected}"))?;
    text.trim().parse().map_err(|_| format!("{text:?} is not {expected}"))
}

impl Setting for String {
    fn from_value(value: &Value) -> Result<Self, String> {
        from_text(value, "a text")
    }
}

impl Setting for std::path::PathBuf {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(text.into()),
            _ => Err(format!("{value} is not a path")),
        }
    }
}

impl Setting for u64 {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Integer(number) => Self::try_from(*number).map_err(|_| format!("{number} is not a whole number")),
            other => from_text(other, "a whole number"),
        }
    }
}

impl Setting for bool {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Boolean(switch) => Ok(*switch),
            other => from_text(other, "true or false"),
        }
    }
}

impl Setting for std::net::SocketAddr {
    fn from_value(value: &Value) -> Result<Self, String> {
        from_text(value, "an address and port, such as 127.0.0.1:3000 or [::]:3000")
    }
}

/// A list is a TOML array of texts or, as the environment has it, one text with commas.
impl<T: Setting> Setting for Vec<T> {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(values) => values.iter().map(T::from_value).collect(),
            Value::String(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| T::from_value(&Value::String(part.to_owned())))
                .collect(),
            other => Err(format!("{other} is not a list")),
        }
    }
}
