//! An organisation's program at an endpoint: keeps what it is told, and answers as the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterlive_server::events::Secret;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::hmac;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::webhook::hook::{Call, Hook, PATIENCE};

#[derive(Clone, Debug)]
pub struct Message {
    pub head: String,
    pub body: String,
}

impl Message {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let named =
            self.head.lines().filter_map(|line| line.split_once(": ")).find(|(found, _)| found.eq_ignore_ascii_case(name));
        named.unwrap_or_else(|| panic!("no {name} in {}", self.head)).1
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub fn signatures(&self) -> usize {
        self.header("webhook-signature").split(' ').count()
    }

    /// As the convention says: one of the signatures must be right.
    pub fn is_signed_by(&self, secret: &Secret) -> bool {
        let key = BASE64_STANDARD.decode(secret.as_str().strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.body);
        self.header("webhook-signature").split(' ').any(|signature| {
            let tag = BASE64_STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
    }
}

type Answer = Box<dyn Fn(&Message) -> &'static str + Send>;

pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Vec<Message>>>,
    answer: Arc<Mutex<Answer>>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Answers 200.
    pub async fn new() -> Self {
        let hook = Hook::new().await;
        let (url, seen) = (hook.url(), Arc::new(Mutex::new(Vec::new())));
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_| "200 OK")));
        let task = {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            tokio::spawn(async move {
                loop {
                    let mut call: Call = hook.call().await;
                    let message = Message { head: call.head.clone(), body: call.form.clone() };
                    let status = (*answer.lock().unwrap())(&message);
                    seen.lock().unwrap().push(message);
                    call.answer(status, "").await;
                }
            })
        };
        Self { url, seen, answer, task }
    }

    pub fn answers(&self, answer: impl Fn(&Message) -> &'static str + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    /// What it was told so far.
    pub fn seen(&self) -> Vec<Message> {
        self.seen.lock().unwrap().clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.seen().iter().map(Message::kind).collect()
    }

    /// Once it was told so much.
    pub async fn until(&self, count: usize) -> Vec<Message> {
        let told = async {
            while self.seen().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("told {:?}", self.kinds()));
        self.seen()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
