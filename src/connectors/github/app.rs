//! How the API is entered: with a personal token, or as a GitHub App that signs for a token of one hour.
//!
//! An app's token is asked for when it is first needed, kept until shortly before it ends, and asked for anew when GitHub
//! refuses it earlier. Only the key lasts, and neither is ever shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::api::{GithubError, READS, described, said};
use crate::connectors::files::tolerant;
use crate::http::{Answer, Call, Http, HttpError, Method, Scope, Url};
use crate::model::ConnectorId;

/// GitHub's clock may be this far behind ours.
const BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// For how long a signature is good; GitHub allows ten minutes.
const SIGNED_FOR: SignedDuration = SignedDuration::from_mins(8);
/// For how long a token is good, where the answer does not say or the clocks differ.
const LASTS: SignedDuration = SignedDuration::from_hours(1);
/// This long before its end a token is not used any more.
const SPARE: SignedDuration = SignedDuration::from_mins(5);

/// What lets calls in.
#[derive(Clone, Debug)]
pub enum Access {
    /// A personal access token, or another one that lasts.
    Token(SecretString),
    /// An app.
    App(Arc<App>),
}

/// A GitHub App with its key.
pub struct App {
    http: Http,
    api: Url,
    connector: ConnectorId,
    app_id: String,
    key: KeyPair,
    installation: Option<u64>,
    /// The repository whose installation answers for calls about none.
    first: String,
    /// Tokens by owner: an app is installed once for each.
    kept: Mutex<BTreeMap<String, Kept>>,
}

/// A token and what it may do.
#[derive(Clone)]
pub struct Kept {
    /// The token.
    pub token: SecretString,
    until: Timestamp,
    /// `read` or `write`, by permission.
    pub permissions: BTreeMap<String, String>,
}

/// What the config says of an app.
pub struct AppConfig<'a> {
    /// The app's number, or its client ID.
    pub app_id: &'a str,
    /// Its private key, in PEM.
    pub pem: &'a SecretString,
    /// Where it is installed; looked up by repository if not given.
    pub installation: Option<u64>,
    /// A repository that it is installed for.
    pub first: &'a str,
}

#[derive(Deserialize)]
struct Minted {
    token: String,
    #[serde(default, deserialize_with = "tolerant::text")]
    expires_at: String,
    #[serde(default, deserialize_with = "tolerant::or_default")]
    permissions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Own {
    #[serde(deserialize_with = "tolerant::text")]
    slug: String,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("app_id", &self.app_id).finish()
    }
}

impl App {
    /// Returns an app; nothing is asked yet.
    ///
    /// # Errors
    /// When the key is none that GitHub makes.
    pub fn new(http: &Http, api: &Url, id: &ConnectorId, own: &AppConfig<'_>) -> Result<App> {
        Ok(App {
            http: http.clone(),
            api: api.clone(),
            connector: id.clone(),
            app_id: own.app_id.to_owned(),
            key: key_of(own.pem)
                .with_context(|| format!("the private key that [connectors.{id}] names"))?,
            installation: own.installation,
            first: own.first.to_owned(),
            kept: Mutex::default(),
        })
    }

    /// Returns a token for a repository (`owner/name`), or for the first one; never the one that was refused.
    ///
    /// # Errors
    /// When GitHub cannot be reached, does not know the app, or the app is not installed there.
    pub async fn token(
        &self,
        repository: Option<&str>,
        refused: Option<&SecretString>,
    ) -> Result<Kept, GithubError> {
        let repository = repository.unwrap_or(&self.first);
        let owner = match self.installation {
            Some(_) => String::new(),
            None => repository.split('/').next().unwrap_or("").to_lowercase(),
        };
        // Held until the new token is there, so that it is asked for once.
        let mut kept = self.kept.lock().await;
        let now = self.http.clock().now();
        if let Some(known) = kept.get(&owner)
            && known.until > now
            && refused.is_none_or(|refused| refused.expose_secret() != known.token.expose_secret())
        {
            return Ok(known.clone());
        }
        let installation = match self.installation {
            Some(installation) => installation,
            None => {
                let path = format!("repos/{repository}/installation");
                let answer = self.ask("apps.getRepoInstallation", Method::GET, &path);
                let found: Installation = answer.await?.json("apps.getRepoInstallation")?;
                found.id
            }
        };
        let path = format!("app/installations/{installation}/access_tokens");
        let operation = "apps.createInstallationAccessToken";
        let minted: Minted = self
            .ask(operation, Method::POST, &path)
            .await?
            .json(operation)?;
        // A clock that is off must not make a token for every call.
        let lasts = minted
            .expires_at
            .parse::<Timestamp>()
            .map(|end| end.duration_since(now))
            .ok()
            .filter(|lasts| *lasts > SPARE && *lasts <= LASTS)
            .unwrap_or(LASTS);
        let fresh = Kept {
            token: SecretString::from(minted.token),
            until: now.saturating_add(lasts - SPARE).unwrap_or(now),
            permissions: minted.permissions,
        };
        kept.insert(owner, fresh.clone());
        Ok(fresh)
    }

    /// Returns the login that the app writes as.
    ///
    /// # Errors
    /// When GitHub cannot be reached or does not know the app.
    pub async fn login(&self) -> Result<String, GithubError> {
        let answer = self.ask("apps.getAuthenticated", Method::GET, "app");
        let own: Own = answer.await?.json("apps.getAuthenticated")?;
        Ok(format!("{}[bot]", own.slug))
    }

    /// Asks as the app itself. Making a token twice does no harm, so all of this may be repeated.
    async fn ask(
        &self,
        operation: &str,
        method: Method,
        path: &str,
    ) -> Result<Answer, GithubError> {
        let url = self.api.join(path).map_err(|_| unsigned(operation))?;
        let scope = Scope::new(format!("{}/app", self.connector), READS);
        let mut call = described(Call::get(self.connector.as_str(), operation, scope, url));
        if method == Method::POST {
            call = call.with_json(method, &json!({}));
        }
        let signed = self.signed().ok_or_else(|| unsigned(operation))?;
        let call = call.credentials(&format!("Bearer {}", signed.expose_secret()))?;
        let answer = self.http.send(call).await?;
        let place = path
            .strip_prefix("repos/")
            .and_then(|path| path.strip_suffix("/installation"))
            .unwrap_or(&self.first);
        match answer.status.as_u16() {
            401 => Err(GithubError::BadApp {
                said: said(&answer),
            }),
            403 => Err(GithubError::Forbidden {
                operation: operation.to_owned(),
                place: place.to_owned(),
                said: said(&answer),
            }),
            404 => Err(GithubError::NotInstalled {
                place: place.to_owned(),
            }),
            _ => Ok(answer.accepted(operation)?),
        }
    }

    /// Returns a JSON Web Token that says who we are.
    fn signed(&self) -> Option<SecretString> {
        let now = self.http.clock().now();
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({ "alg": "RS256", "typ": "JWT" }));
        let claims = part(json!({
            "iat": now.checked_sub(BEFORE).ok()?.as_second(),
            "exp": now.checked_add(SIGNED_FOR).ok()?.as_second(),
            "iss": self.app_id,
        }));
        let told = format!("{head}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                told.as_bytes(),
                &mut signature,
            )
            .ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Some(SecretString::from(format!("{told}.{signature}")))
    }
}

fn unsigned(operation: &str) -> GithubError {
    GithubError::Http(HttpError::Unreadable {
        operation: operation.to_owned(),
        reason: "the app's signature or the address could not be made".into(),
    })
}

/// Reads a key as GitHub hands it out, or as other tools rewrite it.
fn key_of(pem: &SecretString) -> Result<KeyPair> {
    // An environment variable often holds its lines in one.
    let text = pem.expose_secret().replace("\\n", "\n");
    let Ok(der) = PrivateKeyDer::from_pem_slice(text.as_bytes()) else {
        bail!("it is no private key in PEM: take the file that GitHub gave you, as it is");
    };
    let key = match &der {
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => bail!("it is of a kind that GitHub does not take: it has to be RSA"),
    };
    // The reason names what is wrong with it, never a part of it.
    key.map_err(|reason| anyhow::anyhow!("it cannot be used: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_both_forms_and_never_shown() {
        let pem = include_str!("../../../tests/fixtures/github/throwaway_test_only_pkcs1.pem");
        let again = include_str!("../../../tests/fixtures/github/throwaway_test_only_pkcs8.pem");
        let one_line = pem.trim().replace('\n', "\\n");
        let read = |pem: &str| key_of(&SecretString::from(pem));
        let first = read(pem).unwrap();
        for form in [again, &one_line] {
            let key = read(form).unwrap();
            assert_eq!(key.public().as_ref(), first.public().as_ref());
        }
        for (pem, expected) in [
            ("geheim", "no private key"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nZ2VoZWlt\n-----END RSA PRIVATE KEY-----\n",
                "cannot be used",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nZ2VoZWlt\n-----END EC PRIVATE KEY-----\n",
                "has to be RSA",
            ),
        ] {
            let error = format!("{:#}", read(pem).unwrap_err());
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains("geheim") && !error.contains("Z2Vo"),
                "{error}"
            );
        }
    }
}
