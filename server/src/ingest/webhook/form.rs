//! What is sent to a webhook: the fields, in their order. Pure.

use std::net::IpAddr;

use url::form_urlencoded;

/// The most bytes that an encoder may have passed on.
pub(super) const MAX_PASSED_ON_BYTES: usize = 4_096;

/// The fields that are the server's to say. Pairs of the encoder that could be taken for one of them are not passed on.
const OURS: [&str; 9] = ["call", "name", "app", "addr", "clientid", "bytes_in", "bytes_out", "time", "timestamp"];

/// What is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// Whether it may be is asked.
    Publish,
    /// It goes on, `time_s` after it began; the last frame has the time `timestamp_ms` in the stream.
    Update { time_s: u64, timestamp_ms: i64 },
    /// It is over.
    Done { bytes_in: u64, bytes_out: u64 },
}

impl Call {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Update { .. } => "update_publish",
            Self::Done { .. } => "publish_done",
        }
    }
}

/// One publish, as a webhook knows it. Not `Debug`: what the encoder passes on is mostly a secret.
#[derive(Clone)]
pub struct Facts {
    /// What stood behind a `?` in the stream's name, without a publish key.
    pub query: Option<String>,
    pub streamname: String,
    /// `live` or `rec`, as the encoder asked.
    pub app: &'static str,
    pub address: IpAddr,
    /// The same in all calls about one publish.
    pub client_id: u32,
}

impl Facts {
    /// The body of a call. What the encoder passes on comes first, whatever it is taken apart and written anew.
    pub(super) fn form(&self, call: Call) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let passed_on = form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        form.extend_pairs(passed_on.filter(|(key, _)| !is_ours(key)));
        form.append_pair("call", call.name())
            .append_pair("name", &self.streamname)
            .append_pair("app", self.app)
            .append_pair("addr", &self.address.to_canonical().to_string())
            .append_pair("clientid", &self.client_id.to_string());
        match call {
            Call::Publish => {}
            Call::Update { time_s, timestamp_ms } => {
                form.append_pair("time", &time_s.to_string()).append_pair("timestamp", &timestamp_ms.to_string());
            }
            Call::Done { bytes_in, bytes_out } => {
                form.append_pair("bytes_in", &bytes_in.to_string()).append_pair("bytes_out", &bytes_out.to_string());
            }
        }
        form.finish()
    }
}

/// Whether some server would take the key for one of ours. They differ: in case, in `name[]` and `[name]` (Rack, qs) being `name`, and PHP makes `_` of a space
/// and a dot within, and drops spaces before.
fn is_ours(key: &str) -> bool {
    let name = key.trim_start_matches(|c: char| matches!(c, '[' | ']') || c.is_whitespace());
    let name = name.split(['[', ']', '\0']).next().unwrap_or_default().trim();
    let name: String = name.chars().map(|c| if matches!(c, ' ' | '.') { '_' } else { c.to_ascii_lowercase() }).collect();
    OURS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(query: Option<&str>) -> Facts {
        Facts {
            query: query.map(str::to_owned),
            streamname: "8sKpm-x49nB".to_owned(),
            app: "live",
            address: "::ffff:192.0.2.7".parse().unwrap(),
            client_id: 7,
        }
    }

    #[test]
    fn the_fields_come_in_their_order_and_the_encoders_first() {
        let ours = "call=publish&name=8sKpm-x49nB&app=live&addr=192.0.2.7&clientid=7";
        assert_eq!(facts(None).form(Call::Publish), ours);
        let passed = facts(Some("passcode=a+b%26c&&x&passcode=2"));
        assert_eq!(passed.form(Call::Publish), format!("passcode=a+b%26c&x=&passcode=2&{ours}"));
        let update = passed.form(Call::Update { time_s: 30, timestamp_ms: 29_960 });
        assert!(update.starts_with("passcode=a+b%26c&x=&passcode=2&call=update_publish&name="), "{update}");
        assert!(update.ends_with("&clientid=7&time=30&timestamp=29960"), "{update}");
        let done = passed.form(Call::Done { bytes_in: 1_000, bytes_out: 3_000 });
        assert!(done.contains("&call=publish_done&") && done.ends_with("&clientid=7&bytes_in=1000&bytes_out=3000"), "{done}");
    }

    #[test]
    fn what_could_be_taken_for_ours_is_not_passed_on() {
        for key in [
            "call",
            "CALL",
            "%63all",
            "call%00x",
            "name[]",
            "name%5B0%5D",
            "[call]",
            "%5Bcall%5D",
            "[[name]]",
            "[addr",
            "[]app",
            "+[+call+]",
            "call]",
            "+app",
            "addr+",
            "bytes.in",
            "bytes+out",
            "time",
            "timestamp",
        ] {
            let form = facts(Some(&format!("{key}=evil&passcode=1"))).form(Call::Publish);
            assert!(form.starts_with("passcode=1&call=publish") && !form.contains("evil"), "{key}: {form}");
        }
        let form = facts(Some("a=1;call=evil&username=x&b=%0d%0aname%3dy")).form(Call::Publish);
        assert!(form.starts_with("a=1%3Bcall%3Devil&username=x&b=%0D%0Aname%3Dy&call=publish&"), "{form}");
    }

    proptest! {
        #[test]
        fn whatever_is_passed_on_ours_are_said_once(query in ".{0,100}") {
            let form = facts(Some(&query)).form(Call::Publish);
            for name in ["call", "name", "app", "addr", "clientid"] {
                let said = form_urlencoded::parse(form.as_bytes()).filter(|(key, _)| key == name).count();
                prop_assert_eq!(said, 1);
            }
            prop_assert!(form.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
