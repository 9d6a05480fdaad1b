//! One pass over a Jira, call by call.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Client, JiraError};
use super::normalize::{circle_of, person};
use super::people::{self, Circles};
use super::place::{self, OVERLAP, SETTLED, Stand};
use super::wire::{FIELDS, History, Issue, User, Visibility, time};
use super::{Cursor, JiraConfig, Page, Readers};
use crate::connectors::files;
use crate::model::{ANYONE, ConnectorId, Handle, Space, SpaceId};

/// How many issues are listed and fetched at once.
const ISSUES: usize = 100;
/// What is read of an issue's history.
const HISTORY_FIELDS: [&str; 5] = ["status", "assignee", "priority", "labels", "duedate"];
/// How often roles and groups are asked for.
const CIRCLES_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Reads issues. It may be dropped and taken up at any await.
pub struct Gatherer {
    pub(super) client: Client,
    pub(super) id: ConnectorId,
    projects: Vec<String>,
    pub(super) readers: Readers,
    history: SignedDuration,
    run: Option<Run>,
    /// Data Center's logins by the names that histories use.
    pub(super) logins: BTreeMap<String, String>,
    /// Issues that something was said about.
    hints: BTreeSet<String>,
}

/// A pass, kept between its pages.
pub(super) struct Run {
    after: Option<Cursor>,
    pub(super) stand: Stand,
    pub(super) begun_at: Timestamp,
    pub(super) phase: Phase,
    /// Whose token it is.
    pub(super) me: User,
    pub(super) circles: Circles,
    /// What happened before this is history.
    history_before: Timestamp,
}

/// What is asked next.
#[derive(Default)]
pub(super) enum Phase {
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
pub(super) struct Listed {
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

    /// Asks whose token it is, and who is in the roles and groups that comments are kept to.
    async fn read_readers(&mut self, run: &mut Run, page: &mut Page) -> Result<(), JiraError> {
        // A search by nobody finds nothing and fails for nobody: this is where a token that has run out shows.
        run.me = self.client.get("myself", "myself", &[]).await?;
        page.people.extend(person(&run.me, &self.id));
        let readers = match self.readers {
            Readers::Everyone => "everyone",
            Readers::Participants => "participants",
        };
        // What a project that is named later had before is read too.
        let mode = format!("{readers} {}", self.projects.join(" "));
        let now = run.begun_at;
        if run.stand.since == 0 {
            run.stand.begin_again(now, self.history);
        }
        if run.stand.mode != mode {
            if !run.stand.mode.is_empty() {
                run.stand.begin_again(now, self.history);
            }
            run.stand.mode = mode;
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
    pub(super) fn space(&self, number: &str, key: &str) -> Space {
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
    pub(super) async fn read_circle(
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
            let issues = match self.search_whole(&place::these(ids)).await {
                // A question that names an issue which is gone is refused as a whole.
                Err(JiraError::Misunderstood { .. }) => self.fetch_each(ids).await?,
                other => other?,
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

    /// Asks for all that a question finds; a server may show less at once than it is asked for.
    async fn search_whole(&self, jql: &str) -> Result<Vec<Issue>, JiraError> {
        let mut issues = Vec::new();
        loop {
            let found = self.search_server(jql, issues.len()).await?;
            let is_over = found.issues.is_empty();
            issues.extend(found.issues);
            if is_over || issues.len() >= found.total {
                return Ok(issues);
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

/// Returns a role with the project it belongs to; a group is the same everywhere.
pub(super) fn scoped(circle: &Visibility, project: &str) -> Visibility {
    let mut circle = circle.clone();
    if circle.kind == "role" {
        circle.identifier = project.to_owned();
    }
    circle
}

pub(super) fn from_circle(circle: &Visibility, project: &str) -> String {
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
    let past = |issue: &Issue| Some((issue.id.clone(), issue.changelog.clone()?.histories));
    issues.iter().filter_map(past).collect()
}

fn newest_of(issues: &[Issue]) -> i64 {
    let updated = issues
        .iter()
        .filter_map(|issue| millis(&issue.fields.updated));
    updated.max().unwrap_or_default()
}

pub(super) fn millis(value: &Value) -> Option<i64> {
    time(value).map(Timestamp::as_millisecond)
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn minute_of(millis: i64) -> i64 {
    millis.div_euclid(60_000)
}

const _: () = assert!(
    OVERLAP.as_secs() >= 15 * 60,
    "Jira's index may lag by a quarter of an hour"
);
