//! A briefing as JSON, and back. The names are stable: scripts and stored deliveries rest on them.

use anyhow::{Context, Result};
use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::{kind_name, kind_of, reason_name, reason_of, section_name, section_of};
use super::plain::is_hidden;
use crate::model::{
    AnswerBy, Briefing, BriefingItem, Citation, ConnectorId, Covered, EventId, Gap, Learned,
    MemberId, Reason, Seq, ThreadId, ThreadRef, Waiting, Window, Wording,
};

/// Returns a briefing as JSON, with the text of the sources as it is: a program reads it, see [`json_line`].
pub fn to_json(briefing: &Briefing) -> Value {
    // A tree of strings and numbers with fixed keys always has a JSON form.
    serde_json::to_value(BriefingWire::from(briefing)).expect("the wire types serialize")
}

/// Returns the briefing that [`to_json`] wrote.
///
/// # Errors
/// When a field is missing or holds something else.
pub fn from_json(value: &Value) -> Result<Briefing> {
    BriefingWire::deserialize(value)
        .context("this is not a briefing")?
        .briefing()
}

/// Returns a value as one line in which no character controls a terminal or hides: they are written as `\u` escapes.
pub fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if is_hidden(c) {
            // Outside of strings JSON holds visible ASCII only, so this is within one.
            let mut units = [0; 2];
            line.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        } else {
            line.push(c);
        }
    }
    line
}

/// Returns the facts of a line and what a model wrote about it, as one text.
pub fn summary_of(item: &BriefingItem) -> String {
    match (item.facts.is_empty(), item.summary.is_empty()) {
        (_, true) => item.facts.clone(),
        (true, _) => item.summary.clone(),
        _ => format!("{} · {}", item.facts, item.summary),
    }
}

#[derive(Serialize, Deserialize)]
struct BriefingWire {
    member: String,
    date: civil::Date,
    window: WindowWire,
    quiet: bool,
    catch_up: bool,
    headline: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    theme: String,
    items: Vec<ItemWire>,
    also: Vec<ThreadWire>,
    waiting: Vec<WaitingWire>,
    omitted: usize,
    gaps: Vec<GapWire>,
    covered: CoveredWire,
    written_by: String,
}

#[derive(Serialize, Deserialize)]
struct WindowWire {
    from: Timestamp,
    to: Timestamp,
    upto_seq: u64,
}

#[derive(Serialize, Deserialize)]
struct ItemWire {
    section: String,
    kind: String,
    reasons: Vec<String>,
    /// The number that belongs to the reason `no_movement`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_movement_work_days: Option<u32>,
    headline: String,
    facts: String,
    /// The facts, then what a model wrote.
    summary: String,
    carried: bool,
    threads: Vec<ThreadWire>,
    citations: Vec<CitationWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer_by: Option<AnswerByWire>,
    score: f64,
    /// What came of asking a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wording: Option<WordingWire>,
}

#[derive(Serialize, Deserialize)]
struct WordingWire {
    by: String,
    prompt: String,
    passed: Vec<String>,
    noted: Vec<String>,
    failed: Vec<String>,
    shown: bool,
}

#[derive(Serialize, Deserialize)]
struct ThreadWire {
    connector: String,
    id: String,
    url: String,
    label: String,
}

#[derive(Serialize, Deserialize)]
struct CitationWire {
    connector: String,
    id: String,
    at: Timestamp,
    author: Option<String>,
    url: String,
    quote: String,
    #[serde(default)]
    cut: bool,
}

#[derive(Serialize, Deserialize)]
struct AnswerByWire {
    /// Who waits; absent in briefings from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asker: Option<String>,
    by: Timestamp,
    else_waits_until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct WaitingWire {
    thread: ThreadWire,
    citation: CitationWire,
    on: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    instead: String,
    work_hours: f64,
}

#[derive(Serialize, Deserialize)]
struct GapWire {
    of: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
struct CoveredWire {
    messages: usize,
    mails: usize,
    opened: usize,
    closed: usize,
}

impl From<&Briefing> for BriefingWire {
    fn from(briefing: &Briefing) -> Self {
        let Covered {
            messages,
            mails,
            opened,
            closed,
        } = briefing.covered;
        let Window {
            after,
            upto,
            upto_seq,
        } = briefing.window;
        BriefingWire {
            member: briefing.member.as_str().to_owned(),
            date: briefing.date,
            window: WindowWire {
                from: after.0,
                to: upto.0,
                upto_seq: upto_seq.0,
            },
            quiet: briefing.is_quiet(),
            catch_up: briefing.is_catch_up,
            headline: briefing.headline.clone(),
            theme: briefing.theme.clone(),
            items: briefing.items.iter().map(ItemWire::from).collect(),
            also: briefing.also.iter().map(ThreadWire::from).collect(),
            waiting: briefing.waiting.iter().map(WaitingWire::from).collect(),
            omitted: briefing.omitted,
            gaps: briefing
                .gaps
                .iter()
                .map(|Gap { of, reason }| GapWire {
                    of: of.clone(),
                    reason: reason.clone(),
                })
                .collect(),
            covered: CoveredWire {
                messages,
                mails,
                opened,
                closed,
            },
            written_by: briefing.written_by.clone(),
        }
    }
}

impl BriefingWire {
    fn briefing(self) -> Result<Briefing> {
        let CoveredWire {
            messages,
            mails,
            opened,
            closed,
        } = self.covered;
        let items = (1..).zip(self.items).map(|(number, item)| {
            item.item()
                .with_context(|| format!("in line {number} of the briefing"))
        });
        Ok(Briefing {
            member: MemberId::new(self.member),
            date: self.date,
            window: Window {
                after: Learned(self.window.from),
                upto: Learned(self.window.to),
                upto_seq: Seq(self.window.upto_seq),
            },
            headline: self.headline,
            theme: self.theme,
            items: items.collect::<Result<_>>()?,
            also: self.also.into_iter().map(ThreadWire::thread).collect(),
            waiting: self.waiting.into_iter().map(WaitingWire::waiting).collect(),
            omitted: self.omitted,
            covered: Covered {
                messages,
                mails,
                opened,
                closed,
            },
            gaps: self
                .gaps
                .into_iter()
                .map(|GapWire { of, reason }| Gap { of, reason })
                .collect(),
            written_by: self.written_by,
            is_catch_up: self.catch_up,
        })
    }
}

impl From<&BriefingItem> for ItemWire {
    fn from(item: &BriefingItem) -> Self {
        ItemWire {
            section: section_name(&item.section).to_owned(),
            kind: kind_name(&item.kind).to_owned(),
            reasons: item
                .reasons
                .iter()
                .map(|reason| reason_name(reason).to_owned())
                .collect(),
            no_movement_work_days: item.reasons.iter().find_map(|reason| match reason {
                Reason::NoMovement(days) => Some(*days),
                _ => None,
            }),
            headline: item.headline.clone(),
            facts: item.facts.clone(),
            summary: summary_of(item),
            carried: item.carried,
            threads: item.threads.iter().map(ThreadWire::from).collect(),
            citations: item.citations.iter().map(CitationWire::from).collect(),
            answer_by: item.answer_by.map(
                |AnswerBy {
                     by,
                     else_waits_until,
                 }| AnswerByWire {
                    asker: item.asker.clone(),
                    by,
                    else_waits_until,
                },
            ),
            score: shortest(item.score),
            wording: item.wording.as_ref().map(WordingWire::from),
        }
    }
}

impl ItemWire {
    fn item(self) -> Result<BriefingItem> {
        let reason = |name: &String| {
            let reason = reason_of(name).with_context(|| format!("unknown reason {name:?}"))?;
            anyhow::Ok(match reason {
                Reason::NoMovement(_) => {
                    Reason::NoMovement(self.no_movement_work_days.unwrap_or(0))
                }
                reason => reason,
            })
        };
        let reasons = self.reasons.iter().map(reason).collect::<Result<_>>()?;
        let prose = self
            .summary
            .strip_prefix(&self.facts)
            .unwrap_or(&self.summary);
        let prose = if self.facts.is_empty() {
            prose
        } else {
            prose.strip_prefix(" · ").unwrap_or(prose)
        };
        Ok(BriefingItem {
            section: section_of(&self.section)
                .with_context(|| format!("unknown section {:?}", self.section))?,
            kind: kind_of(&self.kind).with_context(|| format!("unknown kind {:?}", self.kind))?,
            threads: self.threads.into_iter().map(ThreadWire::thread).collect(),
            carried: self.carried,
            summary: prose.to_owned(),
            facts: self.facts,
            headline: self.headline,
            citations: self
                .citations
                .into_iter()
                .map(CitationWire::citation)
                .collect(),
            reasons,
            asker: self
                .answer_by
                .as_ref()
                .and_then(|answer| answer.asker.clone()),
            answer_by: self.answer_by.map(
                |AnswerByWire {
                     by,
                     else_waits_until,
                     ..
                 }| AnswerBy {
                    by,
                    else_waits_until,
                },
            ),
            score: self.score as f32,
            wording: self.wording.map(WordingWire::wording),
        })
    }
}

impl From<&Wording> for WordingWire {
    fn from(wording: &Wording) -> Self {
        WordingWire {
            by: wording.by.clone(),
            prompt: wording.prompt.clone(),
            passed: wording.passed.clone(),
            noted: wording.noted.clone(),
            failed: wording.failed.clone(),
            shown: wording.is_shown,
        }
    }
}

impl WordingWire {
    fn wording(self) -> Wording {
        Wording {
            by: self.by,
            prompt: self.prompt,
            passed: self.passed,
            noted: self.noted,
            failed: self.failed,
            is_shown: self.shown,
        }
    }
}

impl From<&ThreadRef> for ThreadWire {
    fn from(thread: &ThreadRef) -> Self {
        ThreadWire {
            connector: thread.id.connector.as_str().to_owned(),
            id: thread.id.id.to_string(),
            url: thread.url.clone(),
            label: thread.label.clone(),
        }
    }
}

impl ThreadWire {
    fn thread(self) -> ThreadRef {
        let id = ThreadId::new(&ConnectorId::new(self.connector), self.id);
        ThreadRef {
            id,
            url: self.url,
            label: self.label,
        }
    }
}

impl From<&Citation> for CitationWire {
    fn from(citation: &Citation) -> Self {
        CitationWire {
            connector: citation.event.connector.as_str().to_owned(),
            id: citation.event.id.to_string(),
            at: citation.at,
            author: citation.author.clone(),
            url: citation.url.clone(),
            quote: citation.quote.clone(),
            cut: citation.is_cut,
        }
    }
}

impl CitationWire {
    fn citation(self) -> Citation {
        Citation {
            event: EventId::new(&ConnectorId::new(self.connector), self.id),
            at: self.at,
            author: self.author,
            url: self.url,
            quote: self.quote,
            is_cut: self.cut,
        }
    }
}

impl From<&Waiting> for WaitingWire {
    fn from(waiting: &Waiting) -> Self {
        WaitingWire {
            thread: ThreadWire::from(&waiting.thread),
            citation: CitationWire::from(&waiting.citation),
            on: waiting.on.clone(),
            instead: waiting.instead.clone(),
            work_hours: shortest(waiting.work_hours),
        }
    }
}

impl WaitingWire {
    fn waiting(self) -> Waiting {
        Waiting {
            thread: self.thread.thread(),
            citation: self.citation.citation(),
            on: self.on,
            instead: self.instead,
            work_hours: self.work_hours as f32,
        }
    }
}

/// Returns the number with the fewest digits that reads back as the same `f32`: 0.7 and not 0.699999988079071.
fn shortest(number: f32) -> f64 {
    let number = if number.is_finite() { number } else { 0.0 };
    number.to_string().parse().unwrap_or(f64::from(number))
}
