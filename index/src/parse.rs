//! What people type into the search box, read into a query.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::passage::{AudienceId, Filter, Query};

/// A question as it was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedQuery {
    /// The plain words, those of phrases included.
    pub text: String,
    /// What stood in quotes.
    pub phrases: Vec<String>,
    /// What stood behind a minus sign.
    pub excluded: Vec<String>,
    /// What ended in a star, without it.
    pub prefixes: Vec<String>,
    /// What the operators ask for.
    pub filter: Filter,
    /// What could not be understood, in plain sentences.
    pub notes: Vec<String>,
}

impl ParsedQuery {
    /// Returns the query, for someone who may read these audiences.
    pub fn query(self, readable: BTreeSet<AudienceId>, limit: usize) -> Query {
        Query {
            phrases: self.phrases,
            excluded: self.excluded,
            prefixes: self.prefixes,
            filter: self.filter,
            ..Query::new(self.text, readable, limit)
        }
    }
}

/// Reads a typed question: `from: in: kind: status: assignee: source: before: after: on:`, `"phrase"`, `-not`, `begin*`.
/// Everything else is words. Dates are days in `zone`; `after:` includes its day, `before:` does not.
pub fn parse(text: &str, zone: &TimeZone) -> ParsedQuery {
    parse_at(text, zone, Timestamp::now())
}

/// Like [`parse`], with the instant that `yesterday` and `7d` are counted from.
pub fn parse_at(text: &str, zone: &TimeZone, now: Timestamp) -> ParsedQuery {
    let mut parsed = ParsedQuery::default();
    let mut words: Vec<&str> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
        if rest.is_empty() {
            break;
        }
        let negated = rest.starts_with('-')
            && rest[1..].starts_with(|c: char| c.is_alphanumeric() || c == '"' || c == '“');
        let body = if negated { &rest[1..] } else { rest };
        if let Some((phrase, after)) = quoted(body) {
            if negated {
                parsed.excluded.push(phrase.to_string());
            } else if phrase.chars().any(char::is_alphanumeric) {
                parsed.phrases.push(phrase.to_string());
                words.push(phrase);
            }
            rest = after;
            continue;
        }
        let end = body
            .find(|c: char| c.is_whitespace() || c.is_control())
            .unwrap_or(body.len());
        let word = &body[..end];
        if let Some((field, value, after)) = operator(body, end) {
            rest = after;
            if negated {
                parsed.notes.push(format!(
                    "“-{field}:” is not understood; the field was left out."
                ));
            } else if let Err(note) = apply(field, value, zone, now, &mut parsed.filter) {
                parsed.notes.push(note);
                words.push(value);
            }
            continue;
        }
        rest = &body[end..];
        match word.strip_suffix('*') {
            _ if negated => parsed.excluded.push(word.to_string()),
            Some(prefix) if prefix.chars().filter(|c| c.is_alphanumeric()).count() >= 2 => {
                parsed.prefixes.push(prefix.to_string());
            }
            _ => words.push(word),
        }
    }
    parsed.text = words.join(" ");
    parsed
}

/// Returns what stands in quotes at the start of a text, and what comes after. A quote that never closes is no quote.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (open, close) = match text.chars().next()? {
        '"' => ('"', '"'),
        '“' => ('“', '”'),
        _ => return None,
    };
    let inner = &text[open.len_utf8()..];
    let end = inner.find(close)?;
    Some((&inner[..end], &inner[end + close.len_utf8()..]))
}

/// Returns field, value and rest when the text begins with `field:value`. `foo::bar`, `http://` and `Error: x` do not.
fn operator(text: &str, end: usize) -> Option<(&str, &str, &str)> {
    let colon = text[..end].find(':')?;
    let field = &text[..colon];
    let value = &text[colon + 1..];
    if field.len() < 2 || !field.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    if let Some((value, rest)) = quoted(value) {
        return Some((field, value, rest));
    }
    let value = &text[colon + 1..end];
    if value.is_empty() || value.starts_with([':', '/', '\\', '=']) {
        return None;
    }
    Some((field, value, &text[end..]))
}

fn apply(
    field: &str,
    value: &str,
    zone: &TimeZone,
    now: Timestamp,
    filter: &mut Filter,
) -> Result<(), String> {
    let list = match field.to_ascii_lowercase().as_str() {
        "from" | "author" | "by" => &mut filter.authors,
        "in" | "space" | "channel" | "project" => &mut filter.spaces,
        "kind" | "type" => &mut filter.kinds,
        "status" | "is" => &mut filter.statuses,
        "assignee" | "owner" => &mut filter.assignees,
        "source" | "connector" => &mut filter.connectors,
        "after" | "since" => {
            let (start, _) = day(value, zone, now).ok_or_else(|| no_date(value))?;
            filter.after = Some(start);
            return Ok(());
        }
        "before" | "until" => {
            let (start, _) = day(value, zone, now).ok_or_else(|| no_date(value))?;
            filter.before = Some(start);
            return Ok(());
        }
        "on" | "date" => {
            let (start, end) = day(value, zone, now).ok_or_else(|| no_date(value))?;
            (filter.after, filter.before) = (Some(start), Some(end));
            return Ok(());
        }
        _ => {
            let shown: String = field.chars().take(40).collect();
            return Err(format!(
                "There is no field “{shown}:”; its value was searched as words. Fields: from, in, kind, status, assignee, source, before, after, on."
            ));
        }
    };
    list.extend(
        value
            .split(',')
            .map(str::trim)
            .filter(|v| !v.is_empty())
            .map(str::to_string),
    );
    Ok(())
}

fn no_date(value: &str) -> String {
    let shown: String = value.chars().filter(|c| !c.is_control()).take(40).collect();
    format!(
        "“{shown}” is not a date; write 2026-11-22, 2026-11, yesterday, monday or 7d. It was searched as words."
    )
}

/// Returns where a day, month or year begins and ends.
fn day(value: &str, zone: &TimeZone, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let today = now.to_zoned(zone.clone()).date();
    let value = value.trim().to_ascii_lowercase();
    let days = |date: Date, span: Span| -> Option<(Timestamp, Timestamp)> {
        let start = date.to_zoned(zone.clone()).ok()?;
        let end = date.checked_add(span).ok()?.to_zoned(zone.clone()).ok()?;
        Some((start.timestamp(), end.timestamp()))
    };
    let one = Span::new().days(1);
    match value.as_str() {
        "today" => return days(today, one),
        "yesterday" => return days(today.yesterday().ok()?, one),
        "tomorrow" => return days(today.tomorrow().ok()?, one),
        _ => {}
    }
    let weekdays = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    if value.len() >= 3
        && value.is_ascii()
        && let Some(i) = weekdays.iter().position(|w| w.starts_with(&value))
    {
        let weekday = Weekday::from_monday_zero_offset(i as i8).ok()?;
        // "after:monday" on a Monday means today.
        let back = (today.weekday().to_monday_zero_offset() - weekday.to_monday_zero_offset())
            .rem_euclid(7);
        return days(
            today.checked_sub(Span::new().days(i64::from(back))).ok()?,
            one,
        );
    }
    if let Some(unit) = value.chars().last().filter(|c| "dwmy".contains(*c))
        && let Ok(n) = value[..value.len() - 1].parse::<i64>()
        && (0..10_000).contains(&n)
    {
        let span = match unit {
            'd' => Span::new().days(n),
            'w' => Span::new().weeks(n),
            'm' => Span::new().months(n),
            _ => Span::new().years(n),
        };
        return days(today.checked_sub(span).ok()?, one);
    }
    let numbers: Vec<&str> = value.split(['-', '/', '.']).collect();
    let number = |i: usize| numbers.get(i).and_then(|n| n.parse::<i16>().ok());
    if numbers.first()?.len() != 4 {
        return None;
    }
    match numbers.len() {
        1 => days(Date::new(number(0)?, 1, 1).ok()?, Span::new().years(1)),
        2 => days(
            Date::new(number(0)?, i8::try_from(number(1)?).ok()?, 1).ok()?,
            Span::new().months(1),
        ),
        3 => {
            let date = Date::new(
                number(0)?,
                i8::try_from(number(1)?).ok()?,
                i8::try_from(number(2)?).ok()?,
            );
            days(date.ok()?, one)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> ParsedQuery {
        let zone = TimeZone::get("Europe/Lisbon").unwrap();
        parse_at(text, &zone, "2026-11-25T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        let parsed = check(
            r#"login "connection reset" -draft -"old build" auth* std::fs http://x.y/z --flag a-b"#,
        );
        assert_eq!(
            parsed.text,
            "login connection reset std::fs http://x.y/z --flag a-b"
        );
        assert_eq!(parsed.phrases, ["connection reset"]);
        assert_eq!(parsed.excluded, ["draft", "old build"]);
        assert_eq!(parsed.prefixes, ["auth"]);
        assert_eq!(parsed.notes, Vec::<String>::new());
    }

    #[test]
    fn operators_fill_the_filter() {
        let parsed = check(
            r##"from:@Ana,bo in:"release team" in:#general kind:ticket is:open assignee:cy crash"##,
        );
        assert_eq!(parsed.text, "crash");
        assert_eq!(parsed.filter.authors, ["@Ana", "bo"]);
        assert_eq!(parsed.filter.spaces, ["release team", "#general"]);
        assert_eq!(parsed.filter.kinds, ["ticket"]);
        assert_eq!(parsed.filter.statuses, ["open"]);
        assert_eq!(parsed.filter.assignees, ["cy"]);
    }

    #[test]
    fn dates_are_days_in_the_zone_of_the_asker() {
        for (text, after, before) in [
            ("after:2026-11-22", Some("2026-11-22T00:00:00Z"), None),
            ("before:2026-07-01", None, Some("2026-06-30T23:00:00Z")),
            (
                "on:yesterday",
                Some("2026-11-24T00:00:00Z"),
                Some("2026-11-25T00:00:00Z"),
            ),
            ("after:monday", Some("2026-11-23T00:00:00Z"), None),
            ("after:wed", Some("2026-11-25T00:00:00Z"), None),
            ("after:2w", Some("2026-11-11T00:00:00Z"), None),
            (
                "on:2026-02",
                Some("2026-02-01T00:00:00Z"),
                Some("2026-03-01T00:00:00Z"),
            ),
        ] {
            let filter = check(text).filter;
            assert_eq!(
                filter.after.map(|t| t.to_string()).as_deref(),
                after,
                "{text}"
            );
            assert_eq!(
                filter.before.map(|t| t.to_string()).as_deref(),
                before,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_said_and_searched_as_words() {
        for (text, words) in [
            ("colour:red car", "red car"),
            ("before:someday", "someday"),
            ("on:2026-13-45", "2026-13-45"),
        ] {
            let parsed = check(text);
            assert_eq!(parsed.text, words);
            assert_eq!(parsed.notes.len(), 1, "{text}");
        }
        assert_eq!(check("\"never closed words").text, "\"never closed words");
        assert_eq!(check("- \" * : from:").text, "- \" * : from:");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,60}|[-:\"“” *a-z0-9\\u{0}-\\u{20}]{0,40}|(from|in|before|after|on|x):[\\PC\" ]{0,12}") {
            check(&text);
        }
    }
}
