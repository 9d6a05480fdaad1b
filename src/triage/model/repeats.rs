//! Which earlier ticket a ticket repeats: like words, ordered by what was told of earlier repeats.

use std::collections::HashMap;

use super::boost::{Boosted, Group};
use super::words::{Bag, TicketNo};
use super::{DAY, Model, Ticket};

/// Earlier tickets like one, as they stood when it was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Alike {
    pub(super) tickets: Vec<TicketNo>,
    rows: Vec<Vec<f32>>,
}

/// How many like tickets are ordered, and how many of them may come by their titles alone.
const MOST: usize = 40;
const BY_TITLE: usize = 15;
/// From how many known repeats on an order is learned, on how many, and in how many trees at most.
const LEAST_KNOWN: usize = 60;
const FITTED_ON: usize = 800;
const ROUNDS: usize = 80;
/// What a shared component and being new are worth before anything was learned.
const SHARED_COMPONENT: f32 = 1.15;
const NEWNESS: f32 = 0.33;
const NEWNESS_HALF_LIFE_DAYS: f32 = 180.0;

/// The column of the order before anything was learned.
const ROUGH: usize = 0;

/// Tickets that say the same, joined as it becomes known.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    of: HashMap<TicketNo, TicketNo>,
    /// How many tickets a group has, by its first one.
    sizes: HashMap<TicketNo, u32>,
    boosted: Boosted,
}

impl Repeats {
    fn first(&self, ticket: TicketNo) -> TicketNo {
        let mut at = ticket;
        while let Some(of) = self.of.get(&at) {
            at = *of;
        }
        at
    }

    fn join(&mut self, one: TicketNo, other: TicketNo) {
        let (one, other) = (self.first(one), self.first(other));
        if one == other {
            return;
        }
        let (older, newer) = (one.min(other), one.max(other));
        let size = self.size(older) + self.size(newer);
        self.of.insert(newer, older);
        self.sizes.insert(older, size);
    }

    fn size(&self, first: TicketNo) -> u32 {
        self.sizes.get(&first).copied().unwrap_or(1)
    }
}

impl Model {
    /// Takes in that a ticket repeats another one.
    pub fn repeat(&mut self, id: &str, other: &str) {
        if let (Some(&one), Some(&other)) = (self.numbers.get(id), self.numbers.get(other)) {
            self.repeats.join(one, other);
        }
    }

    /// Returns the tickets like one, with what speaks for each of them.
    pub(super) fn alike(&self, ticket: &Ticket, title: &Bag, near: &[(TicketNo, f32)]) -> Alike {
        let own = self.numbers.get(&ticket.id);
        let by_title: HashMap<TicketNo, f32> = self
            .titles
            .like(title, 200)
            .into_iter()
            .filter(|(number, _)| Some(number) != own)
            .collect();
        let mut found: Vec<(TicketNo, f32)> = near.to_vec();
        let mut titled: Vec<(TicketNo, f32)> = by_title
            .iter()
            .filter(|(number, _)| !near.iter().any(|(other, _)| other == *number))
            .map(|(number, score)| (*number, *score))
            .collect();
        titled.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        found.extend(
            titled
                .into_iter()
                .take(BY_TITLE)
                .map(|(number, _)| (number, 0.0)),
        );
        let mut rows: Vec<(TicketNo, Vec<f32>)> = found
            .into_iter()
            .map(|(number, likeness)| {
                let title = by_title.get(&number).copied().unwrap_or(0.0);
                (number, self.row_of(ticket, number, likeness, title))
            })
            .collect();
        rows.sort_by(|a, b| b.1[ROUGH].total_cmp(&a.1[ROUGH]).then(b.0.cmp(&a.0)));
        rows.truncate(MOST);
        let best = rows.first().map_or(1.0, |(_, row)| row[ROUGH].max(1e-6));
        for (rank, (_, row)) in rows.iter_mut().enumerate() {
            row.push(row[ROUGH] / best);
            row.push(1.0 / (rank + 1) as f32);
        }
        let (tickets, rows) = rows.into_iter().unzip();
        Alike { tickets, rows }
    }

    fn row_of(&self, ticket: &Ticket, number: TicketNo, likeness: f32, title: f32) -> Vec<f32> {
        let other = &self.tickets[number as usize];
        let flag = |is: bool| f32::from(u8::from(is));
        let shares = other
            .components
            .iter()
            .any(|component| ticket.components.contains(component));
        let age = (ticket.at - other.at).max(0) as f32 / DAY as f32;
        let newness = 1.0 + NEWNESS * 0.5_f32.powf(age / NEWNESS_HALF_LIFE_DAYS);
        let rough =
            likeness.max(0.6 * title) * newness * if shares { SHARED_COMPONENT } else { 1.0 };
        vec![
            rough,
            likeness,
            title,
            flag(shares),
            flag(other.project == ticket.project),
            flag(other.kind == ticket.kind),
            flag(other.reporter == ticket.reporter),
            age.ln_1p(),
            self.repeats.size(self.repeats.first(number)) as f32,
            (other.commenters.len() as f32).ln_1p(),
        ]
    }

    /// Returns the tickets that one may repeat, best first, with a score that grows with the likeness.
    pub(super) fn order(&self, alike: &Alike) -> Vec<(TicketNo, f32)> {
        let mut found: Vec<(TicketNo, f32)> = alike
            .tickets
            .iter()
            .zip(&alike.rows)
            .map(|(number, row)| {
                let learned = self.repeats.boosted.score(row);
                (*number, row[ROUGH] * learned.exp())
            })
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        found
    }

    /// Learns the order anew from the repeats that are known.
    pub(super) fn fit_repeats(&mut self) {
        let mut groups: Vec<Group> = self
            .tickets
            .iter()
            .enumerate()
            .rev()
            .filter_map(|(number, ticket)| {
                let first = self.repeats.first(number as TicketNo);
                if self.repeats.size(first) < 2 {
                    return None;
                }
                let alike = &ticket.looked.as_ref()?.alike;
                let says_the_same = |other: &TicketNo| self.repeats.first(*other) == first;
                let owner = alike.tickets.iter().position(says_the_same)?;
                let rows = alike.rows.clone();
                Some(Group { rows, owner })
            })
            .take(FITTED_ON)
            .collect();
        if groups.len() < LEAST_KNOWN {
            return;
        }
        groups.reverse();
        let (known, check) = groups.split_at(groups.len() * 80 / 100);
        let rounds = Boosted::fit(known, check, ROUNDS).rounds();
        self.repeats.boosted = Boosted::fit(&groups, &[], rounds);
    }
}
