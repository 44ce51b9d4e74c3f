//! Tokens by keys of the tests' own, right and wrong in one thing each.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, encode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::super::keys::Keys;
use super::*;

const NOW: UnixMillis = UnixMillis(1_793_812_159_899);
const NOW_S: i64 = NOW.0 / 1_000;
const ISSUER: &str = "https://login.example.com/realms/x";

fn es256() -> EncodingKey {
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EncodingKey::from_ec_der(pair.as_ref())
}

fn rs256() -> EncodingKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_der();
    // Behind what PKCS #8 says of a key of 2,048 bits is the key as PKCS #1 has it.
    EncodingKey::from_rsa_der(&pair[26..])
}

/// As the provider lists it.
fn listed(key: &EncodingKey, algorithm: Algorithm, kid: Option<&str>) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = kid.map(str::to_owned);
    serde_json::to_value(&jwk).unwrap()
}

fn keys(listed: &[Value]) -> Keys {
    Keys::read(json!({ "keys": listed }).to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "248289761001", "aud": "afterlive", "nonce": "a nonce", "exp": NOW_S + 300, "iat": NOW_S - 2,
        "email": "ada@example.com", "email_verified": true,
    })
}

fn signed(key: &EncodingKey, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let header = jsonwebtoken::Header { kid: kid.map(str::to_owned), ..jsonwebtoken::Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn with_header(header: &Value, token: &str) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// As the provider's own reading has it, without asking anybody.
fn judged(token: &str, keys: &Keys) -> Result<Claims, Unfit> {
    let (header, algorithm) = header(token)?;
    let key = keys.find(header.kid.as_deref(), algorithm).ok_or(Unfit::UnknownKey)?;
    read(token, algorithm, &key, &Expected { issuer: ISSUER, client_id: "afterlive", nonce: "a nonce", now: NOW })
}

fn why(token: &str, keys: &Keys) -> Option<Unfit> {
    judged(token, keys).err()
}

#[test]
fn who_is_named_by_a_listed_key_is_taken_for_who_they_are() {
    for (key, algorithm) in [(es256(), Algorithm::ES256), (rs256(), Algorithm::RS256)] {
        let keys = keys(&[listed(&key, algorithm, Some("one")), json!({ "kty": "of the future" })]);
        let found = judged(&signed(&key, algorithm, Some("one"), &claims()), &keys).unwrap();
        assert_eq!((found.sub.as_str(), found.mailbox.email.as_deref()), ("248289761001", Some("ada@example.com")));
        assert!(found.mailbox.is_verified());
    }
}

#[test]
fn a_token_that_is_wrong_in_one_thing_says_nothing() {
    let key = es256();
    let keys = keys(&[listed(&key, Algorithm::ES256, Some("one"))]);
    let because = |name: &str, value: Value| {
        let mut wrong = claims();
        wrong[name] = value;
        why(&signed(&key, Algorithm::ES256, Some("one"), &wrong), &keys)
    };
    assert_eq!(because("iss", json!("https://login.example.com/realms/y")), Some(Unfit::Issuer));
    assert_eq!(because("iss", json!(format!("{ISSUER}/"))), Some(Unfit::Issuer));
    assert_eq!(because("aud", json!("another")), Some(Unfit::Audience));
    assert_eq!(because("aud", json!([])), Some(Unfit::Audience));
    assert_eq!(because("aud", json!(["another", "afterlive"])), Some(Unfit::Audience), "it was made for the other");
    assert_eq!(because("aud", json!(["afterlive"])), None);
    assert_eq!(because("azp", json!("another")), Some(Unfit::Audience));
    assert_eq!(because("azp", json!("afterlive")), None);
    assert_eq!(because("nonce", json!("another")), Some(Unfit::Nonce));
    assert_eq!(because("nonce", Value::Null), Some(Unfit::Nonce));
    assert_eq!(because("sub", json!("")), Some(Unfit::Subject));
    assert_eq!(because("sub", json!("x".repeat(256))), Some(Unfit::Subject));
    assert_eq!(because("sub", json!("a\nb")), Some(Unfit::Subject));
    for missing in ["sub", "iss", "aud", "exp", "iat"] {
        assert_eq!(because(missing, Value::Null), Some(Unfit::Malformed), "{missing}");
    }
}

#[test]
fn a_token_is_good_in_its_time_and_a_minute_around_it() {
    let key = es256();
    let keys = keys(&[listed(&key, Algorithm::ES256, Some("one"))]);
    let at = |iat_in_s: i64, exp_in_s: i64| {
        let mut claims = claims();
        claims["iat"] = json!(NOW_S + iat_in_s);
        claims["exp"] = json!(NOW_S + exp_in_s);
        why(&signed(&key, Algorithm::ES256, Some("one"), &claims), &keys)
    };
    assert_eq!(at(-300, -58), None);
    assert_eq!(at(-300, -61), Some(Unfit::Expired));
    assert_eq!(at(59, 300), None);
    assert_eq!(at(62, 300), Some(Unfit::Time));
    assert_eq!(at(-595, 300), None);
    assert_eq!(at(-601, 300), Some(Unfit::Time));
    let mut later = claims();
    later["nbf"] = json!(NOW_S + 120);
    assert_eq!(why(&signed(&key, Algorithm::ES256, Some("one"), &later), &keys), Some(Unfit::Time));
}

#[test]
fn what_is_not_signed_by_a_listed_key_in_a_way_that_is_taken_is_not_read() {
    let (key, others) = (es256(), es256());
    let public = listed(&key, Algorithm::ES256, Some("one"));
    let keys = keys(std::slice::from_ref(&public));
    let good = signed(&key, Algorithm::ES256, Some("one"), &claims());

    // Not at all.
    let payload = good.split('.').nth(1).unwrap();
    for alg in ["none", "None", "NONE", ""] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": "one" }).to_string());
        assert_eq!(why(&format!("{header}.{payload}."), &keys), Some(Unfit::Algorithm), "{alg}");
    }
    // With what everybody knows of the key as a secret, in each form that it has.
    let coordinate = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(public[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    for secret in [public.to_string().into_bytes(), point] {
        let forged = signed(&EncodingKey::from_secret(&secret).unwrap(), Algorithm::HS256, Some("one"), &claims());
        assert_eq!(why(&forged, &keys), Some(Unfit::Algorithm));
        // And where the header says that it is the key's own way.
        let forged = with_header(&json!({ "alg": "ES256", "kid": "one" }), &forged);
        assert_eq!(why(&forged, &keys), Some(Unfit::Signature));
    }
    // By somebody else's key, under its name and under another.
    assert_eq!(why(&signed(&others, Algorithm::ES256, Some("one"), &claims()), &keys), Some(Unfit::Signature));
    assert_eq!(why(&signed(&others, Algorithm::ES256, Some("two"), &claims()), &keys), Some(Unfit::UnknownKey));
    // Changed behind the signature.
    let mut changed = claims();
    changed["sub"] = json!("another");
    let parts: Vec<&str> = good.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], BASE64_URL_SAFE_NO_PAD.encode(changed.to_string()), parts[2]);
    assert_eq!(why(&forged, &keys), Some(Unfit::Signature));
    // With what must be understood.
    let critical = with_header(&json!({ "alg": "ES256", "kid": "one", "crit": ["x"] }), &good);
    assert_eq!(why(&critical, &keys), Some(Unfit::Malformed));
    for no_token in ["", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(70_000)] {
        assert_eq!(why(no_token, &keys), Some(Unfit::Malformed));
    }
}

#[test]
fn a_key_is_for_what_it_says_and_one_that_is_not_named_must_be_the_only_one() {
    let (one, two) = (es256(), es256());
    let unnamed = signed(&one, Algorithm::ES256, None, &claims());
    let both = [listed(&one, Algorithm::ES256, Some("one")), listed(&two, Algorithm::ES256, Some("two"))];
    assert!(judged(&unnamed, &keys(&both[..1])).is_ok());
    assert_eq!(why(&unnamed, &keys(&both)), Some(Unfit::UnknownKey));

    let mut encrypts = both[0].clone();
    encrypts["use"] = json!("enc");
    let mut others = both[0].clone();
    others["alg"] = json!("ES384");
    // A shared secret in a public list is nobody's key.
    let secret = json!({ "kty": "oct", "kid": "one", "k": "c2VjcmV0" });
    for wrong in [encrypts, others, secret] {
        assert_eq!(why(&signed(&one, Algorithm::ES256, Some("one"), &claims()), &keys(&[wrong])), Some(Unfit::UnknownKey));
    }
    assert!(Keys::read(b"{}").is_none() && Keys::read(b"<html>").is_none());
}

#[test]
fn an_address_is_verified_where_the_provider_says_so() {
    let is_verified =
        |said: Value| serde_json::from_value::<Mailbox>(json!({ "email": "a@b", "email_verified": said })).unwrap().is_verified();
    assert!(is_verified(json!(true)) && is_verified(json!("true")));
    for no in [json!(false), json!("false"), json!(1), json!("TRUE"), json!([]), Value::Null] {
        assert!(!is_verified(no.clone()), "{no}");
    }
    assert!(!Mailbox::default().is_verified());
}
