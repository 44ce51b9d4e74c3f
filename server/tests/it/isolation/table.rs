//! The table's rows: every route, what is sent to it, who is let in, and what it does then. A new route is a new row, else the test fails; a route that takes several
//! kinds of requests has several.

mod above;
mod calls;
mod dashboard;
mod others;

use super::doors::Door;

/// What a request names. All of it is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thing {
    Stream,
    Locked,
    /// The one that is on air.
    Live,
    Asset,
    /// In the bin.
    Binned,
    /// Under legal hold.
    Held,
    Key,
    Endpoint,
    /// What an endpoint was told.
    Delivery,
    PlaybackToken,
    User,
    Invitation,
    /// Without an administrator.
    Organisation,
    /// One that is suspended.
    Suspended,
    /// A system administrator.
    SystemAdministrator,
    /// A user of the system administrators' organisation.
    Colleague,
}

impl Thing {
    pub const ALL: [Self; 16] = [
        Self::Stream,
        Self::Locked,
        Self::Live,
        Self::Asset,
        Self::Binned,
        Self::Held,
        Self::Key,
        Self::Endpoint,
        Self::Delivery,
        Self::PlaybackToken,
        Self::User,
        Self::Invitation,
        Self::Organisation,
        Self::Suspended,
        Self::SystemAdministrator,
        Self::Colleague,
    ];

    /// As rows write it, in `<>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Locked => "locked",
            Self::Live => "live",
            Self::Asset => "asset",
            Self::Binned => "binned",
            Self::Held => "held",
            Self::Key => "key",
            Self::Endpoint => "endpoint",
            Self::Delivery => "delivery",
            Self::PlaybackToken => "playback-token",
            Self::User => "user",
            Self::Invitation => "invitation",
            Self::Organisation => "organisation",
            Self::Suspended => "suspended",
            Self::SystemAdministrator => "system-administrator",
            Self::Colleague => "colleague",
        }
    }
}

/// What a request that is let in does to the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing at all.
    Reads,
    /// Something: else the row would prove nothing of those who are refused.
    Changes,
    /// Something or nothing, and nothing to another organisation.
    Any,
}

#[derive(Clone, Debug)]
pub struct Row {
    /// The route: `METHOD /path` as the router has it, with `PAGE` for a GET of a browser.
    pub route: &'static str,
    /// What is asked for, where that is not the path with what the row is of in it.
    path: Option<&'static str>,
    pub query: &'static str,
    pub body: &'static str,
    pub door: Door,
    /// Whether it is above the organisations: for system administrators alone.
    pub is_above: bool,
    /// What the request is about, where another organisation is to hear that there is none.
    pub of: Option<Thing>,
    pub effect: Effect,
    /// The status for who is let in.
    pub taken: u16,
    /// What who asks has named in a request of another row, and is told again: their own log has their own words.
    pub own_words: &'static [&'static str],
}

impl Row {
    fn new(route: &'static str, door: Door) -> Self {
        let taken = match door {
            Door::Form(_) => 302,
            Door::Open(status) => status,
            _ => 200,
        };
        Self {
            route,
            path: None,
            query: "",
            body: "",
            door,
            is_above: false,
            of: None,
            effect: Effect::Reads,
            taken,
            own_words: &[],
        }
    }

    fn at(self, path: &'static str) -> Self {
        Self { path: Some(path), ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    fn of(self, thing: Thing) -> Self {
        Self { of: Some(thing), ..self }
    }

    fn above(self) -> Self {
        Self { is_above: true, ..self }
    }

    fn changes(self) -> Self {
        Self { effect: Effect::Changes, ..self }
    }

    fn may_change(self) -> Self {
        Self { effect: Effect::Any, ..self }
    }

    fn tells_again(self, own_words: &'static [&'static str]) -> Self {
        Self { own_words, ..self }
    }

    fn answers(self, taken: u16) -> Self {
        Self { taken, ..self }
    }

    /// The path as the router has it.
    pub fn template(&self) -> &'static str {
        self.route.split_once(' ').unwrap().1
    }

    pub fn method(&self) -> &'static str {
        match self.route.split_once(' ').unwrap().0 {
            "PAGE" => "GET",
            method => method,
        }
    }

    /// Path and query, with `<>` around what stands for something.
    pub fn target(&self) -> String {
        let named = || {
            let id = self.of.map_or("<nothing>".to_owned(), |thing| format!("<{}>", thing.as_str()));
            self.template().replace("{id}", &id).replace("{streamname}", "<streamname>")
        };
        format!("{}{}", self.path.map_or_else(named, str::to_owned), self.query)
    }

    /// Whether the request has this in it.
    pub fn names(&self, thing: Thing) -> bool {
        self.of == Some(thing) || self.mentions(thing.as_str())
    }

    pub fn mentions(&self, name: &str) -> bool {
        let name = format!("<{name}>");
        self.target().contains(&name) || self.body.contains(&name)
    }
}

/// All of them.
pub fn rows() -> Vec<Row> {
    [calls::rows(), dashboard::pages(), dashboard::functions(), others::rows(), above::rows()].concat()
}
