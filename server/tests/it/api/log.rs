//! What must not be in the log, at whatever level it is written.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};

use crate::fixture::program::{Serving, afterlive, run};
use crate::rtmp::client::Client as Encoder;
use crate::second_factor::App;

const PASSWORD: &str = "correct horse 7Hq2";
const PASSWORD_IN_URL: &str = "u2fK7Qm9xT4pWb81Ze5R";
const SECOND_FACTOR_KEY: &str = "Sf8vQx2nLd5kTb7yRw3mHc9pZg6jUe4aWs1fVi0o";
/// No more letters of a secret in a row may be in the log.
const MOST_LETTERS: usize = 15;

/// The program, to which one talks.
struct Talk {
    client: reqwest::Client,
    url: String,
    /// What a browser was given to be known by, each time that somebody signed in with it.
    known_by: Mutex<Vec<String>>,
}

impl Talk {
    fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned(), known_by: Mutex::default() }
    }

    /// Status, the cookie that is set, of several the first, and the body.
    async fn send(&self, call: &str, headers: &[(&str, &str)], body: String) -> (u16, String, String) {
        let (method, path) = call.split_once(' ').unwrap();
        let mut request = self.client.request(method.parse::<Method>().unwrap(), format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let cookies: Vec<String> = cookies.map(|cookie| cookie.split(';').next().unwrap().to_owned()).collect();
        let known_by = cookies.iter().filter_map(|cookie| cookie.strip_prefix("afterlive_browser="));
        self.known_by.lock().unwrap().extend(known_by.map(str::to_owned));
        let cookie = cookies.into_iter().next().unwrap_or_default();
        (answer.status().as_u16(), cookie, answer.text().await.unwrap())
    }

    async fn json(&self, call: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let (status, _, text) = self.send(call, headers, body.to_string()).await;
        assert_eq!(status, 200, "{call}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// The log is told who fails, but not once for each time, and never what was typed.
#[tokio::test]
async fn who_fails_to_sign_in_and_who_is_turned_away_is_in_the_log_at_its_usual_level() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let serving = Serving::logging_to(&log, afterlive(folder.path(), &["serve"], &[("AFTERLIVE__LOG__FORMAT", "json")]));
    let talk = Talk::new(Client::new(), serving.printed_after("Dashboard"));
    let arguments = ["setup", "--email", "ada@example.com", "--password-stdin"];
    let made: Value = serde_json::from_slice(&run(afterlive(folder.path(), &arguments, &[]), PASSWORD).stdout).unwrap();
    let admin = made["api_key"].as_str().unwrap().to_owned();
    let by_key = [("x-bintu-apikey", admin.as_str())];
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let token = talk.json("POST /user/validate", &[], &body).await["token"].as_str().unwrap().to_owned();
    let ada = talk.json("GET /user", &[("x-bintu-token", &token)], &json!({})).await;
    let reader = talk.json("POST /organisation/apikey", &by_key, &json!({ "label": "r", "role": "nanoReadOnly" })).await;
    let reader = [("x-bintu-apikey", reader["key"].as_str().unwrap())];

    let sign_in = async |email: &str| {
        let body = json!({ "email": email, "password": "typed-password" }).to_string();
        assert_eq!(talk.send("POST /user/validate", &[], body).await.0, 401);
    };
    let rtmp_port: u16 = serving.printed_after("rtmp://localhost:").split('/').next().unwrap().parse().unwrap();
    let (rtmp, began) = (SocketAddr::from(([127, 0, 0, 1], rtmp_port)), Instant::now());
    for _ in 0..20 {
        let (_, code, _) = Encoder::publish(rtmp, "rec", "8sKpm-x49nB").await;
        assert_eq!(code, "NetStream.Publish.BadName");
        let whip = "POST /p/webrtc?stream_name=8sKpm-x49nB&stream_url=rtmp://localhost/rec";
        let refused = talk.send(whip, &[("content-type", "application/sdp")], "v=0\r\n".to_owned()).await;
        assert_eq!(refused.0, 404, "{}", refused.2);
    }
    // Once in ten seconds by each of the two.
    let most_refused = 2 * (1 + usize::try_from(began.elapsed().as_secs()).unwrap() / 10);
    for _ in 0..3 {
        sign_in("ada@example.com").await;
        sign_in("typed-email@example.com").await;
        assert_eq!(talk.send("POST /stream", &reader, "{}".to_owned()).await.0, 403);
        assert_eq!(talk.send("GET /stream", &[("x-bintu-apikey", "typed-key")], String::new()).await.0, 401);
        for (function, form) in [
            ("accept_invitation", "secret=typed-secret&password=typed-password"),
            ("choose_password", "secret=typed-secret&password=typed-password"),
            ("set_up", "token=typed-token&organisation_name=x&email=x@example.com&password=typed-password"),
        ] {
            talk.send(&format!("POST /ui/{function}"), &[("content-type", "application/x-www-form-urlencoded")], form.to_owned())
                .await;
        }
    }
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(!log.contains("typed"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |words: &str| -> Vec<String> {
        let lines = lines.iter().filter(|line| line.to_string().contains(words));
        lines.map(|line| format!("{} {}", line["level"].as_str().unwrap(), line)).collect()
    };
    let failed = said("an attempt to sign in failed");
    let of_ada = failed.iter().filter(|line| line.contains(&ada["id"].to_string())).count();
    assert!(of_ada >= 1 && failed.len() > of_ada && failed.len() < 6, "{failed:#?}");
    let turned_away = said("a request was turned away");
    let with = |status: u16| turned_away.iter().filter(|line| line.contains(&format!("\"status\":{status}"))).count();
    assert!(with(401) >= 1 && with(403) >= 1 && turned_away.len() < 12, "{turned_away:#?}");
    let links = said("came with a link that is worth nothing");
    assert!(!links.is_empty() && links.len() < 6, "{links:#?}");
    let refused = said("a publish was refused");
    assert!((2..=most_refused).contains(&refused.len()), "{refused:#?}");
    for line in failed.iter().chain(&turned_away).chain(&links).chain(&refused) {
        assert!(line.starts_with("INFO ") && line.contains("127.0.0.1"), "{line}");
    }
}

/// All of it, the pages and every library too. A log within this process would not do: what another test logs first, without one, is given up for all.
#[tokio::test]
async fn the_program_logs_no_key_no_token_and_no_password_however_much_it_logs() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let settings = [("AFTERLIVE__LOG__FILTER", "trace"), ("AFTERLIVE__SECOND_FACTOR__KEY", SECOND_FACTOR_KEY)];
    let serving = Serving::logging_to(&log, afterlive(folder.path(), &["serve"], &settings));
    let rtmp_port: u16 = serving.printed_after("rtmp://localhost:").split('/').next().unwrap().parse().unwrap();
    let rtmp = SocketAddr::from(([127, 0, 0, 1], rtmp_port));
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let talk = Talk::new(client, serving.printed_after("Dashboard"));
    let html = ("accept", "text/html");

    let set_up = serving.printed_after("/setup?token=").to_owned();
    assert_eq!(talk.send(&format!("GET /setup?token={set_up}"), &[html], String::new()).await.0, 200);
    let arguments = ["setup", "--email", "ada@example.com", "--password-stdin"];
    let made = run(afterlive(folder.path(), &arguments, &settings), PASSWORD);
    let told_by_command = String::from_utf8_lossy(&made.stderr).into_owned();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let admin = made["api_key"].as_str().unwrap().to_owned();
    let by_key = [("x-bintu-apikey", admin.as_str())];

    let body = json!({ "label": "Website", "kind": "player" });
    let player = talk.json("POST /organisation/apikey", &by_key, &body).await["key"].as_str().unwrap().to_owned();
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    let token = talk.json("POST /user/validate", &[], &credentials).await["token"].as_str().unwrap().to_owned();
    let stream = talk.json("POST /stream", &by_key, &json!({})).await["id"].as_str().unwrap().to_owned();
    let playback = talk.json("POST /token/playback", &by_key, &json!({ "expires_in_s": 600 })).await;
    let playback = playback["token"].as_str().unwrap().to_owned();
    talk.json("POST /apikey", &[], &json!({ "apikey": admin })).await;
    talk.json("POST /token/verify", &by_key, &json!({ "token": playback })).await;

    let print = ["user", "password-link", "--email", "ada@example.com"];
    let printed = run(afterlive(folder.path(), &print, &settings), "");
    let told_by_command = told_by_command + &String::from_utf8_lossy(&printed.stderr);
    let link = String::from_utf8(printed.stdout).unwrap().trim().rsplit_once('/').unwrap().1.to_owned();

    // Where each is to be sent, and where nobody should send it.
    for secret in [&admin, &player, &token, &playback, &set_up, &link] {
        for path in [
            "/apikey/SECRET",
            "/APIKEY/SECRET",
            "/apikey/SECRET/x",
            "/organisation/apikey/SECRET",
            "/stream/SECRET",
            "/invitation/SECRET",
            "/password/SECRET",
            "/SECRET?key=SECRET",
            "/live/SECRET/ws",
            "/vod-eu/SECRET.mp4",
            "/stream?token=SECRET",
        ] {
            for method in ["GET", "POST", "DELETE"] {
                let call = format!("{method} {}", path.replace("SECRET", secret));
                for accept in [html, ("accept", "*/*")] {
                    talk.send(&call, &[accept], String::new()).await;
                }
            }
        }
        for header in ["x-bintu-apikey", "x-bintu-token", "x-bintu-playerkey", "cookie"] {
            talk.send(&format!("GET /stream/{stream}?token={playback}"), &[(header, secret)], String::new()).await;
        }
        let bearer = format!("Bearer {secret}");
        talk.send("GET /stream", &[("authorization", &bearer)], String::new()).await;
        // People paste a key where the stream's name belongs.
        for name in [secret.clone(), format!("8sKpm-x49nB&passcode={secret}"), format!("8sKpm-x49nB?passcode={secret}")] {
            let (_, code, _) = Encoder::publish(rtmp, "rec", &name).await;
            assert_eq!(code, "NetStream.Publish.BadName");
            let name = name.replace('&', "%26").replace('?', "%3F");
            let whip = format!("POST /p/webrtc?stream_name={name}&stream_url=rtmp://localhost/rec");
            let refused = talk.send(&whip, &[("content-type", "application/sdp")], "v=0\r\n".to_owned()).await;
            assert_eq!(refused.0, 404, "{}", refused.2);
        }
    }
    let form = |password: &str| format!("email=ada%40example.com&password={}", password.replace(' ', "+"));
    let as_form = [("content-type", "application/x-www-form-urlencoded")];
    talk.send("POST /ui/sign_in", &as_form, form(&format!("{PASSWORD}x"))).await;
    let (status, cookie, _) = talk.send("POST /ui/sign_in", &as_form, form(PASSWORD)).await;
    let (_, cookie) = cookie.split_once('=').unwrap_or_else(|| panic!("{status}: it sets a cookie"));
    let signed_in = format!("afterlive_session={cookie}");
    // The same browser, in which somebody types wrong, and looks around.
    let known_by = talk.known_by.lock().unwrap().last().cloned().expect("it is known from now on");
    let browser = format!("afterlive_browser={known_by}");
    let by_browser = [as_form[0], ("cookie", browser.as_str())];
    talk.send("POST /ui/sign_in", &by_browser, form(&format!("{PASSWORD}x"))).await;
    for path in ["/", "/organisation", "/SECRET", "/stream?token=SECRET"] {
        let call = format!("GET {}", path.replace("SECRET", &known_by));
        talk.send(&call, &[html, ("cookie", &browser)], String::new()).await;
    }
    // A page of ours asks for the rest with its own address beside.
    let referer = format!("{}/password/{link}", talk.url);
    talk.send("GET /favicon.svg", &[("referer", &referer)], String::new()).await;
    let invited = "email=bob%40example.com&role=nanoUser".to_owned();
    let by_cookie = [("content-type", "application/x-www-form-urlencoded"), ("cookie", signed_in.as_str())];
    assert_eq!(talk.send("POST /ui/invite", &by_cookie, invited).await.0, 200);
    let (_, _, flash) =
        talk.send("POST /ui/take_flash", &[("content-type", "application/json"), ("cookie", &signed_in)], "{}".to_owned()).await;
    let invitation = flash.split_once("/invitation/").unwrap_or_else(|| panic!("{flash}")).1[..64].to_owned();
    let password = PASSWORD.replace(' ', "+");
    for (function, secret) in [("accept_invitation", &invitation), ("choose_password", &link)] {
        let fields = format!("secret={secret}&password={password}");
        let (status, cookie, text) = talk.send(&format!("POST /ui/{function}"), &as_form, fields).await;
        assert!(cookie.starts_with("afterlive_session="), "{function}: {status} {text}");
    }
    let (_, cookie_then, _) = talk.send("POST /ui/sign_in", &by_browser, form(PASSWORD)).await;
    assert!(talk.known_by.lock().unwrap().iter().any(|other| *other != known_by), "by another secret than before");
    let (_, cookie_then) = cookie_then.split_once('=').unwrap();
    let signed_in = format!("afterlive_session={cookie_then}");
    for path in ["/", "/organisation", "/events"] {
        // The last of them does not end.
        let asked = talk.client.get(format!("{}{path}", talk.url)).header("cookie", &signed_in).header("accept", "text/html");
        assert_eq!(asked.send().await.unwrap().status().as_u16(), 200, "{path}");
    }

    // A publish key, in all places where encoders have it, and where none should.
    talk.json("PUT /organisation/publish_key", &by_key, &json!({ "required": true })).await;
    let ingest = talk.json(&format!("GET /stream/{stream}"), &by_key, &json!({})).await["ingest"]["rtmp"].clone();
    let named = ingest["streamname"].as_str().unwrap();
    let (name, publish_key) = named.split_once("?key=").unwrap();
    let app = format!("live?key={publish_key}");
    // The second finds it live, or, where it is wrong, is refused before. A `?` that is not read as one makes the key a part of the name.
    let wrong = format!("{name}?key=x{publish_key}");
    let (behind, encoded) = (format!("{name}&key={publish_key}"), format!("{name}%3Fkey%3D{publish_key}"));
    let mut publishers = Vec::new();
    for (app, name) in [
        ("live", named),
        (app.as_str(), name),
        ("live", wrong.as_str()),
        ("live", behind.as_str()),
        ("live", encoded.as_str()),
        ("play", named),
    ] {
        publishers.push(Encoder::publish(rtmp, app, name).await);
    }
    assert_eq!(publishers[0].1, "NetStream.Publish.Start", "{}", publishers[0].2);
    let encoded: String = url::form_urlencoded::byte_serialize(named.as_bytes()).collect();
    let whip = format!("/p/webrtc?stream_name={encoded}&stream_url=rtmp://localhost/live");
    for path in [
        whip.as_str(),
        &format!("/stream/{publish_key}"),
        &format!("/live/{named}/ws"),
        &format!("/live/{name}/ws?key={publish_key}"),
    ] {
        for method in ["GET", "POST"] {
            talk.send(&format!("{method} {path}"), &[("content-type", "application/sdp")], "v=0".to_owned()).await;
        }
    }
    let renewed = talk.json(&format!("POST /stream/{stream}/publish_key"), &by_key, &json!({})).await["ingest"]["rtmp"].clone();
    let renewed_key = renewed["streamname"].as_str().unwrap().split_once("?key=").unwrap().1;
    assert_ne!(renewed_key, publish_key);
    let (renewed_named, renewed_behind) = (format!("{name}?key={renewed_key}"), format!("{name}&key={renewed_key}"));
    for named in [named, renewed_named.as_str(), renewed_behind.as_str()] {
        // What has the right one finds the stream live.
        assert_ne!(Encoder::publish(rtmp, "live", named).await.1, "NetStream.Publish.Start");
    }
    // The same slips by WHIP, where a letter is escaped once too often.
    for key in [publish_key, renewed_key] {
        for name in [format!("{name}%26key%3D{key}"), format!("{name}%253Fkey%253D{key}")] {
            let whip = format!("POST /p/webrtc?stream_name={name}&stream_url=rtmp://localhost/live");
            let refused = talk.send(&whip, &[("content-type", "application/sdp")], "v=0\r\n".to_owned()).await;
            assert_eq!(refused.0, 404, "{}", refused.2);
        }
    }

    // What signs events, where it is made, read, rotated, and used for what cannot be delivered.
    let url = format!("http://no-such-host.invalid/{PASSWORD_IN_URL}");
    let endpoint = talk.json("POST /organisation/endpoint", &by_key, &json!({ "url": url })).await;
    let of_endpoint = format!("/organisation/endpoint/{}", endpoint["id"].as_str().unwrap());
    let signing = endpoint["secret"].as_str().unwrap().to_owned();
    talk.json(&format!("GET {of_endpoint}/secret"), &by_key, &json!({})).await;
    let rotated = talk.json(&format!("POST {of_endpoint}/secret"), &by_key, &json!({})).await;
    let rotated = rotated["secret"].as_str().unwrap().to_owned();
    talk.json(&format!("POST {of_endpoint}/test"), &by_key, &json!({})).await;
    loop {
        let told = talk.json(&format!("GET {of_endpoint}/delivery"), &by_key, &json!({})).await;
        if told[0]["finished_at"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let of_second_factor = a_second_factor(&talk, &signed_in).await;

    let log = std::fs::read_to_string(&log).unwrap() + &told_by_command;
    assert!(
        ["TRACE", "answered", "/apikey/…", "made a session token", "a publish was refused", "set up a second factor"]
            .iter()
            .all(|words| log.contains(words)),
        "it is the log"
    );
    let halves = |token: &str| token.split('.').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let mut secrets = vec![
        publish_key.to_owned(),
        renewed_key.to_owned(),
        set_up,
        link,
        invitation,
        PASSWORD.to_owned(),
        password,
        cookie.to_owned(),
        cookie_then.to_owned(),
        PASSWORD_IN_URL.to_owned(),
        SECOND_FACTOR_KEY.to_owned(),
    ];
    secrets.extend(talk.known_by.lock().unwrap().iter().cloned());
    secrets.extend(of_second_factor);
    secrets.extend([&signing, &rotated].map(|secret| secret["whsec_".len()..].to_owned()));
    secrets.extend([&admin, &player].map(|key| key[6..].to_owned()));
    secrets.extend([&token, &playback].into_iter().flat_map(|token| halves(token)));
    let parts: HashSet<&[u8]> =
        secrets.iter().flat_map(|secret| secret.as_bytes().windows(secret.len().min(MOST_LETTERS + 1))).collect();
    let lengths: HashSet<usize> = parts.iter().map(|part| part.len()).collect();
    let tells = |line: &str| lengths.iter().any(|length| line.as_bytes().windows(*length).any(|part| parts.contains(part)));
    let lines: Vec<&str> = log.lines().filter(|line| tells(line)).collect();
    assert!(lines.is_empty(), "a secret is in the log: {lines:#?}");
}

fn question(cookie: &str) -> [(&str, &str); 2] {
    [("content-type", "application/json"), ("cookie", cookie)]
}

/// Sets one up and signs in with it, by code and by recovery code, and gives all that is a secret of it: but for the codes of six digits, which stand in every time
/// of a log.
async fn a_second_factor(talk: &Talk, signed_in: &str) -> Vec<String> {
    let form = [("content-type", "application/x-www-form-urlencoded"), ("cookie", signed_in)];
    let present = format!("present={}", PASSWORD.replace(' ', "+"));
    let (status, ..) = talk.send("POST /ui/begin_second_factor", &form, present).await;
    assert_eq!(status, 200);
    let (_, _, offer) = talk.send("POST /ui/second_factor_offer", &question(signed_in), "{}".to_owned()).await;
    let offer: Value = serde_json::from_str(&offer).unwrap();
    let secret = offer["secret"].as_str().unwrap().to_owned();
    let app = App::with(&secret);
    let now_s = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for code in ["000000".to_owned(), app.at(now_s() - 30)] {
        talk.send("POST /ui/confirm_second_factor", &form, format!("code={code}")).await;
    }
    let session = |cookie: &str| format!("afterlive_session={}", cookie.split_once('=').unwrap().1);
    let mut secrets = vec![secret];
    let mut codes = Vec::new();
    for _ in 0..2 {
        let credentials = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
        let (_, half, _) = talk.send("POST /ui/sign_in", &form[..1], credentials).await;
        let half = session(&half);
        let with_half = [form[0], ("cookie", half.as_str())];
        talk.send("POST /ui/sign_in_with_code", &with_half, "code=000000".to_owned()).await;
        let code = codes.pop().unwrap_or_else(|| app.at(now_s()));
        let (_, cookie, _) = talk.send("POST /ui/sign_in_with_code", &with_half, format!("code={code}")).await;
        let cookie = session(&cookie);
        let renew =
            format!("present={}&code={}", PASSWORD.replace(' ', "+"), codes.pop().unwrap_or_else(|| app.at(now_s() + 30)));
        talk.send("POST /ui/renew_recovery_codes", &[form[0], ("cookie", &cookie)], renew).await;
        let (_, _, flash) = talk.send("POST /ui/take_flash", &question(&cookie), "{}".to_owned()).await;
        let flash: Value = serde_json::from_str(&flash).unwrap();
        codes = flash["RecoveryCodes"]["codes"]
            .as_array()
            .unwrap_or_else(|| panic!("{flash}"))
            .iter()
            .map(|code| code.as_str().unwrap().to_owned())
            .collect();
        secrets.extend(codes.iter().flat_map(|code| [code.clone(), code.replace('-', "")]));
        secrets.extend([half, cookie].map(|cookie| cookie["afterlive_session=".len()..].to_owned()));
    }
    secrets
}
