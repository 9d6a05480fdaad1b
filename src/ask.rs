//! `ask`: a question answered with up to three quotes from what the asker may read, or with the word that nothing is there.
//!
//! The index says which threads the question is about; their messages are ranked together, and every one that is shown was
//! read from the store a moment ago, for this asker. Nothing is made up: where too little of the question stands in what was
//! found, the answer is that it was not found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use daybrief_index::{Index, Query, parse_at};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::brief::checks::find::Finder;
use crate::brief::digest::{Digest, digest_of};
use crate::brief::draft::Confidence;
use crate::brief::words::Asking;
use crate::brief::words::answer::words_for;
use crate::llm::Llm;
use crate::model::{
    AudienceId, ConnectorId, EventId, Logged, Member, MemberId, Seq, Thread, ThreadKind, Topic,
    TopicId,
};
use crate::roster::Roster;
use crate::store::{Store, audiences, events, followers};
use crate::text;

/// The share of a question's weight that has to stand in what is shown; below it nothing is. Measured by `daybrief eval words`.
pub const ENOUGH: f32 = 0.4;
/// The most quotes of an answer.
const QUOTES: usize = 3;
/// The most words of a quote.
const QUOTE_WORDS: usize = 40;
/// How long whoever asks waits for a model; what is not there by then stays a quote.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many hits are looked at, and in how many threads.
const HITS: usize = 30;
const THREADS: usize = 6;
/// The most messages of a thread that are ranked, the latest ones.
const MESSAGES_A_THREAD: usize = 400;
/// What it adds to a message that the index put it first.
const FIRST_HIT: f32 = 0.6;

/// What is known about a question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The quotes, best first; empty = not found in the sources.
    pub quotes: Vec<AnswerQuote>,
    /// What a model says of the quoted messages, as far as it passed every check; mostly empty.
    pub words: Vec<AnswerWords>,
    /// The model whose words these are, or `extractive`.
    pub written_by: String,
    /// What there is to say about the search.
    pub notes: Vec<String>,
    /// The quoted messages of the best one's thread, for a model that words them.
    evidence: Option<(Thread, Vec<Logged>)>,
}

/// A message that answers, in its own words.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerQuote {
    /// The event.
    pub event: EventId,
    /// What to call its place: a ticket key, a channel, a subject.
    pub label: String,
    /// The thread's title, empty for chat.
    pub title: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Where it can be read.
    pub url: String,
    /// A contiguous piece of its text.
    pub quote: String,
    /// Whether the sentence goes on.
    pub is_cut: bool,
}

/// A sentence of a model that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerWords {
    /// The sentence.
    pub text: String,
    /// The quotes it rests on, counted from 1.
    pub quotes: Vec<usize>,
    /// Whether it follows from several messages, or a check was not sure of it.
    pub is_about: bool,
    /// The checks it passed.
    pub passed: Vec<String>,
}

/// What questions are answered with.
#[derive(Clone)]
pub struct Answering {
    /// The index.
    pub index: Arc<Index>,
    /// Everybody, as of the last reading.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// The model that words answers, if there is one.
    pub llm: Option<Llm>,
}

impl Answering {
    /// Answers a question of a member from the store, in words where a model has some that hold; `None` to whoever is no
    /// member any more.
    ///
    /// # Errors
    /// When the store or the index cannot be read.
    pub async fn answer(
        &self,
        store: &Store,
        question: &str,
        asker: &MemberId,
        now: Timestamp,
    ) -> Result<Option<Answer>> {
        let roster = self.roster.borrow().clone();
        let Some(member) = roster.member(asker).filter(|member| member.is_briefed) else {
            return Ok(None);
        };
        let (index, everybody) = (self.index.clone(), roster.clone());
        let (asked, owned) = (question.to_owned(), member.clone());
        let found = store.read(move |c| answer(c, &index, &everybody, &asked, Some(&owned), now));
        let mut found = found.await?;
        let Some(llm) = self.llm.as_ref().filter(|_| !found.quotes.is_empty()) else {
            return Ok(Some(found));
        };
        found
            .word(question, &roster, llm, store, Some(asker))
            .await?;
        // The model took its time, and what may be read is decided when it is sent.
        let quoted = found.quotes.iter();
        let quoted: Vec<(EventId, String)> = quoted
            .map(|quote| (quote.event.clone(), quote.quote.clone()))
            .collect();
        let owned = member.clone();
        if store
            .read(move |c| stands(c, &quoted, Some(&owned)))
            .await?
        {
            return Ok(Some(found));
        }
        let (index, asked, owned) = (self.index.clone(), question.to_owned(), member.clone());
        let again = store.read(move |c| answer(c, &index, &roster, &asked, Some(&owned), now));
        again.await.map(Some)
    }
}

/// A message that may answer.
struct Candidate {
    logged: Logged,
    thread: Thread,
}

impl Answer {
    fn of(quotes: Vec<AnswerQuote>, evidence: Option<(Thread, Vec<Logged>)>) -> Answer {
        Answer {
            quotes,
            words: Vec::new(),
            written_by: "extractive".to_owned(),
            notes: Vec::new(),
            evidence,
        }
    }

    /// Has a model word the quotes, and keeps of it what passed every check. The quotes stay in any case.
    ///
    /// # Errors
    /// When the ledger of calls fails. A model that fails, is late or makes things up is no error.
    pub async fn word(
        &mut self,
        question: &str,
        roster: &Roster,
        llm: &Llm,
        ledger: &Store,
        member: Option<&MemberId>,
    ) -> Result<()> {
        let Some(digest) = self.digest(roster) else {
            return Ok(());
        };
        let nobody = MemberId::new("");
        let asking = Asking {
            store: ledger,
            llm,
            member: member.unwrap_or(&nobody),
            within: PATIENCE,
        };
        for worded in words_for(&asking, &digest, question).await? {
            let place =
                |event: &EventId| self.quotes.iter().position(|quote| quote.event == *event);
            let mut quotes: Vec<usize> = worded.citations.iter().filter_map(place).collect();
            quotes.sort_unstable();
            // A sentence whose sources are not shown beside it cannot be looked up.
            if quotes.len() < worded.citations.len() {
                continue;
            }
            self.words.push(AnswerWords {
                text: worded.text,
                quotes: quotes.into_iter().map(|place| place + 1).collect(),
                is_about: worded.confidence != Confidence::High,
                passed: worded.report.passed().map(str::to_owned).collect(),
            });
        }
        if !self.words.is_empty() {
            self.written_by.clone_from(&llm.config().model);
        }
        Ok(())
    }

    /// Returns the quoted messages as a digest, for a model to word: its words are held to these alone.
    pub fn digest(&self, roster: &Roster) -> Option<Digest> {
        let (thread, logged) = self.evidence.as_ref()?;
        let new: BTreeSet<Seq> = logged.iter().map(|logged| logged.seq).collect();
        let topic = Topic {
            id: TopicId(0),
            thread: thread.clone(),
            events: logged.clone(),
        };
        Some(digest_of(&topic, &new, roster, &[]))
    }
}

/// Answers a question for a member, or for somebody who may read what everyone may.
///
/// # Errors
/// When the store or the index cannot be read.
pub fn answer(
    c: &Connection,
    index: &Index,
    roster: &Roster,
    question: &str,
    member: Option<&Member>,
    now: Timestamp,
) -> Result<Answer> {
    let readable = audiences::readable_by(c, member)?;
    let zone = member.map_or_else(TimeZone::system, |member| member.time_zone.clone());
    let mut parsed = parse_at(question, &zone, now);
    let mut notes = std::mem::take(&mut parsed.notes);
    let query = Query {
        group_by_thread: false,
        ..parsed.query(readable.clone(), HITS)
    };
    let page = index.search(&query)?;
    notes.extend(page.notes);

    // The index may be behind; the store decides what exists and who may read it.
    let mut hits: Vec<EventId> = Vec::new();
    let mut topics: Vec<u64> = Vec::new();
    for hit in &page.items {
        let Some((connector, id)) = hit.passage.event.split_once('/') else {
            continue;
        };
        let id = EventId::new(&ConnectorId::new(connector), id);
        let Some(found) = events::find_event(c, &id)? else {
            continue;
        };
        let Some(step) = followers::step_at(c, found.seq)? else {
            continue;
        };
        if step.logged.is_removed || !readable.contains(&step.logged.audience) {
            continue;
        }
        let Some((topic, _)) = events::topic_of_thread(c, step.tid)? else {
            continue;
        };
        if !topics.contains(&topic) && topics.len() < THREADS {
            topics.push(topic);
        }
        hits.push(id);
    }
    let candidates = candidates_of(c, &topics, &readable, now)?;
    let mut answer = chosen(&candidates, &hits, question, roster);
    answer.notes = notes;
    Ok(answer)
}

/// Returns whether everything quoted is still there, word for word, for this reader.
pub(crate) fn stands(
    c: &Connection,
    quoted: &[(EventId, String)],
    member: Option<&Member>,
) -> Result<bool> {
    let readable = audiences::readable_by(c, member)?;
    for (event, quote) in quoted {
        let Some(found) = events::find_event(c, event)? else {
            return Ok(false);
        };
        let Some(step) = followers::step_at(c, found.seq)? else {
            return Ok(false);
        };
        let logged = &step.logged;
        let is_there = !logged.is_removed && readable.contains(&logged.audience);
        if !is_there || !text::stands_in(quote, &logged.event.text.0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the readable messages of these topics, one topic after the other, each in its order.
fn candidates_of(
    c: &Connection,
    topics: &[u64],
    readable: &BTreeSet<AudienceId>,
    now: Timestamp,
) -> Result<Vec<Candidate>> {
    let upto = events::last_seq(c)?;
    // What was learned this very moment counts, too.
    let until = crate::model::Learned(
        now.checked_add(jiff::SignedDuration::from_hours(24))
            .unwrap_or(now),
    );
    let mut candidates = Vec::new();
    for topic in topics {
        let Some(found) = events::topic(c, TopicId(*topic), until, upto, MESSAGES_A_THREAD)? else {
            continue;
        };
        for logged in found.events {
            let is_said = logged.event.kind.is_said() && !logged.event.text.0.trim().is_empty();
            if is_said && !logged.is_removed && readable.contains(&logged.audience) {
                let thread = found.thread.clone();
                candidates.push(Candidate { logged, thread });
            }
        }
    }
    Ok(candidates)
}

/// Returns the answer that these messages give; pure.
fn chosen(candidates: &[Candidate], hits: &[EventId], question: &str, roster: &Roster) -> Answer {
    let texts: Vec<(String, String)> = candidates
        .iter()
        .map(|candidate| {
            let event = &candidate.logged.event;
            let author = event.author.as_ref().map(|author| roster.name_of(author));
            // A title says what a short comment is about.
            let text = format!("{} {}", candidate.thread.title, event.text.0);
            (author.unwrap_or_default(), text)
        })
        .collect();
    let places: BTreeMap<&EventId, usize> =
        hits.iter().enumerate().map(|(at, id)| (id, at)).collect();
    let added: Vec<f32> = candidates
        .iter()
        .map(|candidate| {
            let place = places.get(&candidate.logged.event.id);
            place.map_or(0.0, |place| FIRST_HIT / (1.0 + *place as f32 / 3.0))
        })
        .collect();
    let finder = Finder::new(
        texts
            .iter()
            .map(|(author, text)| (author.as_str(), text.as_str())),
    );
    let best = finder.answers_with(question, QUOTES, &added);
    if best.is_empty() || finder.coverage(question, &best) < ENOUGH {
        return Answer::of(Vec::new(), None);
    }
    let quotes: Vec<AnswerQuote> = best
        .iter()
        .filter_map(|at| quote_of(&candidates[*at], question, &finder, roster))
        .collect();
    // Words are held against one thread: what another one says of its own ticket is no fact of this one.
    let thread = &candidates[best[0]].thread;
    let mut logged: Vec<Logged> = best
        .iter()
        .filter(|at| candidates[**at].thread.id == thread.id)
        .map(|at| candidates[*at].logged.clone())
        .collect();
    logged.sort_by_key(|logged| (logged.event.occurred_at, logged.seq));
    let evidence = (!quotes.is_empty()).then(|| (thread.clone(), logged));
    Answer::of(quotes, evidence)
}

/// Returns the sentence of a message that is nearest to the question, with the one after it where both are short.
fn quote_of(
    candidate: &Candidate,
    question: &str,
    finder: &Finder,
    roster: &Roster,
) -> Option<AnswerQuote> {
    let event = &candidate.logged.event;
    let source = &event.text.0;
    let sentences = text::sentences(source);
    let score = |range: &std::ops::Range<usize>| {
        let piece = &source[range.clone()];
        let wanted: BTreeSet<String> = crate::brief::checks::words::content_words(question)
            .into_iter()
            .collect();
        let held: BTreeSet<String> = crate::brief::checks::words::content_words(piece)
            .into_iter()
            .collect();
        held.intersection(&wanted).count() as f32 + finder.similarity(question, piece)
    };
    let best = sentences
        .iter()
        .enumerate()
        .map(|(at, sentence)| (score(&sentence.range), at))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let range = match best {
        Some((_, at)) => {
            let (first, next) = (&sentences[at], sentences.get(at + 1));
            let end = match next {
                Some(next) if first.words + next.words <= QUOTE_WORDS / 2 || first.is_question => {
                    next.range.end
                }
                _ => first.range.end,
            };
            first.range.start..end
        }
        None => 0..source.len(),
    };
    let quote = text::quote(source, range, QUOTE_WORDS);
    if quote.text.is_empty() {
        return None;
    }
    let thread = &candidate.thread;
    let label = match (&thread.ticket, &thread.space) {
        (Some(ticket), _) if !ticket.key.is_empty() => ticket.key.clone(),
        (_, Some(space)) => roster.space_name(space),
        _ if thread.kind == ThreadKind::Conversation => "direct message".to_owned(),
        _ => thread.id.connector.to_string(),
    };
    Some(AnswerQuote {
        event: event.id.clone(),
        label,
        title: thread.title.clone(),
        author: event.author.as_ref().map(|author| roster.name_of(author)),
        at: event.occurred_at,
        url: if event.url.is_empty() {
            thread.url.clone()
        } else {
            event.url.clone()
        },
        quote: quote.text,
        is_cut: quote.is_cut,
    })
}
