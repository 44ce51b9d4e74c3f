//! What each caller is to be answered, by the kind of door that a route is. There is no cell without an expectation: a caller whose credential a door does not look at
//! is, to it, whoever has none, and sends it all the same.

use afterlive_domain::Role;
use afterlive_server::http::api::openapi::DOCUMENT;

use super::columns::{Column, Means, Whose};
use super::table::Row;

/// Who is let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// A call of the API: a key or a session token of that role or above. A browser's cookie is none, else any site could call.
    Call(Role),
    /// The same for readers, and player keys.
    Players,
    /// The same, and everybody where live is public, which here it is not.
    Viewers,
    /// A page, for a browser session of that role or above. Keys and tokens are none.
    Page(Role),
    /// A server function by which a page asks for data.
    Question(Role),
    /// A server function that a form is sent to: it answers by leading to a page.
    Form(Role),
    /// What a page's script or a link opens beside pages, by the browser session, and refuses as calls do.
    Script,
    /// The same, where who has not signed in might be a viewer, and is told that there is nothing.
    Hearing,
    /// The player for frames: it looks at the browser session and at playback tokens, and strangers hear that they need a link.
    Frame,
    /// What is live or recorded: whoever has anything of the organisation.
    Media,
    /// Who asks is not looked at: this status for everybody.
    Open(u16),
}

/// What comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// What the route is for.
    Taken,
    /// The same, of their own organisation.
    Elsewhere,
    /// 404, no other than for what there never was.
    Missing,
    /// 403: the role is not enough.
    Denied,
    /// 403: the credential is good, and its organisation is suspended.
    Suspended,
    /// 401.
    BadCredentials,
    /// 403: a stranger may not watch, and is told what would open it.
    Closed,
    /// To the sign-in.
    SignIn,
    /// The path is a call's too, and who sends a credential means that.
    IsCall,
}

use Expected::{BadCredentials, Closed, Denied, Elsewhere, IsCall, Missing, SignIn, Suspended, Taken};

pub fn expected(row: &Row, column: &Column) -> Expected {
    let of_them = if row.of.is_some() { Missing } else { Elsewhere };
    let by_role = |least: Role, whose: Whose, nobody: Expected| match whose {
        Whose::Ours(role) if role >= least => Taken,
        Whose::Ours(_) => Denied,
        // Whoever administers the installation is nobody to another organisation.
        Whose::Theirs | Whose::System => of_them,
        // Who is told so shows what only calls look at; to pages they are nobody any more.
        Whose::Suspended if column.means != Means::Session => Suspended,
        Whose::Suspended | Whose::Nobodys => nobody,
    };
    let session_or = |least: Role, nobody: Expected| match column.means {
        Means::Session => by_role(least, column.whose, nobody),
        Means::Nothing | Means::Key | Means::SessionToken | Means::Bearer | Means::PlayerKey => nobody,
    };
    let call = |least: Role| match column.means {
        Means::Key | Means::SessionToken | Means::Bearer => by_role(least, column.whose, BadCredentials),
        Means::Nothing | Means::PlayerKey | Means::Session => BadCredentials,
    };
    if row.is_above {
        // No role in an organisation is enough, and nothing that a program holds.
        return match (column.means, column.whose) {
            (Means::Session, Whose::System) => Taken,
            (Means::Session, Whose::Ours(_) | Whose::Theirs) => Denied,
            _ => SignIn,
        };
    }
    match row.door {
        Door::Call(least) => call(least),
        Door::Players => match column.means {
            Means::PlayerKey => by_role(Role::ReadOnly, column.whose, BadCredentials),
            Means::Nothing | Means::Key | Means::SessionToken | Means::Bearer | Means::Session => call(Role::ReadOnly),
        },
        Door::Viewers => match column.means {
            Means::PlayerKey => by_role(Role::ReadOnly, column.whose, BadCredentials),
            Means::Nothing | Means::Session => Closed,
            Means::Key | Means::SessionToken | Means::Bearer => call(Role::ReadOnly),
        },
        Door::Page(least) => match column.means {
            Means::Key | Means::SessionToken | Means::Bearer | Means::PlayerKey if is_call_too(row) => IsCall,
            _ => session_or(least, SignIn),
        },
        Door::Question(least) | Door::Form(least) => session_or(least, SignIn),
        Door::Script => session_or(Role::ReadOnly, BadCredentials),
        Door::Hearing => session_or(Role::ReadOnly, Missing),
        Door::Frame => match column.means {
            // It is looked at as a playback token, and is none.
            Means::Bearer => Closed,
            _ => session_or(Role::ReadOnly, BadCredentials),
        },
        Door::Media => match column.means {
            Means::Key | Means::SessionToken => by_role(Role::ReadOnly, column.whose, BadCredentials),
            Means::Session => by_role(Role::ReadOnly, column.whose, Closed),
            // There it is no playback token.
            Means::Nothing | Means::Bearer | Means::PlayerKey => Closed,
        },
        Door::Open(_) => Taken,
    }
}

/// Whether the API has the path of a page.
fn is_call_too(row: &Row) -> bool {
    let page: Vec<&str> = row.template().split('/').collect();
    let is_same = |path: &String| {
        let path: Vec<&str> = path.split('/').collect();
        path.len() == page.len()
            && path.iter().zip(&page).all(|(of_call, of_page)| of_call == of_page || of_call.starts_with('{'))
    };
    DOCUMENT["paths"].as_object().unwrap().keys().any(is_same)
}
