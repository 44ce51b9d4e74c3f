//! A row at a time: everybody asks, and what they are answered and what is then in the database is held against what is expected.

use std::collections::BTreeSet;

use afterlive_domain::Role;
use http::HeaderName;
use http::header::{CONTENT_TYPE, LOCATION, REFERRER_POLICY};

use super::columns::{COLUMNS, Column, Means, Whose};
use super::doors::{Door, Expected, expected};
use super::table::{Effect, Row, Thing};
use super::things::{self, Named};
use super::world::{Asker, NAMES, World, filled};
use crate::fixture::server::Answer;

/// What is shown of an answer that is wrong.
const SHOWN_BYTES: usize = 200;
/// No answer has anything of how the server is made: panics, source files, statements, databases, and where things lie.
const INTERNAL: [&str; 14] = [
    "panicked at",
    "stack backtrace",
    "RUST_BACKTRACE",
    ".rs:",
    "SELECT ",
    "INSERT INTO",
    "UPDATE ",
    "DELETE FROM",
    "sqlx",
    "SQLSTATE",
    "sqlite",
    "postgres:",
    "/tmp/",
    env!("CARGO_MANIFEST_DIR"),
];

/// How a browser says that another site's page had it ask, and how one does that is too old for the first. Such a page chooses path and body, and
/// neither of these.
const FORGED: [&[(&str, &str)]; 2] = [
    &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    &[("origin", "https://evil.example"), ("host", "localhost:3000")],
];

struct Cell {
    column: &'static Column,
    expected: Expected,
    asker: Asker,
    named: Named,
}

/// What was wrong, a text a cell.
pub async fn try_row(world: &mut World, row: &Row) -> Vec<String> {
    things::tidy(world).await;
    let (mut refused, mut taken) = (Vec::new(), Vec::new());
    for column in COLUMNS {
        let expected = expected(row, column);
        let is_taken = matches!(expected, Expected::Taken | Expected::Elsewhere);
        if !is_taken || row.effect == Effect::Reads {
            let (asker, named) = (world.asker(column), world.with(&[]));
            refused.push(Cell { column, expected, asker, named });
            continue;
        }
        let asker = world.fresh_asker(column, row).await;
        let mut fresh = asker.own.clone();
        // What is theirs to reach is what stands, also where they reach only their own.
        if expected == Expected::Taken && !matches!(row.door, Door::Open(_)) {
            for thing in Thing::ALL.into_iter().filter(|thing| row.names(*thing)) {
                fresh.extend(things::make(world, thing).await);
            }
        }
        let named = world.with(&[&fresh]);
        taken.push(Cell { column, expected, asker, named });
    }
    let mut wrong = Vec::new();
    let before = world.contents().await;
    for cell in &refused {
        wrong.extend(Box::pin(try_cell(world, row, cell)).await);
    }
    wrong.extend(Box::pin(try_forged(world, row)).await);
    let mut now = world.contents().await;
    if now != before {
        wrong.push(format!("{} × those who change nothing: {}", row.route, difference(&before, &now)));
    }
    for cell in &taken {
        wrong.extend(Box::pin(try_cell(world, row, cell)).await);
        let then = world.contents().await;
        wrong.extend(wrong_effect(world, row, cell, &now, &then));
        now = then;
    }
    if world.is_cut() {
        wrong.push(format!("{}: the stream that was on air was cut", row.route));
    }
    wrong
}

fn wrong_effect(world: &World, row: &Row, cell: &Cell, before: &BTreeSet<String>, after: &BTreeSet<String>) -> Option<String> {
    let call = format!("{} × {}", row.route, cell.column.name);
    let is_without = row.effect == Effect::Changes && cell.expected == Expected::Taken && before == after;
    if is_without {
        return Some(format!("{call}: nothing was changed, so that the row proves nothing of those who are refused"));
    }
    // Whoever it was, at home or elsewhere: it is written with the change, so that nothing is waited for.
    let is_noted = || after.difference(before).any(|line| line.starts_with("audit: "));
    if row.effect == Effect::Changes && before != after && !is_noted() {
        return Some(format!("{call}: something was changed of which the audit log has no line"));
    }
    let lost: Vec<&String> = before.difference(after).collect();
    let is_others = |mark: &&String| !is_own_word(world, row, mark);
    let of_others = others(world, row, cell.column)
        .into_iter()
        .filter(is_others)
        .find_map(|mark| Some((mark, lost.iter().find(|line| has(line, mark))?)));
    of_others.map(|(mark, line)| format!("{call}: {mark} is not theirs to change: {line}"))
}

/// Whether who asks has said so themselves, in a request of another row.
fn is_own_word(world: &World, row: &Row, mark: &str) -> bool {
    row.own_words.iter().any(|word| world.standing.get(word).is_some_and(|own| own == mark))
}

fn difference(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let (gone, new) = (before.difference(after).next(), after.difference(before).next());
    format!("the database was changed: {gone:?} is {new:?}")
}

/// What the column's holder must see nothing of.
fn others<'a>(world: &'a World, row: &Row, column: &Column) -> Vec<&'a String> {
    let (ours, theirs, above) = (&world.ours.marks, &world.theirs.marks, &world.above.marks);
    match column.whose {
        Whose::Ours(_) => theirs.iter().chain(above).collect(),
        Whose::Theirs => ours.iter().chain(above).collect(),
        Whose::Nobodys | Whose::Suspended => ours.iter().chain(theirs).chain(above).collect(),
        // That there are other organisations, and what they are called, is all that they see of them.
        Whose::System if row.is_above => ours[NAMES..].iter().chain(&theirs[NAMES..]).collect(),
        Whose::System => ours.iter().chain(theirs).collect(),
    }
}

/// Whether the mark stands in the text by itself: five letters are in some random text too.
fn has(text: &str, mark: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut found = text.match_indices(mark);
    found.any(|(at, _)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + mark.len()..].chars().next()))
}

async fn ask(world: &World, row: &Row, asker: &Asker, named: &Named, more: &[(&str, &str)]) -> (String, Answer) {
    if row.route.starts_with("POST /apikey") {
        // Who asks about what is no key from one address is slowed.
        world.server.clock.advance_ms(5_000);
    }
    let call = format!("{} {}", row.method(), filled(&row.target(), named));
    let body = filled(row.body, named);
    let mut headers = vec![(asker.header.0, asker.header.1.as_str())];
    match row.door {
        Door::Page(_) => headers.push(("accept", "text/html")),
        Door::Question(_) => headers.extend([("content-type", "application/json"), ("accept", "application/json")]),
        Door::Form(_) => headers.extend(FORM),
        Door::Open(_) if row.route.starts_with("PAGE ") => headers.push(("accept", "text/html")),
        Door::Open(302) if row.route.starts_with("POST /ui/") => headers.extend(FORM),
        Door::Open(_) if row.route.starts_with("POST /ui/") => {
            headers.extend([("content-type", "application/json"), ("accept", "application/json")]);
        }
        Door::Open(_) if row.route.starts_with("POST /p/") => headers.push(("content-type", "application/sdp")),
        Door::Open(_) if row.route.starts_with("POST /oidc/") => headers.extend(FORM),
        _ => {}
    }
    headers.extend(more);
    let answer = Box::pin(world.server.send_with(&call, &headers, &body)).await;
    (format!("{call} {body}"), answer)
}

/// What another site's page has the browser of somebody send who may do it all: a server function, or a form of ours, refuses it before it is known
/// who that is. Whether it has done something all the same shows in the database, as of everybody who is refused.
async fn try_forged(world: &mut World, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    if !["POST /ui/", "POST /oidc/"].iter().any(|begins| row.route.starts_with(begins)) {
        return wrong;
    }
    let whose = if row.is_above { Whose::System } else { Whose::Ours(Role::Admin) };
    let column = COLUMNS.iter().find(|column| column.means == Means::Session && column.whose == whose).unwrap();
    let (asker, named) = (world.asker(column), world.with(&[]));
    for forged in FORGED {
        let (request, answer) = ask(world, row, &asker, &named, forged).await;
        if (answer.status.as_u16(), answer.text.as_str()) != (403, "") {
            let got = format!("{} {}", answer.status.as_u16(), answer.text.chars().take(SHOWN_BYTES).collect::<String>());
            wrong.push(format!("{} × another site by {} ({request}): expected a bare 403; got {got}", row.route, column.name));
        }
    }
    wrong
}

/// What is wrong with what an answer says of itself: of what kind it is, in which letters, and how much of its address a page gives away.
fn wrong_header(answer: &Answer) -> Option<&'static str> {
    let header = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = header(CONTENT_TYPE);
    if kind.is_empty() && !answer.text.is_empty() {
        return Some("it does not say of what kind it is");
    }
    // A stream of events has no other letters than UTF-8 (HTML, 9.2.5), and so names none.
    if kind.starts_with("text/") && kind != "text/event-stream" && !kind.ends_with("; charset=utf-8") {
        return Some("it does not say in which letters it is");
    }
    let tells_little = matches!(header(REFERRER_POLICY), "same-origin" | "strict-origin" | "no-referrer");
    (kind.starts_with("text/html") && !tells_little).then_some("its address goes to other sites")
}

/// As a browser sends a form.
pub const FORM: [(&str, &str); 3] =
    [("content-type", "application/x-www-form-urlencoded"), ("referer", "http://localhost:3000/x"), ("accept", "text/html")];

async fn try_cell(world: &World, row: &Row, cell: &Cell) -> Vec<String> {
    let (request, answer) = ask(world, row, &cell.asker, &cell.named, &[]).await;
    let flash = match row.door {
        Door::Form(_) | Door::Open(302) if location(&answer).contains("notice=flash") => flash_of(world, cell, &answer).await,
        _ => String::new(),
    };
    let shown: String = answer.text.chars().take(SHOWN_BYTES).collect();
    let got = format!("{} {} {flash}{shown}", answer.status.as_u16(), location(&answer));
    let told = |what: String| format!("{} × {} ({request}): {what}; got {got}", row.route, cell.column.name);
    let mut wrong = Vec::new();
    if !is_as_expected(row, cell, &answer, &flash) {
        wrong.push(told(format!("expected {:?}", cell.expected)));
    }
    if answer.status.is_server_error() {
        wrong.push(told("a failure of the server".to_owned()));
    }
    wrong.extend(wrong_header(&answer).map(|what| told(what.to_owned())));
    let texts = format!("{}\n{:?}\n{flash}", answer.text, answer.headers);
    let folder = world.server.folder.path().display().to_string();
    if let Some(internal) = INTERNAL.into_iter().chain([folder.as_str()]).find(|internal| texts.contains(internal)) {
        wrong.push(told(format!("{internal:?} is nobody's business")));
    }
    // What who asks says themselves, or has said, they know.
    let is_known = |mark: &&String| request.contains(mark.as_str()) || is_own_word(world, row, mark);
    if let Some(mark) = others(world, row, cell.column).into_iter().find(|mark| has(&texts, mark) && !is_known(mark)) {
        wrong.push(told(format!("{mark:?} is not theirs to see")));
    }
    if tells_nothing(row, cell) {
        let nothing = world.of_nothing(&cell.named);
        let (_, other) = ask(world, row, &cell.asker, &nothing, &[]).await;
        let other_flash = if flash.is_empty() { String::new() } else { flash_of(world, cell, &other).await };
        let is = alike(&answer, &flash, &cell.named);
        let would_be = alike(&other, &other_flash, &nothing);
        if is != would_be {
            wrong.push(told(format!("it tells that there is such a thing: {}", first_difference(&is, &would_be))));
        }
    }
    wrong
}

/// Whether the answer must be the same for what there never was. All who are led to the sign-in are led there alike, so that one of them is enough.
fn tells_nothing(row: &Row, cell: &Cell) -> bool {
    row.of.is_some()
        && match cell.expected {
            Expected::Missing => true,
            Expected::BadCredentials | Expected::SignIn => {
                cell.column.means == Means::Nothing || cell.column.whose == Whose::Theirs
            }
            // By its id, which nobody guesses, a stream tells viewers that it is not for them.
            Expected::Closed => !matches!(row.door, Door::Viewers | Door::Frame),
            Expected::Taken | Expected::Elsewhere | Expected::Denied | Expected::Suspended | Expected::IsCall => false,
        }
}

/// An answer without what differs by what was asked for, and by chance.
fn alike(answer: &Answer, flash: &str, named: &Named) -> String {
    let mut text = format!("{} {} {flash} {}", answer.status, location(answer), answer.text);
    for (name, value) in named {
        if value.contains('-') {
            let (shown, escaped) = (format!("<{name}>"), value.replace('-', "%2D"));
            text = text.replace(value.as_str(), &shown).replace(&escaped, &shown);
        }
    }
    // Each page draws one for its scripts.
    let nonce = text.split_once("nonce=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(nonce, _)| nonce.to_owned());
    nonce.filter(|nonce| !nonce.is_empty()).map_or(text.clone(), |nonce| text.replace(&nonce, "<nonce>"))
}

/// Where two texts begin to differ.
fn first_difference(one: &str, other: &str) -> String {
    let at = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let around =
        |text: &str| String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(60)..text.len().min(at + 60)]).into_owned();
    format!("{:?} and not {:?}", around(one), around(other))
}

fn location(answer: &Answer) -> &str {
    answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default()
}

/// What the next page would say, to the browser as it is by then.
async fn flash_of(world: &World, cell: &Cell, answer: &Answer) -> String {
    let set = answer.headers.get("set-cookie").and_then(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookie = set.filter(|cookie| cookie.starts_with("afterlive_session=")).unwrap_or(&cell.asker.header.1);
    let headers = [("cookie", cookie), ("content-type", "application/json"), ("accept", "application/json")];
    Box::pin(world.server.send_with("POST /ui/take_flash", &headers, "{}")).await.text
}

fn is_as_expected(row: &Row, cell: &Cell, answer: &Answer, flash: &str) -> bool {
    let status = answer.status.as_u16();
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let code = || serde_json::from_str::<serde_json::Value>(&answer.text).ok()?["error"]["code"].as_u64();
    let (to, is_form) = (location(answer), matches!(row.door, Door::Form(_)));
    let is_led_to_sign_in = status == 302 && to.starts_with("/auth?next=");
    match cell.expected {
        Expected::Taken | Expected::Elsewhere if is_form => {
            status == 302
                && !to.starts_with("/auth?next=")
                && !to.contains("error=")
                && !to.contains("__err")
                && !is_refusal(row, flash)
        }
        Expected::Taken | Expected::Elsewhere => status == row.taken,
        Expected::Missing if is_form => status == 302 && flash.contains("There is nothing here"),
        Expected::Missing => status == 404,
        Expected::Denied if is_form => status == 302 && flash.contains("Your role does not allow this."),
        Expected::Denied => match row.door {
            Door::Call(_) => status == 403 && code() == Some(2001),
            _ => status == 403,
        },
        Expected::Suspended => status == 403 && code() == Some(2002),
        Expected::BadCredentials if row.door == Door::Frame && kind.starts_with("text/html") => status == 401,
        Expected::BadCredentials => status == 401 && code() == Some(4002),
        Expected::Closed if row.door == Door::Frame && kind.starts_with("text/html") => status == 403,
        Expected::Closed => status == 403 && code() == Some(2001),
        Expected::SignIn => match row.door {
            Door::Question(_) => status == 401,
            _ => is_led_to_sign_in,
        },
        Expected::IsCall => kind == "application/json; charset=utf-8",
    }
}

/// Whether a form that was let in came to nothing. Only who does not know the password is told so.
fn is_refusal(row: &Row, flash: &str) -> bool {
    flash.contains("Problem") && !row.body.contains("present=x") || flash == "null"
}

/// For the column of those whose role is least: kept here so that a new role is thought of.
#[test]
fn every_role_and_every_means_has_its_columns() {
    for role in Role::ALL {
        for means in [Means::Key, Means::SessionToken, Means::Session] {
            for whose in [Whose::Ours(role), Whose::Theirs, Whose::Suspended, Whose::Nobodys] {
                assert!(COLUMNS.iter().any(|column| column.means == means && column.whose == whose), "{means:?} {whose:?}");
            }
        }
    }
}
