//! The part of a pass that is about discussions.
//!
//! They are listed by their last change, as far back as the last listing's end less an overlap. A late reply, an edit or a
//! deletion need not count as a change, so in each pass a few that were lively lately are read again, each about hourly.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Gatherer, OVERLAP, Phase, Run, SETTLED, WATCHED, earlier, instant};
use crate::connectors::Skipped;
use crate::connectors::github::Page;
use crate::connectors::github::api::GithubError;
use crate::connectors::github::discussions::{
    self, Connection, Found, Listed, normalize, thread_name, variables,
};
use crate::connectors::github::normalize::time;
use crate::model::{EventKind, ThreadId};

/// How many discussions are read again in a pass although no listing shows a change.
const AGAIN: usize = 5;
/// A discussion is not read again within this time.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(55);

/// How far the discussions of a repository have been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Topics {
    /// Those that changed from here on are listed; empty before the first listing.
    since: String,
    /// The first listing is over.
    is_read: bool,
    /// A listing that is not over goes on here.
    pub next: Option<String>,
    /// The last change when the present listing began.
    newest: String,
    /// Those of the overlap, with the change that was delivered.
    recent: BTreeMap<u64, String>,
    /// Those that changed lately.
    known: BTreeMap<u64, Known>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    changed: String,
    read: String,
    /// Its comments and replies.
    ids: BTreeSet<String>,
}

impl Gatherer {
    /// Asks for the next page of discussions that changed; `None` where there are none.
    pub(super) async fn list_topics(
        &self,
        run: &mut Run,
        name: &str,
    ) -> Result<Option<Phase>, GithubError> {
        let begun_at = run.begun_at;
        let start = begun_at.saturating_sub(self.history).unwrap_or(begun_at);
        let topics = &mut run.place(name).topics;
        if topics.since.is_empty() {
            topics.since = instant(start);
        }
        run.turn_to_topics(name);
        let topics = &mut run.place(name).topics;
        // A place in a list may be forgotten over there; the next pass begins anew.
        let after = topics.next.take();
        let asked = variables(name, after.as_deref());
        let told = self
            .client
            .query("discussions.list", name, discussions::LIST, &asked);
        let told = told.await;
        if !matches!(&told, Err(error) if error.is_about_place()) {
            topics.next.clone_from(&after);
        }
        let (mut data, _) = told?;
        let repository = &mut data["repository"];
        if repository["hasDiscussionsEnabled"] == false {
            return Ok(None);
        }
        let listed: Connection<Listed> =
            discussions::read("discussions.list", repository["discussions"].take())?;
        let next = listed.next(after.as_deref());
        let nodes: Vec<Listed> = listed
            .nodes
            .into_iter()
            .flatten()
            .filter(|listed| listed.number > 0)
            .collect();
        if after.is_none() {
            let newest = nodes.iter().map(|listed| listed.updated_at.clone()).max();
            topics.newest = newest.unwrap_or_default();
        }
        let is_over = nodes.iter().any(|listed| listed.updated_at < topics.since);
        let mut queue: VecDeque<u64> = nodes
            .iter()
            .filter(|listed| listed.updated_at >= topics.since)
            .filter(|listed| topics.recent.get(&listed.number) != Some(&listed.updated_at))
            .map(|listed| listed.number)
            .collect();
        if after.is_none() {
            let rested = earlier(&instant(begun_at), AGAIN_AFTER);
            let mut again: Vec<(&String, u64)> = topics
                .known
                .iter()
                .filter(|(number, known)| known.read <= rested && !queue.contains(number))
                .map(|(number, known)| (&known.read, *number))
                .collect();
            again.sort();
            queue.extend(again.into_iter().take(AGAIN).map(|(_, number)| number));
            let hinted = std::mem::take(&mut run.hinted_topics);
            let hinted = hinted.into_iter().filter(|number| !queue.contains(number));
            queue.extend(hinted.collect::<Vec<_>>());
        }
        Ok(Some(Phase::Topics(queue, next.filter(|_| !is_over))))
    }

    /// Puts a discussion with all that was said in it into the page.
    pub(super) async fn deliver_topic(
        &self,
        run: &mut Run,
        name: &str,
        number: u64,
        page: &mut Page,
    ) -> Result<(), GithubError> {
        let now = run.begun_at;
        let at = thread_name(name, number);
        let (discussion, is_whole) = match discussions::find(&self.client, name, number).await {
            Ok(Found::There(discussion, is_whole)) => (discussion, is_whole),
            Ok(Found::Gone) => {
                let topics = &mut run.place(name).topics;
                topics.recent.remove(&number);
                topics.known.remove(&number);
                let thread = ThreadId::new(&self.id, at.as_str());
                page.events.push(self.deleted(&at, &thread, now));
                return Ok(());
            }
            Err(error) if error.is_about_place() => {
                let reason = error.to_string();
                page.skipped.push(Skipped { at, reason });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let normalized = match normalize(&discussion, name, number, &self.id) {
            Ok(normalized) => normalized,
            Err(reason) => {
                page.skipped.push(Skipped { at, reason });
                return Ok(());
            }
        };
        let mut ids: BTreeSet<String> = normalized
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Posted)
            .map(|event| event.id.id.to_string())
            .collect();
        let topics = &mut run.place(name).topics;
        let before = topics.known.remove(&number).unwrap_or_default().ids;
        if is_whole {
            let gone = before.difference(&ids);
            let gone = gone.map(|gone| self.deleted(gone, &normalized.thread.id, now));
            page.events.extend(gone);
        } else {
            // What may not be seen just now need not be gone.
            ids.extend(before);
        }
        let changed = discussion.updated_at.clone();
        if changed >= earlier(&instant(now), WATCHED) {
            let known = Known {
                changed: changed.clone(),
                read: instant(now),
                ids,
            };
            topics.known.insert(number, known);
        }
        topics.recent.insert(number, changed);
        page.events.extend(normalized.events);
        page.people.extend(normalized.people);
        page.threads.push(normalized.thread);
        Ok(())
    }
}

impl Run {
    /// Finds out what is history among the discussions of the repository in front.
    fn turn_to_topics(&mut self, name: &str) {
        let begun_at = self.begun_at;
        let topics = &self.place(name).topics;
        self.history_before = if topics.is_read {
            let since = time(&topics.since).unwrap_or(begun_at);
            since.saturating_sub(SETTLED).unwrap_or(since)
        } else {
            begun_at
        };
    }

    /// Ends a page of discussions.
    pub(super) fn end_of_topics(&mut self, name: &str, next: Option<String>) {
        let begun_at = self.begun_at;
        let topics = &mut self.place(name).topics;
        topics.next = next;
        if topics.next.is_some() {
            self.phase = Phase::TopicList;
            return;
        }
        topics.is_read = true;
        topics.since = earlier(&topics.newest, OVERLAP).max(topics.since.clone());
        let since = topics.since.clone();
        topics.recent.retain(|_, at| *at >= since);
        let watched = earlier(&instant(begun_at), WATCHED);
        topics.known.retain(|_, known| known.changed >= watched);
        self.drop_front();
    }
}
