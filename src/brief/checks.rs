//! The checks a model's words pass before anybody reads them: V1 to V11, pure, in order.
//!
//! A hard failure drops the words, never the event; a soft one shows the quote, lowers the kind or lowers the confidence. What
//! they were measured to catch stands in the README; what no check of words can see (a swapped pair of speakers, a dropped
//! "not") is why citations are few and quotes stay near.

use std::collections::BTreeSet;

pub mod corrupt;
pub mod find;
mod markup;
pub mod measure;
mod people;
mod quoted;
pub mod reader;
mod slots;
mod soft;
mod states;
mod tokens;
pub mod words;

use self::find::Finder;
use self::people::{Wrong, named_in};
use self::quoted::quoted;
use self::slots::{next_slot, slots_in, without_slots};
use self::soft::{Mood, overlap};
use self::tokens::{Evidence, Token, tokens_of};
use crate::brief::digest::{Digest, DigestMessage};
use crate::brief::draft::{
    Check, CheckReport, Checked, Confidence, Draft, DraftItem, DraftKind, MAX_CITATIONS, Severity,
    Worded,
};
use crate::brief::render::plain::is_hidden;

/// V10: from this share of content words on a text is its sources'.
const OVERLAP: f32 = 0.35;
/// V10: or from this similarity on.
const SIMILARITY: f32 = 0.3;
/// The most words of a quote that is shown.
const QUOTE_WORDS: usize = 20;
/// How many messages are tried in place of a wrong citation.
const FOUND_AGAIN: usize = 3;

/// A digest with what the checks look up in it.
pub struct Checker<'d> {
    digest: &'d Digest,
    sources: Vec<Source>,
    finder: Finder,
    tracker: Vec<String>,
    facts: Evidence,
}

/// What is looked up in one message.
struct Source {
    evidence: Evidence,
    lower: String,
    stems: BTreeSet<String>,
}

/// What the exact checks say about one choice of citations.
#[derive(Default)]
struct Exact {
    number: Option<String>,
    person: Option<String>,
    state: Option<String>,
}

impl Exact {
    fn holds(&self) -> bool {
        self.number.is_none() && self.person.is_none() && self.state.is_none()
    }
}

/// Checks every item of a draft.
pub fn checked(draft: &Draft, digest: &Digest) -> Vec<Checked> {
    let checker = Checker::new(digest);
    draft.items.iter().map(|item| checker.check(item)).collect()
}

impl<'d> Checker<'d> {
    /// Takes in a digest.
    pub fn new(digest: &'d Digest) -> Checker<'d> {
        let sources = digest.messages.iter().map(|message| {
            let mut evidence = Evidence::default();
            evidence.add(&message.source);
            evidence.add_day(message.at.to_zoned(jiff::tz::TimeZone::UTC).date());
            Source {
                evidence,
                lower: message.source.to_lowercase(),
                stems: words::content_words(&message.source).into_iter().collect(),
            }
        });
        let texts = digest.messages.iter().map(|message| {
            let author = message
                .who
                .map_or("", |who| digest.people[who].name.as_str());
            (author, message.source.as_str())
        });
        let mut facts = Evidence::default();
        facts.add(&digest.facts.lines(digest).join(". "));
        facts.add(&digest.title);
        for ticket in &digest.tickets {
            facts.add(&ticket.key);
            facts.add(&ticket.status);
        }
        let mut tracker: Vec<String> = digest
            .tickets
            .iter()
            .map(|ticket| ticket.status.to_lowercase())
            .collect();
        tracker.extend(
            digest
                .facts
                .statuses
                .iter()
                .map(|status| status.to_lowercase()),
        );
        if digest.facts.owner.is_some() {
            tracker.push("assigned".to_owned());
        }
        Checker {
            digest,
            sources: sources.collect(),
            finder: Finder::new(texts),
            tracker,
            facts,
        }
    }

    /// Checks one item, in the order of the contract.
    pub fn check(&self, item: &DraftItem) -> Checked {
        let mut report = CheckReport::default();
        let mut item = item.clone();

        // V1: characters that hide are taken out and counted.
        let hidden = item
            .text
            .chars()
            .filter(|c| is_hidden(*c) && !c.is_whitespace())
            .count();
        let visible: String = item
            .text
            .chars()
            .filter(|c| !is_hidden(*c) || c.is_whitespace())
            .collect();
        item.text = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        report.injection_signals += hidden;
        if item.text.chars().count() < *crate::brief::draft::TEXT_CHARS.start() {
            report.note(Check::V1, Severity::Hard, "the text is too short");
        } else {
            report.note(Check::V1, Severity::Passed, "");
        }

        // V2: the cited messages are in the request.
        let mut seen = BTreeSet::new();
        let given = item.citations.len();
        item.citations
            .retain(|n| self.digest.message(*n).is_some() && seen.insert(*n));
        item.citations.truncate(MAX_CITATIONS);
        let lost = given - item.citations.len();
        if lost > 0 || item.citations.is_empty() {
            report.note(
                Check::V2,
                Severity::Soft,
                "a cited number is not in the request, or there are more than three",
            );
        } else {
            report.note(Check::V2, Severity::Passed, "");
        }

        // V7 before the words are looked at: what is no prose is not matched against anything.
        let bare = without_slots(&item.text);
        if let Some(what) = markup::forbidden_in(&bare) {
            report.injection_signals += 1;
            report.note(
                Check::V7,
                Severity::Hard,
                format!("the text holds {what}; it may hold plain words and slots only"),
            );
        }

        // V3: the quote stands in a cited message, or in another one that is then cited, too.
        let quote = self.quote_of(&mut item, &mut report);

        // V4 to V6, and V2b where they do not hold.
        let text = &item.text;
        let named = named_in(text, self.digest, |word| self.holds_name(word));
        let mut claims = tokens_of(&without_slots(text), false);
        // "LaMacchia" and "cleo844" are people; V5 looks at them. "Two" is often a count of nobody's.
        claims.retain(|token| match token {
            Token::Code(word) => people::called(word, self.digest).is_empty(),
            Token::Word(value) => value != "2" && value != "0",
            _ => true,
        });
        let mut exact = self.exact(&item, &item.citations, &named, &claims);
        let is_missing = item.citations.is_empty();
        if is_missing || !exact.holds() {
            match self.found_again(&item, &named, &claims) {
                Some(citations) => {
                    report.note(Check::V2b, Severity::Soft, "other messages bear it out");
                    item.citations = citations;
                    exact = Exact::default();
                }
                None if is_missing => report.note(Check::V2, Severity::Hard, "no message is cited"),
                None => {}
            }
        }
        let note = |report: &mut CheckReport, check, why: Option<String>| match why {
            Some(why) => report.note(check, Severity::Hard, why),
            None => report.note(check, Severity::Passed, ""),
        };
        note(&mut report, Check::V4, exact.number);
        note(&mut report, Check::V5, exact.person);
        note(&mut report, Check::V6, exact.state);
        report.note(Check::V7, Severity::Passed, "");

        self.kind_gate(&mut item, &mut report);
        let cited = self.cited(&item.citations);
        let (quote_at, best_similarity) = self.best_sentence(&item, &cited, quote);
        self.soft_checks(
            &mut item,
            &mut report,
            &cited,
            quote_at.as_ref().map(|(_, words)| words.as_str()),
            best_similarity,
        );

        // V11: what is told as news is new.
        let old = cited.iter().filter(|message| !message.is_new).count();
        match (old, cited.len()) {
            (0, _) => report.note(Check::V11, Severity::Passed, ""),
            (old, all) if old == all && item.kind != DraftKind::Fyi => {
                report.note(
                    Check::V11,
                    Severity::Hard,
                    "no cited message is new in the window",
                );
            }
            _ => report.note(
                Check::V11,
                Severity::Soft,
                "a cited message is context from before the window",
            ),
        }
        report.outcomes.sort_by_key(|outcome| outcome.check);

        let needs_quote = report
            .outcomes
            .iter()
            .any(|outcome| outcome.check == Check::V9 && outcome.severity == Severity::Soft);
        let worded = report.holds().then(|| Worded {
            kind: item.kind,
            text: self.filled(&item.text),
            citations: cited.iter().map(|message| message.event.clone()).collect(),
            quote: quote_at.map(|(message, words)| (message.event.clone(), words)),
            confidence: item.confidence,
            needs_quote,
            report: report.clone(),
        });
        Checked {
            item,
            report,
            worded,
        }
    }

    /// Returns whether a message or the title holds a word with its capital.
    fn holds_name(&self, word: &str) -> bool {
        let sources = self.digest.messages.iter().map(|message| &message.source);
        sources
            .chain([&self.digest.title])
            .any(|text| states::has_word(text, word))
    }

    fn cited(&self, citations: &[u32]) -> Vec<&'d DigestMessage> {
        citations
            .iter()
            .filter_map(|n| self.digest.message(*n))
            .collect()
    }

    fn sources_of(&self, citations: &[u32]) -> Vec<&Source> {
        let place = |n: &u32| {
            self.digest
                .messages
                .binary_search_by_key(n, |message| message.n)
                .ok()
        };
        citations
            .iter()
            .filter_map(place)
            .map(|at| &self.sources[at])
            .collect()
    }

    /// V3: returns the quote as it was written, with the message it stands in.
    fn quote_of(
        &self,
        item: &mut DraftItem,
        report: &mut CheckReport,
    ) -> Option<(&'d DigestMessage, String)> {
        if item.quote.trim().is_empty() {
            report.note(Check::V3, Severity::Passed, "");
            return None;
        }
        let in_cited = self
            .cited(&item.citations)
            .into_iter()
            .find_map(|message| Some((message, quoted(message, &item.quote)?)));
        if in_cited.is_some() {
            report.note(Check::V3, Severity::Passed, "");
            return in_cited;
        }
        let elsewhere = self
            .digest
            .messages
            .iter()
            .find_map(|message| Some((message, quoted(message, &item.quote)?)));
        match &elsewhere {
            Some((message, _)) if item.quote.split_whitespace().count() > 2 => {
                report.note(
                    Check::V3,
                    Severity::Soft,
                    "the quote stands in a message that was not cited",
                );
                item.citations.insert(0, message.n);
                item.citations.truncate(MAX_CITATIONS);
                elsewhere
            }
            _ => {
                report.note(
                    Check::V3,
                    Severity::Hard,
                    "the quote does not stand word for word in a cited message",
                );
                None
            }
        }
    }

    /// V4, V5 and V6 against one choice of citations.
    fn exact(
        &self,
        item: &DraftItem,
        citations: &[u32],
        named: &[people::Named],
        claims: &BTreeSet<Token>,
    ) -> Exact {
        let cited = self.cited(citations);
        let sources = self.sources_of(citations);
        let lower: Vec<&str> = sources.iter().map(|source| source.lower.as_str()).collect();
        let authors = cited
            .iter()
            .filter_map(|message| message.who)
            .collect::<BTreeSet<_>>()
            .len();
        let is_counted = |token: &Token| matches!(token, Token::Word(value) if *value == authors.to_string() || *value == citations.len().to_string());
        let number = claims
            .iter()
            .find(|token| {
                !is_counted(token)
                    && !self.facts.holds(token)
                    && !sources.iter().any(|source| source.evidence.holds(token))
            })
            .map(|token| {
                format!(
                    "\"{}\" stands in no cited message and in no fact",
                    token.shown()
                )
            });
        let unknown = slots_in(&item.text)
            .into_iter()
            .map(str::to_owned)
            .chain(item.people.iter().cloned())
            .chain(item.tickets.iter().cloned())
            .find(|slot| self.digest.person(slot).is_none() && self.digest.ticket(slot).is_none());
        let person = match unknown {
            Some(slot) => Some(format!("there is no {slot}")),
            None => people::wrong(named, self.digest, &cited, &lower).map(|wrong| match wrong {
                Wrong::Nobody(name) => format!("\"{name}\" is nobody of this thread"),
                Wrong::NotThere(name) => {
                    format!("{name} neither wrote nor is named in a cited message")
                }
                Wrong::DidNotSay(name) => format!("{name} wrote none of the cited messages"),
            }),
        };
        Exact {
            number,
            person,
            state: self.wrong_state(item, &lower),
        }
    }

    /// V6.
    fn wrong_state(&self, item: &DraftItem, lower: &[&str]) -> Option<String> {
        let text = without_slots(&item.text);
        if let Some(state) = states::unsupported(&text, &self.tracker, lower) {
            return Some(format!(
                "\"{state}\" is neither the tracker's state nor said in a cited message"
            ));
        }
        // Of its own ticket the tracker knows better than whoever wrote about it.
        let about = slots_in(&item.text)
            .into_iter()
            .filter_map(|slot| self.digest.ticket(slot));
        about
            .filter(|ticket| !ticket.status.is_empty())
            .find(|ticket| states::contradicts(&item.text, ticket.is_closed))
            .map(|ticket| format!("the tracker says {} of {}", ticket.status, ticket.slot))
    }

    /// V2b: returns citations that bear the item out, looked for by words and meaning.
    fn found_again(
        &self,
        item: &DraftItem,
        named: &[people::Named],
        claims: &BTreeSet<Token>,
    ) -> Option<Vec<u32>> {
        let query = self.filled(&item.text);
        let best: Vec<u32> = self
            .finder
            .best(&query, FOUND_AGAIN)
            .into_iter()
            .map(|at| self.digest.messages[at].n)
            .collect();
        let first = item.citations.first().copied();
        let mixed: Vec<u32> = first
            .into_iter()
            .chain(best.iter().copied().filter(|n| Some(*n) != first))
            .take(MAX_CITATIONS)
            .collect();
        [mixed, best].into_iter().find(|citations| {
            !citations.is_empty() && self.exact(item, citations, named, claims).holds()
        })
    }

    /// V8: what a line claims to be is what the cited messages are; otherwise it is for information.
    fn kind_gate(&self, item: &mut DraftItem, report: &mut CheckReport) {
        let cited = self.cited(&item.citations);
        let facts = &self.digest.facts;
        let why = match item.kind {
            DraftKind::Fyi => None,
            DraftKind::Decision => {
                let decided = cited
                    .iter()
                    .filter(|message| message.cues.decides)
                    .map(|message| message.n)
                    .max();
                match decided {
                    None => Some("no cited message settles anything"),
                    Some(n)
                        if self.digest.messages.iter().any(|message| {
                            message.n > n && states::is_contrary(&message.source)
                        }) =>
                    {
                        Some("a later message speaks against it")
                    }
                    Some(_) => None,
                }
            }
            DraftKind::Blocker => (!cited.iter().any(|message| message.cues.blocks))
                .then_some("no cited message says that work cannot go on"),
            DraftKind::QuestionForYou => (!cited.iter().any(|message| message.cues.asks))
                .then_some("no cited message asks anything"),
            DraftKind::Mention => cited
                .iter()
                .all(|message| message.names.is_empty())
                .then_some("no cited message names anybody"),
            DraftKind::StatusChange => (facts.status.is_none() && facts.statuses.is_empty())
                .then_some("the tracker knows of no change"),
            DraftKind::NewTicket => {
                (!facts.is_opened).then_some("the tracker knows of no new ticket")
            }
        };
        match why {
            Some(why) => {
                report.note(
                    Check::V8,
                    Severity::Soft,
                    format!("{} → fyi: {why}", item.kind.as_str()),
                );
                item.kind = DraftKind::Fyi;
            }
            None => report.note(Check::V8, Severity::Passed, ""),
        }
    }

    /// V9 and V10.
    fn soft_checks(
        &self,
        item: &mut DraftItem,
        report: &mut CheckReport,
        cited: &[&DigestMessage],
        quote: Option<&str>,
        similarity: f32,
    ) {
        let quote_mood = quote.map(Mood::of);
        if quote_mood.is_some_and(|mood| mood != Mood::of(&item.text)) {
            report.note(
                Check::V9,
                Severity::Soft,
                "one side says \"not\" or \"may\" and the other does not",
            );
        } else {
            report.note(Check::V9, Severity::Passed, "");
        }
        let mut stems: BTreeSet<String> = words::content_words(&self.digest.title)
            .into_iter()
            .collect();
        for source in self.sources_of(&item.citations) {
            stems.extend(source.stems.iter().cloned());
        }
        for message in cited {
            stems.extend(
                message
                    .who
                    .iter()
                    .flat_map(|who| words::content_words(&self.digest.people[*who].name)),
            );
        }
        if overlap(&without_slots(&item.text), &stems) >= OVERLAP || similarity >= SIMILARITY {
            report.note(Check::V10, Severity::Passed, "");
        } else {
            report.note(
                Check::V10,
                Severity::Soft,
                "the words are not those of the cited messages",
            );
            item.confidence = Confidence::Low;
        }
    }

    /// Returns the quote to show, and how near the nearest cited sentence is in meaning.
    fn best_sentence(
        &self,
        item: &DraftItem,
        cited: &[&'d DigestMessage],
        quote: Option<(&'d DigestMessage, String)>,
    ) -> (Option<(&'d DigestMessage, String)>, f32) {
        let text = self.filled(&item.text);
        let wanted: BTreeSet<String> = words::content_words(&text).into_iter().collect();
        let mut best: Option<(usize, &DigestMessage, std::ops::Range<usize>)> = None;
        for message in cited {
            for sentence in crate::text::sentences(&message.source) {
                let words: BTreeSet<String> =
                    words::content_words(&message.source[sentence.range.clone()])
                        .into_iter()
                        .collect();
                let shared = words.intersection(&wanted).count();
                if best.as_ref().is_none_or(|(most, ..)| shared > *most) {
                    best = Some((shared, message, sentence.range));
                }
            }
        }
        let similarity = match &best {
            Some((_, message, range)) => self
                .finder
                .similarity(&text, &message.source[range.clone()]),
            None => cited
                .iter()
                .map(|message| self.finder.similarity(&text, &message.source))
                .fold(0.0, f32::max),
        };
        let quote = quote
            .filter(|(message, _)| item.citations.contains(&message.n))
            .or_else(|| {
                let (_, message, range) = best?;
                let words = crate::text::quote(&message.source, range, QUOTE_WORDS).text;
                (!words.is_empty()).then_some((message, words))
            });
        (quote, similarity)
    }

    /// Returns the text with names and keys in place of the slots.
    fn filled(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text;
        while let Some((before, slot, after)) = next_slot(rest) {
            out.push_str(before);
            match (self.digest.person(slot), self.digest.ticket(slot)) {
                (Some(person), _) => out.push_str(&person.name),
                (_, Some(ticket)) => out.push_str(&ticket.key),
                // V5 has refused it already.
                _ => out.push('?'),
            }
            rest = after;
        }
        out + rest
    }
}

#[cfg(test)]
mod tests;
