//! One member's message of one morning, as data.

use jiff::{Timestamp, civil};

use super::{EventId, Gap, MemberId, ThreadId, Window};

/// One member's message of one morning.
#[derive(Clone, Debug, PartialEq)]
pub struct Briefing {
    /// The reader.
    pub member: MemberId,
    /// The reader's local date.
    pub date: civil::Date,
    /// What it covers.
    pub window: Window,
    /// The one line on top.
    pub headline: String,
    /// What the morning is about, in a few words of a model that passed their checks; mostly empty. It stands behind the
    /// headline where the reader opens it, never in a notification or a subject.
    pub theme: String,
    /// At most nine, in reading order.
    pub items: Vec<BriefingItem>,
    /// Threads that are the reader's but got no line, best first.
    pub also: Vec<ThreadRef>,
    /// The reader's own unanswered asks.
    pub waiting: Vec<Waiting>,
    /// How many changed threads are not named at all.
    pub omitted: usize,
    /// How much was read to make it.
    pub covered: Covered,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// `extractive`, or the model and prompt.
    pub written_by: String,
    /// Whether the reader was away on the work days before.
    pub is_catch_up: bool,
}

impl Briefing {
    /// Returns whether there is nothing in it for the reader.
    pub fn is_quiet(&self) -> bool {
        self.items.is_empty() && self.waiting.is_empty() && self.also.is_empty()
    }
}

/// How much lay in the window, of what this reader may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Chat messages.
    pub messages: usize,
    /// Mails.
    pub mails: usize,
    /// New tickets.
    pub opened: usize,
    /// Closed tickets.
    pub closed: usize,
}

/// A line of a briefing.
#[derive(Clone, Debug, PartialEq)]
pub struct BriefingItem {
    /// The section it stands in.
    pub section: Section,
    /// What it is.
    pub kind: ItemKind,
    /// The thread, or several of a kind that share the line.
    pub threads: Vec<ThreadRef>,
    /// Whether it is about something from before the window.
    pub carried: bool,
    /// Who or what, in a few words.
    pub headline: String,
    /// What changed, as computed, in parts joined with ` · `: `closed Fri 21:16 · 4 comments by 2`.
    pub facts: String,
    /// The words of a model about it; empty when the quotes speak for themselves.
    pub summary: String,
    /// What came of asking a model for these words; `None` when nobody asked.
    pub wording: Option<Wording>,
    /// What it rests on, with the quotes.
    pub citations: Vec<Citation>,
    /// Why the reader sees it.
    pub reasons: Vec<Reason>,
    /// The last moment at which a reply still saves the asker a work day.
    pub answer_by: Option<AnswerBy>,
    /// Who waits for that answer, by name; several may ask in one thread.
    pub asker: Option<String>,
    /// Its rank.
    pub score: f32,
}

/// What came of asking a model for the words of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// The model.
    pub by: String,
    /// The prompt's name and hash.
    pub prompt: String,
    /// Names of the checks that the words passed.
    pub passed: Vec<String>,
    /// Names of the checks that raised a doubt and kept nothing back.
    pub noted: Vec<String>,
    /// Names of the checks that kept words away.
    pub failed: Vec<String>,
    /// Whether words are shown.
    pub is_shown: bool,
}

/// The sections, in reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Asks, review requests, due tickets.
    NeedsYou,
    /// Work of the reader's area cannot go on.
    Blockers,
    /// State changes and replies in what is the reader's.
    ChangedOnYours,
    /// Decisions and hot threads of the team.
    WorthKnowing,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// A question, request or review asked of the reader.
    Ask,
    /// The reader was named.
    Mention,
    /// Work cannot go on.
    Blocker,
    /// A ticket of the reader's changed state.
    StatusChange,
    /// New replies in something of the reader's.
    Reply,
    /// A choice was settled.
    Decision,
    /// A ticket was opened.
    NewTicket,
    /// A ticket is due or overdue.
    Due,
    /// A ticket of the reader's has not moved.
    Stale,
    /// Anything else worth a line.
    Fyi,
}

/// A thread as a briefing names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRef {
    /// The thread.
    pub id: ThreadId,
    /// Where it can be read.
    pub url: String,
    /// What to call it: a ticket key, `#channel`, a subject.
    pub label: String,
}

/// What a line rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// The cited event.
    pub event: EventId,
    /// The source's time.
    pub at: Timestamp,
    /// The author's name, if the source says.
    pub author: Option<String>,
    /// Where it can be read.
    pub url: String,
    /// A contiguous piece of the cited text, empty for events without words.
    pub quote: String,
    /// Whether the quoted sentence goes on.
    pub is_cut: bool,
}

/// Why a reader sees a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An open question or request names the reader.
    AsksYou,
    /// A review is asked of the reader.
    ReviewRequested,
    /// The reader is named.
    MentionsYou,
    /// The reader owns the ticket.
    AssignedToYou,
    /// The reader reported the ticket.
    ReportedByYou,
    /// The reader wrote in the thread.
    YouWroteHere,
    /// The reader had the last word.
    YouHadTheLastWord,
    /// It is due today.
    DueToday,
    /// It was due before today.
    Overdue,
    /// It has not moved for this many work days.
    NoMovement(u32),
    /// It blocks the reader or the reader blocks somebody.
    Blocks,
    /// A decision in the reader's area.
    DecidedInYourArea,
    /// Many people take part.
    ManyVoices,
    /// An incident or an announcement to all.
    Urgent,
    /// It resembles what the reader works on.
    LikeYourWork,
    /// Others answered it while the reader was away.
    HandledWithoutYou,
    /// A new ticket in the reader's area has no owner.
    UnownedInYourArea,
    /// It was opened within the window and is still open.
    JustOpened,
    /// The reader put it off until this morning.
    PutOff,
}

/// The last moment at which a reply still saves the asker a work day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerBy {
    /// Reply before this.
    pub by: Timestamp,
    /// Otherwise the asker waits until this, the start of their next work day.
    pub else_waits_until: Timestamp,
}

/// One of the reader's own unanswered asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The thread it stands in.
    pub thread: ThreadRef,
    /// The ask and its words.
    pub citation: Citation,
    /// Who is asked, by name; empty = the group.
    pub on: Vec<String>,
    /// While they are away: until when, and who else could answer; empty otherwise.
    pub instead: String,
    /// Age in the reader's work hours.
    pub work_hours: f32,
}
