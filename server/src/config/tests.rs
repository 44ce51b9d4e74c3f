use std::time::Duration;

use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

fn from_env(variables: &[(&str, &str)]) -> Result<Config, Error> {
    Config::from_sources(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn from_toml(text: &str) -> Result<Config, Error> {
    Config::from_sources(Some(("afterlive.toml".to_owned(), text)), [])
}

fn defaults() -> Config {
    from_env(&[]).unwrap()
}

/// The URLs of the example are the defaults, written out: they differ in nothing but that.
fn as_if_derived(mut config: Config) -> Config {
    config.http.public_url_is_default = true;
    config.rtmp.public_url_is_default = true;
    for region in config.regions.values_mut() {
        region.vod_url_is_default = true;
    }
    config
}

#[test]
fn the_example_has_every_key_and_says_the_defaults() {
    assert_eq!(as_if_derived(from_toml(EXAMPLE).unwrap()), defaults());

    let mut reader = Reader::new(None, []);
    Config::read(&mut reader);
    for key in reader.known() {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let body = if section.is_empty() {
            EXAMPLE
        } else {
            let start = EXAMPLE.find(&format!("\n[{section}]\n")).unwrap_or_else(|| panic!("the example has no [{section}]"));
            let body = &EXAMPLE[start + 2..];
            &body[..body.find("\n[").unwrap_or(body.len())]
        };
        let there = body.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} =")));
        assert!(there, "the example has no {key}");
    }
}

#[test]
fn an_empty_configuration_is_a_server_on_this_machine() {
    let config = defaults();
    assert_eq!(config.http.public_url, "http://localhost:3000");
    assert_eq!(config.rtmp.public_url, "rtmp://localhost:1935");
    assert_eq!(config.database, Location::Sqlite("data/afterlive.db".into()));
    let regions: Vec<&str> = config.regions.keys().map(Region::as_str).collect();
    assert_eq!(regions, ["au", "eu", "us"]);
    let us = &config.regions[&"us".parse().unwrap()];
    assert_eq!((us.storage.to_str(), us.vod_url.as_str()), (Some("data/vod/us"), "http://localhost:3000/vod-us"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "[http]\nlisten = \"127.0.0.1:4000\"\n[rtmp]\nidle_timeout_s = 20\n";
    let environment = [("AFTERLIVE__HTTP__LISTEN", "0.0.0.0:5000"), ("AFTERLIVE__RTMP__MAX_CHUNK_STREAMS", "32"), ("HOME", "/")];
    let config = Config::from_sources(
        Some(("afterlive.toml".to_owned(), file)),
        environment.map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
    .unwrap();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:5000");
    assert_eq!(config.http.public_url, "http://localhost:5000");
    assert_eq!((config.rtmp.idle_timeout, config.rtmp.max_chunk_streams), (Duration::from_secs(20), 32));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_key() {
    let file = "
        color = 1
        [http]
        listen = \"localhost\"
        public_url = \"ftp://x\"
        [rtmp]
        lisen = \"127.0.0.1:1935\"
        idle_timeout_s = 0
        max_connections = \"many\"
        [node]
        region = \"mars\"
        [log]
        format = \"xml\"
        [regions.Moon]
        storage = \"/x\"
        [regions.us]
        storage = \"s3://bucket\"
        ingest_hosts = [3]
        [regions.au]
        vod_url = \"http://u:p@host\"
    ";
    let Error(problems) = Config::from_sources(
        Some(("my.toml".to_owned(), file)),
        [
            ("AFTERLIVE__DATABASE__URL".to_owned(), "mysql://u:secret@h/d".to_owned()),
            ("AFTERLIVE__DATADIR".to_owned(), "x".to_owned()),
        ],
    )
    .unwrap_err();
    let text = Error(problems.clone()).to_string();
    for key in [
        "color (my.toml)",
        "http.listen (my.toml)",
        "http.public_url (my.toml)",
        "rtmp.lisen (my.toml)",
        "rtmp.idle_timeout_s (my.toml)",
        "rtmp.max_connections (my.toml)",
        "node.region",
        "log.format",
        "regions.Moon",
        "regions.us.storage",
        "regions.us.ingest_hosts",
        "regions.au.vod_url",
        "database.url",
        "datadir (AFTERLIVE__DATADIR)",
    ] {
        assert!(text.contains(&format!("\n  {key}")), "{key} is missing in:\n{text}");
    }
    assert!(text.contains("is rtmp.listen meant?") && text.contains("is data_dir meant?"), "{text}");
    assert!(!text.contains("secret") && !text.contains("u:p"), "{text}");
}

#[test]
fn a_secret_comes_from_a_file_too_but_not_from_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://me:secret@localhost/afterlive\n").unwrap();
    let path = path.to_str().unwrap();
    let config = from_env(&[("AFTERLIVE__DATABASE__URL_FILE", path)]).unwrap();
    assert_eq!(config.database, Location::Postgres("postgres://me:secret@localhost/afterlive".to_owned()));

    let both = [("AFTERLIVE__DATABASE__URL_FILE", path), ("AFTERLIVE__DATABASE__URL", "sqlite://x.db")];
    assert!(from_env(&both).unwrap_err().to_string().contains("only one of"));
    let missing = [("AFTERLIVE__DATABASE__URL_FILE", "/nowhere/url")];
    assert!(
        from_env(&missing).unwrap_err().to_string().contains("database.url_file (AFTERLIVE__DATABASE__URL_FILE): /nowhere/url")
    );
}

#[test]
fn regions_are_added_and_changed_but_must_differ() {
    let config = from_toml(
        "[node]\nregion = \"de\"\n[regions.de]\ningest_hosts = [\"Live.Example.com\"]\n[regions.eu]\nvod_url = \"https://vod.example.com/\"\n",
    )
    .unwrap();
    assert_eq!(config.regions.len(), 4);
    assert_eq!(config.regions[&config.region].ingest_hosts, ["live.example.com"]);
    assert_eq!(config.regions[&europe()].vod_url, "https://vod.example.com");

    let same = from_toml("[regions.de]\nstorage = \"data/vod/eu\"\nvod_url = \"http://localhost:3000/vod-us\"\n").unwrap_err();
    let keys: Vec<&str> = same.0.iter().map(|problem| problem.key.as_str()).collect();
    assert!(keys.contains(&"regions.de.storage") && keys.contains(&"regions.de.vod_url"), "{keys:?}");
}

#[test]
fn what_is_kept_has_its_ranges_and_room_is_made_before_recording_ends() {
    let config = from_toml("[record]\nmax_duration_s = 60\n[retention]\nmax_age_days = 90\n").unwrap();
    let rules = config.recording_rules();
    assert_eq!((rules.max_duration_s, rules.max_bytes, rules.reconnect_window_s, rules.retention_days), (60, 0, 30, 90));
    assert_eq!((config.retention.min_free_bytes, config.retention.bin_days), (0, 7));
    let wrong = "[record]\nreconnect_window_s = 3601\n[retention]\nmin_free_bytes = 1\nbin_days = 3651\nmax_age_days = 36501\n";
    let keys: Vec<String> = from_toml(wrong).unwrap_err().0.into_iter().map(|problem| problem.key).collect();
    assert_eq!(
        keys,
        ["record.reconnect_window_s", "retention.max_age_days", "retention.bin_days", "retention.min_free_bytes"],
        "{keys:?}"
    );
    from_toml("[record]\nmin_free_bytes = 5\n[retention]\nmin_free_bytes = 5\n").unwrap();
}

#[test]
fn urls_that_are_not_set_follow_the_port_that_the_system_gave() {
    let free = [("AFTERLIVE__HTTP__LISTEN", "127.0.0.1:0"), ("AFTERLIVE__REGIONS__US__VOD_URL", "https://vod-us.example.com")];
    let address = |text: &str| text.parse().unwrap();
    let bound = Bound { http: address("127.0.0.1:4001"), https: None, rtmp: address("127.0.0.1:4002"), rtmps: None };
    let bound = from_env(&free).unwrap().with_bound(bound);
    assert_eq!(bound.http.public_url, "http://localhost:4001");
    assert_eq!(bound.rtmp.public_url, "rtmp://localhost:4002");
    assert_eq!(bound.regions[&europe()].vod_url, "http://localhost:4001/vod-eu");
    assert_eq!(bound.regions[&"us".parse().unwrap()].vod_url, "https://vod-us.example.com");
}

const FILES: [(&str, &str); 2] = [("AFTERLIVE__TLS__CERTIFICATE", "fullchain.pem"), ("AFTERLIVE__TLS__KEY", "privkey.pem")];

#[test]
fn who_listens_for_other_machines_is_told_to_name_this_one() {
    let warning = |variables: &[(&str, &str)]| from_env(variables).unwrap().http.unreachable_url();
    let listen = |address| ("AFTERLIVE__HTTP__LISTEN", address);
    for address in ["0.0.0.0:3000", "[::]:3000"] {
        let text = warning(&[listen(address)]).unwrap();
        let told = [address, "http://localhost:3000", "set http.public_url", "such as http://THIS_HOST:3000"];
        assert!(told.iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(warning(&[listen(address), ("AFTERLIVE__HTTP__PUBLIC_URL", "http://localhost:3000")]), None);
    }
    for reachable in ["127.0.0.1:3000", "[::1]:3000", "192.0.2.7:3000"] {
        assert_eq!(warning(&[listen(reachable)]), None, "{reachable}");
    }
    let by_tls = [FILES.as_slice(), &[("AFTERLIVE__HTTP__TLS_LISTEN", "0.0.0.0:443")]].concat();
    assert!(warning(&by_tls).unwrap().contains("0.0.0.0:443"));
}

#[test]
fn who_names_a_certificate_has_tls_on_both() {
    let config = from_env(&FILES).unwrap();
    assert_eq!(config.http.tls_listen.unwrap().to_string(), "127.0.0.1:3443");
    assert_eq!(config.rtmp.tls_listen.unwrap().to_string(), "127.0.0.1:1937");
    assert_eq!(config.http.public_url, "https://localhost:3443");
    assert_eq!(
        (config.rtmp.public_url.as_str(), config.rtmp.tls_public_url.as_deref()),
        ("rtmp://localhost:1935", Some("rtmps://localhost:1937"))
    );
    assert_eq!(config.regions[&europe()].vod_url, "https://localhost:3443/vod-eu");
    assert_eq!(config.tls_hosts(), ["localhost"]);

    let free =
        [FILES.as_slice(), &[("AFTERLIVE__HTTP__LISTEN", "127.0.0.1:0"), ("AFTERLIVE__RTMP__LISTEN", "127.0.0.1:0")]].concat();
    let config = from_env(&free).unwrap();
    assert_eq!([config.http.tls_listen, config.rtmp.tls_listen].map(|listen| listen.unwrap().port()), [0, 0]);
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let bound = Bound { http: address(1), https: Some(address(443)), rtmp: address(3), rtmps: Some(address(4)) };
    let config = config.with_bound(bound);
    assert_eq!(config.http.public_url, "https://localhost");
    assert_eq!(config.rtmp.tls_public_url.as_deref(), Some("rtmps://localhost:4"));
}

#[test]
fn one_of_both_can_be_left_to_a_proxy_and_neither_is_there_without_a_certificate() {
    let off = [
        FILES.as_slice(),
        &[("AFTERLIVE__HTTP__TLS_LISTEN", "off"), ("AFTERLIVE__HTTP__PUBLIC_URL", "https://live.example.com")],
    ]
    .concat();
    let config = from_env(&off).unwrap();
    assert_eq!(config.http.tls_listen, None);
    assert_eq!(config.rtmp.tls_public_url.as_deref(), Some("rtmps://live.example.com:1937"));
    assert_eq!(config.tls_hosts(), ["live.example.com"]);
    let behind_a_proxy = from_env(&[("AFTERLIVE__RTMP__TLS_PUBLIC_URL", "rtmps://live.example.com:443")]).unwrap();
    assert_eq!((behind_a_proxy.rtmp.tls_listen, behind_a_proxy.tls_hosts()), (None, Vec::new()));

    for wrong in [
        &FILES[..1],
        &FILES[1..],
        &[("AFTERLIVE__HTTP__TLS_LISTEN", "0.0.0.0:443")],
        &[("AFTERLIVE__RTMP__TLS_LISTEN", "yes")],
        &[("AFTERLIVE__RTMP__TLS_PUBLIC_URL", "rtmp://live.example.com")],
    ] {
        assert_eq!(from_env(wrong).unwrap_err().0.len(), 1, "{wrong:?}");
    }
}
