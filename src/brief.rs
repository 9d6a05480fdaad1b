//! SPINE 2: one member, one morning. Changes, rank, select, summarize, verify; then render and deliver.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::llm::Llm;
use crate::model::{
    Briefing, BriefingItem, Covered, EventKind, Gap, Handle, Learned, Member, Seq, ThreadId,
    ThreadKind, Waiting, Window,
};
use crate::roster::Roster;
use crate::schedule;
use crate::store::night::{Night, night_of};
use crate::store::{closeness, deliveries, events};

pub mod backtest;
pub mod changes;
pub mod checks;
pub mod deliver;
pub mod digest;
pub mod draft;
pub mod hear;
pub mod offers;
pub mod rank;
pub mod render;
pub mod replay;
pub mod select;
pub mod standing;
pub mod steer;
mod suggested;
pub mod summarize;
pub mod verify;
pub mod words;

use changes::news_of;
use rank::{Ranked, Reader, Weights, rank};
use render::words_of;
use select::{Caps, Selection, select};
use summarize::{Lengths, citation_of, item_of, label_of, thread_refs};

/// What a team decides about its briefings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// How many lines of which sort.
    pub caps: Caps,
    /// The most words.
    pub max_words: usize,
    /// After how many work days without movement an own ticket is stale.
    pub stale_after_days: u32,
    /// What the signals are worth.
    pub weights: Weights,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            caps: Caps::default(),
            max_words: 160,
            stale_after_days: 5,
            weights: Weights::default(),
        }
    }
}

/// How many words a catch-up after a week away may have; longer absences get [`MAX_WORDS_AFTER_LONG_LEAVE`].
const MAX_WORDS_AFTER_LEAVE: usize = 250;
const MAX_WORDS_AFTER_LONG_LEAVE: usize = 350;

/// A short briefing is short: what is spent grows with the lines, up to the cap.
const WORDS_AROUND: usize = 30;
const WORDS_A_LINE: usize = 18;
const WORDS_A_LINE_AFTER_LEAVE: usize = 30;

/// How far back mentions and closeness are looked for.
const LOOK_BACK_DAYS: i64 = 30;

/// Returns the window of a member's briefing made now, and the end of the briefing before it.
///
/// # Errors
/// When the store cannot be read.
pub fn window_of(
    c: &Connection,
    member: &Member,
    now: Timestamp,
) -> Result<(Window, Option<Learned>)> {
    let date = schedule::work_date(member, now);
    let last = deliveries::last_settled(c, &member.id, date)?;
    let unsettled = schedule::earliest_unsettled(member, last.as_ref().map(|last| last.date), now);
    let after = schedule::window_after(member, unsettled).min(now);
    let window = Window {
        after: Learned(after),
        upto: Learned(now),
        upto_seq: events::last_seq(c)?,
    };
    Ok((window, last.map(|last| last.window.upto)))
}

/// Makes the briefing of one member for one window. Reads the store; writes nothing.
///
/// # Errors
/// When the store cannot be read.
pub fn briefing(
    c: &Connection,
    member: &Member,
    roster: &Roster,
    window: Window,
    previous_upto: Option<Learned>,
    style: &Style,
    gaps: Vec<Gap>,
) -> Result<Briefing> {
    let (briefing, _) = of_night(c, member, roster, window, previous_upto, style, gaps)?;
    Ok(briefing)
}

/// Makes the same briefing with the words that a model has written so far, and returns what it could still be asked.
///
/// # Errors
/// When the store cannot be read.
#[expect(
    clippy::too_many_arguments,
    reason = "what a briefing is made of, and who words it"
)]
pub fn briefing_with_words(
    c: &Connection,
    member: &Member,
    roster: &Roster,
    window: Window,
    previous_upto: Option<Learned>,
    style: &Style,
    gaps: Vec<Gap>,
    llm: Option<&Llm>,
) -> Result<(Briefing, Vec<words::Job>)> {
    let (mut briefing, night) = of_night(c, member, roster, window, previous_upto, style, gaps)?;
    let Some(llm) = llm else {
        return Ok((briefing, Vec::new()));
    };
    let writing = words::Writing {
        llm,
        member,
        roster,
        style,
    };
    let missing = words::put_words(c, &writing, &mut briefing, &night)?;
    Ok((briefing, missing))
}

fn of_night(
    c: &Connection,
    member: &Member,
    roster: &Roster,
    window: Window,
    previous_upto: Option<Learned>,
    style: &Style,
    gaps: Vec<Gap>,
) -> Result<(Briefing, Night)> {
    let look_back = Learned(days_before(window.after.0, LOOK_BACK_DAYS));
    let mut night = night_of(c, member, window, previous_upto, look_back)?;
    steer::obey(&mut night);
    let closeness = if night.new.is_empty() {
        BTreeMap::new()
    } else {
        closeness::closeness_of(c, member, &window, look_back)?
    };
    let briefing = written(&night, member, roster, &closeness, style, gaps);
    Ok((briefing, night))
}

/// Turns a night into a briefing; pure.
pub fn written(
    night: &Night,
    member: &Member,
    roster: &Roster,
    closeness: &BTreeMap<Handle, f32>,
    style: &Style,
    mut gaps: Vec<Gap>,
) -> Briefing {
    let today = schedule::work_date(member, night.window.upto.0);
    let reader = Reader {
        member,
        roster,
        today,
        closeness,
        stale_after_days: style.stale_after_days,
        weights: style.weights,
    };
    let mut news = news_of(night, member, roster);
    news.retain(|news| !night.steering.muted.contains(&news.topic.id));
    let mut ranked = rank(news, night, &reader);
    // New tickets without an owner share one line, which stands among those worth knowing and tells of them alone.
    let unowned = suggested::line_of(night, &reader);
    if let Some(line) = &unowned {
        ranked.retain(|ranked| !suggested::tells_of(line, ranked));
    }
    let selection = select(ranked, &style.caps, usize::from(unowned.is_some()));
    // Who comes back on a Monday and is briefed on Tuesday still catches up.
    let earliest_unsettled = schedule::next_start(member, night.window.after.0)
        .map_or(today, |(date, _)| date.min(today));
    let days_away = schedule::was_away(member, earliest_unsettled);
    let max_words = match days_away {
        None => style.max_words,
        Some(0..=5) => style.max_words.max(MAX_WORDS_AFTER_LEAVE),
        Some(_) => style.max_words.max(MAX_WORDS_AFTER_LONG_LEAVE),
    };
    let spent = unowned
        .as_ref()
        .map_or(0, |line| words_of(std::slice::from_ref(line)));
    let max_words = max_words.saturating_sub(spent);
    let mut items = fitting_items(&selection, &reader, max_words, days_away.is_some());
    items.extend(unowned);
    let (items, dropped) = verify::verified(items, night);
    // A line that found no room or did not pass the checks leaves its topics behind: the reader's own are named first.
    let shown: BTreeSet<&ThreadId> = items
        .iter()
        .flat_map(|item| item.threads.iter().map(|thread| &thread.id))
        .collect();
    let (own, team): (Vec<&Ranked<'_>>, Vec<&Ranked<'_>>) = selection
        .lines
        .iter()
        .flat_map(|line| &line.ranked)
        .filter(|ranked| !shown.contains(&ranked.news.topic.thread.id))
        .partition(|ranked| ranked.is_direct());
    if dropped > 0 {
        gaps.push(Gap {
            of: "verify".into(),
            reason: format!("{dropped} citations did not pass the checks and were left out"),
        });
    }
    let mut briefing = Briefing {
        member: member.id.clone(),
        date: today,
        window: night.window,
        headline: String::new(),
        items,
        also: own
            .into_iter()
            .chain(&selection.also)
            .flat_map(|ranked| thread_refs(ranked, &reader))
            .collect(),
        waiting: waiting_of(night, &reader),
        omitted: selection.omitted + team.len(),
        covered: covered_by(night),
        gaps,
        theme: String::new(),
        written_by: "extractive".into(),
        is_catch_up: days_away.is_some(),
    };
    briefing.headline = headline_of(&briefing, &selection);
    briefing
}

/// Returns the items at the greatest length that stays within the words; lines that do not fit even as facts are cut.
fn fitting_items(
    selection: &Selection<'_>,
    reader: &Reader<'_>,
    max_words: usize,
    is_catch_up: bool,
) -> Vec<BriefingItem> {
    let per_line = if is_catch_up {
        WORDS_A_LINE_AFTER_LEAVE
    } else {
        WORDS_A_LINE
    };
    let budget = max_words.min(WORDS_AROUND + per_line * selection.lines.len());
    for lengths in Lengths::LADDER {
        let items: Vec<BriefingItem> = selection
            .lines
            .iter()
            .map(|line| item_of(line, reader, lengths))
            .collect();
        if words_of(&items) <= budget {
            return items;
        }
    }
    let shortest = Lengths::LADDER[Lengths::LADDER.len() - 1];
    let mut items: Vec<BriefingItem> = selection
        .lines
        .iter()
        .map(|line| item_of(line, reader, shortest))
        .collect();
    while items.len() > 1 && words_of(&items) > max_words {
        items.pop();
    }
    items
}

/// Returns how much lay in the window, of what this reader may read.
fn covered_by(night: &Night) -> Covered {
    let mut covered = Covered::default();
    for topic in night.topics.values() {
        for logged in topic
            .events
            .iter()
            .filter(|logged| night.new.contains(&logged.seq))
        {
            match (&logged.event.kind, topic.thread.kind) {
                (EventKind::Posted, ThreadKind::Conversation) => covered.messages += 1,
                (EventKind::Posted, ThreadKind::Mail) => covered.mails += 1,
                (EventKind::Opened, ThreadKind::Ticket) => covered.opened += 1,
                (EventKind::Transitioned { to, .. }, ThreadKind::Ticket)
                    if crate::model::is_closed_status(to) =>
                {
                    covered.closed += 1;
                }
                _ => {}
            }
        }
    }
    covered
}

/// The most of the reader's own asks that are shown, and the age from which one is worth a line.
const WAITING_LINES: usize = 2;
const WAITING_FROM_WORK_HOURS: f64 = 4.0;
const WAITING_UPTO_WORK_HOURS: f64 = 80.0;

/// Returns the reader's own unanswered asks to people, the oldest first.
fn waiting_of(night: &Night, reader: &Reader<'_>) -> Vec<Waiting> {
    let mut waiting = Vec::new();
    for ask in &night.asks_from {
        let on: Vec<String> = changes::asked_accounts(&ask.ask.to)
            .iter()
            .map(|handle| reader.roster.name_of(handle))
            .collect();
        let age =
            schedule::work_hours_between(reader.member, ask.ask.asked_at, night.window.upto.0);
        if on.is_empty() || !(WAITING_FROM_WORK_HOURS..=WAITING_UPTO_WORK_HOURS).contains(&age) {
            continue;
        }
        let Some(topic) = night.topics.get(&ask.topic) else {
            continue;
        };
        let Some(logged) = topic.events.iter().find(|logged| logged.seq == ask.seq) else {
            continue;
        };
        let words = crate::text::quote(&logged.event.text.0, ask.sentence.clone(), 14).text;
        waiting.push(Waiting {
            thread: crate::model::ThreadRef {
                id: topic.thread.id.clone(),
                url: topic.thread.url.clone(),
                label: label_of(topic, reader),
            },
            citation: citation_of(logged, words, reader),
            on,
            instead: suggested::instead_of(ask, night, reader, night.window.upto.0),
            work_hours: age as f32,
        });
    }
    waiting.sort_by(|a, b| {
        b.work_hours
            .total_cmp(&a.work_hours)
            .then_with(|| a.citation.event.cmp(&b.citation.event))
    });
    waiting.truncate(WAITING_LINES);
    waiting
}

/// Returns the one line on top: the counts that matter.
fn headline_of(briefing: &Briefing, selection: &Selection<'_>) -> String {
    use crate::model::Section;
    let in_section = |section| {
        briefing
            .items
            .iter()
            .filter(|item| item.section == section)
            .count()
    };
    let moved: usize = selection
        .lines
        .iter()
        .filter(|line| line.section == Section::ChangedOnYours)
        .map(|line| {
            line.ranked
                .iter()
                .filter(|ranked: &&Ranked<'_>| !ranked.is_carried)
                .count()
        })
        .sum();
    let mut parts = Vec::new();
    match in_section(Section::NeedsYou) {
        0 => {}
        1 => parts.push("1 needs you".to_owned()),
        many => parts.push(format!("{many} need you")),
    }
    match in_section(Section::Blockers) {
        0 => {}
        1 => parts.push("1 blocker".to_owned()),
        many => parts.push(format!("{many} blockers")),
    }
    if moved > 0 {
        parts.push(format!("{moved} of yours moved"));
    }
    if parts.is_empty() {
        let read = briefing.covered.messages + briefing.covered.mails;
        let what = if read == 1 { "message" } else { "messages" };
        return format!("Quiet night: {read} {what}, none yours");
    }
    parts.join(" · ")
}

/// Returns the positions of everything a briefing cites.
pub fn cited_seqs(briefing: &Briefing, night: &Night) -> Vec<Seq> {
    let cited: BTreeSet<_> = briefing
        .items
        .iter()
        .flat_map(|item| &item.citations)
        .map(|citation| &citation.event)
        .collect();
    let all = night.topics.values().flat_map(|topic| &topic.events);
    all.filter(|logged| cited.contains(&logged.event.id))
        .map(|logged| logged.seq)
        .collect()
}

fn days_before(at: Timestamp, days: i64) -> Timestamp {
    at.checked_sub(jiff::SignedDuration::from_hours(24 * days))
        .unwrap_or(Timestamp::MIN)
}

/// Returns what to call a topic outside a briefing.
fn label(topic: &crate::model::Topic, roster: &Roster) -> String {
    match (&topic.thread.ticket, &topic.thread.space) {
        (Some(ticket), _) if !ticket.key.is_empty() => ticket.key.clone(),
        (_, Some(space)) => format!("{} {}", roster.space_name(space), topic.thread.id.id),
        _ => topic.thread.id.id.to_string(),
    }
}
