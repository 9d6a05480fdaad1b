//! The words of the domain: plain data, no HTTP, no SQL, no serde.
//!
//! Ids shown to people and in JSON are the source's own (`clojure:1794339218.361568`, `<id@host>`, `CORE-16`), always
//! together with the connector they came from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

mod briefing;
mod feedback;
mod names;
pub mod suggestion;

pub use briefing::{
    AnswerBy, Briefing, BriefingItem, Citation, Covered, ItemKind, Reason, Section, ThreadRef,
    Waiting, Wording,
};
pub use daybrief_index::{AudienceId, Seq};
pub use feedback::{Heard, Inquiry, Verdict, Word};
pub use names::{ConnectorId, EventId, Handle, MemberId, SpaceId, TeamId, ThreadId};

/// When we learned of an event. Only [`Seq`] is monotone; this is for windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learned(pub Timestamp);

/// What one briefing covers: the half-open span `[after, upto)` of learning time, cut at a position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The end of the member's last work day.
    pub after: Learned,
    /// The moment the briefing was made.
    pub upto: Learned,
    /// The last position of the log the briefing has seen.
    pub upto_seq: Seq,
}

/// Text as its author wrote it, in Markdown, without quotes of others and signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markdown(pub String);

/// Something that happened at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Connector and source id.
    pub id: EventId,
    /// The thread it belongs to.
    pub thread: ThreadId,
    /// What happened.
    pub kind: EventKind,
    /// Who did it; `None` where the source does not say.
    pub author: Option<Handle>,
    /// The source's own time.
    pub occurred_at: Timestamp,
    /// What the author wrote, empty for events without words.
    pub text: Markdown,
    /// Quoted text and signatures, kept apart: never quoted to anybody, never searched for asks.
    pub aside: String,
    /// Accounts the text addresses, by the source's own markup; handles written out as `@name` are found in `ingest`.
    pub mentions: Vec<Handle>,
    /// Where a person can read it, empty when the source has no links.
    pub url: String,
    /// Who may read it, where that is narrower than the thread's audience.
    pub audience: Option<Audience>,
    /// Whether a program wrote it.
    pub by_bot: bool,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A message, mail, comment or cue.
    Posted,
    /// A thread with a life of its own began: a ticket, a page, a recording.
    Opened,
    /// The text of an earlier event was replaced by this one's.
    Edited {
        /// The event whose text changed.
        of: EventId,
    },
    /// An earlier event was removed.
    Deleted {
        /// The event that is gone.
        of: EventId,
    },
    /// Somebody reacted.
    Reacted {
        /// The event reacted to.
        of: EventId,
        /// The reaction's short name, without colons.
        emoji: String,
        /// Whether it was added or taken back.
        added: bool,
    },
    /// The thread's audience changed.
    AudienceChanged,
    /// A ticket's status changed.
    Transitioned {
        /// The status before; `None` when the source does not say.
        from: Option<String>,
        /// The status after.
        to: String,
    },
    /// A ticket's owner changed.
    Assigned {
        /// The owner before.
        from: Option<Handle>,
        /// The owner after.
        to: Option<Handle>,
    },
    /// A ticket's labels changed.
    Labelled {
        /// Labels that came.
        added: Vec<String>,
        /// Labels that went.
        removed: Vec<String>,
    },
    /// A ticket's priority changed.
    Prioritized {
        /// The priority before.
        from: Option<String>,
        /// The priority after.
        to: Option<String>,
    },
    /// A ticket's due date changed.
    Rescheduled {
        /// The due date before.
        from: Option<civil::Date>,
        /// The due date after.
        to: Option<civil::Date>,
    },
    /// A review was asked of somebody.
    ReviewRequested {
        /// The person asked.
        of: Handle,
    },
}

/// What kind of place a thread lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThreadKind {
    /// Chat.
    Conversation,
    /// A mail thread.
    Mail,
    /// A forum topic.
    Topic,
    /// A wiki page.
    Page,
    /// A document with comments.
    Document,
    /// A ticket, an issue, a pull request.
    Ticket,
    /// A recorded meeting.
    Recording,
}

impl ThreadKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [ThreadKind; 7] = [
        ThreadKind::Conversation,
        ThreadKind::Mail,
        ThreadKind::Topic,
        ThreadKind::Page,
        ThreadKind::Document,
        ThreadKind::Ticket,
        ThreadKind::Recording,
    ];

    /// Returns the name used in queries, JSON and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            ThreadKind::Conversation => "conversation",
            ThreadKind::Mail => "mail",
            ThreadKind::Topic => "topic",
            ThreadKind::Page => "page",
            ThreadKind::Document => "document",
            ThreadKind::Ticket => "ticket",
            ThreadKind::Recording => "recording",
        }
    }

    /// Returns the kind of this name.
    pub fn parse(name: &str) -> Option<ThreadKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A conversation, a mail thread, a ticket …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Connector and source id.
    pub id: ThreadId,
    /// What it is.
    pub kind: ThreadKind,
    /// The place it stands in, if it has one: a channel, a list, a project.
    pub space: Option<SpaceId>,
    /// Its title, empty for chat.
    pub title: String,
    /// Where a person can read it.
    pub url: String,
    /// Who may read it.
    pub audience: Audience,
    /// People who take part without having written: recipients, watchers, attendees.
    pub participants: BTreeSet<Handle>,
    /// The ticket's fields as the source shows them now.
    pub ticket: Option<Ticket>,
}

/// Who may read a thread or an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Every configured member.
    Everyone,
    /// The members of a space, kept apart so that joining or leaving re-indexes nothing.
    Space(SpaceId),
    /// These accounts only.
    Only(BTreeSet<Handle>),
}

/// The account in a space's list of members that stands for every member of the team who is no guest there: the space is
/// open.
pub const ANYONE: &str = "*";

/// The space whose members are a connector's guests: of what is open they read only where they are members by name.
pub const GUESTS: &str = "~guests";

/// A place with members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Connector and source id.
    pub id: SpaceId,
    /// The name people use, with its sigil: `#general`.
    pub name: String,
    /// Its members; `None` when this page does not say, so that the stored list stays.
    pub members: Option<BTreeSet<Handle>>,
}

/// An account and what the source tells about its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The account; the default is filled in by the connector.
    pub handle: Option<Handle>,
    /// The name to show.
    pub name: String,
    /// Other names: login, first name, display name.
    pub aliases: Vec<String>,
    /// Mail address.
    pub email: Option<String>,
    /// IANA zone.
    pub time_zone: Option<String>,
    /// Whether it is a program.
    pub is_bot: bool,
    /// Whether the source says that the account was switched off.
    pub is_gone: bool,
}

/// A ticket's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// The visible key, such as `CORE-16`.
    pub key: String,
    /// `bug`, `pull_request` …, empty when the source has no types.
    pub kind: String,
    /// The source's status word.
    pub status: String,
    /// Whether the status means "done".
    pub is_closed: bool,
    /// Priority, if any.
    pub priority: Option<String>,
    /// Who reported it.
    pub reporter: Option<Handle>,
    /// Who owns it.
    pub assignee: Option<Handle>,
    /// People asked to review.
    pub reviewers: Vec<Handle>,
    /// Labels.
    pub labels: Vec<String>,
    /// Components.
    pub components: Vec<String>,
    /// Due date.
    pub due: Option<civil::Date>,
    /// The ticket this one repeats.
    pub duplicate_of: Option<String>,
}

/// A person of the team.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The config's id.
    pub id: MemberId,
    /// The name to show.
    pub name: String,
    /// Accounts by connector.
    pub handles: BTreeMap<ConnectorId, Vec<Handle>>,
    /// Their zone.
    pub time_zone: TimeZone,
    /// When their day starts, local.
    pub day_start: civil::Time,
    /// When their day ends, local.
    pub day_end: civil::Time,
    /// Their work days, Monday first.
    pub workdays: [bool; 7],
    /// Public holidays, as dates.
    pub holidays: Arc<BTreeMap<civil::Date, String>>,
    /// Leave: closed ranges of dates.
    pub away: Vec<Away>,
    /// Languages they read, best first (ISO 639-1); empty = any.
    pub languages: Vec<String>,
    /// How many open tickets they can carry; `None` = unknown.
    pub capacity: Option<u32>,
    /// Whether they are briefed.
    pub is_briefed: bool,
    /// Whether they may be suggested for tickets.
    pub is_suggested: bool,
    /// Whether their words may be quoted to others.
    pub is_quoted: bool,
}

impl Member {
    /// Returns whether the handle is one of theirs.
    pub fn owns(&self, handle: &Handle) -> bool {
        self.handles
            .get(&handle.connector)
            .is_some_and(|own| own.contains(handle))
    }
}

/// By which ids those go who became members by joining a space, by their account there.
pub type Joiners = BTreeMap<Handle, MemberId>;

/// A span of leave, both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// The first day away.
    pub from: civil::Date,
    /// The last day away.
    pub to: civil::Date,
}

/// A group of members with areas it looks after.
#[derive(Clone, Debug)]
pub struct Team {
    /// The config's id.
    pub id: TeamId,
    /// Its members.
    pub members: Vec<MemberId>,
    /// What it looks after.
    pub areas: Vec<Area>,
    /// Who takes what nobody stands out for.
    pub rotation: Option<Rotation>,
}

/// Something a team looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Area {
    /// `tracker:component=parser`
    Component(ConnectorId, String),
    /// `tracker:label=parser`
    Label(ConnectorId, String),
    /// `office:#parser`
    Space(ConnectorId, String),
}

/// Who is on duty.
#[derive(Clone, Debug)]
pub enum Rotation {
    /// These members in turn, a week each.
    Members(Vec<MemberId>),
    /// The summary of the calendar's current event names the member.
    Calendar(Vec<(Away, String)>),
}

/// What changed in one thread within a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The thread.
    pub thread: ThreadId,
    /// Its new events, oldest first.
    pub events: Vec<EventId>,
    /// The ticket at the window's start, if it existed.
    pub before: Option<Ticket>,
    /// The ticket at the window's end.
    pub after: Option<Ticket>,
}

/// Somebody wants a reply or an action from somebody else. Outlives windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The asking event.
    pub event: EventId,
    /// The thread it stands in.
    pub thread: ThreadId,
    /// Who asks.
    pub from: Handle,
    /// Who is asked.
    pub to: Asked,
    /// What is wanted.
    pub kind: AskKind,
    /// The source's time.
    pub asked_at: Timestamp,
    /// The event that answered it.
    pub closed_by: Option<EventId>,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// These people.
    Persons(Vec<Handle>),
    /// Whoever can answer.
    Group,
}

/// What an ask wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskKind {
    /// An answer.
    Question,
    /// An action.
    Request,
    /// A review.
    Review,
}

/// Something that is missing from an answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What is missing: a connector, a member, a ticket.
    pub of: String,
    /// One plain sentence.
    pub reason: String,
}

impl Gap {
    /// What stands for how owner suggestions do, which is told in the same place and is missing nowhere.
    pub const SUGGESTIONS: &str = "owner suggestions";
}

/// An event with its place in our log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Position in the log.
    pub seq: Seq,
    /// When we learned of it.
    pub learned: Learned,
    /// The event, with its text as it is now.
    pub event: Event,
    /// The numbered audience of the event, narrower than or equal to its thread's.
    pub audience: AudienceId,
    /// Whether the source has removed it since; no text is kept then.
    pub is_removed: bool,
}

/// Events that are shown together: a thread, or a conversation of messages that the source does not thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The number under which the store groups it.
    pub id: TopicId,
    /// The thread, or the thread of the conversation's first message.
    pub thread: Thread,
    /// What happened, oldest first, as far as the reader may know.
    pub events: Vec<Logged>,
}

/// The store's number of a [`Topic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub u64);

/// An ask with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedAsk {
    /// The ask.
    pub ask: Ask,
    /// Position of the asking event.
    pub seq: Seq,
    /// When we learned of it.
    pub learned: Learned,
    /// The topic it stands in.
    pub topic: TopicId,
    /// The asking sentence within the event's text, in bytes.
    pub sentence: std::ops::Range<usize>,
}

/// Words that trackers use for "done", lower case.
const CLOSED_STATUSES: [&str; 19] = [
    "closed",
    "done",
    "resolved",
    "fixed",
    "verified",
    "merged",
    "complete",
    "completed",
    "rejected",
    "duplicate",
    "wontfix",
    "won't fix",
    "won't do",
    "invalid",
    "worksforme",
    "cancelled",
    "canceled",
    "released",
    "declined",
];

/// Returns whether a status word means "done".
pub fn is_closed_status(status: &str) -> bool {
    CLOSED_STATUSES.contains(&status.trim().to_lowercase().as_str())
}

impl Ticket {
    /// Takes a change back: turns the ticket after the event into the ticket before it, as far as the event says.
    pub fn undo(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Transitioned { from, .. } => {
                // A source that only tells of the closing: before it the ticket was open.
                self.status = from.clone().unwrap_or_else(|| "open".into());
                self.is_closed = is_closed_status(&self.status);
            }
            EventKind::Assigned { from, .. } => self.assignee = from.clone(),
            EventKind::Prioritized { from, .. } => self.priority = from.clone(),
            EventKind::Rescheduled { from, .. } => self.due = *from,
            EventKind::Labelled { added, removed } => {
                self.labels.retain(|label| !added.contains(label));
                self.labels.extend(removed.iter().cloned());
            }
            EventKind::ReviewRequested { of } => self.reviewers.retain(|reviewer| reviewer != of),
            EventKind::Posted
            | EventKind::Opened
            | EventKind::Edited { .. }
            | EventKind::Deleted { .. }
            | EventKind::Reacted { .. }
            | EventKind::AudienceChanged => {}
        }
    }
}

impl EventKind {
    /// Returns whether the event changes a ticket's fields.
    pub fn is_state_change(&self) -> bool {
        matches!(
            self,
            EventKind::Transitioned { .. }
                | EventKind::Assigned { .. }
                | EventKind::Prioritized { .. }
                | EventKind::Rescheduled { .. }
                | EventKind::Labelled { .. }
                | EventKind::ReviewRequested { .. }
        )
    }

    /// Returns whether somebody said something.
    pub fn is_said(&self) -> bool {
        matches!(self, EventKind::Posted | EventKind::Opened)
    }
}
