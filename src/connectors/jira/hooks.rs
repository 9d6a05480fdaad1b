//! Jira's webhooks: `X-Hub-Signature` (without `-256` in its name) over the raw body, `X-Atlassian-Webhook-Identifier` as
//! the delivery's id, the same for each retry.
//!
//! Older Data Centers sign nothing and name no delivery: there the address that is registered ends with `?secret=…`.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::connectors::files::{hex, tolerant};
use crate::connectors::hooks::{Delivery, Heard, Refusal};
use crate::http::Url;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    issue: Issue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Issue {
    #[serde(deserialize_with = "tolerant::text")]
    id: String,
}

/// Returns what a delivery hints at: the number of an issue.
///
/// # Errors
/// When it is not from who knows the secret.
pub fn heard(delivery: &Delivery<'_>) -> Result<Heard, Refusal> {
    match (delivery.header("x-hub-signature"), secret_in(delivery)) {
        (Some(signature), _) => {
            let hex = signature.strip_prefix("sha256=").ok_or(Refusal::Forged)?;
            delivery.check_hex(hex, &[delivery.body])?;
        }
        (None, Some(given)) => delivery.check_plain(&given)?,
        (None, None) => return Err(Refusal::Unsigned),
    }
    let body: Body = serde_json::from_slice(delivery.body).map_err(|_| Refusal::Unreadable)?;
    let id = body.issue.id;
    let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let name = delivery.header("x-atlassian-webhook-identifier");
    let name = name.map_or_else(|| hex(&Sha256::digest(delivery.body)), str::to_owned);
    Ok(Heard::Hint {
        delivery: name,
        objects: Some(id).filter(|_| is_number).into_iter().collect(),
    })
}

fn secret_in(delivery: &Delivery<'_>) -> Option<String> {
    let url = Url::parse(&format!("http://x/?{}", delivery.query?)).ok()?;
    let mut pairs = url.query_pairs();
    pairs
        .find(|(name, _)| name == "secret")
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use secrecy::SecretString;

    use super::*;
    use crate::connectors::hooks::signed;

    const BODY: &[u8] =
        br#"{"webhookEvent":"jira:issue_updated","issue":{"id":"10042","key":"CORE-1"}}"#;

    fn ask(
        signature: Option<String>,
        query: Option<&str>,
        name: Option<&str>,
        body: &[u8],
    ) -> Result<Heard, Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(name) = name {
            headers.insert("x-atlassian-webhook-identifier", name.parse().unwrap());
        }
        if let Some(signature) = signature {
            headers.insert("x-hub-signature", signature.parse().unwrap());
        }
        let secret = SecretString::from("hush & hush");
        heard(&Delivery {
            headers: &headers,
            query,
            body,
            now: jiff::Timestamp::UNIX_EPOCH,
            secret: &secret,
        })
    }

    #[test]
    fn only_what_is_signed_over_the_raw_bytes_is_heard() {
        let sign = |secret: &str, body: &[u8]| Some(format!("sha256={}", signed(secret, &[body])));
        let named = |body: &[u8]| ask(sign("hush & hush", body), None, Some("d-1"), body);
        let hint = |objects: &[&str]| {
            Ok(Heard::Hint {
                delivery: "d-1".into(),
                objects: objects.iter().map(|id| (*id).to_owned()).collect(),
            })
        };
        assert_eq!(named(BODY), hint(&["10042"]));
        assert_eq!(
            named(br#"{"webhookEvent":"comment_created","issue":{"id":10042},"comment":{}}"#),
            hint(&["10042"])
        );
        assert_eq!(named(br#"{"webhookEvent":"user_created"}"#), hint(&[]));
        assert_eq!(named(br#"{"issue":{"id":"../x"}}"#), hint(&[]));
        assert_eq!(named(b"{"), Err(Refusal::Unreadable));
        let refused = |signature| ask(signature, None, Some("d-1"), BODY);
        assert_eq!(refused(None), Err(Refusal::Unsigned));
        assert_eq!(refused(sign("guess", BODY)), Err(Refusal::Forged));
        assert_eq!(refused(sign("hush & hush", b"{}")), Err(Refusal::Forged));
        assert_eq!(refused(Some("sha1=00".into())), Err(Refusal::Forged));
    }

    #[test]
    fn a_data_center_that_signs_nothing_shows_the_secret_in_its_address() {
        let heard = ask(None, Some("a=b&secret=hush+%26+hush"), None, BODY).unwrap();
        let again = ask(None, Some("secret=hush%20%26%20hush"), None, BODY).unwrap();
        assert_eq!(heard, again, "the same words are the same delivery");
        assert_eq!(
            ask(None, Some("secret=guess"), None, BODY),
            Err(Refusal::Forged)
        );
        assert_eq!(ask(None, Some("a=b"), None, BODY), Err(Refusal::Unsigned));
        let forged = Some("sha256=00".to_owned());
        let both = ask(forged, Some("secret=hush+%26+hush"), None, BODY);
        assert_eq!(
            both,
            Err(Refusal::Forged),
            "a signature that is there counts"
        );
    }
}
