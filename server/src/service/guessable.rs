//! Whether a password is among those that are tried first. How long it must be, and how it is kept, is not decided here.

use std::collections::HashSet;
use std::iter;

/// Fewer guesses than this find a password that is not taken.
const MIN_GUESSES: u64 = 100_000_000;
/// What is left between digits and signs at both ends takes more guesses than this: those are the first that people add, and that are tried behind each word.
const MIN_GUESSES_OF_CORE: u64 = 100_000;
/// A password has at least so many letters that are none of what is known of its owner and of us.
const MIN_OWN_CHARS: usize = 6;
/// A password is made of at least so many different characters.
const MIN_DIFFERENT: usize = 5;
/// What is known so well that length is no help. In small letters, without what stands between words.
const FAMOUS: [&str; 15] = [
    "correcthorsebatterystaple",
    "thequickbrownfoxjumpsoverthelazydog",
    "thequickbrownfox",
    "tobeornottobe",
    "tobeornottobethatisthequestion",
    "loremipsumdolorsitamet",
    "maytheforcebewithyou",
    "letmeinletmein",
    "iloveyouforever",
    "opensesameopensesame",
    "thisismypassword",
    "mypasswordispassword",
    "passwordispassword",
    "nevergonnagiveyouup",
    "donttellanyone",
];

/// Whether the password is worth nothing against who tries what is common, and what is `about` the person and the place. Takes some milliseconds of one core.
pub(super) fn is_guessable(password: &str, about: &[String]) -> bool {
    let words: Vec<&str> = about.iter().flat_map(|text| words_of(text)).collect();
    let guesses = |text: &str| zxcvbn::zxcvbn(text, &words).guesses();
    let core = password.trim_matches(|c: char| !c.is_alphabetic());
    let letters = letters(password);
    is_famous(&letters)
        || is_famous(&without_disguise(password))
        || password.to_lowercase().chars().collect::<HashSet<char>>().len() < MIN_DIFFERENT
        || is_made_of(&letters, &words)
        || guesses(password) < MIN_GUESSES
        || (!core.is_empty() && core != password && guesses(core) < MIN_GUESSES_OF_CORE)
}

/// A text as a whole, what stands on either side of an address's `@`, and each of its words: somebody's name is one of their address.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
    iter::once(text).chain(text.split('@')).chain(words)
}

/// In small ones.
fn letters(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphabetic()).collect()
}

/// Also where a word or so is added.
fn is_famous(letters: &str) -> bool {
    FAMOUS.iter().any(|famous| letters.strip_prefix(famous).is_some_and(|rest| rest.chars().count() < MIN_OWN_CHARS))
}

/// The letters, with those that are commonly written as digits and signs.
fn without_disguise(text: &str) -> String {
    let plain = |c: char| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    letters(&text.chars().map(plain).collect::<String>())
}

/// Whether next to nothing is left without what is known.
fn is_made_of(password: &str, words: &[&str]) -> bool {
    let mut words: Vec<String> = words.iter().map(|word| letters(word)).filter(|word| word.chars().count() > 2).collect();
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let own = words.iter().fold(password.to_owned(), |left, word| left.replace(word.as_str(), ""));
    own != password && own.chars().count() < MIN_OWN_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_first_is_found_and_what_is_long_and_ones_own_is_not() {
        let about = ["ada.lovelace@northlight.example", "Northlight Events", "afterlive", "live.northlight.tv"];
        let is_guessable = |password: &str| is_guessable(password, &about.map(str::to_owned));
        for fine in [
            "correct horse battery",
            "die Kirchturmuhr schlägt dreizehn",
            "時計塔の鐘は十三時を打つのだった",
            "x7Gq-92mZ-pL0v-8Kd",
            "927 461 083 552 718",
            "geese over northlight 42",
            &"wandering goose 91 ".repeat(50),
        ] {
            assert!(!is_guessable(fine), "{fine}");
        }
        for known in [
            "passwordpassword",
            "123456789012345",
            "111122223333444",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjkl",
            "abcdefghijklmnopqrst",
            "iloveyouiloveyou",
            "Password12345678!",
            "correcthorsebatterystaple",
            "Correct Horse Battery Staple!",
            "c0rrecth0rsebatterystaple",
            "Correct-Horse-Battery-Staple1x",
            "ada.lovelace@northlight.example",
            "northlight.example",
            "ada.lovelace.2026",
            "northlight events",
            "Northlight Events 1",
            "lovelacelovelace",
            "afterlive-afterlive",
            "Afterlive Northlight 2026!",
            "live.northlight.tv",
        ] {
            assert!(is_guessable(known), "{known}");
        }
    }
}
