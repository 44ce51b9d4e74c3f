//! Short texts that users and encoders send: a byte that chooses what for, then the text. What is taken is read back as itself.

use std::fmt::Debug;
use std::str::FromStr;

use afterlive_domain::push::PushUrl;
use afterlive_domain::{EmbedDomains, OrganisationHash, Region, Streamname, Tags, UnixMillis, WebhookUrl};

use crate::script::Script;

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = script.byte();
    let text = String::from_utf8_lossy(script.rest());
    match kind % 8 {
        0 => tags(&text),
        1 => read_back::<Streamname>(&text, Streamname::to_string),
        2 => read_back::<OrganisationHash>(&text, OrganisationHash::to_string),
        3 => read_back::<Region>(&text, Region::to_string),
        4 => read_back::<EmbedDomains>(&text, EmbedDomains::to_string),
        5 => {
            if let Ok(url) = WebhookUrl::parse(&text) {
                assert!(url.target().starts_with('/') && url.target().is_ascii() && !url.host().is_empty(), "{text}");
                assert_eq!(WebhookUrl::parse(url.as_str()), Ok(url));
            }
        }
        6 => {
            if let Ok(url) = PushUrl::parse(&text) {
                assert_eq!(PushUrl::parse(url.as_str()), Ok(url));
            }
        }
        _ => {
            if let Some(at) = UnixMillis::parse(&text) {
                assert_eq!(UnixMillis::parse(&at.to_string()), Some(at), "{text}");
            }
        }
    }
}

fn tags(text: &str) {
    let Ok(tags) = Tags::from_comma_separated(text) else { return };
    assert_eq!(Tags::new(tags.as_slice()).as_ref(), Ok(&tags), "{text}");
    assert_eq!(Tags::from_comma_separated(&tags.as_slice().join(",")).as_ref(), Ok(&tags), "{text}");
}

fn read_back<T: FromStr + PartialEq + Debug>(text: &str, write: impl Fn(&T) -> String) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(write(&value).parse::<T>().ok(), Some(value), "{text}");
    }
}
