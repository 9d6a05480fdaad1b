//! Slack's Events API over HTTP: `X-Slack-Signature` over `v0:<time>:<raw body>`, `event_id` as the delivery's id.
//!
//! A team that can open no socket but has an address may use it instead of Socket Mode.

use serde::Deserialize;

use crate::connectors::hooks::{Delivery, Heard, Refusal};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Body {
    UrlVerification {
        challenge: String,
    },
    EventCallback {
        event_id: String,
        event: Event,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Event {
    /// A channel's id, or its description where the event is about the channel itself.
    channel: Option<serde_json::Value>,
}

/// Returns what a delivery hints at: the channel's id.
///
/// # Errors
/// When it is not from who knows the signing secret, or too old.
pub fn heard(delivery: &Delivery<'_>) -> Result<Heard, Refusal> {
    let signature = delivery
        .header("x-slack-signature")
        .ok_or(Refusal::Unsigned)?;
    let time = delivery
        .header("x-slack-request-timestamp")
        .ok_or(Refusal::Unsigned)?;
    let hex = signature.strip_prefix("v0=").ok_or(Refusal::Forged)?;
    delivery.check_hex(hex, &[b"v0:", time.as_bytes(), b":", delivery.body])?;
    delivery.check_time(time)?;
    let body: Body = serde_json::from_slice(delivery.body).map_err(|_| Refusal::Unreadable)?;
    Ok(match body {
        Body::UrlVerification { challenge } => Heard::Challenge(challenge),
        Body::EventCallback { event_id, event } => {
            let channel = event.channel.as_ref();
            let channel = channel
                .and_then(|channel| channel.as_str().or_else(|| channel.get("id")?.as_str()));
            Heard::Hint {
                delivery: event_id,
                objects: channel.map(str::to_owned).into_iter().collect(),
            }
        }
        // `app_rate_limited` and the like: the next reading makes up for what was held back.
        Body::Other => Heard::Hint {
            delivery: format!("{time} {hex}"),
            objects: Vec::new(),
        },
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;
    use secrecy::SecretString;

    use super::*;
    use crate::connectors::hooks::signed;

    fn ask(body: &str, time: i64, now: i64) -> Result<Heard, Refusal> {
        let (time, mut headers) = (time.to_string(), HeaderMap::new());
        let parts = [b"v0:", time.as_bytes(), b":", body.as_bytes()];
        let signature = format!("v0={}", signed("hush", &parts));
        headers.insert("x-slack-signature", signature.parse().unwrap());
        headers.insert("x-slack-request-timestamp", time.parse().unwrap());
        let secret = SecretString::from("hush");
        heard(&Delivery {
            headers: &headers,
            query: None,
            body: body.as_bytes(),
            now: Timestamp::from_second(now).unwrap(),
            secret: &secret,
        })
    }

    #[test]
    fn events_name_their_channel_and_old_ones_are_refused() {
        let body = r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message","channel":"C1"}}"#;
        let heard = Heard::Hint {
            delivery: "Ev1".into(),
            objects: vec!["C1".into()],
        };
        assert_eq!(ask(body, 1_000, 1_100), Ok(heard));
        assert_eq!(ask(body, 1_000, 1_301), Err(Refusal::Stale));
        let renamed = r#"{"type":"event_callback","event_id":"Ev2","event":{"type":"channel_rename","channel":{"id":"C2"}}}"#;
        let heard = Heard::Hint {
            delivery: "Ev2".into(),
            objects: vec!["C2".into()],
        };
        assert_eq!(ask(renamed, 1_000, 1_000), Ok(heard));
    }

    #[test]
    fn the_challenge_is_answered_only_when_signed() {
        let body = r#"{"type":"url_verification","challenge":"abc","token":"t"}"#;
        assert_eq!(ask(body, 5, 5), Ok(Heard::Challenge("abc".into())));
        assert_eq!(ask(body, 5, 5_000), Err(Refusal::Stale));
    }
}
