//! Hooks of outside systems: whether a delivery is genuine, and what it hints at.
//!
//! Signatures are made over the raw bytes and compared in constant time before anything is parsed. What a body says is
//! never believed: it only names the object that is to be fetched again. Headers and inputs: `connectors.md`'s table of
//! signatures, taken from each vendor's documentation.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far the time in a signed delivery may be from ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What stands after the `?`, if anything.
    pub query: Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
    /// What we share with the sender.
    pub secret: &'a SecretString,
}

/// What a genuine delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something happened.
    Hint {
        /// The sender's own id of the delivery: a second one with it is a repetition.
        delivery: String,
        /// The objects to fetch again, as the connector's `hint` reads them; empty when the listing alone has to do.
        objects: Vec<String>,
    },
    /// The sender wants to see this text back before it sends anything.
    Challenge(String),
}

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature.
    #[error("it carries no signature")]
    Unsigned,
    /// The signature is not made with our secret over these bytes.
    #[error("its signature does not fit")]
    Forged,
    /// Its time is too far from ours.
    #[error("it is older than five minutes, or a clock is wrong")]
    Stale,
    /// It is signed, but not what the sender documents.
    #[error("it cannot be read")]
    Unreadable,
}

impl Delivery<'_> {
    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Checks `hex`, an HMAC-SHA256 over the parts in lower-case hexadecimal.
    ///
    /// # Errors
    /// [`Refusal::Forged`] when it does not fit.
    pub fn check_hex(&self, hex: &str, parts: &[&[u8]]) -> Result<(), Refusal> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())
            .map_err(|_| Refusal::Forged)?;
        for part in parts {
            mac.update(part);
        }
        let signature = unhex(hex).ok_or(Refusal::Forged)?;
        mac.verify_slice(&signature).map_err(|_| Refusal::Forged)
    }

    /// Checks a secret that is sent as it is.
    ///
    /// # Errors
    /// [`Refusal::Forged`] when it is another one.
    pub fn check_plain(&self, given: &str) -> Result<(), Refusal> {
        let fits = self
            .secret
            .expose_secret()
            .as_bytes()
            .ct_eq(given.as_bytes());
        if bool::from(fits) {
            Ok(())
        } else {
            Err(Refusal::Forged)
        }
    }

    /// Checks a signed time in seconds against ours.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when it is more than five minutes off or no time at all.
    pub fn check_time(&self, seconds: &str) -> Result<(), Refusal> {
        let at = seconds
            .parse::<i64>()
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or(Refusal::Stale)?;
        if at.duration_since(self.now).abs() > SKEW {
            return Err(Refusal::Stale);
        }
        Ok(())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        })
        .collect()
}

/// Returns the HMAC-SHA256 of the parts in hexadecimal, as senders make it.
#[cfg(test)]
pub fn signed(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    let signature = mac.finalize().into_bytes();
    signature.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_whole_or_not_at_all() {
        assert_eq!(unhex("00ffA1"), Some(vec![0, 255, 161]));
        for bad in ["0", "0g", "é"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_checked_both_ways() {
        let headers = HeaderMap::new();
        let secret = SecretString::from("s");
        let delivery = Delivery {
            headers: &headers,
            query: None,
            body: b"",
            now: Timestamp::from_second(1_000_000).unwrap(),
            secret: &secret,
        };
        assert_eq!(delivery.check_time("999800"), Ok(()));
        for bad in ["999600", "1000400", "", "x", "99999999999999999999"] {
            assert_eq!(delivery.check_time(bad), Err(Refusal::Stale), "{bad}");
        }
    }
}
