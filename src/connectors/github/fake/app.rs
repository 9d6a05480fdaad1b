//! A GitHub App as GitHub knows it: its public key, where it is installed, and the tokens it was given.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::clock::Clock;

/// Made for this test and used nowhere else.
pub const KEY: &str =
    include_str!("../../../../tests/fixtures/github/throwaway_test_only_pkcs8.pem");
pub const APP_ID: &str = "12345";

pub struct FakeApp {
    clock: Clock,
    public: Vec<u8>,
    /// Installations by owner.
    pub installed: BTreeMap<&'static str, u64>,
    pub permissions: Value,
    /// The tokens that are good, until when, and for how many calls.
    tokens: BTreeMap<String, (Timestamp, usize)>,
    /// For how many calls a token is good before it is revoked.
    pub calls_each: usize,
    pub minted: usize,
}

impl FakeApp {
    pub fn new(clock: Clock) -> FakeApp {
        let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        FakeApp {
            clock,
            public: key.public().as_ref().to_vec(),
            installed: BTreeMap::from([("team", 678)]),
            permissions: json!({ "metadata": "read", "issues": "write", "pull_requests": "read" }),
            tokens: BTreeMap::new(),
            calls_each: usize::MAX,
            minted: 0,
        }
    }

    pub fn lets_in(&mut self, path: &str, bearer: &str) -> bool {
        if path.starts_with("/app") || path.ends_with("/installation") {
            return self.is_signed(bearer);
        }
        let now = self.clock.now();
        let Some((until, left)) = self.tokens.get_mut(bearer) else {
            return false;
        };
        let is_good = *until > now && *left > 0;
        *left = left.saturating_sub(1);
        is_good
    }

    fn is_signed(&self, bearer: &str) -> bool {
        let Some((told, signature)) = bearer.rsplit_once('.') else {
            return false;
        };
        let (head, claims) = told.split_once('.').unwrap();
        let read = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let head: Value = serde_json::from_slice(&read(head)).unwrap();
        let claims: Value = serde_json::from_slice(&read(claims)).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        let (iat, exp) = (
            claims["iat"].as_i64().unwrap(),
            claims["exp"].as_i64().unwrap(),
        );
        let now = self.clock.now().as_second();
        head["alg"] == "RS256"
            && key.verify(told.as_bytes(), &read(signature)).is_ok()
            && claims["iss"] == APP_ID
            && (iat..=now).contains(&(now - 60))
            && exp > now
            && exp - iat <= 9 * 60
    }

    pub fn say(&mut self, path: &[&str]) -> Option<Value> {
        match path {
            ["app"] => Some(json!({ "slug": "helper" })),
            ["repos", owner, _, "installation"] => {
                Some(json!({ "id": self.installed.get(owner)? }))
            }
            ["app", "installations", id, "access_tokens"] => {
                let id: u64 = id.parse().unwrap();
                self.installed.values().find(|known| **known == id)?;
                self.minted += 1;
                let token = format!("ghs_geheim{}", self.minted);
                let until = self.clock.now() + SignedDuration::from_hours(1);
                self.tokens.insert(token.clone(), (until, self.calls_each));
                Some(
                    json!({ "token": token, "expires_at": until.to_string(), "permissions": self.permissions }),
                )
            }
            _ => None,
        }
    }
}
