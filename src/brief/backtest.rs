//! The proof on the team's own past: would the first lines have held what people then acted on?
//!
//! For every member and work day the briefing is made from what was known then. "Acted on" is what others moved
//! overnight and the member wrote in within 24 hours of their start, whatever any rule says about it.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::changes::{News, news_of};
use super::rank::{Ranked, Reader, rank};
use super::select::select;
use super::{Style, days_before, label};
use crate::model::{Asked, Learned, Member, MemberId, Seq, TopicId, Window};
use crate::roster::Roster;
use crate::schedule;
use crate::store::night::night_of;
use crate::store::{asks, closeness, events};

/// How many lines are looked at.
const FIRST: [usize; 2] = [5, 9];

/// How long after the start of the day an act counts.
const ACT_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What an order would have held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// The order's name.
    pub order: &'static str,
    /// Threads acted on within the first 5 lines.
    pub at_5: usize,
    /// Threads acted on within the first 9 lines.
    pub at_9: usize,
}

/// What the past says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Member-mornings replayed.
    pub mornings: usize,
    /// Threads people acted on.
    pub acted: usize,
    /// Daybrief's own lines, its lines with one thread each, and three trivial orders.
    pub orders: Vec<Held>,
    /// Asks to members.
    pub asks: usize,
    /// Asks to members that lay unanswered for more than two of their work days.
    pub asks_late: usize,
    /// What was acted on and had no line, the worst first.
    pub misses: Vec<Miss>,
}

/// Something a member acted on that no line held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Who.
    pub member: MemberId,
    /// The morning.
    pub date: Date,
    /// The thread, as a briefing names it.
    pub thread: String,
    /// Why it had no line.
    pub why: Why,
    /// How much others had written overnight.
    pub news: usize,
}

/// Why something that was acted on had no line, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It was the member's, and neither shown nor named.
    RankedBelow,
    /// It was the member's, and named at the end.
    OnlyNamed,
    /// They had the last word, so it was only named.
    HadLastWord,
    /// Nothing tied it to the member before they wrote in it.
    NotTheirs,
}

impl Why {
    /// Returns the reason in plain words.
    pub fn in_words(self) -> &'static str {
        match self {
            Why::RankedBelow => "it was theirs but ranked below everything else",
            Why::OnlyNamed => "there was more of theirs than lines; it was named at the end",
            Why::HadLastWord => "they had the last word in it, so it was only named at the end",
            Why::NotTheirs => "nothing tied it to them before they wrote in it",
        }
    }
}

/// Replays the mornings between two dates. `seen` is called after each with how many are done and how many there are.
///
/// # Errors
/// When the store cannot be read.
pub fn backtest(
    c: &Connection,
    roster: &Roster,
    from: Date,
    to: Date,
    style: &Style,
    mut seen: impl FnMut(usize, usize),
) -> Result<Report> {
    let orders = [
        "daybrief",
        "daybrief, one thread a line",
        "latest first",
        "diversity (most voices first)",
        "mentions only",
    ];
    let orders = orders
        .map(|order| Held {
            order,
            ..Held::default()
        })
        .to_vec();
    let mut report = Report {
        orders,
        ..Report::default()
    };
    let upto_seq = events::last_seq(c)?;
    let mornings: Vec<(&Member, Date)> = roster
        .members
        .iter()
        .filter(|member| member.is_briefed)
        .flat_map(|member| {
            let dates = from
                .series(jiff::Span::new().days(1))
                .take_while(|date| *date <= to);
            dates
                .filter(|date| schedule::is_workday(member, *date))
                .map(move |date| (member, date))
        })
        .collect();
    for (done, (member, date)) in mornings.iter().enumerate() {
        morning(c, member, *date, roster, style, upto_seq, &mut report)?;
        seen(done + 1, mornings.len());
    }
    late_asks(c, roster, from, to, upto_seq, &mut report)?;
    report.misses.sort_by(|a, b| {
        let worst = (a.why, b.news).cmp(&(b.why, a.news));
        let latest = (b.date, &a.member).cmp(&(a.date, &b.member));
        worst.then(latest).then_with(|| a.thread.cmp(&b.thread))
    });
    Ok(report)
}

fn morning(
    c: &Connection,
    member: &Member,
    date: Date,
    roster: &Roster,
    style: &Style,
    upto_seq: Seq,
    report: &mut Report,
) -> Result<()> {
    let start = schedule::day_start(member, date);
    let window = Window {
        after: Learned(schedule::window_after(member, date)),
        upto: Learned(start),
        upto_seq,
    };
    let look_back = Learned(days_before(window.after.0, super::LOOK_BACK_DAYS));
    let night = night_of(c, member, window, None, look_back)?;
    report.mornings += 1;
    let acted_later = events::topics_written_in(c, member, start, start + ACT_WITHIN)?;
    let news = news_of(&night, member, roster);
    let moved: Vec<&News<'_>> = news.iter().filter(|news| !news.new.is_empty()).collect();
    let acted: BTreeSet<TopicId> = moved
        .iter()
        .map(|news| news.topic.id)
        .filter(|topic| acted_later.contains(topic))
        .collect();
    if acted.is_empty() {
        return Ok(());
    }
    report.acted += acted.len();

    let newest = |news: &News<'_>| {
        news.new
            .last()
            .map_or(Timestamp::MIN, |logged| logged.event.occurred_at)
    };
    let order_by = |key: &dyn Fn(&News<'_>) -> (usize, Timestamp)| {
        let mut order = moved.clone();
        order.sort_by_key(|news| std::cmp::Reverse(key(news)));
        order
            .into_iter()
            .map(|news| vec![news.topic.id])
            .collect::<Vec<_>>()
    };
    let latest = order_by(&|news| (0, newest(news)));
    let voices = order_by(&|news| (news.voices, newest(news)));
    let mentions: Vec<Vec<TopicId>> = moved
        .iter()
        .filter(|news| !news.mentions.is_empty())
        .map(|news| vec![news.topic.id])
        .collect();

    let closeness = closeness::closeness_of(c, member, &window, look_back)?;
    let reader = Reader {
        member,
        roster,
        today: date,
        closeness: &closeness,
        stale_after_days: style.stale_after_days,
        weights: style.weights,
    };
    let selection = select(rank(news.clone(), &night, &reader), &style.caps, 0);
    let topic = |ranked: &Ranked<'_>| ranked.news.topic.id;
    let lines: Vec<Vec<TopicId>> = selection
        .lines
        .iter()
        .map(|line| line.ranked.iter().map(topic).collect())
        .collect();
    let single: Vec<Vec<TopicId>> = lines.iter().flatten().map(|topic| vec![*topic]).collect();
    for (held, order) in report
        .orders
        .iter_mut()
        .zip([&lines, &single, &latest, &voices, &mentions])
    {
        let within = |first: usize| {
            let shown: BTreeSet<&TopicId> = order.iter().take(first).flatten().collect();
            acted.iter().filter(|topic| shown.contains(topic)).count()
        };
        held.at_5 += within(FIRST[0]);
        held.at_9 += within(FIRST[1]);
    }

    let shown: BTreeSet<&TopicId> = lines.iter().flatten().collect();
    for topic in acted.iter().filter(|topic| !shown.contains(topic)) {
        let Some(news) = moved.iter().find(|news| news.topic.id == *topic) else {
            continue;
        };
        let is_also = selection
            .also
            .iter()
            .any(|ranked| ranked.news.topic.id == *topic);
        let why = match () {
            () if news.mine.had_last_word => Why::HadLastWord,
            () if is_also => Why::OnlyNamed,
            () if news.mine.is_mine() => Why::RankedBelow,
            () => Why::NotTheirs,
        };
        report.misses.push(Miss {
            member: member.id.clone(),
            date,
            thread: label(news.topic, roster),
            why,
            news: news.new.len(),
        });
    }
    Ok(())
}

/// Counts the asks to members between two dates, and those that lay for more than two of the addressee's work days.
fn late_asks(
    c: &Connection,
    roster: &Roster,
    from: Date,
    to: Date,
    upto_seq: Seq,
    report: &mut Report,
) -> Result<()> {
    let end = Window {
        after: Learned(Timestamp::MIN),
        upto: Learned(Timestamp::MAX),
        upto_seq,
    };
    let last = events::last_moment(c)?;
    for (ask, closed_at) in asks::all_asks(c, &end)? {
        let Asked::Persons(handles) = &ask.ask.to else {
            continue;
        };
        let Some(member) = handles.iter().find_map(|handle| roster.member_of(handle)) else {
            continue;
        };
        let local = |at: Timestamp| at.to_zoned(member.time_zone.clone()).date();
        let asked = local(ask.ask.asked_at);
        if asked < from || asked > to {
            continue;
        }
        report.asks += 1;
        let waited = schedule::work_days_between(member, asked, local(closed_at.unwrap_or(last)));
        report.asks_late += usize::from(waited > 2);
    }
    Ok(())
}
