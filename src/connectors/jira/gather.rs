//! One pass over a Jira, call by call.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::api::{
    Client, Comment, Comments, FIELDS, History, Issue, JiraError, User, Visibility, time,
};
use super::normalize::{IssueReaders, Known, Normalized, circle_of, normalize, person, space_of};
use super::people::{self, Circles};
use super::place::{self, KnownIssue, MISSED, OVERLAP, SETTLED, Stand, WATCHED};
use super::{Cursor, JiraConfig, Page, Readers};
use crate::connectors::Skipped;
use crate::connectors::files::{self, bare_event};
use crate::model::{
    ANYONE, Audience, ConnectorId, Event, EventId, EventKind, Handle, Space, SpaceId, Thread,
    ThreadId, ThreadKind,
};

/// How many issues are listed and fetched at once.
const ISSUES: usize = 100;
/// How many comments are fetched at once.
const COMMENTS: usize = 100;
/// What is read of an issue's history.
const HISTORY_FIELDS: [&str; 5] = ["status", "assignee", "priority", "labels", "duedate"];
/// How often roles and groups are asked for.
const CIRCLES_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Reads issues. It may be dropped and taken up at any await.
pub struct Gatherer {
    client: Client,
    id: ConnectorId,
    projects: Vec<String>,
    readers: Readers,
    history: SignedDuration,
    run: Option<Run>,
    /// Data Center's logins by the names that histories use.
    logins: BTreeMap<String, String>,
    /// Issues that something was said about.
    hints: BTreeSet<String>,
}

/// A pass, kept between its pages.
struct Run {
    after: Option<Cursor>,
    stand: Stand,
    begun_at: Timestamp,
    phase: Phase,
    /// Whose token it is.
    me: User,
    circles: Circles,
    /// What happened before this is history.
    history_before: Timestamp,
}

/// What is asked next.
#[derive(Default)]
enum Phase {
    /// Whose token it is, and who is in the roles and groups that matter.
    #[default]
    Readers,
    /// These issues, since something was said about them.
    Hinted,
    /// Issues that something was said about.
    DeliverHinted(VecDeque<Issue>, HashMap<String, Vec<History>>),
    /// The next page of issues that changed.
    List,
    /// All of these issues: their numbers, with the change that the listing told of.
    Fetch(Vec<String>, Listed),
    /// These issues, with their histories.
    Deliver(VecDeque<Issue>, HashMap<String, Vec<History>>, Listed),
    /// Issues that changed lately: is everything still as it was delivered?
    Watch,
    /// Issues that were looked at again.
    Again(VecDeque<Issue>, HashMap<String, Vec<History>>),
    /// Nothing.
    Over,
}

/// A page of the listing, whose issues are on their way.
#[derive(Clone, Debug, Default)]
struct Listed {
    /// Its last change.
    newest: i64,
    /// Cloud: the token of the next page.
    token: Option<String>,
    /// Data Center: where the next page begins, by time and by number.
    next: Option<(i64, usize)>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Found {
    issues: Vec<Issue>,
    next_page_token: Option<String>,
    is_last: Option<bool>,
    total: usize,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ChangeLogs {
    issue_change_logs: Vec<ChangeLog>,
    next_page_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ChangeLog {
    issue_id: String,
    change_histories: Vec<History>,
}

impl Gatherer {
    pub fn new(
        client: Client,
        id: &ConnectorId,
        config: &JiraConfig,
        history: SignedDuration,
    ) -> Gatherer {
        Gatherer {
            client,
            id: id.clone(),
            projects: config.projects.clone(),
            readers: config.audience,
            history,
            run: None,
            logins: BTreeMap::new(),
            hints: BTreeSet::new(),
        }
    }

    /// Goes on with the pass that the cursor belongs to, or begins one.
    pub fn start(&mut self, after: Option<&Cursor>) {
        let is_same = |run: &Run| run.after.as_ref() == after;
        if !self.run.as_ref().is_some_and(is_same) {
            self.run = Some(Run::new(after, self.client.now()));
        }
    }

    /// Returns before when things are history in the next step; `None` when the pass is over.
    pub fn next_history(&self) -> Option<Timestamp> {
        let run = self.run.as_ref()?;
        (!matches!(run.phase, Phase::Over)).then_some(run.history_before)
    }

    /// Asks Jira the next question.
    pub async fn step(&mut self, page: &mut Page) -> Result<(), JiraError> {
        let Some(mut run) = self.run.take() else {
            return Ok(());
        };
        let stepped = self.step_in(&mut run, page).await;
        self.run = Some(run);
        stepped
    }

    /// Ends a page: what has been read goes into its cursor.
    pub fn close(&mut self, mut page: Page, after: Option<&Cursor>) -> Page {
        let Some(mut run) = self.run.take() else {
            return page;
        };
        page.more = !matches!(run.phase, Phase::Over);
        let next = files::to_cursor(&run.stand);
        if page.more {
            run.after = Some(next.clone());
            self.run = Some(run);
        }
        page.next = (after != Some(&next)).then_some(next);
        page
    }

    /// Notes that something happened to an issue; the next pass fetches it, whatever the index knows.
    pub fn hint(&mut self, issue: &str) {
        if !issue.is_empty() && issue.bytes().all(|b| b.is_ascii_digit()) {
            self.hints.insert(issue.to_owned());
        }
    }

    async fn step_in(&mut self, run: &mut Run, page: &mut Page) -> Result<(), JiraError> {
        match std::mem::take(&mut run.phase) {
            Phase::Readers => {
                self.read_readers(run, page).await?;
                run.phase = Phase::Hinted;
            }
            Phase::Hinted => {
                run.phase = Phase::Hinted;
                let ids: Vec<String> = self.hints.iter().take(ISSUES).cloned().collect();
                if ids.is_empty() {
                    run.phase = Phase::List;
                    return Ok(());
                }
                let (issues, histories) = self.fetch(&ids).await?;
                self.miss_all_but(&issues, &ids, run, page);
                for id in &ids {
                    self.hints.remove(id);
                }
                run.phase = Phase::DeliverHinted(issues.into(), histories);
            }
            Phase::DeliverHinted(issues, histories) => {
                run.phase = Phase::DeliverHinted(issues, histories);
                if !self.deliver_next(run, page).await? {
                    run.phase = Phase::Hinted;
                }
            }
            Phase::List => {
                run.phase = Phase::List;
                run.phase = self.list(run).await?;
            }
            Phase::Fetch(ids, listed) => {
                run.phase = Phase::Fetch(ids.clone(), listed.clone());
                let (issues, histories) = self.fetch(&ids).await?;
                run.phase = Phase::Deliver(issues.into(), histories, listed);
            }
            Phase::Deliver(issues, histories, listed) => {
                run.phase = Phase::Deliver(issues, histories, listed.clone());
                if !self.deliver_next(run, page).await? {
                    run.end_page(&listed);
                }
            }
            Phase::Watch => {
                run.phase = Phase::Watch;
                run.phase = self.watch(run, page).await?;
            }
            Phase::Again(issues, histories) => {
                run.phase = Phase::Again(issues, histories);
                if !self.deliver_next(run, page).await? {
                    run.phase = Phase::Over;
                }
            }
            Phase::Over => run.phase = Phase::Over,
        }
        Ok(())
    }

    /// Delivers the first issue of the phase; returns whether there was one.
    async fn deliver_next(&mut self, run: &mut Run, page: &mut Page) -> Result<bool, JiraError> {
        let (Phase::Deliver(issues, histories, _)
        | Phase::Again(issues, histories)
        | Phase::DeliverHinted(issues, histories)) = &run.phase
        else {
            return Ok(false);
        };
        let Some(issue) = issues.front().cloned() else {
            return Ok(false);
        };
        let past = histories.get(&issue.id).cloned().unwrap_or_default();
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

    /// Asks whose token it is, and who is in the roles and groups that comments are kept to.
    async fn read_readers(&mut self, run: &mut Run, page: &mut Page) -> Result<(), JiraError> {
        // A search by nobody finds nothing and fails for nobody: this is where a token that has run out shows.
        run.me = self.client.get("myself", "myself", &[]).await?;
        page.people.extend(person(&run.me, &self.id));
        let mode = match self.readers {
            Readers::Everyone => "everyone",
            Readers::Participants => "participants",
        };
        let now = run.begun_at;
        if run.stand.since == 0 {
            run.stand.begin_again(now, self.history);
        }
        if run.stand.mode != mode {
            if !run.stand.mode.is_empty() {
                run.stand.begin_again(now, self.history);
            }
            run.stand.mode = mode.to_owned();
            let projects: Vec<(String, String)> = run.stand.projects.clone().into_iter().collect();
            for (number, key) in projects {
                page.spaces.push(self.space(&number, &key));
            }
        }
        let due = run.stand.circles_at + CIRCLES_EVERY.as_millis() as i64;
        if now.as_millisecond() >= due && !run.stand.circles.is_empty() {
            let circles: Vec<Visibility> = run
                .stand
                .circles
                .iter()
                .filter_map(|text| to_circle(text))
                .collect();
            for (circle, project) in circles.iter().zip(run.stand.circles.clone()) {
                let project = project.split('\t').next().unwrap_or_default().to_owned();
                self.read_circle(run, circle, &project, page).await?;
            }
            run.stand.circles_at = now.as_millisecond();
        }
        Ok(())
    }

    /// Returns a project's space. Its members are everybody or nobody: those of an issue stand with the issue.
    fn space(&self, number: &str, key: &str) -> Space {
        let members = match self.readers {
            Readers::Everyone => [Handle::new(&self.id, ANYONE)].into(),
            Readers::Participants => BTreeSet::new(),
        };
        Space {
            id: SpaceId::new(&self.id, number),
            name: key.to_owned(),
            members: Some(members),
        }
    }

    /// Asks who is in a role or a group, once a pass.
    async fn read_circle(
        &self,
        run: &mut Run,
        circle: &Visibility,
        project: &str,
        page: &mut Page,
    ) -> Result<(), JiraError> {
        if run.circles.contains_key(circle) {
            return Ok(());
        }
        let members = people::members_of(&self.client, &self.id, circle, project).await?;
        page.spaces.push(Space {
            id: circle_of(circle, &self.id),
            name: circle.value.clone(),
            // Who may not be known may not read.
            members: Some(members.clone().unwrap_or_default()),
        });
        run.circles.insert(circle.clone(), members);
        Ok(())
    }

    /// Asks for the next page of issues that changed.
    async fn list(&self, run: &mut Run) -> Result<Phase, JiraError> {
        if self.client.is_cloud() {
            self.list_cloud(run).await
        } else {
            self.list_server(run).await
        }
    }

    async fn list_cloud(&self, run: &mut Run) -> Result<Phase, JiraError> {
        let since = moment(run.stand.since);
        let jql = place::changed_since(&self.projects, since, self.client.deployment, None);
        let mut body = json!({ "jql": jql, "fields": ["updated"], "maxResults": ISSUES });
        if let Some(token) = &run.stand.token {
            body["nextPageToken"] = json!(token);
        }
        let asked = self.client.ask("search.jql", "search/jql", &body).await;
        let found: Found = match asked {
            // A token lives for a week.
            Err(JiraError::Misunderstood { .. } | JiraError::Missing { .. })
                if run.stand.token.is_some() =>
            {
                run.stand.lose_token();
                return Ok(Phase::List);
            }
            other => other?,
        };
        let listed = Listed {
            newest: newest_of(&found.issues),
            token: found
                .next_page_token
                .filter(|_| found.is_last != Some(true)),
            next: None,
        };
        let is_new = |issue: &&Issue| {
            run.stand.recent.get(&issue.id).copied() != millis(&issue.fields.updated)
        };
        let ids = found
            .issues
            .iter()
            .filter(is_new)
            .map(|issue| issue.id.clone());
        Ok(Phase::Fetch(ids.collect(), listed))
    }

    async fn list_server(&self, run: &mut Run) -> Result<Phase, JiraError> {
        let at = run.stand.at.max(run.stand.since);
        let zone = TimeZone::get(&run.me.time_zone).ok();
        let jql = place::changed_since(
            &self.projects,
            moment(at),
            self.client.deployment,
            zone.as_ref(),
        );
        let found = self.search_server(&jql, run.stand.skip).await?;
        let newest = newest_of(&found.issues);
        let upto = run.stand.skip + found.issues.len();
        // The next page begins with the last change of this one, so that an issue that moves to the end meanwhile shifts
        // none out of sight; only a minute with more changes than a page holds is counted through.
        let next = (upto < found.total && !found.issues.is_empty()).then(|| {
            if minute_of(newest) > minute_of(at) {
                (newest, 0)
            } else {
                (at, upto)
            }
        });
        let listed = Listed {
            newest,
            token: None,
            next,
        };
        let is_new = |issue: &Issue| {
            run.stand.recent.get(&issue.id).copied() != millis(&issue.fields.updated)
        };
        let issues: VecDeque<Issue> = found.issues.into_iter().filter(is_new).collect();
        let histories = histories_of(&issues);
        Ok(Phase::Deliver(issues, histories, listed))
    }

    async fn search_server(&self, jql: &str, skip: usize) -> Result<Found, JiraError> {
        let (skip, size, fields) = (skip.to_string(), ISSUES.to_string(), FIELDS.join(","));
        let query = [
            ("jql", jql),
            ("startAt", &skip),
            ("maxResults", &size),
            ("fields", &fields),
            ("expand", "changelog"),
        ];
        self.client.get("search", "search", &query).await
    }

    /// Asks for issues whole, with their histories.
    async fn fetch(
        &self,
        ids: &[String],
    ) -> Result<(Vec<Issue>, HashMap<String, Vec<History>>), JiraError> {
        if ids.is_empty() {
            return Ok(Default::default());
        }
        if !self.client.is_cloud() {
            let found = self.search_server(&place::these(ids), 0).await;
            let issues = match found {
                Ok(found) => found.issues,
                // A question that names an issue which is gone is refused as a whole.
                Err(JiraError::Misunderstood { .. }) => self.fetch_each(ids).await?,
                Err(error) => return Err(error),
            };
            let histories = histories_of(&issues.iter().cloned().collect());
            return Ok((issues, histories));
        }
        let body = json!({ "issueIdsOrKeys": ids, "fields": FIELDS });
        let found: Found = self
            .client
            .ask("issue.bulkFetch", "issue/bulkfetch", &body)
            .await?;
        let mut histories: HashMap<String, Vec<History>> = HashMap::new();
        let mut token: Option<String> = None;
        loop {
            let mut body =
                json!({ "issueIdsOrKeys": ids, "fieldIds": HISTORY_FIELDS, "maxResults": 1_000 });
            if let Some(token) = &token {
                body["nextPageToken"] = json!(token);
            }
            let logs: ChangeLogs = self
                .client
                .ask("changelog.bulkFetch", "changelog/bulkfetch", &body)
                .await?;
            for log in logs.issue_change_logs {
                histories
                    .entry(log.issue_id)
                    .or_default()
                    .extend(log.change_histories);
            }
            token = logs.next_page_token;
            if token.is_none() {
                return Ok((found.issues, histories));
            }
        }
    }

    async fn fetch_each(&self, ids: &[String]) -> Result<Vec<Issue>, JiraError> {
        let fields = FIELDS.join(",");
        let mut issues = Vec::new();
        for id in ids {
            let query = [("fields", fields.as_str()), ("expand", "changelog")];
            let found = self
                .client
                .get("issue.get", &format!("issue/{id}"), &query)
                .await;
            match found {
                Ok(issue) => issues.push(issue),
                Err(JiraError::Missing { .. } | JiraError::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(issues)
    }

    /// Looks again at issues that changed lately: comments may have been edited or deleted without a trace, issues
    /// deleted, changes made that the index did not know yet.
    async fn watch(&self, run: &mut Run, page: &mut Page) -> Result<Phase, JiraError> {
        let now = run.begun_at.as_millisecond();
        let ids = run.stand.to_look_at(now, ISSUES);
        if ids.is_empty() {
            return Ok(Phase::Over);
        }
        let (issues, histories) = self.fetch(&ids).await?;
        self.miss_all_but(&issues, &ids, run, page);
        for id in &ids {
            if let Some(known) = run.stand.known.get_mut(id) {
                known.looked = now;
            }
        }
        Ok(Phase::Again(issues.into(), histories))
    }

    fn miss_all_but(&self, found: &[Issue], wanted: &[String], run: &mut Run, page: &mut Page) {
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
        let shown = &issue.fields.comment;
        if shown.comments.len() >= shown.total {
            return Ok(shown.comments.clone());
        }
        all_comments(&self.client, &issue.id).await
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
        super::comments::ours_among(&self.client, &own)
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
            let found: Result<User, JiraError> =
                self.client.get("user", "user", &[("key", key)]).await;
            let login = match found {
                Ok(user) if !user.name.is_empty() => user.name,
                Ok(_) | Err(JiraError::Missing { .. } | JiraError::Forbidden { .. }) => key.clone(),
                Err(error) => return Err(error),
            };
            self.logins.insert(key.clone(), login);
        }
        Ok(())
    }
}

impl Run {
    fn new(after: Option<&Cursor>, now: Timestamp) -> Run {
        let stand: Stand = files::parse_cursor(after);
        let history_before = if stand.is_read {
            let since = moment(stand.since);
            since.saturating_sub(SETTLED).unwrap_or(since)
        } else {
            now
        };
        Run {
            after: after.cloned(),
            stand,
            begun_at: now,
            phase: Phase::Readers,
            me: User::default(),
            circles: Circles::new(),
            history_before,
        }
    }

    /// Ends a page of the listing.
    fn end_page(&mut self, listed: &Listed) {
        self.stand.end_page(listed.newest);
        self.stand.token.clone_from(&listed.token);
        (self.stand.at, self.stand.skip) = listed.next.unwrap_or_default();
        self.phase = if listed.token.is_some() || listed.next.is_some() {
            Phase::List
        } else {
            self.stand.end_listing(self.begun_at);
            Phase::Watch
        };
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

/// Returns a role with the project it belongs to; a group is the same everywhere.
fn scoped(circle: &Visibility, project: &str) -> Visibility {
    let mut circle = circle.clone();
    if circle.kind == "role" {
        circle.identifier = project.to_owned();
    }
    circle
}

fn from_circle(circle: &Visibility, project: &str) -> String {
    format!(
        "{project}\t{}\t{}\t{}",
        circle.kind, circle.identifier, circle.value
    )
}

fn to_circle(text: &str) -> Option<Visibility> {
    let mut parts = text.splitn(4, '\t').skip(1);
    Some(Visibility {
        kind: parts.next()?.to_owned(),
        identifier: parts.next()?.to_owned(),
        value: parts.next()?.to_owned(),
    })
}

fn histories_of(issues: &VecDeque<Issue>) -> HashMap<String, Vec<History>> {
    let past = |issue: &Issue| issue.changelog.clone().unwrap_or_default().histories;
    issues
        .iter()
        .map(|issue| (issue.id.clone(), past(issue)))
        .collect()
}

fn newest_of(issues: &[Issue]) -> i64 {
    let updated = issues
        .iter()
        .filter_map(|issue| millis(&issue.fields.updated));
    updated.max().unwrap_or_default()
}

fn millis(value: &Value) -> Option<i64> {
    time(value).map(Timestamp::as_millisecond)
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn minute_of(millis: i64) -> i64 {
    millis.div_euclid(60_000)
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

const _: () = assert!(
    OVERLAP.as_secs() >= 15 * 60,
    "Jira's index may lag by a quarter of an hour"
);
