//! How far a Jira has been read, and the question for what comes next. Everything here is pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::api::Deployment;

/// How far every listing goes back behind the last one: Jira finds a change only a while after it was made.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(20);
/// What happened this long before the last listing was there already, whether we had seen its issue or not.
pub const SETTLED: SignedDuration = SignedDuration::from_hours(24);
/// For how long an issue is looked at again, since edits and deletions of comments need not count as changes.
pub const WATCHED: SignedDuration = SignedDuration::from_hours(24 * 14);
/// How many issues are looked at again at most.
pub const MAX_WATCHED: usize = 1_500;
/// An issue that is not there for this long does not come back.
pub const MISSED: SignedDuration = SignedDuration::from_hours(24);

/// The cursor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stand {
    /// What the config says about readers and projects; when that changes, everything is read again.
    pub mode: String,
    /// Changes from here on are listed, in milliseconds; 0 before the first listing.
    pub since: i64,
    /// The first listing is over.
    pub is_read: bool,
    /// Cloud: a listing that is not over goes on with this token.
    pub token: Option<String>,
    /// Data Center: a listing that is not over goes on from this time …
    pub at: i64,
    /// … behind this many.
    pub skip: usize,
    /// The last change of the present listing, as the listing tells it.
    pub newest: i64,
    /// Issues of the overlap, with the change that was delivered.
    pub recent: BTreeMap<String, i64>,
    /// Issues that changed lately.
    pub known: BTreeMap<String, KnownIssue>,
    /// Projects that something was delivered of, with their keys.
    pub projects: BTreeMap<String, String>,
    /// The roles and groups that comments are kept to.
    pub circles: BTreeSet<String>,
    /// When they were asked for last, in milliseconds.
    pub circles_at: i64,
}

/// An issue that changed lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KnownIssue {
    /// When it changed.
    pub updated: i64,
    /// When it was looked at.
    pub looked: i64,
    /// What of it was delivered; empty when it has to be delivered again.
    pub print: String,
    /// The ids of the comments that were delivered.
    pub comments: BTreeSet<String>,
    /// Since when it is not there, if it is not.
    pub missing: Option<i64>,
}

impl Stand {
    /// Begins from the start, as if nothing had been read; what was delivered stays known.
    pub fn begin_again(&mut self, now: Timestamp, history: SignedDuration) {
        self.since = now.saturating_sub(history).unwrap_or(now).as_millisecond();
        (self.token, self.at, self.skip, self.newest) = (None, 0, 0, 0);
        self.recent.clear();
        for known in self.known.values_mut() {
            known.print.clear();
        }
    }

    /// Notes that all of a page of the listing was delivered. `newest` is the last change that the *listing* told of:
    /// an issue fetched since may have changed again while others between are not in the index yet.
    pub fn end_page(&mut self, newest: i64) {
        self.newest = self.newest.max(newest);
        let kept = self.newest - OVERLAP.as_millis() as i64;
        self.recent.retain(|_, at| *at >= kept);
    }

    /// Notes that the listing is over.
    pub fn end_listing(&mut self, now: Timestamp) {
        self.is_read = true;
        (self.token, self.at, self.skip) = (None, 0, 0);
        self.since = self.since.max(self.newest - OVERLAP.as_millis() as i64);
        self.newest = 0;
        let since = self.since;
        self.recent.retain(|_, at| *at >= since);
        let watched = now.saturating_sub(WATCHED).unwrap_or(now).as_millisecond();
        self.known
            .retain(|_, known| known.updated >= watched || known.missing.is_some());
        while self.known.len() > MAX_WATCHED {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.updated);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            self.known.remove(&oldest);
        }
    }

    /// Notes that the page that a token stood for is not there any more: all up to the last one was delivered.
    pub fn lose_token(&mut self) {
        self.token = None;
        if self.newest > 0 {
            self.since = self.since.max(self.newest - OVERLAP.as_millis() as i64);
        }
    }

    /// Returns the issues that were not looked at for longest.
    pub fn to_look_at(&self, begun: i64, limit: usize) -> Vec<String> {
        let mut waiting: Vec<(&String, i64)> = self
            .known
            .iter()
            .filter(|(_, known)| known.looked < begun)
            .map(|(id, known)| (id, known.looked))
            .collect();
        waiting.sort_by_key(|(_, looked)| *looked);
        waiting
            .into_iter()
            .take(limit)
            .map(|(id, _)| id.clone())
            .collect()
    }
}

/// Returns the question for issues that changed from a moment on, in the order of their changes.
///
/// A bare date and time in a question is read in the zone of the account that asks, to the minute. Cloud takes a number
/// of milliseconds instead. Data Center is given the local time of the account; where that is not known, or the clocks go
/// back there, one that is surely not too late.
pub fn changed_since(
    projects: &[String],
    since: Timestamp,
    deployment: Deployment,
    zone: Option<&TimeZone>,
) -> String {
    let bound = match deployment {
        Deployment::Cloud => since.as_millisecond().to_string(),
        Deployment::DataCenter => format!("\"{}\"", local(since, zone)),
    };
    let order = match deployment {
        Deployment::Cloud => "id",
        Deployment::DataCenter => "key",
    };
    format!(
        "{}updated >= {bound} ORDER BY updated ASC, {order} ASC",
        within(projects)
    )
}

/// Returns the question for certain issues, by their numbers.
pub fn these(ids: &[String]) -> String {
    format!("id in ({}) ORDER BY key ASC", ids.join(", "))
}

/// Returns the part of a question that names projects; their keys may be words of the language, so they are quoted.
fn within(projects: &[String]) -> String {
    if projects.is_empty() {
        return String::new();
    }
    let keys: Vec<String> = projects.iter().map(|key| format!("\"{key}\"")).collect();
    format!("project in ({}) AND ", keys.join(", "))
}

fn local(since: Timestamp, zone: Option<&TimeZone>) -> String {
    let Some(zone) = zone else {
        // No zone is further behind than twelve hours.
        let earliest = since.saturating_sub(12.hours()).unwrap_or(since);
        return minute(earliest, &TimeZone::UTC);
    };
    let mut at = since;
    // An hour that comes twice could be taken for the later one.
    for _ in 0..8 {
        let shown = at.to_zoned(zone.clone()).datetime();
        if !zone.to_ambiguous_timestamp(shown).is_ambiguous() {
            break;
        }
        at = at.saturating_sub(30.minutes()).unwrap_or(at);
    }
    minute(at, zone)
}

fn minute(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_question_names_the_moment_so_that_no_zone_can_shift_it() {
        let since = at("2026-11-22T20:00:30Z");
        let sydney = TimeZone::get("Australia/Sydney").unwrap();
        let cloud =
            |projects: &[String]| changed_since(projects, since, Deployment::Cloud, Some(&sydney));
        assert_eq!(
            cloud(&[]),
            "updated >= 1795377630000 ORDER BY updated ASC, id ASC"
        );
        assert_eq!(
            cloud(&["CORE".into(), "AND".into()]),
            "project in (\"CORE\", \"AND\") AND updated >= 1795377630000 ORDER BY updated ASC, id ASC"
        );
        let server = |since, zone| changed_since(&[], at(since), Deployment::DataCenter, zone);
        let order = "ORDER BY updated ASC, key ASC";
        assert_eq!(
            server("2026-11-22T20:00:30Z", Some(&sydney)),
            format!("updated >= \"2026-11-23 07:00\" {order}")
        );
        assert_eq!(
            server("2026-11-22T20:00:30Z", None),
            format!("updated >= \"2026-11-22 08:00\" {order}")
        );
        // 00:30Z is the second 01:30 of that night in Berlin minus nothing: 02:30 comes twice there.
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for since in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            assert_eq!(
                server(since, Some(&berlin)),
                format!("updated >= \"2026-10-25 01:{}\" {order}", "30")
            );
        }
    }

    #[test]
    fn a_checkpoint_stays_behind_what_may_not_be_in_the_index_yet() {
        let mut stand = Stand {
            since: 1_000,
            ..Stand::default()
        };
        let overlap = OVERLAP.as_millis() as i64;
        let newest = 10 * overlap;
        stand.recent.insert("1".into(), newest);
        stand.recent.insert("2".into(), newest - overlap - 1);
        stand.end_page(newest);
        assert_eq!(
            stand.recent.len(),
            1,
            "what is before the overlap is not listed again"
        );
        assert_eq!(
            stand.since, 1_000,
            "a listing that is not over moves nothing"
        );
        stand.end_listing(at("1970-01-02T00:00:00Z"));
        assert_eq!(stand.since, newest - overlap);
        stand.end_page(5);
        stand.end_listing(at("1970-01-02T00:00:00Z"));
        assert_eq!(stand.since, newest - overlap, "and it never goes back");
    }

    #[test]
    fn the_issue_that_waited_longest_is_looked_at_first() {
        let mut stand = Stand::default();
        for (id, looked) in [("a", 5), ("b", 3), ("c", 9), ("d", 1)] {
            let known = KnownIssue {
                looked,
                ..KnownIssue::default()
            };
            stand.known.insert(id.into(), known);
        }
        assert_eq!(stand.to_look_at(9, 2), ["d", "b"]);
        assert_eq!(stand.to_look_at(9, 9), ["d", "b", "a"]);
    }
}
