//! The words that depend on where and when the reader is: times, the greeting, deadlines.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::phrases::{count, counts, join};
use super::plain;
use crate::model::{Briefing, BriefingItem, Member, Waiting};

/// The reader's place and time.
#[derive(Clone, Debug)]
pub struct Here {
    now: Zoned,
}

impl Here {
    /// Returns the reader's place and time.
    pub fn new(zone: &TimeZone, now: Timestamp) -> Here {
        Here {
            now: now.to_zoned(zone.clone()),
        }
    }

    /// Returns a past time in few words: `today 08:12`, `yesterday 17:30`, `Fri 21:16`, `17 Oct`, `17 Oct 2025`.
    pub fn when(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.now.time_zone().clone());
        let format = match days_between(&at, &self.now) {
            0 => "today %H:%M",
            1 => "yesterday %H:%M",
            // From the seventh day on the name of a weekday would be taken for a later one.
            2..=6 => "%a %H:%M",
            _ if at.year() == self.now.year() => "%-d %b",
            _ => "%-d %b %Y",
        };
        at.strftime(format).to_string()
    }

    /// Returns a coming time in few words: `11:30`, `tomorrow 09:00`, `Mon 09:00`, `30 Nov 09:00`.
    pub fn until(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.now.time_zone().clone());
        let format = match days_between(&self.now, &at) {
            0 => "%H:%M",
            1 => "tomorrow %H:%M",
            2..=6 => "%a %H:%M",
            _ => "%-d %b %H:%M",
        };
        at.strftime(format).to_string()
    }

    /// Returns the city of the reader's zone, or its offset when it names none.
    pub fn city(&self) -> String {
        match self.now.time_zone().iana_name() {
            Some("UTC" | "Etc/UTC" | "Etc/UCT" | "Etc/Universal" | "Etc/Zulu") => "UTC".into(),
            Some(name) if !name.starts_with("Etc/") => {
                name.rsplit('/').next().unwrap_or(name).replace('_', " ")
            }
            _ => self.now.strftime("UTC%:z").to_string(),
        }
    }

    /// Returns the greeting: `Good morning Becki`.
    pub fn greeting(&self, briefing: &Briefing, member: &Member) -> String {
        let words = match self.now.hour() {
            _ if briefing.is_catch_up => "Welcome back",
            4..12 => "Good morning",
            12..17 => "Good afternoon",
            17..22 => "Good evening",
            _ => "Hello",
        };
        format!(
            "{words} {}",
            plain(
                member
                    .name
                    .split_whitespace()
                    .next()
                    .unwrap_or(&member.name)
            )
        )
        .trim_end()
        .to_owned()
    }

    /// Returns where and when the reader is and since when the briefing counts: `Mon 16 Nov, 09:00 Berlin · since Fri 17:30`.
    pub fn place(&self, briefing: &Briefing) -> String {
        let since = self.when(briefing.window.after.0);
        format!(
            "{} {} · since {since}",
            self.now.strftime("%a %-d %b, %H:%M"),
            self.city()
        )
    }

    /// Returns the one line of a briefing that holds nothing for its reader.
    pub fn quiet(&self, briefing: &Briefing) -> String {
        let after = briefing
            .window
            .after
            .0
            .to_zoned(self.now.time_zone().clone());
        let span = match days_between(&after, &self.now) {
            ..=1 => "Quiet night",
            2..=4 if spans_weekend(&after, &self.now) => "Quiet weekend",
            2..=4 => "Quiet days",
            _ => "Quiet while you were away",
        };
        let read: Vec<String> = counts(&briefing.covered);
        if read.is_empty() {
            format!("{span}: nothing happened.")
        } else {
            format!("{span}: {}, none yours.", join(&read))
        }
    }

    /// Returns the time at which a reply saves the asker a work day: `answer by 11:30, then Ana waits until Mon 09:00`.
    pub fn answer_by(&self, item: &BriefingItem) -> Option<String> {
        let answer_by = item.answer_by?;
        let asker = item.asker.as_deref().map(plain);
        let (who, waits) = match asker.filter(|asker| !asker.is_empty()) {
            Some(asker) => (asker.into_owned(), "waits"),
            None => ("they".to_owned(), "wait"),
        };
        let until = self.until(answer_by.else_waits_until);
        if answer_by.by <= self.now.timestamp() {
            return Some(format!("{who} {waits} until {until}"));
        }
        Some(format!(
            "answer by {}, then {who} {waits} until {until}",
            self.until(answer_by.by)
        ))
    }

    /// Returns on whom the reader waits, since when, and for how long: `Bo`, `Thu 14:10`, `9 work hours`.
    pub fn waiting(&self, waiting: &Waiting) -> (String, String, String) {
        let names: Vec<String> = waiting
            .on
            .iter()
            .map(|name| plain(name).into_owned())
            .filter(|name| !name.is_empty())
            .collect();
        let mut who = match names.as_slice() {
            [] => "anybody".to_owned(),
            [first, _, _, _, ..] => format!("{first} and {} others", names.len() - 1),
            names => join(names),
        };
        if !waiting.instead.is_empty() {
            who += &format!(" ({})", plain(&waiting.instead));
        }
        let hours = waiting.work_hours.round();
        let age = if hours < 1.0 {
            "less than a work hour".to_owned()
        } else {
            count(hours as usize, "work hour", "work hours")
        };
        (who, self.when(waiting.citation.at), age)
    }
}

/// Returns how many calendar days lie between two local times.
fn days_between(from: &Zoned, to: &Zoned) -> i32 {
    // Two dates of one calendar always have a distance.
    from.date()
        .until(to.date())
        .map_or(i32::MAX, |span| span.get_days())
}

/// Returns whether a week ends between two times that are less than a week apart.
fn spans_weekend(from: &Zoned, to: &Zoned) -> bool {
    from.weekday().to_monday_zero_offset() > to.weekday().to_monday_zero_offset()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn times_are_told_in_the_reader_s_zone() {
        let here = Here::new(&sample::member().time_zone, sample::now());
        let past = [
            ("2026-11-15T23:30:00Z", "today 00:30"),
            ("2026-11-15T19:09:00Z", "yesterday 20:09"),
            ("2026-11-10T08:00:00Z", "Tue 09:00"),
            ("2026-11-09T08:00:00Z", "9 Nov"),
            ("2026-10-17T08:00:00Z", "17 Oct"),
            ("2025-12-31T22:59:00Z", "31 Dec 2025"),
            ("2026-11-18T08:00:00Z", "18 Nov"),
        ];
        for (at, expected) in past {
            assert_eq!(here.when(sample::at(at)), expected);
        }
        let coming = [
            ("2026-11-16T10:30:00Z", "11:30"),
            ("2026-11-17T08:00:00Z", "tomorrow 09:00"),
            ("2026-11-19T08:00:00Z", "Thu 09:00"),
            ("2026-11-23T08:00:00Z", "23 Nov 09:00"),
        ];
        for (at, expected) in coming {
            assert_eq!(here.until(sample::at(at)), expected);
        }
    }

    #[test]
    fn a_greeting_fits_the_hour_and_the_place() {
        let cases = [
            ("Europe/Berlin", "Good morning Becki", "Berlin"),
            (
                "America/Argentina/Buenos_Aires",
                "Good morning Becki",
                "Buenos Aires",
            ),
            ("Asia/Kolkata", "Good afternoon Becki", "Kolkata"),
            ("Pacific/Auckland", "Good evening Becki", "Auckland"),
            ("America/Los_Angeles", "Hello Becki", "Los Angeles"),
            ("UTC", "Good morning Becki", "UTC"),
            ("Etc/GMT-2", "Good morning Becki", "UTC+02:00"),
        ];
        for (zone, greeting, city) in cases {
            let here = Here::new(&jiff::tz::TimeZone::get(zone).unwrap(), sample::now());
            assert_eq!(
                (
                    here.greeting(&sample::full(), &sample::member()),
                    here.city()
                ),
                (greeting.into(), city.into())
            );
        }
    }

    #[test]
    fn an_answer_that_comes_too_late_names_only_the_wait() {
        let here = |at| Here::new(&sample::member().time_zone, sample::at(at));
        let item = &sample::full().items[0];
        let answer_by = |at| here(at).answer_by(item).unwrap();
        assert_eq!(
            answer_by("2026-11-16T08:00:00Z"),
            "answer by 11:30, then Ana waits until tomorrow 09:00"
        );
        assert_eq!(
            answer_by("2026-11-16T10:30:00Z"),
            "Ana waits until tomorrow 09:00"
        );
    }

    #[test]
    fn who_waits_is_whose_deadline_it_is_and_nobody_else() {
        let here = Here::new(
            &sample::member().time_zone,
            sample::at("2026-11-16T08:00:00Z"),
        );
        let mut item = sample::full().items.remove(0);
        item.asker = Some("Bo".into());
        assert_eq!(
            here.answer_by(&item).unwrap(),
            "answer by 11:30, then Bo waits until tomorrow 09:00"
        );
        item.asker = None;
        assert_eq!(
            here.answer_by(&item).unwrap(),
            "answer by 11:30, then they wait until tomorrow 09:00"
        );
    }
}
