//! What a reader says about lines of their briefings, and how the next one obeys.
//!
//! Done closes what was asked before, later brings a line again the next morning, mute silences a thread, and a vote moves
//! lines of its sort by a fifth at most. Any sink may offer these words; `daybrief feedback` always does.

use anyhow::{Result, bail};
use jiff::{Timestamp, civil};
use rusqlite::Connection;

use super::deliver::{body_of, still_standing};
use super::render::names::{reason_name, reason_of};
use crate::model::{BriefingItem, LoggedAsk, Member, MemberId, Reason, ThreadId, TopicId, Verdict};
use crate::store::deliveries::{self, Delivery};
use crate::store::night::Night;
use crate::store::steering::{self, Given, Steering};

/// The most that votes move a line: by this share of its score, up or down.
pub const MOST: f32 = 0.2;
/// So many votes of one sort move a line half as far as they ever can.
const HALF_WAY: f32 = 3.0;

/// Takes out of a night what the reader is done with or wants to hear nothing of.
pub fn obey(night: &mut Night) {
    let Night {
        steering,
        asks_to,
        asks_from,
        old_mentions,
        topics,
        ..
    } = night;
    let stands = |topic: TopicId, learned: Timestamp| {
        !steering.muted.contains(&topic)
            && steering.done.get(&topic).is_none_or(|done| learned > *done)
    };
    let is_open = |ask: &LoggedAsk| stands(ask.topic, ask.learned.0);
    asks_to.retain(is_open);
    asks_from.retain(is_open);
    old_mentions.retain(|(seq, topic)| {
        let events = topics
            .get(topic)
            .into_iter()
            .flat_map(|topic| &topic.events);
        let mut found = events.filter(|logged| logged.seq == *seq);
        found
            .next()
            .is_none_or(|logged| stands(*topic, logged.learned.0))
    });
}

/// Returns what votes make of a line's score, between `1 - MOST` and `1 + MOST`.
pub fn factor(steering: &Steering, topic: TopicId, reasons: &[Reason]) -> f32 {
    let of_reason = |reason: &Reason| {
        steering
            .votes_by_reason
            .get(reason_name(reason))
            .copied()
            .unwrap_or(0.0)
    };
    let by_reason = reasons
        .iter()
        .map(|reason| lean(of_reason(reason)))
        .sum::<f32>()
        / reasons.len().max(1) as f32;
    let by_topic = lean(steering.votes_by_topic.get(&topic).copied().unwrap_or(0.0));
    1.0 + (by_reason + by_topic).clamp(-MOST, MOST)
}

/// Returns how far a sum of votes moves a line: the first ones count most, and no number of them moves it beyond [`MOST`].
pub fn lean(votes: f32) -> f32 {
    MOST * votes / (votes.abs() + HALF_WAY)
}

/// Returns the date of a briefing's key, if the key is this member's; nobody else's key steers anything.
pub fn date_of_key(member: &MemberId, key: &str) -> Option<civil::Date> {
    key.strip_prefix(member.as_str())?
        .strip_prefix('-')?
        .parse()
        .ok()
}

/// Returns a line of a member's briefing by its number from 1.
///
/// # Errors
/// When the store cannot be read or holds a damaged briefing.
pub fn line_of(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
    line: usize,
) -> Result<Option<BriefingItem>> {
    let delivery = deliveries::delivery(c, member, date)?;
    let Some(delivery) = delivery.filter(|delivery| !delivery.body.is_empty()) else {
        return Ok(None);
    };
    let mut items = body_of(&delivery)?.items;
    Ok((1..=items.len())
        .contains(&line)
        .then(|| items.swap_remove(line - 1)))
}

/// Keeps what a member says about a line of one of their briefings; returns the line, or `None` when there is none such.
///
/// # Errors
/// When the store fails.
pub fn say(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
    line: usize,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Option<BriefingItem>> {
    let Some(item) = line_of(c, member, date, line)? else {
        return Ok(None);
    };
    steering::put(
        c,
        &given(
            member,
            std::slice::from_ref(&item),
            Some(date),
            line,
            verdict,
            now,
        ),
    )?;
    Ok(Some(item))
}

/// Keeps a member's vote on a whole briefing, or takes it back; returns whether anything changed.
///
/// # Errors
/// When the store fails.
pub fn vote(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
    vote: Option<Verdict>,
    now: Timestamp,
) -> Result<bool> {
    let before = steering::given_by(c, member, Timestamp::MAX)?
        .into_iter()
        .rfind(|given| given.verdict.is_vote() && given.date == Some(date) && given.line == 0);
    if before.map(|given| given.verdict) == vote {
        return Ok(false);
    }
    let Some(verdict) = vote.filter(|verdict| verdict.is_vote()) else {
        return steering::withdraw_vote(c, member, Some(date), 0);
    };
    let delivery = deliveries::delivery(c, member, date)?;
    let Some(delivery) = delivery.filter(|delivery| !delivery.body.is_empty()) else {
        return Ok(false);
    };
    let items = body_of(&delivery)?.items;
    if items.is_empty() {
        return Ok(false);
    }
    steering::put(c, &given(member, &items, Some(date), 0, verdict, now))?;
    Ok(true)
}

/// Keeps what a member says about a thread that they name by hand.
///
/// # Errors
/// When the store fails.
pub fn say_of_thread(
    c: &Connection,
    member: &MemberId,
    thread: &ThreadId,
    verdict: Verdict,
    now: Timestamp,
) -> Result<()> {
    let mut given = given(member, &[], None, 0, verdict, now);
    given.threads.push(thread.clone());
    steering::put(c, &given)
}

fn given(
    member: &MemberId,
    items: &[BriefingItem],
    date: Option<civil::Date>,
    line: usize,
    verdict: Verdict,
    now: Timestamp,
) -> Given {
    let threads = items.iter().flat_map(|item| &item.threads);
    let cited = items.iter().flat_map(|item| &item.citations);
    let reasons = items.iter().flat_map(|item| &item.reasons);
    Given {
        by: member.clone(),
        verdict,
        threads: threads.map(|thread| thread.id.clone()).collect(),
        cited: cited.map(|citation| citation.event.clone()).collect(),
        reasons: reasons
            .map(|reason| reason_name(reason).to_owned())
            .collect(),
        date,
        line,
        given_at: now,
    }
}

/// What a line's reader has said about it, for a sink that shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Done, later, or neither; the last word counts.
    pub end: Option<Verdict>,
    /// Whether its thread is muted.
    pub is_muted: bool,
    /// Up, down, or neither.
    pub vote: Option<Verdict>,
}

/// Returns what a member has said about a line.
///
/// # Errors
/// When the store cannot be read.
pub fn said_of(c: &Connection, member: &MemberId, date: civil::Date, line: usize) -> Result<Said> {
    let mut said = Said::default();
    for given in steering::given_by(c, member, Timestamp::MAX)? {
        if given.date != Some(date) || given.line != line {
            continue;
        }
        match given.verdict {
            Verdict::Done | Verdict::Later => said.end = Some(given.verdict),
            Verdict::Mute => said.is_muted = true,
            Verdict::Unmute => said.is_muted = false,
            Verdict::Up | Verdict::Down => said.vote = Some(given.verdict),
        }
    }
    Ok(said)
}

/// Returns a line with its reasons and those of its sources that its reader may still read; `None` when nothing is left.
///
/// # Errors
/// When the store cannot be read.
pub fn why(
    c: &Connection,
    member: &Member,
    date: civil::Date,
    line: usize,
) -> Result<Option<BriefingItem>> {
    let Some(delivery) =
        deliveries::delivery(c, &member.id, date)?.filter(|delivery| !delivery.body.is_empty())
    else {
        return Ok(None);
    };
    let Some(mut item) = line_of(c, &member.id, date, line)? else {
        return Ok(None);
    };
    // It was in its window when it was sent; what is checked is that its sources are there and readable now.
    item.carried = true;
    let mut made = body_of(&delivery)?;
    made.items = vec![item];
    Ok(still_standing(c, member, made, None)?.items.pop())
}

/// Returns the last briefing that a member got.
///
/// # Errors
/// When they never got one.
pub fn latest(c: &Connection, member: &MemberId) -> Result<Delivery> {
    let latest = deliveries::latest(c, Some(member), 14)?;
    let sent = latest
        .into_iter()
        .find(|delivery| delivery.state == deliveries::State::Sent && !delivery.body.is_empty());
    match sent {
        Some(sent) => Ok(sent),
        None => bail!(
            "{member} has had no briefing yet, and only what was sent has lines to speak of: `daybrief brief {member} --send` sends today's; a ticket's key or CONNECTOR/ID names a thread without one"
        ),
    }
}

/// What votes have come to, for the reader to see: by reason, the sum and how far it moves a line.
pub fn learned(steering: &Steering) -> Vec<(Reason, f32, f32)> {
    let known = steering.votes_by_reason.iter();
    known
        .filter_map(|(name, votes)| Some((reason_of(name)?, *votes, lean(*votes))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_move_a_line_by_a_fifth_at_most() {
        let mut steering = Steering::default();
        let reasons = [Reason::AsksYou, Reason::ManyVoices];
        let of = |steering: &Steering| factor(steering, TopicId(1), &reasons);
        assert_eq!(of(&steering), 1.0);
        steering.votes_by_reason.insert("many_voices".into(), -1.0);
        let once = of(&steering);
        assert!((0.95..1.0).contains(&once), "{once}");
        steering
            .votes_by_reason
            .insert("many_voices".into(), -1_000.0);
        let often = of(&steering);
        assert!((0.89..once).contains(&often), "one of two reasons: {often}");
        steering.votes_by_topic.insert(TopicId(1), -1_000.0);
        assert_eq!(of(&steering), 1.0 - MOST);
        steering.votes_by_reason.insert("many_voices".into(), 1e6);
        steering.votes_by_reason.insert("asks_you".into(), 1e6);
        steering.votes_by_topic.insert(TopicId(1), 1e6);
        assert_eq!(of(&steering), 1.0 + MOST);
        assert_eq!(factor(&Steering::default(), TopicId(1), &[]), 1.0);
    }

    #[test]
    fn a_key_is_a_members_own_or_none() {
        let ana = MemberId::new("ana");
        assert_eq!(
            date_of_key(&ana, "ana-2026-11-23"),
            "2026-11-23".parse().ok()
        );
        for key in [
            "bo-2026-11-23",
            "ana-x",
            "ana",
            "anna-2026-11-23",
            "ana-b-2026-11-23",
            "",
        ] {
            assert_eq!(date_of_key(&ana, key), None, "{key}");
        }
    }
}
