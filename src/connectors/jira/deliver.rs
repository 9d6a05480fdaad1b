//! One issue with all that happened to it into a page; or what is left of one that is gone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::api::{Client, JiraError};
use super::comments::{history_of, ours_among};
use super::gather::{Gatherer, Phase, Run, from_circle, millis, scoped};
use super::normalize::{IssueReaders, Known, Normalized, normalize, space_of};
use super::people::{self, Circles};
use super::place::{KnownIssue, MISSED, WATCHED};
use super::wire::{Comment, Comments, History, Issue, User};
use super::{Page, Readers};
use crate::connectors::Skipped;
use crate::connectors::files::{self, bare_event};
use crate::model::{Audience, Event, EventId, EventKind, Thread, ThreadId, ThreadKind};

/// How many comments are fetched at once.
const COMMENTS: usize = 100;

impl Gatherer {
    /// Delivers the first issue of the phase; returns whether there was one.
    pub(super) async fn deliver_next(
        &mut self,
        run: &mut Run,
        page: &mut Page,
    ) -> Result<bool, JiraError> {
        let (Phase::Deliver(issues, histories, _)
        | Phase::Again(issues, histories)
        | Phase::DeliverHinted(issues, histories)) = &run.phase
        else {
            return Ok(false);
        };
        let Some(issue) = issues.front().cloned() else {
            return Ok(false);
        };
        let past = match histories.get(&issue.id).cloned() {
            Some(past) => past,
            None if self.client.is_cloud() => Vec::new(),
            // Some servers show histories one by one only.
            None => match history_of(&self.client, &issue.id).await {
                Err(error) if error.is_about_place() => Vec::new(),
                other => other?,
            },
        };
        let delivered = self.deliver(run, &issue, past, page).await;
        let is_fatal = matches!(&delivered, Err(error) if !error.is_about_place());
        if let Phase::Deliver(issues, ..)
        | Phase::Again(issues, _)
        | Phase::DeliverHinted(issues, _) = &mut run.phase
            && !is_fatal
        {
            issues.pop_front();
        }
        skip_lost(delivered, &issue, page)?;
        Ok(true)
    }

    pub(super) fn miss_all_but(
        &self,
        found: &[Issue],
        wanted: &[String],
        run: &mut Run,
        page: &mut Page,
    ) {
        let found: BTreeSet<&String> = found.iter().map(|issue| &issue.id).collect();
        for id in wanted.iter().filter(|id| !found.contains(id)) {
            self.miss(run, id, page);
        }
    }

    /// Notes that an issue is not there: nobody reads it any more, and after a while its words are forgotten too. It may
    /// have been deleted, or the token's account may have lost sight of it for an hour.
    fn miss(&self, run: &mut Run, id: &str, page: &mut Page) {
        let now = run.begun_at;
        let Some(known) = run.stand.known.get_mut(id) else {
            return;
        };
        let thread = ThreadId::new(&self.id, id);
        known.print.clear();
        let since = *known.missing.get_or_insert(now.as_millisecond());
        page.threads.push(Thread {
            id: thread.clone(),
            kind: ThreadKind::Ticket,
            space: None,
            title: String::new(),
            url: String::new(),
            audience: Audience::Only(BTreeSet::new()),
            participants: BTreeSet::new(),
            ticket: None,
        });
        if now.as_millisecond() - since < MISSED.as_millis() as i64 {
            return;
        }
        if let Some(known) = run.stand.known.remove(id) {
            run.stand.recent.remove(id);
            let said = known.comments.into_iter().chain([id.to_owned()]);
            page.events
                .extend(said.map(|of| self.deleted(&of, &thread, now)));
        }
    }

    /// Puts an issue with all that happened to it into the page, if anything of it is new.
    async fn deliver(
        &mut self,
        run: &mut Run,
        issue: &Issue,
        histories: Vec<History>,
        page: &mut Page,
    ) -> Result<(), JiraError> {
        let now = run.begun_at;
        let comments = self.comments_of(issue).await?;
        let readers = match (&issue.fields.security, self.readers) {
            (Some(_), _) => people::readers_of(&self.client, &self.id, issue).await?,
            (None, Readers::Everyone) => IssueReaders::Project,
            (None, Readers::Participants) => IssueReaders::Participants,
        };
        let project = issue.fields.project.id.clone();
        let mut circles = Circles::new();
        for circle in comments
            .iter()
            .filter_map(|comment| comment.visibility.as_ref())
        {
            let circle = scoped(circle, &project);
            self.read_circle(run, &circle, &project, page).await?;
            if let Some(members) = run.circles.get(&circle) {
                circles.insert(circle.clone(), members.clone());
            }
            run.stand.circles.insert(from_circle(&circle, &project));
        }
        let comments: Vec<Comment> = comments
            .into_iter()
            .map(|mut comment| {
                comment.visibility = comment.visibility.map(|circle| scoped(&circle, &project));
                comment
            })
            .collect();
        let ours = self.ours_among(run, &comments).await?;
        if !self.client.is_cloud() {
            self.learn_logins(issue, &comments, &histories).await?;
        }
        let known = Known {
            id: &self.id,
            deployment: self.client.deployment,
            url: self.client.link(&issue.key),
            logins: &self.logins,
            ours: &ours,
            readers,
            circles: &circles,
        };
        let normalized = match normalize(issue, &comments, &histories, &known) {
            Ok(normalized) => normalized,
            Err(reason) => {
                let at = if issue.key.is_empty() {
                    &issue.id
                } else {
                    &issue.key
                };
                page.skipped.push(Skipped {
                    at: at.clone(),
                    reason,
                });
                return Ok(());
            }
        };
        let updated = millis(&issue.fields.updated).unwrap_or(now.as_millisecond());
        let print = print_of(&normalized);
        let before = run.stand.known.get(&issue.id).cloned().unwrap_or_default();
        let ids: BTreeSet<String> = normalized
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Posted)
            .map(|event| event.id.id.to_string())
            .collect();
        // What the index knows of it: a change that it does not know yet is listed once it does.
        run.stand.recent.insert(issue.id.clone(), updated);
        let is_watched = updated >= now.saturating_sub(WATCHED).unwrap_or(now).as_millisecond();
        if is_watched || run.stand.known.contains_key(&issue.id) {
            let known = KnownIssue {
                updated,
                looked: now.as_millisecond(),
                print: print.clone(),
                comments: ids.clone(),
                missing: None,
            };
            run.stand.known.insert(issue.id.clone(), known);
        }
        if before.print == print {
            return Ok(());
        }
        let space = space_of(issue, &self.id);
        let key = &issue.fields.project.key;
        if run.stand.projects.get(&project) != Some(key) {
            run.stand.projects.insert(project.clone(), key.clone());
            page.spaces.push(self.space(&space.id, key));
        }
        let gone = before.comments.difference(&ids);
        let gone = gone.map(|gone| self.deleted(gone, &normalized.thread.id, now));
        page.events.extend(gone);
        page.events.extend(normalized.events);
        page.people.extend(normalized.people);
        page.threads.push(normalized.thread);
        Ok(())
    }

    fn deleted(&self, gone: &str, thread: &ThreadId, now: Timestamp) -> Event {
        let of = EventId::new(&self.id, gone);
        let id = EventId::new(&self.id, format!("{gone}~deleted"));
        bare_event(id, thread.clone(), EventKind::Deleted { of }, now)
    }

    /// Returns all comments of an issue; the issue itself shows only some.
    async fn comments_of(&self, issue: &Issue) -> Result<Vec<Comment>, JiraError> {
        match &issue.fields.comment {
            Some(shown) if shown.comments.len() >= shown.total => Ok(shown.comments.clone()),
            _ => all_comments(&self.client, &issue.id).await,
        }
    }

    /// Returns which comments we wrote ourselves; only those of the token's account are asked about.
    async fn ours_among(
        &self,
        run: &Run,
        comments: &[Comment],
    ) -> Result<BTreeSet<String>, JiraError> {
        let own = run.me.handle();
        let is_own = |comment: &&Comment| {
            let author = comment.author.as_ref().and_then(User::handle);
            author.is_some() && author == own
        };
        let own: Vec<&Comment> = comments.iter().filter(is_own).collect();
        ours_among(&self.client, &own)
            .await
            .map(|ours| ours.into_keys().collect())
    }

    /// Finds out the logins that Data Center's histories mean: they name accounts in another way than everything else.
    async fn learn_logins(
        &mut self,
        issue: &Issue,
        comments: &[Comment],
        histories: &[History],
    ) -> Result<(), JiraError> {
        let fields = &issue.fields;
        let users = [&fields.reporter, &fields.creator, &fields.assignee]
            .into_iter()
            .flatten();
        let users = users.chain(
            comments
                .iter()
                .filter_map(|comment| comment.author.as_ref()),
        );
        let users = users.chain(histories.iter().filter_map(|past| past.author.as_ref()));
        for user in users.filter(|user| !user.key.is_empty() && !user.name.is_empty()) {
            self.logins.insert(user.key.clone(), user.name.clone());
        }
        let items = histories.iter().flat_map(|past| &past.items);
        let items = items.filter(|item| item.id() == "assignee");
        let named: BTreeSet<&String> = items
            .flat_map(|item| [&item.from, &item.to])
            .flatten()
            .collect();
        for key in named {
            if self.logins.contains_key(key) {
                continue;
            }
            let login = login_of(&self.client, key).await?;
            self.logins.insert(key.clone(), login);
        }
        Ok(())
    }
}

/// Returns the login of an account that a history of Data Center names by its key; the key itself where nobody tells.
pub async fn login_of(client: &Client, key: &str) -> Result<String, JiraError> {
    let found: Result<User, JiraError> = client.get("user", "user", &[("key", key)]).await;
    match found {
        Ok(user) if !user.name.is_empty() => Ok(user.name),
        Ok(_) | Err(JiraError::Missing { .. } | JiraError::Forbidden { .. }) => Ok(key.to_owned()),
        Err(error) => Err(error),
    }
}

/// Returns all comments of an issue, page by page.
pub async fn all_comments(client: &Client, issue: &str) -> Result<Vec<Comment>, JiraError> {
    let path = format!("issue/{issue}/comment");
    let mut all: Vec<Comment> = Vec::new();
    loop {
        let (start, size) = (all.len().to_string(), COMMENTS.to_string());
        let query = [
            ("startAt", start.as_str()),
            ("maxResults", size.as_str()),
            ("orderBy", "created"),
        ];
        let page: Comments = client.get("issue.comments", &path, &query).await?;
        let is_over = page.comments.is_empty();
        all.extend(page.comments);
        if is_over || all.len() >= page.total {
            return Ok(all);
        }
    }
}

/// Returns a print of all that an issue says and of who may read it.
fn print_of(normalized: &Normalized) -> String {
    let said = format!("{:?}{:?}", normalized.thread, normalized.events);
    files::hex(&Sha256::digest(said)).chars().take(16).collect()
}

/// An issue that was deleted meanwhile stops no other.
fn skip_lost(
    delivered: Result<(), JiraError>,
    issue: &Issue,
    page: &mut Page,
) -> Result<(), JiraError> {
    match delivered {
        Err(JiraError::Missing { .. } | JiraError::Forbidden { .. }) => {
            page.skipped.push(Skipped {
                at: issue.key.clone(),
                reason: "it was listed and is gone: deleted, or out of sight".into(),
            });
            Ok(())
        }
        other => other,
    }
}
