//! Why somebody is suggested, in facts that can be looked up.

use super::tally::{PersonNo, Seconds};
use super::words::TicketNo;
use super::{Model, Of, Opened, Ticket, keys_of};
use crate::model::suggestion::Evidence;

/// How many of a component's or a reporter's last tickets are counted.
pub(super) const LATEST: usize = 9;
/// The least likeness, and the least share of the last tickets, that is worth saying.
const LEAST_LIKENESS: f32 = 0.2;
const LEAST_SHARE: f32 = 0.3;
/// How many reasons a candidate gets.
const MOST: usize = 3;
/// Among how many of the tickets like it one is looked for.
const NEAR: usize = 40;

/// A ticket and the tickets like it, to look for reasons in.
pub struct Grounds {
    ticket: Ticket,
    near: Vec<(TicketNo, f32)>,
}

impl Model {
    /// Returns what reasons are looked for in.
    pub fn grounds(&mut self, opened: &Opened) -> Grounds {
        let ticket = self.ticket_of(opened);
        let near = self.near(&ticket);
        Grounds { ticket, near }
    }

    /// Returns the same for words from elsewhere: those that no ticket has make nothing less alike.
    pub fn grounds_of_words(&mut self, opened: &Opened) -> Grounds {
        let mut ticket = self.ticket_of(opened);
        ticket.bag.retain(|(word, _)| self.words.is_known(*word));
        let near = self.near(&ticket);
        Grounds { ticket, near }
    }

    /// Returns how many of the tickets like it somebody owned; `may_cite` says which tickets count.
    pub fn owned_like(
        &self,
        grounds: &Grounds,
        person: &str,
        may_cite: impl Fn(&str) -> bool,
    ) -> usize {
        let Some(&person) = self.by_name.get(person) else {
            return 0;
        };
        let near = grounds.near.iter().take(NEAR);
        near.filter(|(number, likeness)| {
            let ticket = &self.tickets[*number as usize];
            *likeness >= LEAST_LIKENESS && ticket.owner == Some(person) && may_cite(&ticket.id)
        })
        .count()
    }

    /// Returns the strongest reasons for somebody, best first; `may_cite` says which tickets may be named.
    pub fn evidence(
        &self,
        grounds: &Grounds,
        opened: &Opened,
        person: &str,
        may_cite: impl Fn(&str) -> bool,
    ) -> Vec<Evidence> {
        let path = opened.path_owners.iter().find(|(owner, _)| owner == person);
        let Some(&person) = self.by_name.get(person) else {
            return Vec::new();
        };
        let citable: Vec<(TicketNo, f32)> = grounds
            .near
            .iter()
            .take(NEAR)
            .filter(|(number, likeness)| {
                *likeness >= LEAST_LIKENESS && may_cite(&self.tickets[*number as usize].id)
            })
            .copied()
            .collect();
        let mut found: Vec<(f32, Evidence)> = Vec::new();
        let owned = |number: TicketNo| self.tickets[number as usize].owner == Some(person);
        if let Some((number, likeness)) = citable.iter().find(|(number, _)| owned(*number)) {
            let (ticket, at) = self.named(*number);
            let likeness = *likeness;
            found.push((
                likeness + 0.2,
                Evidence::OwnedLike {
                    ticket,
                    likeness,
                    at,
                },
            ));
        }
        let wrote = |number: TicketNo| self.tickets[number as usize].commenters.contains(&person);
        let wrote = citable
            .iter()
            .find(|(number, _)| wrote(*number) && !owned(*number));
        if let Some((number, likeness)) = wrote {
            let (ticket, at) = self.named(*number);
            let likeness = *likeness;
            found.push((
                likeness - 0.1,
                Evidence::WroteOnLike {
                    ticket,
                    likeness,
                    at,
                },
            ));
        }
        if let Some((_, path)) = path {
            let path = path.clone();
            found.push((0.6, Evidence::OwnsPath { path }));
        }
        self.add_counts(&grounds.ticket, person, &mut found);
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(MOST);
        found.into_iter().map(|(_, evidence)| evidence).collect()
    }

    fn add_counts(&self, ticket: &Ticket, person: PersonNo, found: &mut Vec<(f32, Evidence)>) {
        for key in keys_of(ticket, &self.people) {
            let Some(latest) = self.latest.get(&key) else {
                continue;
            };
            let (count, of) = (
                latest.iter().filter(|owner| **owner == person).count(),
                latest.len(),
            );
            let share = count as f32 / of as f32;
            if count < 2 || share < LEAST_SHARE {
                continue;
            }
            match key.0 {
                Of::Component => {
                    let name = key.1;
                    found.push((share + 0.1, Evidence::OwnsComponent { name, count, of }));
                }
                Of::Reporter => found.push((share, Evidence::OwnsReporters { count, of })),
                _ => {}
            }
        }
        if ticket.reporter == Some(person)
            && let Some((own, all)) = self.takes_own.get(&person)
            && *all >= 2.0
        {
            let share = (own / all) as f32;
            if share >= LEAST_SHARE {
                found.push((share, Evidence::TakesOwn { share }));
            }
        }
        if ticket.first_owner == Some(person) {
            found.push((0.5, Evidence::OpenedWith));
        }
    }

    fn named(&self, number: TicketNo) -> (String, Seconds) {
        let ticket = &self.tickets[number as usize];
        (ticket.id.clone(), ticket.at)
    }
}
