//! How far a workspace has been read: the cursor, and what follows from comparing it with what Slack shows now.
//!
//! Slack lists messages newest first, shows no edit or deletion as such and no replies among the messages. So recent
//! messages are listed again now and then; one that is gone was deleted, one whose count of replies moved is asked for
//! its replies. Everything here is pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::api::Posted;

/// A message's time, which is its id within the channel: `seconds.micros`. Ordered by number, not by text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub String);

impl Ts {
    /// Returns the id that a message of this moment would have.
    pub fn at(moment: Timestamp) -> Ts {
        let micros = moment.as_microsecond().max(0);
        Ts(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000))
    }

    /// Returns when its message was posted.
    pub fn moment(&self) -> Timestamp {
        let (seconds, micros) = self.parts();
        let at = seconds.saturating_mul(1_000_000).saturating_add(micros);
        i64::try_from(at)
            .ok()
            .and_then(|at| Timestamp::from_microsecond(at).ok())
            .unwrap_or_default()
    }

    /// Returns the id this much earlier.
    pub fn before(&self, span: SignedDuration) -> Ts {
        let (seconds, micros) = self.parts();
        let earlier = seconds.saturating_sub(span.as_secs().unsigned_abs());
        Ts(format!("{earlier}.{micros:06}"))
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn parts(&self) -> (u64, u64) {
        let (seconds, micros) = self.0.split_once('.').unwrap_or((&self.0, "0"));
        (seconds.parse().unwrap_or(0), micros.parse().unwrap_or(0))
    }
}

impl PartialOrd for Ts {
    fn partial_cmp(&self, other: &Ts) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ts {
    fn cmp(&self, other: &Ts) -> std::cmp::Ordering {
        self.parts().cmp(&other.parts())
    }
}

/// The cursor of a workspace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stand {
    /// A print of the people that were delivered.
    pub people: String,
    /// When recent messages were last looked through, in seconds.
    pub swept_at: i64,
    /// By channel id.
    pub channels: BTreeMap<String, Place>,
}

/// How far one channel has been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// A print of its name and members as delivered.
    pub print: String,
    /// Whether it can no longer be seen, and has been closed.
    pub is_gone: bool,
    /// The last message when it was last read to the end; empty before.
    pub newest: Ts,
    /// A reading that is not over.
    pub reading: Option<Reading>,
    /// The recent messages that were delivered.
    pub known: BTreeSet<Ts>,
    /// The recent messages with replies.
    pub threads: BTreeMap<Ts, Replies>,
    /// Messages whose replies have to be asked for.
    pub todo: VecDeque<Todo>,
}

/// A pass over a channel, from the newest message down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// Messages after this are wanted.
    pub from: Ts,
    /// Messages after this are kept in mind.
    pub recent: Ts,
    /// The newest message of the pass.
    pub top: Ts,
    /// The pass goes on below this; empty at its start.
    pub below: Ts,
    /// What it has seen of the recent ones.
    pub seen: BTreeSet<Ts>,
    /// Whether the channel had never been read to its end before.
    pub is_first: bool,
}

/// The replies of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replies {
    /// How many Slack counts.
    pub count: u64,
    /// The last one.
    pub latest: Ts,
    /// Those that were delivered.
    pub known: BTreeSet<Ts>,
}

/// A message whose replies have to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Todo {
    /// The message.
    pub root: Ts,
    /// Replies after this are wanted; empty for all.
    pub after: Ts,
    /// Whether all of them are listed, so that one that is missing was deleted.
    pub is_whole: bool,
    /// What came so far.
    pub got: BTreeSet<Ts>,
    /// Whether it belongs to what was there before anybody looked.
    pub is_history: bool,
}

/// How far back things are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// How far the first reading goes back.
    pub history: SignedDuration,
    /// How long edits, deletions and late replies are noticed.
    pub watch: SignedDuration,
    /// How far every reading goes back behind the last one.
    pub overlap: SignedDuration,
}

impl Place {
    /// Returns the reading to go on with, a new one if none is open.
    pub fn reading(&mut self, now: Timestamp, is_sweep: bool, spans: &Spans) -> &mut Reading {
        let (start, recent) = (
            Ts::at(now).before(spans.history),
            Ts::at(now).before(spans.watch),
        );
        let from = match (self.newest.is_empty(), is_sweep) {
            (true, _) => start,
            (false, true) => recent
                .clone()
                .min(self.newest.before(spans.overlap))
                .max(start),
            (false, false) => self.newest.before(spans.overlap),
        };
        let is_first = self.newest.is_empty();
        self.reading.get_or_insert_with(|| Reading {
            recent: recent.max(from.clone()),
            from,
            is_first,
            ..Reading::default()
        })
    }

    /// Returns whether nothing is left over from a reading.
    pub fn is_settled(&self) -> bool {
        !self.newest.is_empty() && self.reading.is_none() && self.todo.is_empty()
    }

    /// Notes a message of the channel's own list that was delivered.
    pub fn note(&mut self, posted: &Posted) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        let ts = Ts(posted.message.ts.clone());
        reading.top = reading.top.clone().max(ts.clone());
        // A reply that was also sent to the channel is looked after with its thread.
        let root = posted.message.thread_ts();
        if !root.is_empty() && root != ts.0 {
            return;
        }
        if ts > reading.recent {
            reading.seen.insert(ts.clone());
        }
        self.note_thread(posted);
    }

    /// Notes how many replies a message has, be it there itself or only the stone that it left behind.
    pub fn note_thread(&mut self, posted: &Posted) {
        let Some(reading) = &self.reading else {
            return;
        };
        let ts = Ts(posted.message.ts.clone());
        let known = self.threads.get(&ts);
        let latest = Ts(posted.latest_reply.clone());
        let is_same = match known {
            Some(known) => known.count == posted.reply_count && known.latest == latest,
            None => posted.reply_count == 0,
        };
        if is_same || self.todo.iter().any(|todo| todo.root == ts) {
            return;
        }
        let after = known.map(|known| known.latest.clone()).unwrap_or_default();
        self.todo.push_back(Todo {
            is_whole: after.is_empty() || posted.reply_count == 0,
            after: if posted.reply_count == 0 {
                Ts::default()
            } else {
                after
            },
            root: ts,
            is_history: reading.is_first,
            ..Todo::default()
        });
    }

    /// Asks for messages and all their replies, whatever is known of them. A channel that was never read to its end will
    /// come to them by itself.
    pub fn ask_for(&mut self, roots: &BTreeSet<Ts>) {
        if self.newest.is_empty() {
            return;
        }
        for root in roots {
            if self.todo.iter().any(|todo| todo.root == *root) {
                continue;
            }
            self.todo.push_back(Todo {
                root: root.clone(),
                is_whole: true,
                ..Todo::default()
            });
        }
    }

    /// Ends the reading and returns the messages that were there before and are gone.
    ///
    /// A whole channel's worth of deletions at once is not believed: then nothing counts as gone.
    pub fn finish(&mut self) -> Vec<Ts> {
        const BELIEVABLE: usize = 5;
        let Some(reading) = self.reading.take() else {
            return Vec::new();
        };
        self.newest = self.newest.clone().max(reading.top);
        let mut gone: Vec<Ts> = self
            .known
            .iter()
            .filter(|ts| **ts > reading.recent && !reading.seen.contains(ts))
            .cloned()
            .collect();
        if reading.seen.is_empty() && gone.len() > BELIEVABLE {
            gone.clear();
        }
        for ts in &gone {
            self.known.remove(ts);
        }
        self.known.extend(reading.seen);
        gone
    }

    /// Forgets what is no longer watched.
    pub fn forget(&mut self, now: Timestamp, spans: &Spans) {
        let recent = Ts::at(now).before(spans.watch);
        self.known.retain(|ts| *ts > recent);
        self.threads.retain(|ts, _| *ts > recent);
    }

    /// Notes a page of replies to the message that is asked for first. `root` is the message itself, as every page
    /// begins with it; `got` are the page's replies. Returns the replies that are gone once all have been listed.
    pub fn note_replies(&mut self, root: Option<&Posted>, got: Vec<Ts>, has_more: bool) -> Vec<Ts> {
        let Some(todo) = self.todo.front_mut() else {
            return Vec::new();
        };
        let known = self.threads.entry(todo.root.clone()).or_default();
        if let Some(last) = got.iter().max() {
            todo.after = todo.after.clone().max(last.clone());
        }
        todo.got.extend(got);
        if has_more && !todo.got.is_empty() {
            return Vec::new();
        }
        let counted = root.map_or(0, |root| root.reply_count);
        let (mut gone, mut is_done) = (Vec::new(), true);
        if todo.is_whole {
            gone = known.known.difference(&todo.got).cloned().collect();
            known.known = std::mem::take(&mut todo.got);
        } else {
            known.known.append(&mut todo.got);
            if known.known.len() as u64 != counted {
                // Fewer or more than counted: one was deleted, or one came in between. All of them, then.
                *todo = Todo {
                    root: todo.root.clone(),
                    is_whole: true,
                    is_history: todo.is_history,
                    ..Todo::default()
                };
                is_done = false;
            }
        }
        if is_done {
            known.count = counted;
            known.latest = root
                .map(|root| Ts(root.latest_reply.clone()))
                .unwrap_or_default();
            if known.count == 0 && known.known.is_empty() {
                self.threads.remove(&todo.root);
            }
            self.todo.pop_front();
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SPANS: Spans = Spans {
        history: SignedDuration::from_hours(24 * 90),
        watch: SignedDuration::from_hours(24 * 14),
        overlap: SignedDuration::from_mins(10),
    };

    fn ts(secs: u64) -> Ts {
        Ts(format!("{secs}.000100"))
    }

    fn posted(secs: u64, replies: u64, latest: u64) -> Posted {
        let latest = if replies == 0 {
            String::new()
        } else {
            ts(latest).0
        };
        Posted::of(&json!({ "ts": ts(secs).0, "text": "x", "user": "U1", "reply_count": replies, "latest_reply": latest }))
            .unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap()
    }

    const RECENT: u64 = 1_794_999_000;

    fn read(place: &mut Place, is_sweep: bool, listed: &[Posted]) -> Vec<Ts> {
        place.reading(now(), is_sweep, &SPANS);
        for posted in listed {
            place.note(posted);
        }
        place.finish()
    }

    #[test]
    fn ids_are_ordered_as_numbers() {
        let ids = ["999.9", "1000.000100", "1000.000200", "1001.000000"].map(|id| Ts(id.into()));
        assert!(ids.is_sorted());
        assert_eq!(Ts::at(now()).0, "1795000000.000000");
        assert_eq!(ts(700).before(SPANS.overlap), ts(100));
    }

    #[test]
    fn a_reading_reaches_back_over_history_overlap_or_what_is_watched() {
        let mut place = Place::default();
        let first = place.reading(now(), false, &SPANS).clone();
        assert_eq!(first.from, Ts::at(now()).before(SPANS.history));
        assert_eq!(first.recent, Ts::at(now()).before(SPANS.watch));
        assert!(first.is_first);
        read(&mut place, false, &[posted(RECENT, 0, 0)]);
        let next = place.reading(now(), false, &SPANS).clone();
        assert_eq!(next.from, ts(RECENT - 600));
        assert!(!next.is_first);
        place.reading = None;
        let sweep = place.reading(now(), true, &SPANS).clone();
        assert_eq!(sweep.from, Ts::at(now()).before(SPANS.watch));
        // One that is open goes on, whatever is wanted now.
        assert_eq!(*place.reading(now(), false, &SPANS), sweep);
    }

    #[test]
    fn what_is_gone_within_the_range_was_deleted_and_nothing_else_was() {
        let mut place = Place::default();
        let all = [
            posted(RECENT, 0, 0),
            posted(RECENT - 700, 0, 0),
            posted(RECENT - 9_000, 0, 0),
        ];
        assert!(read(&mut place, false, &all).is_empty());
        assert!(
            read(&mut place, false, &all[..1]).is_empty(),
            "beyond the overlap"
        );
        assert_eq!(
            read(&mut place, true, &[all[0].clone(), all[2].clone()]),
            [ts(RECENT - 700)]
        );
        assert!(read(&mut place, true, &[all[0].clone(), all[2].clone()]).is_empty());
        assert_eq!(read(&mut place, false, &[]), [ts(RECENT)], "the last one");
        assert_eq!(place.newest, ts(RECENT));
    }

    #[test]
    fn a_channel_that_is_suddenly_empty_is_not_believed() {
        let mut place = Place::default();
        let all: Vec<Posted> = (0..6).map(|at| posted(RECENT - at, 0, 0)).collect();
        read(&mut place, false, &all);
        assert!(read(&mut place, true, &[]).is_empty());
        assert_eq!(place.known.len(), 6);
        assert_eq!(read(&mut place, true, &all[5..]).len(), 5);
    }

    #[test]
    fn replies_are_asked_for_when_their_count_or_the_last_one_moved() {
        let mut place = Place::default();
        let root = posted(RECENT, 2, RECENT + 20);
        read(&mut place, false, std::slice::from_ref(&root));
        assert_eq!(place.todo.len(), 1);
        assert!(place.todo[0].is_whole && place.todo[0].is_history);
        assert!(
            place
                .note_replies(Some(&root), vec![ts(RECENT + 10)], true)
                .is_empty()
        );
        assert_eq!(
            place.todo[0].after,
            ts(RECENT + 10),
            "it goes on after the first"
        );
        assert!(
            place
                .note_replies(Some(&root), vec![ts(RECENT + 20)], false)
                .is_empty()
        );
        assert!(place.todo.is_empty());
        read(&mut place, true, std::slice::from_ref(&root));
        assert!(place.todo.is_empty(), "nothing moved");

        let later = posted(RECENT, 3, RECENT + 30);
        read(&mut place, true, std::slice::from_ref(&later));
        assert_eq!(
            (&place.todo[0].after, place.todo[0].is_whole),
            (&ts(RECENT + 20), false)
        );
        assert!(
            place
                .note_replies(Some(&later), vec![ts(RECENT + 30)], false)
                .is_empty()
        );
        assert!(place.todo.is_empty());

        // One came and one went: the count is the same, the last one is not.
        let swapped = posted(RECENT, 3, RECENT + 40);
        read(&mut place, true, std::slice::from_ref(&swapped));
        assert!(
            place
                .note_replies(Some(&swapped), vec![ts(RECENT + 40)], false)
                .is_empty()
        );
        assert!(
            place.todo[0].is_whole,
            "the sum is wrong, so all are listed"
        );
        let listed = vec![ts(RECENT + 10), ts(RECENT + 30), ts(RECENT + 40)];
        assert_eq!(
            place.note_replies(Some(&swapped), listed, false),
            [ts(RECENT + 20)]
        );

        // The last one is deleted: fewer, and an earlier last one.
        let fewer = posted(RECENT, 2, RECENT + 30);
        read(&mut place, true, std::slice::from_ref(&fewer));
        place.note_replies(Some(&fewer), Vec::new(), false);
        let listed = vec![ts(RECENT + 10), ts(RECENT + 30)];
        assert_eq!(
            place.note_replies(Some(&fewer), listed, false),
            [ts(RECENT + 40)]
        );

        // All of them are deleted: Slack shows no count any more.
        let none = posted(RECENT, 0, 0);
        read(&mut place, true, std::slice::from_ref(&none));
        assert_eq!(place.note_replies(Some(&none), Vec::new(), false).len(), 2);
        assert!(place.todo.is_empty() && place.threads.is_empty());
    }

    #[test]
    fn what_is_no_longer_watched_is_forgotten() {
        let mut place = Place::default();
        let old = 1_795_000_000 - 15 * 86_400;
        place.known.extend([ts(old), ts(RECENT)]);
        place.threads.insert(ts(old), Replies::default());
        place.forget(now(), &SPANS);
        assert_eq!(place.known, BTreeSet::from([ts(RECENT)]));
        assert!(place.threads.is_empty());
    }
}
