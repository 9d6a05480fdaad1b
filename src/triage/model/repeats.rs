//! Which earlier ticket a ticket repeats: like words, ordered by what was told of earlier repeats.

use std::collections::HashMap;

use super::boost::{Boosted, Group};
use super::words::{Bag, TicketNo, Words};
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

/// What two bags of words have in common, a word weighing as much as it is rare.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Overlap {
    /// The cosine of the two.
    cosine: f32,
    /// How rare their rarest common word is: an error code, a name.
    rarest: f32,
    /// The weight of the common words, and of all words of the one and of the other.
    shared: f32,
    of_one: f32,
    of_other: f32,
}

impl Overlap {
    fn of(one: &Bag, other: &Bag, words: &Words) -> Overlap {
        let weight = |(word, count): (u32, u32)| words.idf(word) * (1.0 + (count as f32).ln());
        let length = |bag: &Bag| -> f32 {
            let squares = bag.iter().map(|entry| weight(*entry).powi(2));
            squares.sum::<f32>().sqrt()
        };
        let sum = |bag: &Bag| -> f32 { bag.iter().map(|(word, _)| words.idf(*word)).sum() };
        let mut overlap = Overlap {
            of_one: sum(one),
            of_other: sum(other),
            ..Overlap::default()
        };
        let mut product = 0.0;
        let mut rest = other.iter().peekable();
        for (word, count) in one {
            while rest.next_if(|(next, _)| next < word).is_some() {}
            if let Some((_, times)) = rest.next_if(|(next, _)| next == word) {
                let idf = words.idf(*word);
                overlap.shared += idf;
                overlap.rarest = overlap.rarest.max(idf);
                product += weight((*word, *count)) * weight((*word, *times));
            }
        }
        overlap.cosine = product / (length(one) * length(other)).max(1e-6);
        overlap
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
        let text = Overlap::of(&ticket.bag, &other.bag, &self.words);
        let titles = Overlap::of(&ticket.title, &other.title, &self.titles);
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
            text.cosine,
            text.rarest,
            titles.shared / (titles.of_one + titles.of_other - titles.shared).max(1e-6),
            titles.shared / titles.of_other.max(1e-6),
            titles.shared / titles.of_one.max(1e-6),
            titles.rarest,
            flag(other.owner.is_some()),
            (other.bag.len().max(1) as f32 / ticket.bag.len().max(1) as f32).ln(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_texts_share_counts_by_how_rare_it_is() {
        let mut words = Words::default();
        for n in 0..20 {
            let bag = words.bag(&format!("page stays blank number{n}"), "");
            words.add(&bag);
        }
        let of = |one: &str, other: &str, words: &mut Words| {
            let (one, other) = (words.bag(one, ""), words.bag(other, ""));
            Overlap::of(&one, &other, words)
        };
        let same = of("page number3", "page number3", &mut words);
        assert!((same.cosine - 1.0).abs() < 1e-5);
        assert_eq!((same.shared, same.of_one), (same.of_other, same.of_other));
        let rare = of("page number3", "blank number3", &mut words);
        let common = of("page number3", "page number4", &mut words);
        assert!(rare.rarest > 3.0 * common.rarest && rare.cosine > common.cosine);
        let nothing = of("page", "zebra", &mut words);
        assert_eq!((nothing.shared, nothing.cosine), (0.0, 0.0));
    }
}
