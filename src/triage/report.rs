//! How the suggestions do: the line for whoever looks after daybrief, and the alarm when they get worse.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tracing::{info, warn};

use crate::model::Gap;
use crate::store::suggestions::{Score, score};
use crate::store::{Store, progress};

/// What counts as lately.
pub const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often the line is logged.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many outcomes have to be known before a precision says something, and how far it may fall.
const LEAST_KNOWN: u64 = 20;
const FALL: f64 = 0.1;

/// The last 30 days and the 30 before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// The last 30 days.
    pub last: Score,
    /// The 30 days before.
    pub before: Score,
}

impl Lately {
    /// Returns how the suggestions did up to a moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn upto(c: &Connection, now: Timestamp) -> Result<Lately> {
        let month = now.checked_sub(MONTH)?;
        let two = month.checked_sub(MONTH)?;
        Ok(Lately {
            last: score(c, None, None, month, now)?,
            before: score(c, None, None, two, month)?,
        })
    }

    /// Returns the line: `last 30 days: 41 suggested, 33 right, 5 changed, 3 open; precision 0.87, was 0.85`; `None` when
    /// nothing was looked at.
    pub fn in_words(&self) -> Option<String> {
        let Score {
            suggested,
            right,
            changed,
            open,
            abstained,
        } = self.last;
        if suggested + abstained == 0 {
            return None;
        }
        let mut line = format!(
            "last 30 days: {suggested} suggested, {right} right, {changed} changed, {open} open"
        );
        if abstained > 0 {
            line += &format!(", {abstained} left to the rotation");
        }
        if let Some(precision) = self.last.precision() {
            line += &format!("; precision {precision:.2}");
            if let Some(before) = self.before.precision() {
                line += &format!(", was {before:.2}");
            }
        }
        Some(line)
    }

    /// Returns why somebody should look, if somebody should: the precision lies well below the target or what it was.
    pub fn drift(&self, target: f32) -> Option<String> {
        let precision = self.last.precision()?;
        let known = |score: &Score| score.right + score.changed >= LEAST_KNOWN;
        let before = self.before.precision().filter(|_| known(&self.before));
        let held = before.map_or(f64::from(target), |before| before.max(f64::from(target)));
        (known(&self.last) && precision < held - FALL).then(|| {
            let was = before.map_or(String::new(), |before| format!(", was {before:.2}"));
            format!(
                "owner suggestions of the last 30 days were right in {precision:.2} of the cases{was}, the target is {target:.2}"
            )
        })
    }
}

/// Says once when the suggestions get worse, and once a week how they do.
#[derive(Debug, Default)]
pub struct Drift {
    is_told: bool,
    told_at: Option<Timestamp>,
}

impl Drift {
    /// Looks at the ledger and says what has to be said.
    ///
    /// # Errors
    /// When the store fails.
    pub fn check(&mut self, store: &Store, target: f32, now: Timestamp) -> Result<()> {
        let lately = store.read_now(|c| Lately::upto(c, now))?;
        let is_week_over = self.told_at.is_none_or(|at| now.duration_since(at) >= WEEK);
        if is_week_over && let Some(line) = lately.in_words() {
            info!("Owner suggestions, {line}");
            self.told_at = Some(now);
        }
        match lately.drift(target) {
            None => self.is_told = false,
            Some(_) if self.is_told => {}
            Some(reason) => {
                self.is_told = true;
                warn!("{reason}; `daybrief backtest owners` shows more");
                let gap = Gap {
                    of: "triage".into(),
                    reason,
                };
                store.write_now(|c| progress::put_gap(c, &gap, now))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(right: u64, changed: u64, open: u64) -> Score {
        Score {
            suggested: right + changed + open,
            right,
            changed,
            open,
            abstained: 0,
        }
    }

    #[test]
    fn the_line_counts_what_was_suggested_and_what_came_of_it() {
        let lately = Lately {
            last: of(33, 5, 3),
            before: of(17, 3, 0),
        };
        assert_eq!(
            lately.in_words().unwrap(),
            "last 30 days: 41 suggested, 33 right, 5 changed, 3 open; precision 0.87, was 0.85"
        );
        assert_eq!(Lately::default().in_words(), None);
        let quiet = Lately {
            last: Score {
                abstained: 4,
                ..Score::default()
            },
            before: Score::default(),
        };
        let expected =
            "last 30 days: 0 suggested, 0 right, 0 changed, 0 open, 4 left to the rotation";
        assert_eq!(quiet.in_words().unwrap(), expected);
    }

    #[test]
    fn a_fall_alarms_and_few_outcomes_do_not() {
        for (last, before, is_alarm) in [
            (of(33, 5, 3), of(17, 3, 0), false),
            (of(20, 20, 0), of(17, 3, 0), true),
            (of(4, 4, 0), of(17, 3, 0), false),
            (of(20, 20, 0), Score::default(), true),
            (of(32, 8, 0), of(40, 0, 0), true),
            (of(30, 8, 0), Score::default(), false),
        ] {
            let drift = Lately { last, before }.drift(0.8);
            assert_eq!(drift.is_some(), is_alarm, "{last:?} {before:?}");
        }
    }
}
