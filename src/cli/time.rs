//! Times and dates as people type them behind an option.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Returns the moment of a text: with an offset as it stands, else in the reader's zone.
///
/// # Errors
/// When it is no time; the message shows how one is written.
pub fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime = text.parse().with_context(|| {
        format!(
            "{text:?} is no time; write 2026-11-23T09:00 (in the zone {}) or 2026-11-23T09:00+01:00",
            zone.iana_name().unwrap_or("of this machine")
        )
    })?;
    Ok(local.to_zoned(zone.clone())?.timestamp())
}

/// Returns the date of a text.
///
/// # Errors
/// When it is none; the message shows how one is written.
pub fn date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "it is no date; write 2026-11-23".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_readers_own_unless_it_says_otherwise() {
        let zone = TimeZone::get("Europe/Lisbon").unwrap();
        let read = |text: &str| moment(text, &zone).map(|at| at.to_string());
        assert_eq!(read("2026-07-01T10:00").unwrap(), "2026-07-01T09:00:00Z");
        assert_eq!(read("2026-07-01T10:00Z").unwrap(), "2026-07-01T10:00:00Z");
        let error = read("noon").unwrap_err().to_string();
        assert!(error.contains("in the zone Europe/Lisbon"), "{error}");
        assert!(date("x").unwrap_err().contains("2026-11-23"));
    }
}
