use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::*;
use crate::service::jwt::HEADER;

/// 2026-11-04T17:09:19.899Z
const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

fn key(byte: u8) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
}

fn claims() -> Claims {
    Claims {
        id: TokenId(Uuid::from_u128(7)),
        organisation: "8sKpm".parse().unwrap(),
        scope: Scope::Organisation,
        not_before: None,
        expires_at: UnixMillis(1_793_815_759_000),
        networks: Vec::new(),
        sites: Vec::new(),
    }
}

#[test]
fn a_token_is_a_jwt_that_is_read_back() {
    let scopes = [
        Scope::Organisation,
        Scope::Stream { id: StreamId(Uuid::from_u128(9)), streamname: "8sKpm-x49nB".parse().unwrap() },
        Scope::Tags(Tags::new(["a", "b, c"]).unwrap()),
    ];
    for scope in scopes {
        let claims = Claims {
            scope,
            not_before: Some(UnixMillis(1_793_812_000_000)),
            networks: vec![network("203.0.113.7").unwrap(), network("2001:db8::1/32").unwrap()],
            sites: vec![Site::parse("*.example.com").unwrap()],
            ..claims()
        };
        let token = claims.sign(&key(1));
        assert_eq!(Claims::read(Some(&key(1)), &token), Ok(claims));
        let parts: Vec<&str> = token.split('.').collect();
        let json = |part: &str| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert_eq!(json(parts[0]), r#"{"alg":"HS256","typ":"JWT"}"#);
        assert!(json(parts[1]).contains(r#""exp":1793815759,"nbf":1793812000,"org":"8sKpm""#), "{}", json(parts[1]));
    }
}

/// RFC 7515 §A.1: its key, and what the same key makes of our header.
#[test]
fn the_signature_is_the_one_of_rfc_7515() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_URL_SAFE_NO_PAD.decode(secret).unwrap());
    let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let tag = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    assert_eq!(tag, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn what_another_key_signed_what_was_changed_and_what_has_no_signature_is_refused() {
    let token = claims().sign(&key(1));
    assert_eq!(Claims::read(Some(&key(2)), &token), Err(Refused::BadSignature));
    assert_eq!(Claims::read(None, &token), Err(Refused::BadSignature));
    let (signed, tag) = token.rsplit_once('.').unwrap();
    let other = Claims { expires_at: UnixMillis(i64::MAX), ..claims() }.sign(&key(2));
    let (other_signed, _) = other.rsplit_once('.').unwrap();
    assert_eq!(Claims::read(Some(&key(1)), &format!("{other_signed}.{tag}")), Err(Refused::BadSignature));
    assert_eq!(Claims::read(Some(&key(1)), &format!("{signed}.")), Err(Refused::BadSignature));
    assert_eq!(Claims::read(Some(&key(1)), &format!("{signed}.{}", &tag[..40])), Err(Refused::BadSignature));

    // No algorithm but the one: neither none, nor a stronger one, nor the same in other words.
    let payload = signed.split('.').nth(1).unwrap();
    for header in [r#"{"alg":"none","typ":"JWT"}"#, r#"{"alg":"HS512","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"HS256"}"#] {
        let signed = format!("{}.{payload}", BASE64_URL_SAFE_NO_PAD.encode(header));
        let tag = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key(1), signed.as_bytes()));
        assert_eq!(Claims::read(Some(&key(1)), &format!("{signed}.{tag}")), Err(Refused::Malformed), "{header}");
    }
    for nonsense in ["", ".", "..", "a.b.c", "ä", &"a".repeat(MAX_TOKEN_BYTES)] {
        assert_eq!(Claims::read(Some(&key(1)), nonsense), Err(Refused::Malformed), "{nonsense}");
    }
    assert_eq!(Claims::read(Some(&key(1)), &"a".repeat(MAX_TOKEN_BYTES + 1)), Err(Refused::TooLong));
}

#[test]
fn a_claim_that_this_version_does_not_know_is_not_passed_over() {
    let sign = |json: &str| {
        let signed = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(json));
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key(1), signed.as_bytes())))
    };
    let id = TokenId(Uuid::from_u128(7));
    let read = |rest: &str| Claims::read(Some(&key(1)), &sign(&format!(r#"{{"jti":"{id}","org":"8sKpm"{rest}}}"#)));
    assert!(read(r#","exp":1793815759"#).is_ok());
    for rest in [
        "",
        r#","exp":"1793815759""#,
        r#","exp":1793815759,"device":"x""#,
        r#","exp":1793815759,"stream":"00000000-0000-0000-0000-000000000009""#,
        r#","exp":1793815759,"tags":[]"#,
        r#","exp":1793815759,"ips":["nowhere"]"#,
        r#","exp":1793815759,"domains":["*"]"#,
    ] {
        assert_eq!(read(rest), Err(Refused::Malformed), "{rest}");
    }
}

#[test]
fn time_is_checked_with_a_little_leeway() {
    let claims = Claims { not_before: Some(UnixMillis(1_793_812_160_000)), ..claims() };
    let (from, to, leeway_ms) = (claims.not_before.unwrap(), claims.expires_at, LEEWAY_S * 1_000);
    assert_eq!(claims.check_time(NOW), Ok(()));
    assert_eq!(claims.check_time(from.plus_ms(-leeway_ms)), Ok(()));
    assert_eq!(claims.check_time(from.plus_ms(-leeway_ms - 1)), Err(Refused::NotYet(from)));
    assert_eq!(claims.check_time(to.plus_ms(leeway_ms - 1)), Ok(()));
    let late = claims.check_time(to.plus_ms(leeway_ms)).unwrap_err();
    assert_eq!(late.to_string(), "the token expired at 2026-11-04T18:09:19.000Z");
}

#[test]
fn addresses_are_those_named_or_within_a_network() {
    let of = |texts: &[&str]| Claims { networks: texts.iter().map(|text| network(text).unwrap()).collect(), ..claims() };
    let bound = of(&["203.0.113.7", "10.1.2.3/8", "2001:db8::/32", "::ffff:198.51.100.1"]);
    for good in ["203.0.113.7", "10.255.0.1", "::ffff:10.0.0.1", "2001:db8:9::1", "198.51.100.1"] {
        assert_eq!(bound.check_address(good.parse().unwrap()), Ok(()), "{good}");
    }
    for bad in ["203.0.113.8", "11.0.0.1", "2001:db9::1", "::1"] {
        assert!(bound.check_address(bad.parse().unwrap()).is_err(), "{bad}");
    }
    assert_eq!(of(&[]).check_address("192.0.2.1".parse().unwrap()), Ok(()));
    for nonsense in ["", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.1-9", "*"] {
        assert_eq!(network(nonsense), None, "{nonsense}");
    }
}

#[test]
fn sites_are_those_named_or_below_a_named_one() {
    let of = |texts: &[&str]| Claims { sites: texts.iter().map(|text| Site::parse(text).unwrap()).collect(), ..claims() };
    let bound = of(&["Example.com", "*.example.org", "https://player.example.net:8443/page"]);
    for good in ["example.com", "EXAMPLE.com", "example.com.", "a.example.org", "a.b.example.org", "player.example.net"] {
        assert_eq!(bound.check_site(Some(good)), Ok(()), "{good}");
    }
    for bad in ["www.example.com", "example.org", ".example.org", "badexample.org", "example.com.evil.test", "ä.test", ""] {
        assert_eq!(bound.check_site(Some(bad)), Err(Refused::OtherSite(bad.to_owned())), "{bad}");
    }
    assert_eq!(bound.check_site(None), Err(Refused::NoSite));
    assert_eq!(of(&[]).check_site(None), Ok(()));
    for nonsense in ["", "*", "*.", "*.*.com", "a..b", "exa mple.com", ".com", &"a".repeat(254)] {
        assert_eq!(Site::parse(nonsense), None, "{nonsense}");
    }
}
