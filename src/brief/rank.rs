//! Which of the news a reader sees, in which order, and why. Structure decides; wording never lifts a line.
//!
//! score = (best direct signal + 0.3 · the others) × freshness × novelty, after `briefing.md` §6.

use std::collections::BTreeMap;

use jiff::civil;

use super::changes::{News, is_ticket};
use super::steer::factor;
use crate::model::{AnswerBy, EventKind, Handle, ItemKind, Member, Reason, Section};
use crate::roster::Roster;
use crate::schedule;
use crate::store::night::Night;

/// What each signal is worth before freshness and novelty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// An open ask or a review request to the reader.
    pub asked: f32,
    /// Work of the reader's cannot go on.
    pub blocked: f32,
    /// The reader is named.
    pub mentioned: f32,
    /// A ticket of the reader's changed state.
    pub own_state: f32,
    /// A reply where the reader was among the last three.
    pub wrote_lately: f32,
    /// A reply where the reader wrote long ago.
    pub wrote_once: f32,
    /// News on a ticket the reader reported or owns.
    pub own_ticket: f32,
    /// A settled choice in the reader's area.
    pub decided: f32,
    /// An own ticket that is due, or has not moved.
    pub due: f32,
    /// What resembles the reader's work, at most.
    pub like_my_work: f32,
    /// A ticket that was opened and is still open.
    pub just_opened: f32,
    /// Many voices, at most.
    pub voices: f32,
    /// What the reader put off until this morning.
    pub put_off: f32,
    /// Talk in a channel the reader has not joined keeps this share of its score.
    pub not_joined: f32,
    /// A thread in which the reader had the last word keeps this share of its score.
    pub handled: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Weights {
            asked: 1.0,
            blocked: 0.9,
            mentioned: 0.8,
            own_state: 0.7,
            wrote_lately: 0.6,
            wrote_once: 0.3,
            own_ticket: 0.55,
            decided: 0.45,
            due: 0.6,
            like_my_work: 0.8,
            just_opened: 0.3,
            voices: 0.3,
            put_off: 1.1,
            not_joined: 0.4,
            handled: 0.2,
        }
    }
}

impl Weights {
    /// Returns every weight with its name, as people are shown them.
    pub fn named(&self) -> [(&'static str, f32); 14] {
        [
            ("asked", self.asked),
            ("blocked", self.blocked),
            ("mentioned", self.mentioned),
            ("own state", self.own_state),
            ("wrote lately", self.wrote_lately),
            ("wrote once", self.wrote_once),
            ("own ticket", self.own_ticket),
            ("decided", self.decided),
            ("due", self.due),
            ("like my work", self.like_my_work),
            ("just opened", self.just_opened),
            ("voices", self.voices),
            ("not joined", self.not_joined),
            ("handled", self.handled),
        ]
    }
}

/// News with a place.
#[derive(Clone, Debug)]
pub struct Ranked<'a> {
    /// The news.
    pub news: News<'a>,
    /// The section it belongs to.
    pub section: Section,
    /// What it is.
    pub kind: ItemKind,
    /// Why the reader sees it, strongest first.
    pub reasons: Vec<Reason>,
    /// Its rank.
    pub score: f32,
    /// Whether it is about something from before the window.
    pub is_carried: bool,
    /// Whether the reader had the last word.
    pub is_handled: bool,
    /// For an ask: the last moment at which a reply saves the asker a work day.
    pub answer_by: Option<AnswerBy>,
    /// Whose ask that is.
    pub asker: Option<Handle>,
}

impl Ranked<'_> {
    /// Returns whether the topic is the reader's, and not only the team's.
    pub fn is_direct(&self) -> bool {
        self.section != Section::WorthKnowing
    }
}

/// Everything the ranking needs besides the news.
pub struct Reader<'a> {
    /// The reader.
    pub member: &'a Member,
    /// Everybody.
    pub roster: &'a Roster,
    /// The reader's local date.
    pub today: civil::Date,
    /// How close the reader works to others: accounts they share threads with, 0 to 1.
    pub closeness: &'a BTreeMap<Handle, f32>,
    /// After how many work days without movement an own ticket is stale.
    pub stale_after_days: u32,
    /// What the signals are worth.
    pub weights: Weights,
}

/// Returns everything that could be shown, best first within the whole; what nobody should see is left out.
pub fn rank<'a>(news: Vec<News<'a>>, night: &Night, reader: &Reader<'_>) -> Vec<Ranked<'a>> {
    let mut ranked: Vec<Ranked<'a>> = news
        .into_iter()
        .filter_map(|news| rank_one(news, night, reader))
        .collect();
    ranked.sort_by(|a, b| {
        // Ties go to the newer topic, then to the id: the same log gives the same order.
        let newest = |ranked: &Ranked<'_>| {
            ranked
                .news
                .new
                .last()
                .map(|logged| logged.event.occurred_at)
        };
        b.score
            .total_cmp(&a.score)
            .then_with(|| newest(b).cmp(&newest(a)))
            .then_with(|| a.news.topic.thread.id.cmp(&b.news.topic.thread.id))
    });
    ranked
}

fn rank_one<'a>(news: News<'a>, night: &Night, reader: &Reader<'_>) -> Option<Ranked<'a>> {
    let signals = signals_of(&news, reader);
    // What is the reader's stays theirs, however much it resembles the work of others, too: it is shown or named.
    let is_team = |signal: &Signal| signal.section == Section::WorthKnowing;
    let lead = signals.iter().max_by(|a, b| {
        is_team(b)
            .cmp(&is_team(a))
            .then(a.weight.total_cmp(&b.weight))
    })?;
    let (section, kind) = (lead.section, lead.kind);
    let rest: f32 = signals.iter().map(|signal| signal.weight).sum::<f32>() - lead.weight;
    // The team's signals are weak alone and count in full; the reader's own are strong, and two do not make one more urgent.
    let share = if section == Section::WorthKnowing {
        1.0
    } else {
        0.3
    };
    let mut score = (lead.weight + share * rest) * freshness(&news, night, reader);
    // Time goes on whoever spoke last: an open ask and a due date are not handled by a word.
    let is_open = !news.asks.is_empty()
        || !news.put_off.is_empty()
        || matches!(kind, ItemKind::Due | ItemKind::Stale);
    let is_handled = news.mine.had_last_word && !is_open;
    if is_handled {
        score *= reader.weights.handled;
    }
    // Talk in a channel the reader has not joined is other people's.
    let space = news.topic.thread.space.as_ref();
    if section == Section::WorthKnowing
        && space.and_then(|space| night.joined.get(space)) == Some(&false)
    {
        score *= reader.weights.not_joined;
    }
    let is_carried = news.new.is_empty();
    let soonest = news
        .asks
        .iter()
        .filter_map(|ask| {
            let asker = reader.roster.member_of(&ask.ask.from)?;
            let answer = schedule::answer_by(asker, reader.member, night.window.upto.0)?;
            Some((answer, &ask.ask.from))
        })
        .min_by_key(|(answer, _)| answer.by);
    // On what is the reader's own, how it resembles their work says nothing more.
    let is_said = |signal: &Signal| {
        section == Section::WorthKnowing || signal.section != Section::WorthKnowing
    };
    let mut reasons: Vec<(f32, Reason)> = signals
        .into_iter()
        .filter(is_said)
        .map(|signal| (signal.weight, signal.reason))
        .collect();
    reasons.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut reasons: Vec<Reason> = reasons.into_iter().map(|(_, reason)| reason).collect();
    reasons.dedup();
    if is_handled {
        reasons.push(Reason::YouHadTheLastWord);
    }
    score *= factor(&night.steering, news.topic.id, &reasons);
    Some(Ranked {
        news,
        section,
        kind,
        reasons,
        score,
        is_carried,
        is_handled,
        answer_by: soonest.map(|(answer, _)| answer),
        asker: soonest.map(|(_, asker)| asker.clone()),
    })
}

/// One way in which news matter to the reader.
struct Signal {
    reason: Reason,
    weight: f32,
    section: Section,
    kind: ItemKind,
}

fn signals_of(news: &News<'_>, reader: &Reader<'_>) -> Vec<Signal> {
    let mut signals = Vec::new();
    let mut add = |reason, weight: f32, section, kind| {
        if weight > 0.0 {
            signals.push(Signal {
                reason,
                weight,
                section,
                kind,
            });
        }
    };
    let weights = &reader.weights;
    let has_news = !news.new.is_empty();

    if !news.asks.is_empty() {
        // An ask that saves somebody's day when answered now outranks one that can wait.
        let saved = news
            .asks
            .iter()
            .map(|ask| work_time_saved(ask, reader))
            .fold(0.0, f32::max);
        let reviews = news
            .asks
            .iter()
            .all(|ask| ask.ask.kind == crate::model::AskKind::Review);
        let reason = if reviews {
            Reason::ReviewRequested
        } else {
            Reason::AsksYou
        };
        let age = if has_news {
            1.0
        } else {
            carried_share(news, reader)
        };
        add(
            reason,
            weights.asked * age + 0.05 * saved.min(8.0) / 8.0,
            Section::NeedsYou,
            ItemKind::Ask,
        );
    }
    if requested_review(news, reader) {
        add(
            Reason::ReviewRequested,
            weights.asked,
            Section::NeedsYou,
            ItemKind::Ask,
        );
    }
    if !news.mentions.is_empty() {
        add(
            Reason::MentionsYou,
            weights.mentioned,
            Section::ChangedOnYours,
            ItemKind::Mention,
        );
    } else if !news.old_mentions.is_empty() {
        add(
            Reason::MentionsYou,
            weights.mentioned * 0.6,
            Section::ChangedOnYours,
            ItemKind::Mention,
        );
    }
    if has_news {
        own_signals(news, reader, &mut add);
        team_signals(news, reader, &mut add);
    }
    if !news.is_done {
        due_signals(news, reader, &mut add);
    }
    if !news.put_off.is_empty() {
        add(
            Reason::PutOff,
            weights.put_off,
            Section::NeedsYou,
            ItemKind::Fyi,
        );
    }
    signals
}

fn own_signals(
    news: &News<'_>,
    reader: &Reader<'_>,
    add: &mut impl FnMut(Reason, f32, Section, ItemKind),
) {
    let (weights, mine) = (&reader.weights, &news.mine);
    let changed_state = news
        .new
        .iter()
        .any(|logged| logged.event.kind.is_state_change());
    let kind = if changed_state {
        ItemKind::StatusChange
    } else {
        ItemKind::Reply
    };
    let own = if changed_state {
        weights.own_state
    } else {
        weights.own_ticket
    };
    if mine.owns {
        add(Reason::AssignedToYou, own, Section::ChangedOnYours, kind);
    }
    if mine.reported {
        add(
            Reason::ReportedByYou,
            own.min(weights.own_ticket + 0.05),
            Section::ChangedOnYours,
            kind,
        );
    }
    if mine.posts > 0 {
        let distance = mine
            .distance
            .unwrap_or(usize::MAX)
            .saturating_sub(news.new.len().min(3));
        let weight = if distance <= 3 {
            weights.wrote_lately
        } else {
            weights.wrote_once
        };
        add(Reason::YouWroteHere, weight, Section::ChangedOnYours, kind);
    }
    if mine.is_mine() && !news.blockers.is_empty() && (mine.owns || mine.reported) {
        add(
            Reason::Blocks,
            weights.blocked,
            Section::Blockers,
            ItemKind::Blocker,
        );
    }
    if mine.is_mine() && !news.decisions.is_empty() {
        add(
            Reason::DecidedInYourArea,
            weights.decided,
            Section::ChangedOnYours,
            ItemKind::Decision,
        );
    }
}

fn team_signals(
    news: &News<'_>,
    reader: &Reader<'_>,
    add: &mut impl FnMut(Reason, f32, Section, ItemKind),
) {
    let weights = &reader.weights;
    let is_closed = news
        .topic
        .thread
        .ticket
        .as_ref()
        .is_some_and(|ticket| ticket.is_closed);
    let is_new_ticket = is_ticket(news.topic)
        && news
            .new
            .iter()
            .any(|logged| logged.event.kind == EventKind::Opened);
    let kind = if is_new_ticket {
        ItemKind::NewTicket
    } else {
        ItemKind::Fyi
    };
    let closeness = closeness_to(news, reader);
    if !news.decisions.is_empty() && !news.mine.is_mine() {
        add(
            Reason::DecidedInYourArea,
            weights.decided * (0.5 + 0.5 * closeness),
            Section::WorthKnowing,
            ItemKind::Decision,
        );
    }
    // What is over and was not the reader's is over: nobody acts on it.
    if is_closed {
        return;
    }
    add(
        Reason::LikeYourWork,
        weights.like_my_work * closeness,
        Section::WorthKnowing,
        kind,
    );
    if is_new_ticket {
        add(
            Reason::JustOpened,
            weights.just_opened,
            Section::WorthKnowing,
            kind,
        );
    }
    // Two voices are a talk, one is a note; from six on more say nothing new.
    let crowd = (news.voices.saturating_sub(1) as f32 / 5.0).min(1.0);
    add(
        Reason::ManyVoices,
        weights.voices * crowd,
        Section::WorthKnowing,
        kind,
    );
}

fn due_signals(
    news: &News<'_>,
    reader: &Reader<'_>,
    add: &mut impl FnMut(Reason, f32, Section, ItemKind),
) {
    let Some(ticket) = news
        .topic
        .thread
        .ticket
        .as_ref()
        .filter(|ticket| !ticket.is_closed && news.mine.owns)
    else {
        return;
    };
    if let Some(due) = ticket.due
        && due <= reader.today
    {
        let reason = if due == reader.today {
            Reason::DueToday
        } else {
            Reason::Overdue
        };
        add(
            reason,
            reader.weights.due + 0.1,
            Section::NeedsYou,
            ItemKind::Due,
        );
    }
    let Some(last) = news
        .topic
        .events
        .iter()
        .map(|logged| logged.event.occurred_at)
        .max()
    else {
        return;
    };
    let last = last.to_zoned(reader.member.time_zone.clone()).date();
    let still = schedule::work_days_between(reader.member, last, reader.today);
    // Named when it becomes stale and once a week from then on, or it would be there every morning.
    if news.new.is_empty()
        && still >= reader.stale_after_days
        && (still - reader.stale_after_days).is_multiple_of(5)
    {
        add(
            Reason::NoMovement(still),
            reader.weights.due - 0.2,
            Section::ChangedOnYours,
            ItemKind::Stale,
        );
    }
}

fn requested_review(news: &News<'_>, reader: &Reader<'_>) -> bool {
    news.new.iter().any(|logged| match &logged.event.kind {
        EventKind::ReviewRequested { of } => reader.member.owns(of),
        _ => false,
    })
}

fn work_time_saved(ask: &crate::model::LoggedAsk, reader: &Reader<'_>) -> f32 {
    let Some(asker) = reader.roster.member_of(&ask.ask.from) else {
        return 0.0;
    };
    let now = schedule::day_start(reader.member, reader.today);
    schedule::work_time_saved(asker, reader.member, now) as f32
}

/// Returns what an ask from before the window keeps of its weight: a work week halves it.
fn carried_share(news: &News<'_>, reader: &Reader<'_>) -> f32 {
    let Some(asked) = news.asks.iter().map(|ask| ask.ask.asked_at).max() else {
        return 1.0;
    };
    let date = asked.to_zoned(reader.member.time_zone.clone()).date();
    let days = schedule::work_days_between(reader.member, date, reader.today);
    0.5_f32.powf(days as f32 / 5.0)
}

/// Returns how close the people behind the news are to the reader, 0 to 1.
fn closeness_to(news: &News<'_>, reader: &Reader<'_>) -> f32 {
    let authors = news
        .topic
        .events
        .iter()
        .filter_map(|logged| logged.event.author.as_ref());
    authors
        .filter_map(|author| reader.closeness.get(author))
        .fold(0.0, |best: f32, close| best.max(*close))
}

/// Returns 1 for news of this moment and one half for news twelve work-free hours old, never less than one half.
fn freshness(news: &News<'_>, night: &Night, _reader: &Reader<'_>) -> f32 {
    let Some(newest) = news.new.iter().map(|logged| logged.learned).max() else {
        return 1.0;
    };
    let hours = night.window.upto.0.duration_since(newest.0).as_secs_f32() / 3600.0;
    0.5 + 0.5 * 0.5_f32.powf(hours.max(0.0) / 12.0)
}
