//! What of a shared line holds for one reader: the gates that need to know who reads.

use std::collections::BTreeSet;

use crate::brief::digest::Digest;
use crate::brief::draft::{Check, DraftKind, Severity, Worded};
use crate::model::{AudienceId, EventId, Seq};

/// Who reads, as far as the gates need it.
pub struct ForReader<'a> {
    /// What they may read now.
    pub readable: &'a BTreeSet<AudienceId>,
    /// What is new for them.
    pub new: &'a BTreeSet<Seq>,
    /// Events of open asks to them.
    pub asks: &'a BTreeSet<EventId>,
    /// Events that name them.
    pub mentions: &'a BTreeSet<EventId>,
}

/// Returns the line as this reader may have it: V2 again (every message may be read), V8 (a question or a mention is theirs)
/// and V11 (something cited is new for them). `None` when the reader gets the quote or nothing instead.
pub fn for_reader(worded: &Worded, digest: &Digest, reader: &ForReader<'_>) -> Option<Worded> {
    if !digest.audiences.is_subset(reader.readable) {
        return None;
    }
    let mut worded = worded.clone();
    let is_cited =
        |events: &BTreeSet<EventId>| worded.citations.iter().any(|event| events.contains(event));
    let why = match worded.kind {
        DraftKind::QuestionForYou if !is_cited(reader.asks) => {
            Some("no cited message asks this reader")
        }
        DraftKind::Mention if !is_cited(reader.mentions) => {
            Some("no cited message names this reader")
        }
        _ => None,
    };
    if let Some(why) = why {
        worded.report.note(
            Check::V8,
            Severity::Soft,
            format!("{} → fyi: {why}", worded.kind.as_str()),
        );
        worded.kind = DraftKind::Fyi;
    }
    let is_new = digest.messages.iter().any(|message| {
        worded.citations.contains(&message.event) && reader.new.contains(&message.seq)
    });
    if !is_new && worded.kind != DraftKind::Fyi {
        return None;
    }
    Some(worded)
}
