//! What is answered to the authority's challenges (`http-01`), in memory while an order runs. Whoever listens on port 80 asks here; knows nothing of HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The answers that there are now. Clones are the same.
#[derive(Clone, Default, Debug)]
pub struct Challenges(Arc<Mutex<BTreeMap<String, Answer>>>);

#[derive(Debug)]
struct Answer {
    text: String,
    /// How often it was asked for: an authority that never came did not find its way here.
    asked: u64,
}

impl Challenges {
    /// The answer to a token.
    #[must_use]
    pub fn answer(&self, token: &str) -> Option<String> {
        let mut answers = self.lock();
        let answer = answers.get_mut(token)?;
        answer.asked += 1;
        Some(answer.text.clone())
    }

    /// Answers to be put, which go away with what is returned.
    pub(super) fn put(&self) -> Put {
        Put { challenges: self.clone(), tokens: BTreeMap::new() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answers of one order.
pub(super) struct Put {
    challenges: Challenges,
    /// By the name that each is for.
    tokens: BTreeMap<String, String>,
}

impl Put {
    pub(super) fn add(&mut self, name: String, token: String, text: String) {
        self.challenges.lock().insert(token.clone(), Answer { text, asked: 0 });
        self.tokens.insert(name, token);
    }

    /// How often the answer for a name was asked for.
    pub(super) fn asked(&self, name: &str) -> u64 {
        let answers = self.challenges.lock();
        self.tokens.get(name).and_then(|token| answers.get(token)).map_or(0, |answer| answer.asked)
    }
}

impl Drop for Put {
    fn drop(&mut self) {
        let mut answers = self.challenges.lock();
        for token in self.tokens.values() {
            answers.remove(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_there_while_an_order_runs_and_it_is_known_who_asked() {
        let challenges = Challenges::default();
        let mut put = challenges.put();
        put.add("a.example.com".to_owned(), "token".to_owned(), "token.thumbprint".to_owned());
        assert_eq!((challenges.answer("token").as_deref(), challenges.answer("other")), (Some("token.thumbprint"), None));
        assert_eq!((put.asked("a.example.com"), put.asked("b.example.com")), (1, 0));
        drop(put);
        assert_eq!(challenges.answer("token"), None);
    }
}
