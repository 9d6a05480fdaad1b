//! An issue or a pull request, with all that happened to it, as a thread and its events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::wire::{Comment, Happening, Issue, User};
use crate::connectors::files::{bare_event, tolerant};
use crate::model::{
    Audience, ConnectorId, Event, EventId, EventKind, Handle, Markdown, Person, SpaceId, Thread,
    ThreadId, ThreadKind, Ticket,
};

/// How the marker of a comment of ours begins; nobody sees it.
pub const MARKER: &str = "<!-- daybrief:";

/// What an issue says.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// The issue.
    pub thread: Thread,
    /// Its opening and what happened since, oldest first.
    pub events: Vec<Event>,
    /// Everybody it names.
    pub people: Vec<Person>,
}

/// Returns whether a text carries our marker. Anybody can write it, so that alone says nothing.
pub fn is_marked(body: Option<&str>) -> bool {
    body.is_some_and(|body| body.contains(MARKER))
}

/// Returns whether an account is the one that daybrief writes as; any program where that is not known.
pub fn is_by(author: Option<&User>, own: Option<&str>) -> bool {
    author.is_some_and(|author| match own {
        Some(own) => author.login.eq_ignore_ascii_case(own),
        None => author.kind == "Bot",
    })
}

/// Returns an issue as a thread and its events. `repository` is `owner/name`; `timeline` is complete, `inline` are the
/// comments on lines of a pull request; `own` is the login that daybrief writes as, as far as that is known.
///
/// # Errors
/// When it has no number or no time.
pub fn normalize(
    issue: &Issue,
    timeline: &[Happening],
    inline: &[Comment],
    repository: &str,
    own: Option<&str>,
    id: &ConnectorId,
) -> Result<Normalized, String> {
    let opened_at = time(&issue.created_at).ok_or("an issue without a time was left out")?;
    let thread_id = ThreadId::new(id, thread_name(repository, issue.number));
    let mut story = Story {
        id,
        own,
        thread: thread_id.clone(),
        is_pull_request: issue.pull_request.is_some(),
        status: "open".into(),
        owners: Vec::new(),
        reviewers: Vec::new(),
        labels: Vec::new(),
        people: BTreeMap::new(),
        events: Vec::new(),
    };
    story.tell(
        EventId::new(id, thread_id.id.clone()),
        EventKind::Opened,
        opened_at,
        issue.user.as_ref(),
        |event| {
            event.text = words(issue.body.as_deref());
            event.url.clone_from(&issue.html_url);
        },
    );
    for happening in timeline {
        story.add(happening, &issue.html_url);
    }
    for comment in inline {
        story.add_comment(
            'd',
            comment.id,
            comment.user.as_ref(),
            &comment.created_at,
            comment.body.as_deref(),
            &comment.html_url,
        );
    }
    let assignees: Vec<Handle> = issue
        .assignees
        .iter()
        .filter_map(|user| story.handle(Some(user)))
        .collect();
    let is_merged = issue
        .pull_request
        .as_ref()
        .is_some_and(|own| own.merged_at.is_some());
    let ticket = Ticket {
        key: key_of(repository, issue.number),
        kind: if story.is_pull_request {
            "pull_request"
        } else {
            "issue"
        }
        .into(),
        status: if is_merged { "merged" } else { &issue.state }.into(),
        is_closed: issue.state == "closed",
        reporter: story.handle(issue.user.as_ref()),
        assignee: assignees.first().cloned(),
        reviewers: if issue.state == "closed" {
            Vec::new()
        } else {
            story.reviewers.clone()
        },
        labels: issue.labels.clone(),
        due: issue
            .milestone
            .as_ref()
            .and_then(|milestone| time(milestone.due_on.as_deref()?))
            .map(|at| at.to_zoned(TimeZone::UTC).date()),
        ..Ticket::default()
    };
    let space = SpaceId::new(id, repository);
    let thread = Thread {
        id: thread_id,
        kind: ThreadKind::Ticket,
        space: Some(space.clone()),
        title: issue.title.trim().to_owned(),
        url: issue.html_url.clone(),
        audience: Audience::Space(space),
        participants: assignees.into_iter().skip(1).collect(),
        ticket: Some(ticket),
    };
    let Story {
        mut events, people, ..
    } = story;
    events.sort_by_key(|event| event.occurred_at);
    Ok(Normalized {
        thread,
        events,
        people: people.into_values().collect(),
    })
}

/// Returns the id of an issue's thread: `owner/name#12`.
pub fn thread_name(repository: &str, number: u64) -> String {
    format!("{repository}#{number}")
}

/// Returns what people call an issue: `name#12`.
fn key_of(repository: &str, number: u64) -> String {
    let name = repository.rsplit('/').next().unwrap_or(repository);
    format!("{name}#{number}")
}

/// Returns a time of GitHub's.
pub fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// What has been told so far, and what stands after it.
struct Story<'a> {
    id: &'a ConnectorId,
    own: Option<&'a str>,
    thread: ThreadId,
    is_pull_request: bool,
    status: String,
    owners: Vec<Handle>,
    reviewers: Vec<Handle>,
    labels: Vec<String>,
    people: BTreeMap<String, Person>,
    events: Vec<Event>,
}

impl Story<'_> {
    fn add(&mut self, happening: &Happening, issue_url: &str) {
        match happening.event.as_str() {
            "commented" => {
                let author = happening.user.as_ref().or(happening.actor.as_ref());
                self.add_comment(
                    'c',
                    happening.id,
                    author,
                    &happening.created_at,
                    happening.body.as_deref(),
                    &happening.html_url,
                );
            }
            "reviewed" => self.add_review(happening),
            "assigned" | "unassigned" => self.add_owner(happening, issue_url),
            "labeled" | "unlabeled" => {
                let label = happening.label.clone().and_then(tolerant::text_of);
                let Some(label) = label else { return };
                let (added, removed) = if happening.event == "labeled" {
                    self.labels.push(label.clone());
                    (vec![label], Vec::new())
                } else {
                    self.labels.retain(|known| *known != label);
                    (Vec::new(), vec![label])
                };
                self.change(happening, EventKind::Labelled { added, removed }, issue_url);
            }
            "review_requested" | "review_request_removed" => {
                let reviewer = self.handle(happening.requested_reviewer.as_ref());
                // A team that is asked is nobody in particular.
                let Some(reviewer) = reviewer else { return };
                self.reviewers.retain(|known| *known != reviewer);
                if happening.event == "review_requested" {
                    self.reviewers.push(reviewer.clone());
                    self.change(
                        happening,
                        EventKind::ReviewRequested { of: reviewer },
                        issue_url,
                    );
                }
            }
            "closed" if self.status == "merged" => {}
            "closed" | "merged" | "reopened" => {
                let to = if happening.event == "reopened" {
                    "open"
                } else {
                    &happening.event
                };
                let from = std::mem::replace(&mut self.status, to.to_owned());
                if from != to {
                    self.change(
                        happening,
                        EventKind::Transitioned {
                            from: Some(from),
                            to: to.to_owned(),
                        },
                        issue_url,
                    );
                }
            }
            _ => {}
        }
    }

    fn add_owner(&mut self, happening: &Happening, issue_url: &str) {
        let Some(owner) = self.handle(happening.assignee.as_ref()) else {
            return;
        };
        let from = self.owners.first().cloned();
        self.owners.retain(|known| *known != owner);
        if happening.event == "assigned" {
            self.owners.push(owner);
        }
        let to = self.owners.first().cloned();
        if from != to {
            self.change(happening, EventKind::Assigned { from, to }, issue_url);
        }
    }

    fn add_review(&mut self, happening: &Happening) {
        let author = happening.user.as_ref().or(happening.actor.as_ref());
        if let Some(reviewer) = self.handle(author) {
            self.reviewers.retain(|known| *known != reviewer);
        }
        let verdict = match happening.state.to_lowercase().as_str() {
            "approved" => "approved",
            "changes_requested" => "requested changes",
            _ => "",
        };
        let body = happening.body.as_deref().unwrap_or_default().trim();
        let text = match (verdict, body) {
            // What it says stands with the lines.
            ("", "") => return,
            (verdict, "") => verdict.to_owned(),
            ("requested changes", body) => format!("requested changes: {body}"),
            (_, body) => body.to_owned(),
        };
        self.add_comment(
            'r',
            happening.id,
            author,
            &happening.submitted_at,
            Some(&text),
            &happening.html_url,
        );
    }

    fn add_comment(
        &mut self,
        sort: char,
        number: u64,
        author: Option<&User>,
        at: &str,
        body: Option<&str>,
        url: &str,
    ) {
        // What we wrote ourselves is no news.
        let is_ours = is_marked(body) && is_by(author, self.own);
        let Some(at) = time(at).filter(|_| number > 0 && !is_ours) else {
            return;
        };
        let event_id = EventId::new(self.id, format!("{}-{sort}{number}", self.thread.id));
        let (text, url) = (words(body), url.to_owned());
        self.tell(event_id, EventKind::Posted, at, author, |event| {
            (event.text, event.url) = (text, url)
        });
    }

    fn change(&mut self, happening: &Happening, kind: EventKind, issue_url: &str) {
        let Some(at) = time(&happening.created_at).filter(|_| happening.id > 0) else {
            return;
        };
        let event_id = EventId::new(self.id, format!("{}@e{}", self.thread.id, happening.id));
        let url = issue_url.to_owned();
        self.tell(event_id, kind, at, happening.actor.as_ref(), |event| {
            event.url = url
        });
    }

    fn tell(
        &mut self,
        event_id: EventId,
        kind: EventKind,
        at: Timestamp,
        author: Option<&User>,
        fill: impl FnOnce(&mut Event),
    ) {
        let mut event = bare_event(event_id, self.thread.clone(), kind, at);
        event.author = self.handle(author);
        event.by_bot = author.is_some_and(is_bot);
        fill(&mut event);
        self.events.push(event);
    }

    /// Returns an account's handle and notes its owner. Logins have no case.
    fn handle(&mut self, user: Option<&User>) -> Option<Handle> {
        handle_in(&mut self.people, user, self.id)
    }
}

/// Returns an account's handle and notes its owner.
pub fn handle_in(
    people: &mut BTreeMap<String, Person>,
    user: Option<&User>,
    id: &ConnectorId,
) -> Option<Handle> {
    let user = user.filter(|user| !user.login.is_empty())?;
    let handle = Handle::new(id, user.login.to_lowercase());
    people
        .entry(user.login.to_lowercase())
        .or_insert_with(|| Person {
            handle: Some(handle.clone()),
            name: user.login.clone(),
            is_bot: is_bot(user),
            ..Person::default()
        });
    Some(handle)
}

/// Returns whether an account is a program's.
pub fn is_bot(user: &User) -> bool {
    user.kind == "Bot" || user.login.ends_with("[bot]")
}

/// Returns what somebody wrote, without what GitHub does not show either.
pub fn words(body: Option<&str>) -> Markdown {
    let mut text = body.unwrap_or_default().replace("\r\n", "\n");
    while let Some(start) = text.find("<!--") {
        let end = text[start..]
            .find("-->")
            .map_or(text.len(), |end| start + end + 3);
        text.replace_range(start..end, "");
    }
    Markdown(text.trim().to_owned())
}
