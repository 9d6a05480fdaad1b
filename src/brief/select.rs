//! Which ranked news become lines, which share a line, and which are only named at the end.

use std::collections::BTreeMap;

use super::rank::Ranked;
use crate::model::{ItemKind, Section, SpaceId, ThreadKind};

/// How long a briefing may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The most lines.
    pub items: usize,
    /// The most lines that need the reader.
    pub needs_you: usize,
    /// The most lines about blockers.
    pub blockers: usize,
    /// How many lines about the reader's own come before the team's, where the rest can share one.
    pub alone: usize,
    /// The most lines worth knowing.
    pub worth_knowing: usize,
    /// The most lines about something from before the window.
    pub carried: usize,
    /// The most lines worth knowing from one place.
    pub a_space: usize,
    /// The most threads of the reader's that share a line.
    pub a_line: usize,
    /// The most threads of the team's that share a line; the first of them show a piece of their title.
    pub a_team_line: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            items: 9,
            needs_you: 4,
            blockers: 2,
            alone: 4,
            worth_knowing: 3,
            carried: 3,
            a_space: 2,
            a_line: 10,
            a_team_line: 16,
        }
    }
}

/// Below this score nothing of the team's is worth a line.
const LEAST_WORTH: f32 = 0.12;

/// How many lines worth knowing have room before the last of what changed on the reader's.
const LEAST_WORTH_KNOWING: usize = 2;

/// How many threads of a kind it takes to share a line.
const LEAST_GROUP: usize = 3;

/// A line to be written: one topic, or several of a kind.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Where it stands.
    pub section: Section,
    /// What it tells of, best first.
    pub ranked: Vec<Ranked<'a>>,
}

/// What is shown, what is only named, and how much is neither.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// The lines, in reading order.
    pub lines: Vec<Line<'a>>,
    /// News of the reader's without a line, best first.
    pub also: Vec<Ranked<'a>>,
    /// How many topics of the team's are not named.
    pub omitted: usize,
}

/// Returns the lines of a briefing beside which `beside` others worth knowing will stand. Everything that is the reader's
/// is in a line or in `also`.
pub fn select<'a>(ranked: Vec<Ranked<'a>>, caps: &Caps, beside: usize) -> Selection<'a> {
    let mut selection = Selection::default();
    let (direct, team): (Vec<_>, Vec<_>) = ranked.into_iter().partition(Ranked::is_direct);
    let (handled, mut direct): (Vec<_>, Vec<_>) =
        direct.into_iter().partition(|ranked| ranked.is_handled);
    keep_carried(&mut direct, caps.carried, &mut selection);

    // Older asks that the reader has seen before share a line; each new one has its own, the most urgent first.
    let is_older = |ranked: &Ranked<'_>| ranked.is_carried && ranked.kind == ItemKind::Ask;
    let (older, mut direct): (Vec<_>, Vec<_>) = direct.into_iter().partition(is_older);
    let mut needs = take(&mut direct, Section::NeedsYou, caps.needs_you);
    let blockers = take(&mut direct, Section::Blockers, caps.blockers);
    needs.sort_by_key(|ranked| {
        let by = ranked.answer_by.map(|answer| answer.by);
        (by.is_none(), by)
    });
    let alone = |section| {
        move |ranked| Line {
            section,
            ranked: vec![ranked],
        }
    };
    let mut asking: Vec<Line<'a>> = needs.into_iter().map(alone(Section::NeedsYou)).collect();
    if !older.is_empty() {
        asking.push(Line {
            section: Section::NeedsYou,
            ranked: older,
        });
    }

    let mut worth = worth_knowing(team, caps, &mut selection);
    let room = caps
        .items
        .saturating_sub(asking.len() + blockers.len() + beside);
    // A decision is worth more than the last thing that moved.
    let is_decision = |line: &Line<'_>| kind_of_group(line) == ItemKind::Decision;
    let reserved = if worth.iter().any(is_decision) {
        LEAST_WORTH_KNOWING
    } else {
        LEAST_WORTH_KNOWING.saturating_sub(beside)
    };
    let changed = changed_lines(
        direct,
        asking.len() + blockers.len(),
        room.saturating_sub(worth.len().min(reserved)).max(1),
        caps,
        &mut selection,
    );
    let left = room.saturating_sub(changed.len());
    let most = caps.worth_knowing.saturating_sub(beside).min(left);
    let mut over = Vec::new();
    while worth.len() > most {
        let last = worth.iter().rposition(|line| !is_decision(line));
        over.push(worth.remove(last.unwrap_or(worth.len() - 1)));
    }
    selection.omitted += over.iter().map(|line| line.ranked.len()).sum::<usize>();

    selection.lines.extend(asking);
    selection
        .lines
        .extend(blockers.into_iter().map(alone(Section::Blockers)));
    selection.lines.extend(changed);
    selection.lines.extend(worth);
    selection.also.extend(handled);
    selection
}

/// Drops what is about something from before the window beyond the cap: it is shown another day or was shown before.
fn keep_carried<'a>(direct: &mut Vec<Ranked<'a>>, cap: usize, selection: &mut Selection<'a>) {
    let mut carried = 0;
    let mut kept = Vec::with_capacity(direct.len());
    for ranked in direct.drain(..) {
        carried += usize::from(ranked.is_carried);
        if ranked.is_carried && carried > cap {
            selection.also.push(ranked);
        } else {
            kept.push(ranked);
        }
    }
    *direct = kept;
}

/// Takes the best of a section out of the list; the rest of it stays and is told as a change.
fn take<'a>(direct: &mut Vec<Ranked<'a>>, section: Section, most: usize) -> Vec<Ranked<'a>> {
    let mut taken = Vec::new();
    let mut index = 0;
    while index < direct.len() && taken.len() < most {
        if direct[index].section == section {
            taken.push(direct.remove(index));
        } else {
            index += 1;
        }
    }
    taken
}

/// Returns lines for what changed on the reader's: the best alone, the rest by kind, what does not fit in `also`.
fn changed_lines<'a>(
    direct: Vec<Ranked<'a>>,
    needs: usize,
    room: usize,
    caps: &Caps,
    selection: &mut Selection<'a>,
) -> Vec<Line<'a>> {
    let line = |ranked| Line {
        section: Section::ChangedOnYours,
        ranked,
    };
    // The more there is, the sooner it is told together: three lines of one's own are read, the seventh is not.
    let most = caps.alone.saturating_sub(needs);
    let fits = |alone: &usize| alone + grouped_lines(&direct[(*alone).min(direct.len())..]) <= most;
    let alone = (1..=most.min(direct.len()))
        .rev()
        .find(fits)
        .unwrap_or_else(|| most.clamp(1, room.saturating_sub(1).max(1)));
    let mut rest = direct;
    let mut lines: Vec<Line<'a>> = rest
        .drain(..alone.min(rest.len()))
        .map(|ranked| line(vec![ranked]))
        .collect();
    let mut groups: BTreeMap<ThreadKind, Vec<Ranked<'a>>> = BTreeMap::new();
    for ranked in rest {
        groups
            .entry(ranked.news.topic.thread.kind)
            .or_default()
            .push(ranked);
    }
    let mut groups: Vec<Vec<Ranked<'a>>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    for mut group in groups {
        if lines.len() < room && group.len() >= LEAST_GROUP {
            let over = group.split_off(group.len().min(caps.a_line));
            lines.push(line(group));
            selection.also.extend(over);
        } else {
            for ranked in group {
                if lines.len() < room {
                    lines.push(line(vec![ranked]))
                } else {
                    selection.also.push(ranked)
                }
            }
        }
    }
    selection.also.sort_by(|a, b| b.score.total_cmp(&a.score));
    lines
}

/// Returns how many lines topics take when those of a kind share one.
fn grouped_lines(rest: &[Ranked<'_>]) -> usize {
    let mut kinds: BTreeMap<ThreadKind, usize> = BTreeMap::new();
    for ranked in rest {
        *kinds.entry(ranked.news.topic.thread.kind).or_default() += 1;
    }
    let lines = |count: usize| if count >= LEAST_GROUP { 1 } else { count };
    kinds.into_values().map(lines).sum()
}

/// Returns lines of the team's: the tickets on a shared line, then the talk that stands out, a line each.
fn worth_knowing<'a>(
    team: Vec<Ranked<'a>>,
    caps: &Caps,
    selection: &mut Selection<'a>,
) -> Vec<Line<'a>> {
    let is_worth = |ranked: &Ranked<'_>| ranked.score >= LEAST_WORTH && !ranked.is_handled;
    let (team, low): (Vec<_>, Vec<_>) = team.into_iter().partition(is_worth);
    let of_tickets = |ranked: &Ranked<'_>| ranked.news.topic.thread.kind == ThreadKind::Ticket;
    let (mut tickets, talk): (Vec<_>, Vec<_>) = team.into_iter().partition(of_tickets);
    selection.omitted += low.len();

    let line = |ranked| Line {
        section: Section::WorthKnowing,
        ranked,
    };
    let mut lines = Vec::new();
    if tickets.len() >= LEAST_GROUP {
        selection.omitted += tickets.len().saturating_sub(caps.a_team_line);
        tickets.truncate(caps.a_team_line);
        lines.push(line(tickets));
    } else {
        lines.extend(tickets.into_iter().map(|ranked| line(vec![ranked])));
    }
    let mut a_space: BTreeMap<Option<SpaceId>, usize> = BTreeMap::new();
    for ranked in talk {
        let from_here = a_space
            .entry(ranked.news.topic.thread.space.clone())
            .or_default();
        if lines.len() < caps.worth_knowing && *from_here < caps.a_space {
            *from_here += 1;
            lines.push(line(vec![ranked]));
        } else {
            selection.omitted += 1;
        }
    }
    lines
}

/// Returns what a shared line is about.
pub fn kind_of_group(line: &Line<'_>) -> ItemKind {
    let first = line
        .ranked
        .first()
        .map_or(ItemKind::Fyi, |ranked| ranked.kind);
    let is_same = line.ranked.iter().all(|ranked| ranked.kind == first);
    match (is_same, line.section) {
        (true, _) => first,
        (false, Section::WorthKnowing) => ItemKind::Fyi,
        (false, _) => ItemKind::Reply,
    }
}
