//! What one briefing reads: everything of a window that its reader may see.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::{Connection, params};

use super::events::topic;
use super::steering::{Steering, steering_of};
use super::suggestions::{self, Recorded};
use super::{asks, audiences, micros};
use crate::model::suggestion::Candidate;
use crate::model::{
    AudienceId, ConnectorId, Handle, Learned, LoggedAsk, Member, Seq, SpaceId, Topic, TopicId,
    Window,
};

/// The most events of one topic that a briefing looks at, the latest ones; a briefing quotes two.
const EVENTS_A_TOPIC: usize = 400;

/// A member's night, as it stood at the window's end.
#[derive(Clone, Debug)]
pub struct Night {
    /// What it covers.
    pub window: Window,
    /// Topics with something new, and topics the reader's asks, mentions and tickets stand in.
    pub topics: BTreeMap<TopicId, Topic>,
    /// Positions of what is new in the window.
    pub new: BTreeSet<Seq>,
    /// Open asks to the reader.
    pub asks_to: Vec<LoggedAsk>,
    /// The reader's own open asks.
    pub asks_from: Vec<LoggedAsk>,
    /// Asks, open and answered, of the topics with something new.
    pub asks_in: Vec<LoggedAsk>,
    /// Positions of mentions of the reader from before the window.
    pub old_mentions: Vec<(Seq, TopicId)>,
    /// The reader's own open tickets.
    pub own_tickets: Vec<TopicId>,
    /// Places whose members are known, and whether the reader is one of them.
    pub joined: BTreeMap<SpaceId, bool>,
    /// What the reader may read.
    pub readable: BTreeSet<AudienceId>,
    /// What the reader said about earlier briefings.
    pub steering: Steering,
    /// What was suggested for tickets that are new in the window and have no owner.
    pub suggested: Vec<Recorded>,
    /// Who else could answer an ask of the reader's.
    pub stand_ins: BTreeMap<Seq, Vec<Candidate>>,
}

/// Returns a member's night. `previous_upto` is the end of the briefing before: what happened before it and was
/// learned after it is late, and new too. Mentions are looked for from `mentions_after` on.
pub fn night_of(
    c: &Connection,
    member: &Member,
    window: Window,
    previous_upto: Option<Learned>,
    mentions_after: Learned,
) -> Result<Night> {
    let readable = audiences::readable_by(c, Some(member))?;
    let (new, mut wanted) = new_in(c, &window, previous_upto, &readable)?;

    let own: Vec<&Handle> = member.handles.values().flatten().collect();
    let (mut asks_to, mut asks_from, mut old_mentions) = (Vec::new(), Vec::new(), Vec::new());
    for handle in &own {
        asks_to.extend(asks::open_asks_to(c, handle, &window)?);
        asks_from.extend(asks::open_asks_from(c, handle, &window)?);
        old_mentions.extend(mentions_between(c, handle, mentions_after, &window)?);
    }
    let own_tickets = open_tickets_of(c, &own)?;
    let mut asks_in = Vec::new();
    for topic in &wanted {
        asks_in.extend(asks::asks_of_topic(c, *topic, &window)?);
    }
    wanted.extend(asks_to.iter().chain(&asks_from).map(|ask| ask.topic));
    wanted.extend(old_mentions.iter().map(|(_, topic)| *topic));
    wanted.extend(&own_tickets);
    let steering = steering_of(c, &member.id, window.upto, previous_upto)?;
    wanted.extend(steering.put_off.keys());

    let mut topics = BTreeMap::new();
    for id in wanted {
        let Some(mut found) = topic(c, id, window.upto, window.upto_seq, EVENTS_A_TOPIC)? else {
            continue;
        };
        found
            .events
            .retain(|logged| readable.contains(&logged.audience));
        if !found.events.is_empty() {
            topics.insert(id, found);
        }
    }
    let is_seen = |ask: &LoggedAsk| {
        topics
            .get(&ask.topic)
            .is_some_and(|topic| topic.events.iter().any(|logged| logged.seq == ask.seq))
    };
    asks_to.retain(is_seen);
    asks_from.retain(is_seen);
    asks_in.retain(is_seen);
    let suggested = suggestions::first_made_between(c, window.after.0, window.upto.0)?;
    let mut stand_ins = BTreeMap::new();
    for ask in &asks_from {
        let found = suggestions::stand_ins(c, ask.seq)?;
        stand_ins.extend(found.map(|(found, _)| (ask.seq, found)));
    }
    Ok(Night {
        window,
        topics,
        new,
        asks_to,
        asks_from,
        asks_in,
        old_mentions,
        own_tickets,
        joined: joined_by(c, &own)?,
        readable,
        steering,
        suggested,
        stand_ins,
    })
}

/// Returns the positions learned within the window, or late, and the topics they stand in.
fn new_in(
    c: &Connection,
    window: &Window,
    previous_upto: Option<Learned>,
    readable: &BTreeSet<AudienceId>,
) -> Result<(BTreeSet<Seq>, BTreeSet<TopicId>)> {
    let (mut new, mut topics) = (BTreeSet::new(), BTreeSet::new());
    let mut statement = c.prepare_cached(
        "SELECT e.seq, e.topic, coalesce(e.audience, t.audience) FROM events e JOIN threads t ON t.tid = e.tid
         WHERE e.seq <= ?3 AND e.removed = 0 AND e.kind NOT IN ('edited', 'deleted', 'reacted', 'audience')
           AND (e.learned >= ?1 AND e.learned < ?2
                OR e.learned >= ?4 AND e.learned < ?1 AND e.occurred_at < ?4)",
    )?;
    // Without a briefing before there is no late: the same bound twice makes the second span empty.
    let late_from = previous_upto.map_or(window.after, |upto| upto.min(window.after));
    let mut rows = statement.query(params![
        micros(window.after.0),
        micros(window.upto.0),
        window.upto_seq.0,
        micros(late_from.0)
    ])?;
    while let Some(row) = rows.next()? {
        if readable.contains(&AudienceId(row.get(2)?)) {
            new.insert(Seq(row.get(0)?));
            topics.insert(TopicId(row.get(1)?));
        }
    }
    Ok((new, topics))
}

fn mentions_between(
    c: &Connection,
    handle: &Handle,
    after: Learned,
    window: &Window,
) -> Result<Vec<(Seq, TopicId)>> {
    let mut statement = c.prepare_cached(
        "SELECT e.seq, e.topic FROM mentions m JOIN events e USING (seq)
         WHERE m.handle = ?1 AND e.connector = ?2 AND e.learned >= ?3 AND e.learned < ?4 AND e.seq <= ?5
           AND (e.author IS NULL OR e.author <> ?1)",
    )?;
    let rows = statement.query_map(
        params![
            &*handle.id,
            handle.connector.as_str(),
            micros(after.0),
            micros(window.after.0),
            window.upto_seq.0
        ],
        |row| Ok((Seq(row.get(0)?), TopicId(row.get(1)?))),
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn open_tickets_of(c: &Connection, own: &[&Handle]) -> Result<Vec<TopicId>> {
    let mut statement = c.prepare_cached(
        "SELECT tid FROM threads WHERE ticket IS NOT NULL AND connector = ?1 AND ticket ->> 'assignee' = ?2",
    )?;
    let mut tickets = Vec::new();
    for handle in own {
        let rows = statement.query_map(params![handle.connector.as_str(), &*handle.id], |row| {
            row.get(0)
        })?;
        for tid in rows {
            tickets.push(TopicId(tid?));
        }
    }
    Ok(tickets)
}

/// Returns the places whose members are known, and whether one of the accounts is in them.
fn joined_by(c: &Connection, own: &[&Handle]) -> Result<BTreeMap<SpaceId, bool>> {
    let mut statement =
        c.prepare_cached("SELECT DISTINCT connector, space FROM space_members ORDER BY 1, 2")?;
    let spaces = statement
        .query_map([], |row| {
            let connector = ConnectorId::new(row.get::<_, String>(0)?);
            Ok(SpaceId::new(&connector, row.get::<_, String>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut is_in = c.prepare_cached(
        "SELECT 1 FROM space_members WHERE connector = ?1 AND space = ?2 AND handle = ?3",
    )?;
    let mut joined = BTreeMap::new();
    for space in spaces {
        let mut any = false;
        for handle in own
            .iter()
            .filter(|handle| handle.connector == space.connector)
        {
            any |= is_in.exists(params![space.connector.as_str(), &*space.id, &*handle.id])?;
        }
        joined.insert(space, any);
    }
    Ok(joined)
}
