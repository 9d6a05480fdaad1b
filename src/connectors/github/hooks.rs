//! GitHub's webhooks: `X-Hub-Signature-256` over the raw body, `X-GitHub-Delivery` as the delivery's id.
//!
//! GitHub does not deliver a second time by itself, so a hook that is lost is made up for by the next listing; only an
//! issue that was deleted or moved away is never listed again, and is noticed through its hook alone.

use serde::Deserialize;

use crate::connectors::hooks::{Delivery, Heard, Refusal};

#[derive(Deserialize)]
struct Body {
    issue: Option<Numbered>,
    pull_request: Option<Numbered>,
    discussion: Option<Numbered>,
    repository: Option<Named>,
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

#[derive(Deserialize)]
struct Named {
    full_name: String,
}

/// Returns what a delivery hints at: `owner/name#12`, or `owner/name!12` for a discussion.
///
/// # Errors
/// When it is not from who knows the secret.
pub fn heard(delivery: &Delivery<'_>) -> Result<Heard, Refusal> {
    let signature = delivery
        .header("x-hub-signature-256")
        .ok_or(Refusal::Unsigned)?;
    let hex = signature.strip_prefix("sha256=").ok_or(Refusal::Forged)?;
    delivery.check_hex(hex, &[delivery.body])?;
    let id = delivery
        .header("x-github-delivery")
        .ok_or(Refusal::Unreadable)?;
    let body: Body = serde_json::from_slice(delivery.body).map_err(|_| Refusal::Unreadable)?;
    let object = match (body.issue.or(body.pull_request), body.discussion) {
        (Some(issue), _) => Some(('#', issue.number)),
        (None, Some(discussion)) => Some(('!', discussion.number)),
        (None, None) => None,
    };
    let object = object
        .zip(body.repository)
        .map(|((sign, number), repository)| format!("{}{sign}{number}", repository.full_name));
    Ok(Heard::Hint {
        delivery: id.to_owned(),
        objects: object.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use secrecy::SecretString;

    use super::*;
    use crate::connectors::hooks::signed;

    const BODY: &[u8] =
        br#"{"action":"deleted","issue":{"number":7,"title":"x"},"repository":{"full_name":"o/r"}}"#;

    fn ask(signature: Option<String>, body: &[u8]) -> Result<Heard, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("x-github-delivery", "d-1".parse().unwrap());
        if let Some(signature) = signature {
            headers.insert("x-hub-signature-256", signature.parse().unwrap());
        }
        let secret = SecretString::from("hush");
        heard(&Delivery {
            headers: &headers,
            query: None,
            body,
            now: jiff::Timestamp::UNIX_EPOCH,
            secret: &secret,
        })
    }

    #[test]
    fn only_what_is_signed_over_the_raw_bytes_is_heard() {
        let right = format!("sha256={}", signed("hush", &[BODY]));
        let heard = Heard::Hint {
            delivery: "d-1".into(),
            objects: vec!["o/r#7".into()],
        };
        assert_eq!(ask(Some(right.clone()), BODY), Ok(heard));
        assert_eq!(ask(None, BODY), Err(Refusal::Unsigned));
        let topic = br#"{"action":"created","comment":{"id":5},"discussion":{"number":4},"repository":{"full_name":"o/r"}}"#;
        let told = ask(Some(format!("sha256={}", signed("hush", &[topic]))), topic);
        let heard = Heard::Hint {
            delivery: "d-1".into(),
            objects: vec!["o/r!4".into()],
        };
        assert_eq!(told, Ok(heard));
        let spaced = [BODY, b" "].concat();
        assert_eq!(ask(Some(right), &spaced), Err(Refusal::Forged));
        let other = format!("sha256={}", signed("guess", &[BODY]));
        assert_eq!(ask(Some(other), BODY), Err(Refusal::Forged));
        assert_eq!(ask(Some("sha1=00".into()), BODY), Err(Refusal::Forged));
        let junk = format!("sha256={}", signed("hush", &[b"{"]));
        assert_eq!(ask(Some(junk), b"{"), Err(Refusal::Unreadable));
    }
}
