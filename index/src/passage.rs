//! The words of the index: what goes in, what is asked, what comes back.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A position in the event log that the index follows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

/// An interned audience: everyone who may read a passage. The index never learns who is in it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AudienceId(pub u64);

/// The unit of indexing: one message, one ticket, one window of a long transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Unique and opaque to the index.
    pub id: String,
    /// The event the passage is a part of; a hit names it.
    pub event: String,
    /// The thread the event is a part of; `group_by_thread` folds by it.
    pub thread: String,
    /// The connector the event came through.
    pub connector: String,
    /// `conversation`, `mail`, `topic`, `page`, `document`, `ticket` or `recording`; weights depend on it.
    pub kind: String,
    /// The channel, project, mailbox or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The thread's title; matches in it weigh less than matches in the text, but add to them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The text itself, as people wrote it.
    pub text: String,
    /// The end of what stands before it in the same thread, for the same readers: passages overlap at their borders. It helps
    /// to find the passage and is never shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// Every name the author goes by: member id, handle, display name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// Labels, components, keys: short strings that are searched as words too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// A ticket's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Every name of every assignee.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<String>,
    /// An ISO 639-1 code when the source knows it; otherwise the index guesses, and only acts on a reliable guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who may read the passage.
    pub audience: AudienceId,
    /// When it happened at its source.
    pub occurred_at: Timestamp,
}

/// One change to the index.
// Most operations are `Put`: a box would only cost an allocation each.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Adds a passage, or replaces the one of this id.
    Put(Passage),
    /// Removes one passage.
    DeletePassage(String),
    /// Removes all passages of an event.
    DeleteEvent(String),
    /// Removes all passages of a thread.
    DeleteThread(String),
}

/// What a hit must fulfil beside being readable. An empty field means "any"; values of one field are alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Connector ids.
    pub connectors: Vec<String>,
    /// Thread kinds.
    pub kinds: Vec<String>,
    /// Spaces, with or without a leading `#`.
    pub spaces: Vec<String>,
    /// Author names, in any case, with or without a leading `@`.
    pub authors: Vec<String>,
    /// Ticket statuses, in any case.
    pub statuses: Vec<String>,
    /// Assignee names, like `authors`.
    pub assignees: Vec<String>,
    /// Only passages that occurred at or after this instant.
    pub after: Option<Timestamp>,
    /// Only passages that occurred before this instant.
    pub before: Option<Timestamp>,
}

impl Filter {
    /// Returns whether the filter lets everything through.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

/// Newer passages score higher: `weight * exp(-age / days)` is added to the fused score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recency {
    /// The instant ages are measured from.
    pub now: Timestamp,
    /// What a passage of age zero gains; fused scores lie between 0 and about 1.
    pub weight: f32,
    /// The age after which the gain has fallen to 37 %.
    pub days: f32,
    /// Measures the distance in time both ways: for a ticket that looks for its duplicates.
    pub both_ways: bool,
}

impl Recency {
    /// Returns the prior of a question that itself happened at an instant.
    pub fn around(now: Timestamp) -> Recency {
        Recency {
            now,
            weight: 0.1,
            days: 365.0,
            both_ways: true,
        }
    }
}

/// One question to the index.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Plain words; nothing in it is an operator. [`parse`](crate::parse) reads what people type.
    pub text: String,
    /// A second, longer form of the question (a ticket's description); it adds to `text` without drowning it.
    pub body: String,
    /// Phrases that a hit must contain word for word.
    pub phrases: Vec<String>,
    /// Words or phrases that a hit must not contain.
    pub excluded: Vec<String>,
    /// Beginnings of words; they add to the score like words do.
    pub prefixes: Vec<String>,
    /// The audiences that the asker may read. Empty finds nothing.
    pub readable: BTreeSet<AudienceId>,
    /// What a hit must fulfil.
    pub filter: Filter,
    /// Ids of passages, events or threads that are not wanted: the ticket whose duplicates are looked for.
    pub without: HashSet<String>,
    /// How many hits to return.
    pub limit: usize,
    /// How many hits to skip.
    pub offset: usize,
    /// Returns the best passage of each thread only.
    pub group_by_thread: bool,
    /// Prefers newer passages.
    pub recency: Option<Recency>,
    /// Which arms answer.
    pub arms: Arms,
    /// Compares every allowed vector in full instead of choosing by signs first.
    pub exact: bool,
    /// Makes snippets; who only wants ids and scores goes without.
    pub snippets: bool,
    /// Fills [`Hit::explanation`].
    pub explain: bool,
}

/// Which ways of searching take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arms {
    /// Full text and vectors.
    #[default]
    Both,
    /// Full text alone.
    Lexical,
    /// Vectors alone.
    Vectors,
}

impl Query {
    /// Returns a query for plain words with the usual settings.
    pub fn new(
        text: impl Into<String>,
        readable: impl IntoIterator<Item = AudienceId>,
        limit: usize,
    ) -> Query {
        Query {
            text: text.into(),
            body: String::new(),
            phrases: Vec::new(),
            excluded: Vec::new(),
            prefixes: Vec::new(),
            readable: readable.into_iter().collect(),
            filter: Filter::default(),
            without: HashSet::new(),
            limit,
            offset: 0,
            group_by_thread: false,
            recency: None,
            arms: Arms::Both,
            exact: false,
            snippets: true,
            explain: false,
        }
    }

    /// Returns the query for what resembles a ticket or thread at hand: its title and its text ask, it does not find itself,
    /// and what happened near it in time comes first, because people report one trouble in the same weeks.
    pub fn like(
        passage: &Passage,
        readable: impl IntoIterator<Item = AudienceId>,
        limit: usize,
    ) -> Query {
        Query {
            body: passage.text.clone(),
            without: [passage.thread.clone()].into(),
            recency: Some(Recency::around(passage.occurred_at)),
            ..Query::new(&passage.title, readable, limit)
        }
    }
}

/// A piece of a passage's text around what matched. Free of control, bidi and zero-width characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The text, on one line.
    pub text: String,
    /// Byte ranges of `text` that matched, in order, not overlapping.
    pub highlights: Vec<Range<usize>>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The passage as it was stored.
    pub passage: Passage,
    /// What the hits are ordered by.
    pub score: f32,
    /// The full-text score, when full text found the passage.
    pub bm25: Option<f32>,
    /// The cosine to the query, when vectors were asked.
    pub cosine: Option<f32>,
    /// What to show.
    pub snippet: Snippet,
    /// Every part of the score, when the query asked to `explain`.
    pub explanation: Option<Explanation>,
}

/// How a score came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The clauses of the full-text score that matched: `field:term`, and what each added.
    pub terms: Vec<(String, f32)>,
    /// The full-text score scaled to 0..1 among this query's candidates.
    pub lexical: f32,
    /// The cosine scaled to 0..1 among this query's candidates.
    pub vector: f32,
    /// The share of `lexical` in the fused score, which depends on the passage's kind.
    pub lexical_weight: f32,
    /// What recency added.
    pub recency: f32,
    /// What the candidates most like it added or took.
    pub company: f32,
    /// What the configured model added or took.
    pub opinion: f32,
}

/// Items, and what the asker should know about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items in order.
    pub items: Vec<T>,
    /// How many there are in all, when that is known.
    pub total: Option<usize>,
    /// Plain sentences, for instance that vectors were unavailable.
    pub notes: Vec<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Page<T> {
        Page {
            items: Vec::new(),
            total: Some(0),
            notes: Vec::new(),
        }
    }
}
