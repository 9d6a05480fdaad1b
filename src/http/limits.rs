//! What a server says about its limits, out of the many headers in use. Everything here is pure.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::{Answer, StatusCode};

/// The longest pause that is believed; a header that asks for more is mistaken or hostile.
const LONGEST_PAUSE: Duration = Duration::from_secs(65 * 60);
/// What GitHub asks for when a secondary limit names no time.
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);
/// Numbers from here on are seconds since 1970, not seconds from now.
const FIRST_EPOCH: f64 = 1e9;

/// Returns whether the server refused because it was asked too fast.
pub fn is_limited(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => answer.header("retry-after").is_some(),
        // GitHub answers with 403 to both of its limits.
        StatusCode::FORBIDDEN => {
            answer.header("retry-after").is_some() || is_used_up(answer) || is_secondary(answer)
        }
        _ => false,
    }
}

/// Returns whether a limit is used up that all calls of a connector share, not only those of the scope: Jira's points of an
/// hour. Its other limits are those of one method of one address, or of writes to one issue.
pub fn is_shared(answer: &Answer) -> bool {
    let reason = answer.header("ratelimit-reason").unwrap_or_default();
    reason.trim().to_ascii_lowercase().starts_with("jira-quota")
}

/// Returns for how long the server wants no further calls; `None` when it does not say or does not mind.
pub fn pause_of(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let now = server_time(answer).unwrap_or(now);
    let asked = answer
        .header("retry-after")
        .and_then(|text| seconds(text).or_else(|| until(http_date(text)?, now)));
    let asked = asked.filter(|_| is_limited(answer) || answer.status.is_server_error());
    let reset = || is_used_up(answer).then(|| reset_of(answer, now)).flatten();
    let secondary = || (is_limited(answer) && is_secondary(answer)).then_some(SECONDARY_PAUSE);
    let pause = asked.or_else(reset).or_else(secondary)?;
    Some(pause.min(LONGEST_PAUSE))
}

/// Returns the time of an HTTP date, such as `Mon, 23 Nov 2026 08:00:00 GMT`.
pub fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// Dates in the same answer are by the server's clock, so that ours may be wrong.
fn server_time(answer: &Answer) -> Option<Timestamp> {
    http_date(answer.header("date")?)
}

fn is_used_up(answer: &Answer) -> bool {
    const NAMES: [&str; 4] = [
        "x-ratelimit-remaining",
        "ratelimit-remaining",
        "x-ratelimit-requests-remaining",
        "x-ratelimit-remaining-requests",
    ];
    NAMES
        .iter()
        .any(|name| answer.header(name).map(str::trim) == Some("0"))
}

fn is_secondary(answer: &Answer) -> bool {
    let words = b"secondary rate limit";
    answer.status.is_client_error()
        && answer
            .body
            .windows(words.len())
            .any(|window| window.eq_ignore_ascii_case(words))
}

fn reset_of(answer: &Answer, now: Timestamp) -> Option<Duration> {
    const NAMES: [&str; 4] = [
        "x-ratelimit-reset",
        "ratelimit-reset",
        "x-ratelimit-requests-reset",
        "x-ratelimit-reset-requests",
    ];
    let text = NAMES.iter().find_map(|name| answer.header(name))?.trim();
    match text.parse::<f64>() {
        // Linear and a few others count milliseconds.
        Ok(number) if number >= FIRST_EPOCH * 1_000.0 => epoch(number / 1_000.0, now),
        Ok(number) if number >= FIRST_EPOCH => epoch(number, now),
        Ok(_) => seconds(text),
        Err(_) => text
            .parse::<Timestamp>()
            .ok()
            .and_then(|at| until(at, now))
            .or_else(|| span(text)),
    }
}

fn epoch(secs: f64, now: Timestamp) -> Option<Duration> {
    until(Timestamp::from_second(secs as i64).ok()?, now)
}

fn until(at: Timestamp, now: Timestamp) -> Option<Duration> {
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn seconds(text: &str) -> Option<Duration> {
    let number = text.trim().parse::<f64>().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

/// Reads `1m30s` and `250ms`, as model servers write them.
fn span(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "h" => 3_600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::super::{HeaderMap, HeaderName, HeaderValue};
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.into(),
        }
    }

    #[test]
    fn a_pause_is_read_from_whatever_a_server_says() {
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let in_a_minute = now.as_second() + 60;
        let (epoch, millis) = (in_a_minute.to_string(), (in_a_minute * 1_000).to_string());
        let at = "Mon, 23 Nov 2026 08:01:00 GMT";
        let used = ("x-ratelimit-remaining", "0");
        type Case<'a> = (u16, &'a [(&'a str, &'a str)], Option<f64>);
        let cases: &[Case<'_>] = &[
            (429, &[("retry-after", "30")], Some(30.0)),
            (429, &[("retry-after", " 1.5 ")], Some(1.5)),
            (429, &[("retry-after", at)], Some(60.0)),
            (
                429,
                &[
                    ("retry-after", at),
                    ("date", "Mon, 23 Nov 2026 08:00:50 GMT"),
                ],
                Some(10.0),
            ),
            (
                429,
                &[("retry-after", "Mon, 23 Nov 2026 07:00:00 GMT")],
                Some(0.0),
            ),
            (429, &[("retry-after", "999999")], Some(3_900.0)),
            (429, &[("retry-after", "-4")], None),
            (429, &[("retry-after", "soon")], None),
            (429, &[], None),
            (503, &[("retry-after", "5")], Some(5.0)),
            (200, &[("retry-after", "5")], None),
            (200, &[used, ("x-ratelimit-reset", &epoch)], Some(60.0)),
            (
                200,
                &[
                    ("x-ratelimit-remaining", "1"),
                    ("x-ratelimit-reset", &epoch),
                ],
                None,
            ),
            (
                403,
                &[used, ("x-ratelimit-reset", "2026-11-23T08:01Z")],
                Some(60.0),
            ),
            (403, &[used, ("ratelimit-reset", "12")], Some(12.0)),
            (400, &[used, ("x-ratelimit-reset", &millis)], Some(60.0)),
            (
                429,
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "1m30s"),
                ],
                Some(90.0),
            ),
            (
                429,
                &[used, ("x-ratelimit-reset-requests", "250ms")],
                Some(0.25),
            ),
            (429, &[used, ("x-ratelimit-reset", "1 fortnight")], None),
        ];
        for (status, headers, expected) in cases {
            let pause = pause_of(&answer(*status, headers, ""), now);
            assert_eq!(
                pause.map(|pause| pause.as_secs_f64()),
                *expected,
                "{status} {headers:?}"
            );
        }
    }

    #[test]
    fn a_403_is_a_limit_only_when_it_says_so() {
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let now = Timestamp::UNIX_EPOCH;
        let answered = answer(403, &[], secondary);
        assert!(is_limited(&answered));
        assert_eq!(pause_of(&answered, now), Some(SECONDARY_PAUSE));
        assert!(is_limited(&answer(403, &[("retry-after", "1")], "")));
        assert!(is_limited(&answer(
            403,
            &[("x-ratelimit-remaining", "0")],
            ""
        )));
        let forbidden = r#"{"message":"Resource not accessible by personal access token"}"#;
        assert!(!is_limited(&answer(403, &[], forbidden)));
        assert!(!is_limited(&answer(200, &[], secondary)));
    }
}
