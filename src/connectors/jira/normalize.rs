//! An issue, with all that happened to it, as a thread and its events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::adf::{self, Words};
use super::api::Deployment;
use super::wiki;
use super::wire::{Comment, History, Issue, Item, Named, User, Visibility, time};
use crate::connectors::files::bare_event;
use crate::model::{
    Audience, ConnectorId, Event, EventId, EventKind, Handle, Person, SpaceId, Thread, ThreadId,
    ThreadKind, Ticket,
};

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

/// What has to be known to read an issue.
pub struct Known<'a> {
    /// The connector.
    pub id: &'a ConnectorId,
    /// Which Jira it is.
    pub deployment: Deployment,
    /// Where people read it.
    pub url: String,
    /// Data Center's logins by the names that histories use.
    pub logins: &'a BTreeMap<String, String>,
    /// Comments that we wrote ourselves.
    pub ours: &'a BTreeSet<String>,
    /// Who may read the issue.
    pub readers: IssueReaders,
    /// Who is in the roles and groups of the project that comments are kept to; `None` where Jira does not tell.
    pub circles: &'a BTreeMap<Visibility, Option<BTreeSet<Handle>>>,
}

/// Who may read an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueReaders {
    /// Whoever may read its project.
    Project,
    /// Those who take part in it.
    Participants,
    /// Those whom Jira names, since a level narrows it.
    Named(BTreeSet<Handle>),
    /// A level narrows it and Jira does not tell to whom: its reporter and its owner.
    Closest,
}

/// Returns an issue as a thread and its events. The comments and the histories are complete.
///
/// # Errors
/// When it has no number or no time.
pub fn normalize(
    issue: &Issue,
    comments: &[Comment],
    histories: &[History],
    known: &Known<'_>,
) -> Result<Normalized, String> {
    let fields = &issue.fields;
    let opened_at = time(&fields.created).ok_or("an issue without a time was left out")?;
    if issue.id.is_empty() {
        return Err("an issue without a number was left out".into());
    }
    let thread_id = ThreadId::new(known.id, issue.id.as_str());
    let mut story = Story {
        known,
        thread: thread_id.clone(),
        audience: Audience::Everyone,
        people: BTreeMap::new(),
        events: Vec::new(),
    };
    let (reporter, assignee) = (
        story.handle(fields.reporter.as_ref()),
        story.handle(fields.assignee.as_ref()),
    );
    let creator = story.handle(fields.creator.as_ref());
    let closest: BTreeSet<Handle> = [&reporter, &assignee]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    story.audience = match &known.readers {
        IssueReaders::Project => Audience::Space(space_of(issue, known.id)),
        IssueReaders::Named(named) => Audience::Only(named.clone()),
        IssueReaders::Closest => Audience::Only(closest.clone()),
        IssueReaders::Participants => {
            let mut all = closest;
            all.extend(creator);
            let open = comments.iter().filter(|comment| !is_narrow(comment));
            let authors = open.filter_map(|comment| comment.author.as_ref());
            let authors = authors.chain(histories.iter().filter_map(|past| past.author.as_ref()));
            let handles: Vec<_> = authors.map(|author| story.handle(Some(author))).collect();
            all.extend(handles.into_iter().flatten());
            Audience::Only(all)
        }
    };

    let author = fields.reporter.as_ref().or(fields.creator.as_ref());
    let words = known.words(&fields.description);
    story.tell(
        thread_id.id.to_string(),
        EventKind::Opened,
        opened_at,
        author,
        |event| {
            event.aside = known.words(&fields.environment).text;
            event.mentions = known.mentions(&words);
            event.text.0 = words.text;
        },
    );
    for comment in comments {
        story.add_comment(comment, assignee.as_ref());
    }
    for history in histories {
        story.add_history(history);
    }

    let labels = fields.labels.clone();
    let ticket = Ticket {
        key: issue.key.clone(),
        kind: name_of(fields.issuetype.as_ref())
            .unwrap_or_default()
            .to_lowercase(),
        status: fields.status.name.clone(),
        is_closed: fields.status.status_category.key == "done",
        priority: name_of(fields.priority.as_ref()),
        reporter,
        assignee,
        reviewers: Vec::new(),
        labels,
        components: fields
            .components
            .iter()
            .map(|part| part.name.clone())
            .collect(),
        due: date(&fields.duedate),
        duplicate_of: fields.issuelinks.iter().find_map(|link| {
            let is_repeat = link.kind.name.to_lowercase().contains("duplicate");
            link.outward_issue
                .as_ref()
                .filter(|_| is_repeat)
                .map(|other| other.key.clone())
        }),
    };
    let Story {
        audience,
        people,
        mut events,
        ..
    } = story;
    events.sort_by_key(|event| event.occurred_at);
    let thread = Thread {
        id: thread_id,
        kind: ThreadKind::Ticket,
        space: Some(space_of(issue, known.id)),
        title: fields.summary.trim().to_owned(),
        url: known.url.clone(),
        audience,
        participants: BTreeSet::new(),
        ticket: Some(ticket),
    };
    Ok(Normalized {
        thread,
        events,
        people: people.into_values().collect(),
    })
}

/// Returns the space of an issue's project; its number stays when the project is renamed.
pub fn space_of(issue: &Issue, id: &ConnectorId) -> SpaceId {
    SpaceId::new(id, issue.fields.project.id.as_str())
}

/// Returns the space of those whom a comment is kept to: a role of the project whose number stands beside it, or a group.
pub fn circle_of(visibility: &Visibility, id: &ConnectorId) -> SpaceId {
    let Visibility {
        kind,
        value,
        identifier,
    } = visibility;
    SpaceId::new(id, format!("~{kind}:{identifier}:{value}"))
}

/// Returns whether not everybody who may read an issue may read a comment on it.
pub fn is_narrow(comment: &Comment) -> bool {
    comment.visibility.is_some() || comment.jsd_public == Some(false)
}

/// Returns an account's handle and its owner.
pub fn person(user: &User, id: &ConnectorId) -> Option<Person> {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Some(Person {
        handle: Some(Handle::new(id, user.handle()?)),
        name: user.display_name.clone(),
        aliases: text(&user.name).into_iter().collect(),
        email: text(&user.email_address),
        time_zone: text(&user.time_zone),
        is_bot: user.account_type == "app",
        is_gone: user.active == Some(false),
    })
}

fn name_of(named: Option<&Named>) -> Option<String> {
    named
        .map(|named| named.name.clone())
        .filter(|name| !name.is_empty())
}

/// Returns a date; histories write a time behind it.
fn date(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

impl Known<'_> {
    fn words(&self, body: &Value) -> Words {
        match (self.deployment, body) {
            (Deployment::DataCenter, Value::String(markup)) => wiki::to_markdown(markup),
            (_, body) => adf::to_markdown(body),
        }
    }

    fn mentions(&self, words: &Words) -> Vec<Handle> {
        let mentions = words.mentions.iter();
        mentions
            .map(|name| Handle::new(self.id, name.to_lowercase()))
            .collect()
    }

    /// Returns an account that a history names.
    fn account(&self, name: Option<&str>) -> Option<Handle> {
        let name = name?;
        let login = self.logins.get(name).map_or(name, String::as_str);
        Some(Handle::new(self.id, login.to_lowercase()))
    }
}

/// What has been told so far.
struct Story<'a> {
    known: &'a Known<'a>,
    thread: ThreadId,
    audience: Audience,
    people: BTreeMap<String, Person>,
    events: Vec<Event>,
}

impl Story<'_> {
    fn add_comment(&mut self, comment: &Comment, assignee: Option<&Handle>) {
        // What we wrote ourselves is no news.
        let is_ours = self.known.ours.contains(&comment.id);
        let Some(at) = time(&comment.created).filter(|_| !comment.id.is_empty() && !is_ours) else {
            return;
        };
        let words = self.known.words(&comment.body);
        let author = self.handle(comment.author.as_ref());
        let audience = is_narrow(comment).then(|| self.narrowed(comment, author, assignee));
        let mentions = self.known.mentions(&words);
        let url = format!("{}?focusedCommentId={}", self.known.url, comment.id);
        self.tell(
            format!("{}-c{}", self.thread.id, comment.id),
            EventKind::Posted,
            at,
            comment.author.as_ref(),
            |event| {
                event.text.0 = words.text;
                (event.mentions, event.url, event.audience) = (mentions, url, audience);
            },
        );
    }

    /// Returns who may read a comment that is kept from some: those of its role or group who may read the issue. Where
    /// Jira does not tell who that is, its author; of a note within a service desk also the issue's owner, who is one of
    /// the desk.
    fn narrowed(
        &self,
        comment: &Comment,
        author: Option<Handle>,
        assignee: Option<&Handle>,
    ) -> Audience {
        let circle = comment.visibility.as_ref();
        let members = circle.and_then(|circle| self.known.circles.get(circle)?.as_ref());
        match (members, &self.audience, circle) {
            (Some(members), Audience::Only(readers), _) => {
                Audience::Only(members.intersection(readers).cloned().collect())
            }
            // Kept apart, so that whoever leaves the group loses what was said in it.
            (Some(_), _, Some(circle)) => Audience::Space(circle_of(circle, self.known.id)),
            _ => {
                let is_note = circle.is_none();
                let assignee = assignee.filter(|_| is_note).cloned();
                let close = author.into_iter().chain(assignee);
                Audience::Only(close.filter(|handle| self.may_read(handle)).collect())
            }
        }
    }

    fn may_read(&self, handle: &Handle) -> bool {
        match &self.audience {
            Audience::Only(readers) => readers.contains(handle) || self.is_by_participants(),
            _ => true,
        }
    }

    /// Whether the audience is made of those who take part; the author of a comment is one of them.
    fn is_by_participants(&self) -> bool {
        self.known.readers == IssueReaders::Participants
    }

    fn add_history(&mut self, history: &History) {
        let Some(at) = time(&history.created).filter(|_| !history.id.is_empty()) else {
            return;
        };
        for item in &history.items {
            let Some(kind) = self.change(item) else {
                continue;
            };
            let event_id = format!("{}@{}.{}", self.thread.id, history.id, item.id());
            self.tell(event_id, kind, at, history.author.as_ref(), |_| {});
        }
    }

    fn change(&self, item: &Item) -> Option<EventKind> {
        let words = |text: &Option<String>| {
            let words = text.as_deref().unwrap_or_default().split_whitespace();
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        Some(match item.id() {
            "status" => EventKind::Transitioned {
                from: item.from_string.clone(),
                to: item.to_text.clone()?,
            },
            "assignee" => EventKind::Assigned {
                from: self.known.account(item.from.as_deref()),
                to: self.known.account(item.to.as_deref()),
            },
            "priority" => EventKind::Prioritized {
                from: item.from_string.clone(),
                to: item.to_text.clone(),
            },
            "duedate" => {
                let day = |text: &Option<String>| text.as_deref().and_then(date);
                EventKind::Rescheduled {
                    from: day(&item.from).or_else(|| day(&item.from_string)),
                    to: day(&item.to).or_else(|| day(&item.to_text)),
                }
            }
            "labels" => {
                let (before, after) = (words(&item.from_string), words(&item.to_text));
                let only = |these: &[String], those: &[String]| {
                    let only = these.iter().filter(|label| !those.contains(label));
                    only.cloned().collect::<Vec<_>>()
                };
                EventKind::Labelled {
                    added: only(&after, &before),
                    removed: only(&before, &after),
                }
            }
            _ => return None,
        })
    }

    fn tell(
        &mut self,
        event_id: String,
        kind: EventKind,
        at: Timestamp,
        author: Option<&User>,
        fill: impl FnOnce(&mut Event),
    ) {
        let event_id = EventId::new(self.known.id, event_id);
        let mut event = bare_event(event_id, self.thread.clone(), kind, at);
        event.author = self.handle(author);
        event.by_bot = author.is_some_and(|author| author.account_type == "app");
        event.url.clone_from(&self.known.url);
        fill(&mut event);
        self.events.push(event);
    }

    /// Returns an account's handle and notes its owner.
    fn handle(&mut self, user: Option<&User>) -> Option<Handle> {
        let person = person(user?, self.known.id)?;
        let handle = person.handle.clone()?;
        self.people.entry(handle.id.to_string()).or_insert(person);
        Some(handle)
    }
}
