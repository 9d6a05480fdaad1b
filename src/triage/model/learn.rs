//! What the memory takes in, step by step: openings, comments, deeds and owners.

use super::super::past::Step;
use super::fit::{FITTED_ON, Outcome};
use super::tally::{PersonNo, Seconds, Tally};
use super::{DAY, Model, Of, Opened, Ticket, evidence, keys_of};

impl Model {
    pub(super) fn keep(&mut self, ticket: Ticket, opened: &Opened) {
        let number = self.words.add(&ticket.bag);
        self.titles.add(&ticket.title);
        self.numbers.insert(ticket.id.clone(), number);
        if let Some(reporter) = ticket.reporter {
            self.opened.add(reporter, 1.0, opened.at);
            self.touch(reporter, opened.at);
        }
        if let Some(first) = ticket.first_owner {
            for name in &ticket.components {
                self.opened_with
                    .entry(name.clone())
                    .or_insert_with(|| Tally::new(half_life(Of::Component)))
                    .add(first, 1.0, opened.at);
            }
        }
        self.tickets.push(ticket);
        // Far more than that have no known owner yet only where hardly any have one.
        if let Some(old) = self.tickets.len().checked_sub(2 * FITTED_ON)
            && let Some(looked) = &mut self.tickets[old].looked
        {
            (looked.people, looked.rows) = (Vec::new(), Vec::new());
        }
        if let Some(old) = self.tickets.len().checked_sub(4 * FITTED_ON) {
            self.tickets[old].looked = None;
        }
    }

    /// Takes in a ticket as opened, without a look at who might take it: for what is too old to be learned from so.
    pub fn remember(&mut self, opened: &Opened) {
        let ticket = self.ticket_of(opened);
        self.keep(ticket, opened);
    }

    /// Takes in what was just heard: an opening with a look at who might take it, an owner only once.
    pub fn meet(&mut self, at: Seconds, step: &Step) {
        match step {
            Step::Opened(opened) if self.numbers.contains_key(&opened.id) => {}
            Step::Opened(opened) => {
                self.open(opened);
            }
            Step::Owned { id, by } => {
                let number = self.numbers.get(id);
                let owner = number.and_then(|number| self.tickets[*number as usize].owner);
                if owner.is_none() || owner != self.by_name.get(by).copied() {
                    self.own(id, by, at);
                }
            }
            other => self.follow(at, other),
        }
    }

    /// Takes in that somebody did something.
    pub fn act(&mut self, by: &str, at: Seconds) {
        // Accounts that were never met otherwise may be written another way in the history.
        if let Some(person) = self.by_name.get(by) {
            self.touch(*person, at);
        }
    }

    /// Takes a comment in.
    pub fn comment(&mut self, id: &str, by: &str, at: Seconds) {
        let Some(&number) = self.numbers.get(id) else {
            return;
        };
        let person = self.person(by);
        if self.people[person as usize].is_placeholder {
            return;
        }
        self.touch(person, at);
        self.people[person as usize].commented += 1;
        self.said_now.add(person, 1.0, at);
        let ticket = &mut self.tickets[number as usize];
        if !ticket.commenters.contains(&person) {
            ticket.commenters.push(person);
        }
        if ticket.reporter == Some(person) {
            return;
        }
        for key in keys_of(ticket, &self.people) {
            let days = if key.0 == Of::Everything { 30.0 } else { 60.0 };
            self.said
                .entry(key)
                .or_insert_with(|| Tally::new(days))
                .add(person, 1.0, at);
        }
    }

    /// Takes in whose a ticket is, as it became known at an instant.
    pub fn own(&mut self, id: &str, by: &str, at: Seconds) {
        let Some(&number) = self.numbers.get(id) else {
            return;
        };
        let person = self.person(by);
        if self.people[person as usize].is_placeholder {
            return;
        }
        self.touch(person, at);
        let known = &mut self.people[person as usize];
        known.owned += 1;
        known.last_owned = Some(known.last_owned.map_or(at, |last| last.max(at)));
        let ticket = &mut self.tickets[number as usize];
        ticket.owner = Some(person);
        if let Some(reporter) = ticket.reporter {
            for (shares, kept) in [(&mut self.takes_own, 0.95), (&mut self.takes_own_now, 0.75)] {
                let (own, all) = shares.entry(reporter).or_insert((0.0, 0.0));
                *own = *own * kept + f64::from(u8::from(reporter == person));
                *all = *all * kept + 1.0;
            }
            if reporter != person {
                self.last_for.insert(reporter, person);
            }
        }
        if let Some(first) = ticket.first_owner {
            let (stayed, all) = self.stays.entry(first).or_insert((0.0, 0.0));
            (*stayed, *all) = (*stayed * 0.95, *all * 0.95 + 1.0);
            if first == person {
                *stayed += 1.0;
            }
        }
        let is_own = ticket.reporter == Some(person);
        for key in keys_of(ticket, &self.people) {
            if key.0 == Of::Reporter && is_own {
                continue;
            }
            if matches!(key.0, Of::Component | Of::Reporter) {
                let latest = self.latest.entry(key.clone()).or_default();
                latest.push_back(person);
                if latest.len() > evidence::LATEST {
                    latest.pop_front();
                }
            }
            let days = half_life(key.0);
            if !is_own && matches!(key.0, Of::Everything | Of::Component | Of::Project) {
                self.given
                    .entry(key.clone())
                    .or_insert_with(|| Tally::new(days))
                    .add(person, 1.0, at);
            }
            self.owned
                .entry(key)
                .or_insert_with(|| Tally::new(days))
                .add(person, 1.0, at);
        }
        let (vector, meta) = (ticket.vector.clone(), ticket.meta.clone());
        if let Some(looked) = &ticket.looked
            && let Some((said, first)) = looked.said
        {
            self.outcomes.push(Outcome {
                slice: (ticket.reporter == Some(first), ticket.is_unowned),
                said,
                is_right: first == person,
                opened: ticket.at,
                known: at,
                area: ticket.components.first().cloned(),
            });
        }
        let among = self.active(at, 365);
        self.by_text.learn(vector, person, &among);
        self.by_meta.learn(meta, person, &among);
    }

    fn touch(&mut self, person: PersonNo, at: Seconds) {
        let hour = (at.rem_euclid(DAY) / 3_600) as usize;
        let hours = self.hours.entry(person).or_insert([0.0; 24]);
        for count in hours.iter_mut() {
            *count *= 0.995;
        }
        hours[hour] += 1.0;
        let known = &mut self.people[person as usize];
        known.last_active = Some(known.last_active.map_or(at, |last| last.max(at)));
    }
}

fn half_life(of: Of) -> f64 {
    match of {
        Of::Everything => 45.0,
        Of::Lately => 12.0,
        Of::Reporter | Of::ReporterThere => 180.0,
        Of::Project | Of::Component | Of::Label | Of::Kind => 90.0,
    }
}
