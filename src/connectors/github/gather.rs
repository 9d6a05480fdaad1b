//! One pass over the repositories, call by call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::api::{Client, GithubError, Listed};
use super::normalize::{is_marked, normalize, thread_name, time};
use super::wire::{Comment, Happening, Issue};
use super::{Cursor, GithubConfig, Page, Readers};
use crate::connectors::Skipped;
use crate::connectors::files::{self, bare_event};
use crate::http::Url;
use crate::model::{ConnectorId, Event, EventId, EventKind, ThreadId};

mod readers;
mod topics;

use topics::Topics;

/// How far every listing goes back behind the last one: GitHub may list a change a little late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// What happened this long before the last listing was there already, whether we had seen its issue or not.
const SETTLED: SignedDuration = SignedDuration::from_hours(24);
/// For how long a comment that is gone is missed.
const WATCHED: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The cursor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stand {
    /// By `owner/name`.
    repositories: BTreeMap<String, Place>,
}

/// How far one repository has been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// A print of its readers as delivered.
    print: String,
    /// Issues that changed from here on are listed; empty before the first listing.
    since: String,
    /// The first listing is over.
    is_read: bool,
    /// A listing that is not over goes on here.
    next: Option<String>,
    /// The last change of the present listing.
    newest: String,
    /// What the last listing looked like, if it was short.
    etag: Option<String>,
    /// Issues of the overlap, with the change that was delivered.
    recent: BTreeMap<u64, String>,
    /// Comments that changed from here on are listed.
    comments_since: String,
    comments_etag: Option<String>,
    /// Edited comments of the overlap, with the edit that was seen.
    edited: BTreeMap<u64, String>,
    /// The comments of issues that changed lately, by issue: when it changed, and their ids.
    known: BTreeMap<u64, (String, BTreeSet<String>)>,
    topics: Topics,
}

/// Reads repositories. It may be dropped and taken up at any await.
pub struct Gatherer {
    client: Client,
    id: ConnectorId,
    repositories: Vec<String>,
    readers: Readers,
    history: SignedDuration,
    run: Option<Run>,
    /// The login that we write as; asked for when something carries our marker.
    own: OnceCell<Option<String>>,
    /// Issues that a hook named, by repository.
    hinted: BTreeMap<String, BTreeSet<u64>>,
    /// Discussions that a hook named; `None` when none are read.
    hinted_topics: Option<BTreeMap<String, BTreeSet<u64>>>,
}

/// A pass, kept between its pages.
struct Run {
    after: Option<Cursor>,
    stand: Stand,
    queue: VecDeque<String>,
    total: u64,
    begun_at: Timestamp,
    /// Where the repository in front stands.
    phase: Phase,
    /// What happened before this is history in the repository in front.
    history_before: Timestamp,
    /// Issues of the repository in front that a hook named.
    hinted: BTreeSet<u64>,
    hinted_topics: BTreeSet<u64>,
}

/// What is asked next about a repository.
#[derive(Default)]
enum Phase {
    /// Who may read it.
    #[default]
    Readers,
    /// The next page of issues that changed.
    Issues,
    /// These issues, then the next page if there is one.
    Timelines(VecDeque<Issue>, Option<Url>),
    /// Which comments were edited.
    Comments,
    /// The issues of edited comments.
    Edited(VecDeque<u64>),
    /// The next page of discussions that changed.
    TopicList,
    /// These discussions, then the next page if there is one.
    Topics(VecDeque<u64>, Option<String>),
}

impl Gatherer {
    pub fn new(
        client: Client,
        id: &ConnectorId,
        config: &GithubConfig,
        history: SignedDuration,
    ) -> Gatherer {
        Gatherer {
            client,
            id: id.clone(),
            repositories: config.repositories.clone(),
            readers: config.audience,
            history,
            run: None,
            own: OnceCell::new(),
            hinted: BTreeMap::new(),
            hinted_topics: config.discussions.then(BTreeMap::new),
        }
    }

    /// Asks for an issue again in the next pass, whatever the listings say; one that is gone is only noticed so.
    pub fn look_at(&mut self, name: &str, number: u64) {
        if let Some(known) = self.known(name) {
            self.hinted.entry(known).or_default().insert(number);
        }
    }

    /// Asks for a discussion again in the next pass.
    pub fn look_at_discussion(&mut self, name: &str, number: u64) {
        let known = self.known(name);
        if let (Some(known), Some(hinted)) = (known, &mut self.hinted_topics) {
            hinted.entry(known).or_default().insert(number);
        }
    }

    fn known(&self, name: &str) -> Option<String> {
        let mut known = self.repositories.iter();
        known
            .find(|known| known.eq_ignore_ascii_case(name))
            .cloned()
    }

    /// Goes on with the pass that the cursor belongs to, or begins one.
    pub fn start(&mut self, after: Option<&Cursor>) {
        if self
            .run
            .as_ref()
            .is_some_and(|run| run.after.as_ref() == after)
        {
            return;
        }
        let stand: Stand = files::parse_cursor(after);
        // What was begun comes first, so that even one page a process gets to the end.
        let is_begun = |name: &&String| {
            stand.repositories.get(*name).is_none_or(|place| {
                !place.is_read || place.next.is_some() || place.topics.next.is_some()
            })
        };
        let (begun, settled): (Vec<_>, Vec<_>) = self.repositories.iter().partition(is_begun);
        let queue: VecDeque<String> = begun.into_iter().chain(settled).cloned().collect();
        let now = self.client.now();
        let mut run = Run {
            after: after.cloned(),
            stand,
            total: queue.len() as u64,
            queue,
            begun_at: now,
            phase: Phase::Readers,
            history_before: Timestamp::MAX,
            hinted: BTreeSet::new(),
            hinted_topics: BTreeSet::new(),
        };
        run.turn_to_front();
        self.run = Some(run);
    }

    /// Returns before when things are history in the next step; `None` when the pass is over.
    pub fn next_history(&self) -> Option<Timestamp> {
        let run = self.run.as_ref()?;
        run.queue.front().map(|_| run.history_before)
    }

    /// Asks GitHub the next question.
    pub async fn step(&mut self, page: &mut Page) -> Result<(), GithubError> {
        let Some(mut run) = self.run.take() else {
            return Ok(());
        };
        let name = run.queue.front().cloned().unwrap_or_default();
        if matches!(run.phase, Phase::Comments) {
            run.hinted = self.hinted.remove(&name).unwrap_or_default();
        }
        if let (Phase::TopicList, Some(hinted)) = (&run.phase, &mut self.hinted_topics) {
            run.hinted_topics
                .extend(hinted.remove(&name).unwrap_or_default());
        }
        let stepped = match self.step_in(&mut run, &name, page).await {
            Err(error) if error.is_about_place() => {
                page.skipped.push(Skipped {
                    at: name,
                    reason: error.to_string(),
                });
                run.drop_front();
                Ok(())
            }
            other => other,
        };
        self.run = Some(run);
        stepped
    }

    /// Ends a page: what has been read goes into its cursor.
    pub fn close(&mut self, mut page: Page, after: Option<&Cursor>) -> Page {
        let Some(mut run) = self.run.take() else {
            return page;
        };
        page.more = !run.queue.is_empty();
        page.progress = Some((run.total - run.queue.len() as u64, run.total));
        let next = files::to_cursor(&run.stand);
        if page.more {
            run.after = Some(next.clone());
            self.run = Some(run);
        }
        page.next = (after != Some(&next)).then_some(next);
        page
    }

    async fn step_in(&self, run: &mut Run, name: &str, page: &mut Page) -> Result<(), GithubError> {
        match std::mem::take(&mut run.phase) {
            Phase::Readers => {
                self.read_readers(run, name, page).await?;
                run.phase = Phase::Issues;
            }
            Phase::Issues => {
                run.phase = Phase::Issues;
                run.phase = self.list_issues(run, name).await?;
            }
            Phase::Timelines(mut issues, next) => {
                let Some(issue) = issues.front().cloned() else {
                    run.phase = run.end_of_page(name, next);
                    return Ok(());
                };
                let delivered = self.deliver(run, name, &issue, page).await;
                let is_fatal = matches!(&delivered, Err(error) if !error.is_about_place());
                if !is_fatal {
                    issues.pop_front();
                }
                run.phase = Phase::Timelines(issues, next);
                skip_lost(delivered, page)?;
            }
            Phase::Comments => {
                run.phase = Phase::Comments;
                let mut numbers = self.list_edited(run, name).await?;
                let hinted = std::mem::take(&mut run.hinted);
                numbers.extend(
                    hinted
                        .iter()
                        .filter(|number| !numbers.contains(number))
                        .copied()
                        .collect::<Vec<_>>(),
                );
                run.phase = Phase::Edited(numbers);
            }
            Phase::Edited(mut numbers) => {
                let Some(number) = numbers.front().copied() else {
                    match self.hinted_topics {
                        Some(_) => run.phase = Phase::TopicList,
                        None => run.drop_front(),
                    }
                    return Ok(());
                };
                let path = format!("repos/{name}/issues/{number}");
                let found: Result<Issue, GithubError> = self.client.get("issues.get", &path).await;
                let delivered = match found {
                    Ok(issue) if issue.number == number && issue.is_in(name) => {
                        self.deliver(run, name, &issue, page).await
                    }
                    // Deleted, or moved to another repository: it is no longer read here.
                    Ok(_) | Err(GithubError::Missing { .. }) => {
                        self.forget(run, name, number, page);
                        Ok(())
                    }
                    Err(error) => Err(error),
                };
                let is_fatal = matches!(&delivered, Err(error) if !error.is_about_place());
                if !is_fatal {
                    numbers.pop_front();
                }
                run.phase = Phase::Edited(numbers);
                skip_lost(delivered, page)?;
            }
            Phase::TopicList => {
                run.phase = Phase::TopicList;
                match self.list_topics(run, name).await? {
                    Some(phase) => run.phase = phase,
                    None => run.drop_front(),
                }
            }
            Phase::Topics(mut numbers, next) => {
                let Some(number) = numbers.front().copied() else {
                    run.end_of_topics(name, next);
                    return Ok(());
                };
                let delivered = self.deliver_topic(run, name, number, page).await;
                if delivered.is_ok() {
                    numbers.pop_front();
                }
                run.phase = Phase::Topics(numbers, next);
                delivered?;
            }
        }
        Ok(())
    }

    /// Asks for the next page of issues that changed.
    async fn list_issues(&self, run: &mut Run, name: &str) -> Result<Phase, GithubError> {
        let begun_at = run.begun_at;
        let place = run.place(name);
        if place.since.is_empty() {
            place.since = instant(begun_at.saturating_sub(self.history).unwrap_or(begun_at));
            place.comments_since = instant(begun_at);
        }
        let first = self.client.address(
            &format!("repos/{name}/issues"),
            &[
                ("state", "all"),
                ("sort", "updated"),
                ("direction", "asc"),
                ("per_page", "100"),
                ("since", &place.since),
            ],
        )?;
        let going_on = place.next.as_ref().and_then(|next| Url::parse(next).ok());
        let is_first = going_on.is_none();
        let etag = place.etag.clone().filter(|_| is_first);
        let listed: Option<Listed<Issue>> = self
            .client
            .list("issues.list", going_on.unwrap_or(first), etag.as_deref())
            .await?;
        let Some(listed) = listed else {
            return Ok(Phase::Comments);
        };
        // A full page may be followed by another one tomorrow without looking different itself.
        place.etag = listed
            .etag
            .filter(|_| is_first && listed.next.is_none() && listed.items.len() < 100);
        let newest = listed.items.iter().map(|issue| &issue.updated_at).max();
        place.newest = newest
            .into_iter()
            .chain([&place.newest])
            .max()
            .cloned()
            .unwrap_or_default();
        let is_new = |issue: &Issue| place.recent.get(&issue.number) != Some(&issue.updated_at);
        let issues: VecDeque<Issue> = listed
            .items
            .into_iter()
            .filter(|issue| is_new(issue))
            .collect();
        Ok(Phase::Timelines(issues, listed.next))
    }

    /// Puts an issue with all that happened to it into the page.
    async fn deliver(
        &self,
        run: &mut Run,
        name: &str,
        issue: &Issue,
        page: &mut Page,
    ) -> Result<(), GithubError> {
        let (number, now) = (issue.number, run.begun_at);
        let path = format!("repos/{name}/issues/{number}/timeline");
        let timeline: Vec<serde_json::Value> = self.client.all("issues.timeline", &path).await?;
        // One by one, since each kind of happening has a shape of its own.
        let timeline: Vec<Happening> = timeline
            .into_iter()
            .filter_map(|value| Happening::deserialize(value).ok())
            .collect();
        let inline: Vec<Comment> = if issue.pull_request.is_some() {
            self.client
                .all(
                    "pulls.comments",
                    &format!("repos/{name}/pulls/{number}/comments"),
                )
                .await?
        } else {
            Vec::new()
        };
        let mut bodies = timeline
            .iter()
            .map(|happening| happening.body.as_deref())
            .chain(inline.iter().map(|comment| comment.body.as_deref()));
        let own = match bodies.any(is_marked) {
            true => self
                .own
                .get_or_try_init(|| self.client.login())
                .await?
                .clone(),
            false => None,
        };
        let own = own.as_deref();
        let normalized = match normalize(issue, &timeline, &inline, name, own, &self.id) {
            Ok(normalized) => normalized,
            Err(reason) => {
                page.skipped.push(Skipped {
                    at: thread_name(name, number),
                    reason,
                });
                return Ok(());
            }
        };
        let ids: BTreeSet<String> = normalized
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Posted)
            .map(|event| event.id.id.to_string())
            .collect();
        let watched = earlier(&instant(now), WATCHED);
        let place = run.place(name);
        let before = place.known.remove(&number);
        if issue.updated_at >= watched {
            let kept = (issue.updated_at.clone(), ids.clone());
            place.known.insert(number, kept);
        }
        let gone = before.map(|(_, before)| before).unwrap_or_default();
        let gone = gone
            .difference(&ids)
            .map(|gone| self.deleted(gone, &normalized.thread.id, now));
        page.events.extend(normalized.events);
        page.events.extend(gone);
        page.people.extend(normalized.people);
        page.threads.push(normalized.thread);
        place.recent.insert(number, issue.updated_at.clone());
        Ok(())
    }

    /// Takes an issue that is gone out of the memory; what was said in it goes with it.
    fn forget(&self, run: &mut Run, name: &str, number: u64, page: &mut Page) {
        let now = run.begun_at;
        let thread = ThreadId::new(&self.id, thread_name(name, number));
        let place = run.place(name);
        place.recent.remove(&number);
        place.known.remove(&number);
        let opened = thread.id.to_string();
        page.events.push(self.deleted(&opened, &thread, now));
    }

    fn deleted(&self, gone: &str, thread: &ThreadId, now: Timestamp) -> Event {
        let of = EventId::new(&self.id, gone);
        let id = EventId::new(&self.id, format!("{gone}~deleted"));
        bare_event(id, thread.clone(), EventKind::Deleted { of }, now)
    }

    /// Returns the issues whose comments were edited: an edit need not count as a change of the issue.
    async fn list_edited(&self, run: &mut Run, name: &str) -> Result<VecDeque<u64>, GithubError> {
        let place = run.place(name);
        let mut next = Some(self.client.address(
            &format!("repos/{name}/issues/comments"),
            &[
                ("sort", "updated"),
                ("direction", "asc"),
                ("per_page", "100"),
                ("since", &place.comments_since),
            ],
        )?);
        let mut etag = place.comments_etag.clone();
        let mut numbers = BTreeSet::new();
        let mut newest = place.comments_since.clone();
        let mut edited = place.edited.clone();
        while let Some(url) = next {
            let listed: Option<Listed<Comment>> = self
                .client
                .list("issues.comments", url, etag.take().as_deref())
                .await?;
            let Some(listed) = listed else {
                return Ok(VecDeque::new());
            };
            place.comments_etag = listed
                .etag
                .filter(|_| listed.next.is_none() && listed.items.len() < 100);
            for comment in listed.items {
                newest = newest.max(comment.updated_at.clone());
                let is_edited = comment.updated_at != comment.created_at;
                let number = comment
                    .issue_url
                    .rsplit('/')
                    .next()
                    .and_then(|number| number.parse::<u64>().ok());
                if is_edited
                    && edited.insert(comment.id, comment.updated_at.clone())
                        != Some(comment.updated_at)
                {
                    numbers.extend(number);
                }
            }
            next = listed.next;
        }
        let since = earlier(&newest, OVERLAP).max(place.comments_since.clone());
        edited.retain(|_, at| *at >= since);
        if since != place.comments_since {
            place.comments_etag = None;
        }
        (place.comments_since, place.edited) = (since, edited);
        Ok(numbers.into_iter().collect())
    }
}

impl Run {
    fn place(&mut self, name: &str) -> &mut Place {
        self.stand.repositories.entry(name.to_owned()).or_default()
    }

    /// Ends a page of issues; returns what comes next.
    fn end_of_page(&mut self, name: &str, next: Option<Url>) -> Phase {
        let begun_at = self.begun_at;
        let place = self.place(name);
        place.next = next.map(|url| url.to_string());
        if place.next.is_some() {
            return Phase::Issues;
        }
        place.is_read = true;
        let since = earlier(&place.newest, OVERLAP).max(place.since.clone());
        if since != place.since {
            place.etag = None;
            place.since = since;
        }
        let since = place.since.clone();
        place.recent.retain(|_, at| *at >= since);
        let watched = earlier(&instant(begun_at), WATCHED);
        place.known.retain(|_, (at, _)| *at >= watched);
        Phase::Comments
    }

    fn drop_front(&mut self) {
        self.queue.pop_front();
        self.phase = Phase::Readers;
        self.hinted_topics.clear();
        self.turn_to_front();
    }

    /// Finds out what is history in the repository that is in front now.
    fn turn_to_front(&mut self) {
        let place = self
            .queue
            .front()
            .and_then(|name| self.stand.repositories.get(name));
        self.history_before = match place {
            Some(place) if place.is_read => {
                let since = time(&place.since).unwrap_or(self.begun_at);
                since.saturating_sub(SETTLED).unwrap_or(since)
            }
            _ => self.begun_at,
        };
    }
}

/// An issue that was deleted or moved away stops no other.
fn skip_lost(delivered: Result<(), GithubError>, page: &mut Page) -> Result<(), GithubError> {
    match delivered {
        Err(GithubError::Missing { place }) => {
            let reason =
                "it was listed and is gone: deleted, or moved to another repository".into();
            page.skipped.push(Skipped { at: place, reason });
            Ok(())
        }
        other => other,
    }
}

fn earlier(at: &str, span: SignedDuration) -> String {
    let moment = time(at).and_then(|at| at.saturating_sub(span).ok());
    moment.map(instant).unwrap_or_default()
}

/// Returns a moment as GitHub writes it, to the second.
fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
