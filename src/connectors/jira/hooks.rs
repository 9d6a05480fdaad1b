//! What Jira calls out by itself: whether a call is Jira's, and which issue it is about. A hook is a hint; the issue is
//! fetched again.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The header with the signature: Jira's has no `-256` in its name.
pub const SIGNATURE_HEADER: &str = "x-hub-signature";
/// The header with the delivery's name, the same for each retry.
pub const DELIVERY_HEADER: &str = "x-atlassian-webhook-identifier";

/// What a hook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The event, in Jira's word: `jira:issue_updated`, `comment_created`.
    pub event: String,
    /// The number of the issue to fetch again.
    pub issue: String,
}

/// Returns whether a call was signed with the secret. `body` are the bytes as they came, `signature` is what the header
/// says. Takes as long for a wrong signature as for a right one.
pub fn is_signed(secret: &[u8], body: &[u8], signature: &str) -> bool {
    let Some(hex) = signature.trim().strip_prefix("sha256=") else {
        return false;
    };
    let Some(given) = from_hex(hex) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return false;
    };
    mac.update(body);
    !secret.is_empty() && mac.verify_slice(&given).is_ok()
}

/// Returns what a hook is about; `None` for events that are about no issue.
pub fn hint_of(body: &[u8]) -> Option<Hint> {
    let hook: Value = serde_json::from_slice(body).ok()?;
    let event = hook["webhookEvent"].as_str()?;
    let issue = &hook["issue"]["id"];
    let number = issue
        .as_str()
        .map(str::to_owned)
        .or_else(|| issue.as_u64().map(|id| id.to_string()))?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Hint {
        event: event.to_owned(),
        issue: number,
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_with_the_secret_is_believed() {
        // The example of RFC 4231, number 2.
        let (secret, body) = (b"Jefe", b"what do ya want for nothing?");
        let right = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_signed(secret, body, right));
        assert!(is_signed(secret, body, &right.replace("5bdc", "5BDC")));
        for (secret, body, signature) in [
            (&secret[..], &b"what do ya want for nothing!"[..], right),
            (b"other", body, right),
            (secret, body, &right[7..]),
            (secret, body, "sha256="),
            (
                secret,
                body,
                "sha1=5bdcc146bf60754e6a042426089575c75a003f08",
            ),
            (secret, body, "sha256=é"),
            (secret, body, ""),
            (b"", body, right),
        ] {
            assert!(!is_signed(secret, body, signature), "{signature}");
        }
    }

    #[test]
    fn a_hook_says_which_issue_to_fetch_again() {
        let hint = |body: &str| hint_of(body.as_bytes());
        let expected = |event: &str| {
            Some(Hint {
                event: event.into(),
                issue: "10042".into(),
            })
        };
        assert_eq!(
            hint(r#"{"webhookEvent":"jira:issue_updated","issue":{"id":"10042","key":"CORE-1"}}"#),
            expected("jira:issue_updated")
        );
        assert_eq!(
            hint(r#"{"webhookEvent":"comment_created","issue":{"id":10042},"comment":{}}"#),
            expected("comment_created")
        );
        for other in [
            r#"{"webhookEvent":"user_created","user":{}}"#,
            r#"{"webhookEvent":"jira:issue_updated","issue":{"id":"../x"}}"#,
            r#"{"issue":{"id":"1"}}"#,
            "[",
        ] {
            assert_eq!(hint(other), None, "{other}");
        }
    }
}
