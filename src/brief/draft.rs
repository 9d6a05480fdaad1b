//! What a model proposes for one thread, what the checks say about it, and what is left to show.

use serde::Deserialize;

use crate::model::EventId;

/// The most items of one answer that are looked at.
pub const MAX_ITEMS: usize = 8;
/// How many characters an item's text may have.
pub const TEXT_CHARS: std::ops::RangeInclusive<usize> = 8..=220;
/// The most characters of a quote.
pub const QUOTE_CHARS: usize = 160;
/// How many messages an item may cite: small evidence is what makes the checks sharp.
pub const MAX_CITATIONS: usize = 3;
/// The most people, and the most tickets, of an item.
pub const MAX_SLOTS: usize = 4;

/// A model's answer for one digest; nothing in it is believed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The items that have the agreed shape.
    pub items: Vec<DraftItem>,
    /// Why others were left out, one entry each.
    pub malformed: Vec<String>,
}

/// One proposed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftItem {
    /// What it claims to be.
    pub kind: DraftKind,
    /// The words, with `{p1}` and `{t1}` for people and tickets.
    pub text: String,
    /// Numbers of the messages it rests on.
    pub citations: Vec<u32>,
    /// Words of one cited message.
    pub quote: String,
    /// Slots of the people it is about.
    pub people: Vec<String>,
    /// Slots of the tickets it is about.
    pub tickets: Vec<String>,
    /// How sure the model says it is.
    pub confidence: Confidence,
}

/// What a line claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DraftKind {
    /// A choice was settled.
    Decision,
    /// Somebody asks something of the reader.
    QuestionForYou,
    /// Work cannot go on.
    Blocker,
    /// A ticket changed state.
    StatusChange,
    /// A ticket was opened.
    NewTicket,
    /// The reader was named.
    Mention,
    /// Anything else.
    Fyi,
}

impl DraftKind {
    /// Every kind with its name in the contract.
    pub const ALL: [(DraftKind, &'static str); 7] = [
        (DraftKind::Decision, "decision"),
        (DraftKind::QuestionForYou, "question_for_you"),
        (DraftKind::Blocker, "blocker"),
        (DraftKind::StatusChange, "status_change"),
        (DraftKind::NewTicket, "new_ticket"),
        (DraftKind::Mention, "mention"),
        (DraftKind::Fyi, "fyi"),
    ];

    /// Returns the name in the contract.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Returns the kind of this name.
    pub fn parse(name: &str) -> Option<DraftKind> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name)?;
        Some(found.0)
    }
}

/// How sure a line is; the checks can only lower it. Low is replaced by the quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Replaced by the quote.
    Low,
    /// Marked with "≈".
    Medium,
    /// Shown without a mark.
    High,
}

impl Confidence {
    /// Returns the name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }

    /// Returns the confidence of this name.
    pub fn parse(name: &str) -> Option<Confidence> {
        [Confidence::Low, Confidence::Medium, Confidence::High]
            .into_iter()
            .find(|known| known.as_str() == name)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDraft {
    items: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireItem {
    kind: String,
    text: String,
    citations: Vec<u32>,
    #[serde(default)]
    quote: String,
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    tickets: Vec<String>,
    #[serde(default)]
    confidence: Option<String>,
}

impl Draft {
    /// Reads an answer: check V1, as far as it is about shape. Servers ignore parts of a schema, so that all of it is looked
    /// at again; an item of another shape is left out and the others stay.
    ///
    /// # Errors
    /// When the answer is not an object with `items`; the message says where, and repeats nothing of the answer.
    pub fn from_json(answer: &str) -> Result<Draft, String> {
        let wire: WireDraft = serde_json::from_str(answer).map_err(|error| {
            format!(
                "the answer is no object with items (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        let mut draft = Draft::default();
        let surplus = wire.items.len().saturating_sub(MAX_ITEMS);
        for item in wire.items.into_iter().take(MAX_ITEMS) {
            match item_of(item) {
                Ok(item) => draft.items.push(item),
                Err(why) => draft.malformed.push(why),
            }
        }
        draft
            .malformed
            .extend((0..surplus).map(|_| format!("only {MAX_ITEMS} items are read")));
        Ok(draft)
    }
}

fn item_of(value: serde_json::Value) -> Result<DraftItem, String> {
    let wire: WireItem = serde_json::from_value(value)
        .map_err(|_| "an item lacks a field, or has one of another type".to_owned())?;
    let kind = DraftKind::parse(&wire.kind).ok_or("the kind is none of the list")?;
    let confidence = match &wire.confidence {
        None => Confidence::Medium,
        Some(name) => Confidence::parse(name).ok_or("the confidence is none of the list")?,
    };
    let chars = wire.text.chars().count();
    if !TEXT_CHARS.contains(&chars) {
        return Err(format!(
            "the text has {chars} characters, not {} to {}",
            TEXT_CHARS.start(),
            TEXT_CHARS.end()
        ));
    }
    if wire.quote.chars().count() > QUOTE_CHARS {
        return Err(format!("the quote has more than {QUOTE_CHARS} characters"));
    }
    if wire.people.len() > MAX_SLOTS || wire.tickets.len() > MAX_SLOTS {
        return Err(format!("more than {MAX_SLOTS} people or tickets"));
    }
    let is_slot = |slot: &String, sigil: char| {
        slot.strip_prefix(sigil).is_some_and(|number| {
            (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if !wire.people.iter().all(|slot| is_slot(slot, 'p'))
        || !wire.tickets.iter().all(|slot| is_slot(slot, 't'))
    {
        return Err("people are p1, p2 … and tickets are t1, t2 …".to_owned());
    }
    Ok(DraftItem {
        kind,
        text: wire.text,
        citations: wire.citations,
        quote: wire.quote,
        people: wire.people,
        tickets: wire.tickets,
        confidence,
    })
}

/// The checks, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Shape, lengths, no character that hides.
    V1,
    /// The cited messages are in the request, one to three of them.
    V2,
    /// A citation was missing or wrong and a better one was looked for.
    V2b,
    /// The quote stands word for word in a cited message.
    V3,
    /// Numbers, dates, versions, amounts, keys and code stand in the cited messages or the facts.
    V4,
    /// People are who they are, and said what they are said to have said.
    V5,
    /// State words agree with the tracker or stand in a cited message.
    V6,
    /// No link, mention or markup.
    V7,
    /// The kind is what the cited messages are.
    V8,
    /// "Not" and "may" stand on both sides.
    V9,
    /// The words are those of the cited messages.
    V10,
    /// The cited messages are new.
    V11,
}

impl Check {
    /// Returns the name, as `explain` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Check::V1 => "V1",
            Check::V2 => "V2",
            Check::V2b => "V2b",
            Check::V3 => "V3",
            Check::V4 => "V4",
            Check::V5 => "V5",
            Check::V6 => "V6",
            Check::V7 => "V7",
            Check::V8 => "V8",
            Check::V9 => "V9",
            Check::V10 => "V10",
            Check::V11 => "V11",
        }
    }

    /// Returns what it looks at, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Check::V1 => "shape and characters",
            Check::V2 => "cited messages",
            Check::V2b => "citations found again",
            Check::V3 => "quote",
            Check::V4 => "numbers and keys",
            Check::V5 => "people",
            Check::V6 => "states",
            Check::V7 => "links and markup",
            Check::V8 => "kind",
            Check::V9 => "not and may",
            Check::V10 => "words shared with the source",
            Check::V11 => "window",
        }
    }
}

/// What a failing check costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It held.
    Passed,
    /// Noted, and the text stays: the quote is shown, the kind lowered or the confidence lowered.
    Soft,
    /// The text is dropped; the event stays.
    Hard,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The check.
    pub check: Check,
    /// What came of it.
    pub severity: Severity,
    /// What did not hold, in a sentence that a repair call can use; empty when it held. It may repeat words of the draft,
    /// which are no more to be trusted than the draft.
    pub why: String,
}

/// What the checks say about one item, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// One entry for each check that was made.
    pub outcomes: Vec<Outcome>,
    /// Links, mentions, markup and hidden characters in the text: a sign that somebody gave orders.
    pub injection_signals: usize,
}

impl CheckReport {
    /// Returns whether no hard check failed.
    pub fn holds(&self) -> bool {
        self.failed_hard().next().is_none()
    }

    /// Returns the hard failures.
    pub fn failed_hard(&self) -> impl Iterator<Item = &Outcome> {
        self.of(Severity::Hard)
    }

    /// Returns the soft failures.
    pub fn failed_soft(&self) -> impl Iterator<Item = &Outcome> {
        self.of(Severity::Soft)
    }

    /// Returns the names of the checks that held.
    pub fn passed(&self) -> impl Iterator<Item = &'static str> {
        self.of(Severity::Passed)
            .map(|outcome| outcome.check.as_str())
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Outcome> {
        self.outcomes
            .iter()
            .filter(move |outcome| outcome.severity == severity)
    }

    pub(in crate::brief) fn note(
        &mut self,
        check: Check,
        severity: Severity,
        why: impl Into<String>,
    ) {
        let why = why.into();
        // A check that is made of several questions keeps its worst answer.
        match self
            .outcomes
            .iter_mut()
            .find(|outcome| outcome.check == check)
        {
            Some(outcome) if severity > outcome.severity => {
                (outcome.severity, outcome.why) = (severity, why);
            }
            Some(_) => {}
            None => self.outcomes.push(Outcome {
                check,
                severity,
                why,
            }),
        }
    }
}

/// An item with everything the checks found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The item, with the citations it was checked against.
    pub item: DraftItem,
    /// What held and what did not.
    pub report: CheckReport,
    /// What may be shown; `None` when a hard check failed.
    pub worded: Option<Worded>,
}

/// A line that passed: its words with the daemon's names and keys in place of the slots.
#[derive(Clone, Debug, PartialEq)]
pub struct Worded {
    /// What it is, after the kind gates.
    pub kind: DraftKind,
    /// One line of visible characters, without links, mentions and markup.
    pub text: String,
    /// The events it rests on.
    pub citations: Vec<EventId>,
    /// A piece of one cited event's text, word for word, and the event.
    pub quote: Option<(EventId, String)>,
    /// How sure it is, the model's word lowered by the checks.
    pub confidence: Confidence,
    /// Whether the quote has to be shown beside the words.
    pub needs_quote: bool,
    /// What held and what did not.
    pub report: CheckReport,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"kind":"fyi","text":"{p1} moved the import.","citations":[1],"quote":"moved","people":["p1"],"tickets":[],"confidence":"high"}"#;

    fn wrapped(items: &[&str]) -> String {
        format!("{{\"items\":[{}]}}", items.join(","))
    }

    #[test]
    fn items_of_another_shape_are_left_out_and_the_others_stay() {
        let check = |from: &str, to: &str, is_kept: bool| {
            let item = GOOD.replace(from, to);
            let draft = Draft::from_json(&wrapped(&[GOOD, &item])).unwrap();
            assert_eq!(draft.items.len(), 1 + usize::from(is_kept), "{item}");
            assert_eq!(draft.malformed.len(), usize::from(!is_kept), "{item}");
        };
        check("fyi", "decision", true);
        check("fyi", "order", false);
        check("high", "certain", false);
        check("[1]", "[-1]", false);
        check("[1]", "\"1\"", false);
        check("\"p1\"", "\"ana\"", false);
        check("\"p1\"", "\"p1\",\"p2\",\"p3\",\"p4\",\"p5\"", false);
        check("{p1} moved the import.", "short", false);
        check("{p1} moved the import.", &"long ".repeat(60), false);
        check("\"moved\"", &format!("\"{}\"", "q".repeat(161)), false);
        check("\"quote\"", "\"url\"", false);
    }

    #[test]
    fn an_answer_that_is_no_object_is_refused_without_its_words() {
        for answer in [
            "",
            "Sure! Here it is",
            "[]",
            "{\"items\":",
            "{\"items\":[],\"secret\":1}",
        ] {
            let why = Draft::from_json(answer).unwrap_err();
            assert!(!why.contains("Sure") && !why.contains("secret"), "{why}");
        }
        let many = Draft::from_json(&wrapped(&[GOOD; 11])).unwrap();
        assert_eq!((many.items.len(), many.malformed.len()), (MAX_ITEMS, 3));
    }
}
