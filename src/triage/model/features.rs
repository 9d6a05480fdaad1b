//! What speaks for each candidate of a ticket, as numbers, from what was known when it was opened.

use std::collections::{HashMap, HashSet};

use super::tally::{PersonNo, Seconds, Tally};
use super::words::TicketNo;
use super::{DAY, INACTIVE_DAYS, MOST_CANDIDATES, Model, Of, Ticket, keys_of};

/// The features, in the order of a row.
pub const NAMES: &[&str] = &[
    "owned lately",
    "owned these days",
    "owned in project",
    "owned in component",
    "owned in components",
    "owned in label",
    "owned of kind",
    "owned for reporter",
    "is reporter",
    "reporter takes own",
    "neighbours owned",
    "nearest owned",
    "neighbours commented",
    "neighbours reported",
    "fits the text",
    "fits text and fields",
    "idle days",
    "days since owned",
    "commented lately",
    "commented in component",
    "commented for reporter",
    "owned in all",
    "commented in all",
    "reported lately",
    "named in text",
    "first owner",
    "has a first owner",
    "last for reporter",
    "candidates",
    "component of best",
    "neighbours of best",
    "text of best",
    "lately of best",
    "commented in project",
    "components known",
    "first owner stays",
    "is unowned",
    "given lately",
    "given in component",
    "given in project",
    "commented these days",
    "awake then",
    "owned for reporter there",
    "last ones in component",
    "last ones of reporter",
    "neighbours commented lately",
    "reporter takes own these days",
    "opened with in component",
    "owns a path",
    "alike titles owned",
];

/// How much a neighbour counts that is so many days old.
const NEIGHBOUR_HALF_LIFE_DAYS: f32 = 240.0;
/// The same for who wrote there: what is being worked on has no owner that is known yet.
const LATE_NEIGHBOUR_HALF_LIFE_DAYS: f32 = 30.0;
const NEIGHBOURS: usize = 30;
/// How many tickets with like titles are looked at.
const TITLED: usize = 100;

/// Columns that other columns and the rough order use.
const LATELY: usize = 0;
const COMPONENT: usize = 3;
const REPORTER: usize = 7;
const TAKES_OWN: usize = 9;
const NEAR: usize = 10;
const TEXT: usize = 14;
const META: usize = 15;
const SAID_LATELY: usize = 18;
const SAID_COMPONENT: usize = 19;
const FIRST: usize = 25;
const OPENED_WITH: usize = 47;
const PATH: usize = 48;

/// Returns a first order of the candidates, before anything was fitted.
pub(super) fn rough(row: &[f32]) -> f32 {
    let worth = row[LATELY]
        + 2.0 * row[COMPONENT]
        + row[REPORTER]
        + 1.5 * row[TAKES_OWN]
        + 1.5 * row[NEAR]
        + 1.5 * row[TEXT]
        + 1.5 * row[META]
        + 0.3 * row[SAID_LATELY]
        + 0.5 * row[SAID_COMPONENT]
        + 1.5 * row[FIRST]
        + row[OPENED_WITH]
        + row[PATH];
    1.2 * worth
}

/// Returns what is called by name in a text: words after an @ and whole words, in lower case.
pub(super) fn names_in(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-')))
        .map(|word| word.trim_matches(['.', '-', '_']).to_lowercase())
        .filter(|word| word.len() > 3)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns a name as it may stand in a text: whole and in its parts, in lower case.
pub(super) fn parts_of_name(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let mut parts: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| part.chars().count() >= 3)
        .map(str::to_owned)
        .collect();
    parts.push(name);
    parts
}

/// Returns a text without what is in `names`, handles and addresses.
pub(super) fn masked(text: &str, names: &HashSet<String>) -> String {
    let mut kept = String::with_capacity(text.len());
    for chunk in text.split_whitespace() {
        kept.push(' ');
        if chunk.contains('@') {
            continue;
        }
        // A name of several words is caught by its parts.
        for piece in chunk.split_inclusive(|c: char| !c.is_alphanumeric()) {
            let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
            if !names.contains(&word.to_lowercase()) {
                kept.push_str(piece);
            }
        }
    }
    kept
}

/// Shares of each person in a tally.
struct Shares<'a> {
    tally: Option<&'a Tally>,
    total: f64,
}

impl Shares<'_> {
    fn of(&self, person: PersonNo, now: Seconds) -> f32 {
        // One count more than there is: little is known where little was counted.
        self.tally.map_or(0.0, |tally| {
            (tally.of(person, now) / (self.total + 1.0)) as f32
        })
    }
}

#[derive(Default)]
struct Near {
    owned: HashMap<PersonNo, f32>,
    nearest: HashMap<PersonNo, f32>,
    commented: HashMap<PersonNo, f32>,
    commented_lately: HashMap<PersonNo, f32>,
    reported: HashMap<PersonNo, f32>,
}

impl Model {
    /// Returns the candidates of a ticket with a row of features each.
    pub(super) fn rows_of(
        &self,
        ticket: &Ticket,
        near: &[(TicketNo, f32)],
        names: &[String],
    ) -> (Vec<PersonNo>, Vec<Vec<f32>>) {
        let now = ticket.at;
        let mut people: Vec<PersonNo> = (0..self.people.len() as PersonNo)
            .filter(|person| self.may_be_asked(*person, ticket, now))
            .collect();
        let keys = keys_of(ticket, &self.people);
        let votes = self.votes(ticket, near);
        let by_text = self.by_text.fit(&ticket.vector, &people);
        let by_meta = self.by_meta.fit(&ticket.meta, &people);
        let tallies = |of: Of, said: bool| -> Vec<Shares<'_>> {
            let from = if said { &self.said } else { &self.owned };
            keys.iter()
                .filter(|key| key.0 == of)
                .map(|key| {
                    let tally = from.get(key);
                    Shares {
                        total: tally.map_or(0.0, |tally| tally.total(now)),
                        tally,
                    }
                })
                .collect()
        };
        let owned = [
            Of::Everything,
            Of::Lately,
            Of::Project,
            Of::Component,
            Of::Label,
            Of::Kind,
            Of::Reporter,
            Of::ReporterThere,
        ]
        .map(|of| tallies(of, false));
        let said =
            [Of::Everything, Of::Component, Of::Reporter, Of::Project].map(|of| tallies(of, true));
        let given = [Of::Everything, Of::Component, Of::Project].map(|of| -> Vec<Shares<'_>> {
            keys.iter()
                .filter(|key| key.0 == of)
                .map(|key| {
                    let tally = self.given.get(key);
                    Shares {
                        total: tally.map_or(0.0, |tally| tally.total(now)),
                        tally,
                    }
                })
                .collect()
        });
        let said_now = self.said_now.total(now) + 1.0;
        let most = |shares: &[Shares<'_>], person| {
            shares
                .iter()
                .map(|shares| shares.of(person, now))
                .fold(0.0, f32::max)
        };
        let stays = ticket.first_owner.map_or(0.0, |first| {
            let (stayed, all) = self.stays.get(&first).copied().unwrap_or((0.0, 0.0));
            ((stayed + 1.0) / (all + 2.0)) as f32
        });
        let by_title = self.votes(ticket, &self.titled(ticket));
        let opened_with: Vec<Shares<'_>> = ticket
            .components
            .iter()
            .map(|name| {
                let tally = self.opened_with.get(name);
                Shares {
                    total: tally.map_or(0.0, |tally| tally.total(now)),
                    tally,
                }
            })
            .collect();
        let takes = |shares: &HashMap<PersonNo, (f64, f64)>| {
            let of_reporter = ticket.reporter.map(|reporter| shares.get(&reporter));
            of_reporter.map_or(0.0, |known| {
                let (own, all) = known.copied().unwrap_or((0.0, 0.0));
                ((own + 0.6) / (all + 3.0)) as f32
            })
        };
        let (takes_own, takes_now) = (takes(&self.takes_own), takes(&self.takes_own_now));
        let reported_total = self.opened.total(now) + 1.0;
        let count = people.len() as f32;
        let mut rows: Vec<Vec<f32>> = people
            .iter()
            .enumerate()
            .map(|(n, &person)| {
                let known = &self.people[person as usize];
                let is_reporter = ticket.reporter == Some(person);
                let days = |at: Option<Seconds>| {
                    at.map_or(8.0, |at| ((now - at).max(0) as f32 / DAY as f32).ln_1p())
                };
                let vote =
                    |votes: &HashMap<PersonNo, f32>| votes.get(&person).copied().unwrap_or(0.0);
                let components: f32 = owned[3].iter().map(|shares| shares.of(person, now)).sum();
                let is_named = names.binary_search(&known.name.to_lowercase()).is_ok();
                vec![
                    most(&owned[0], person),
                    most(&owned[1], person),
                    most(&owned[2], person),
                    most(&owned[3], person),
                    components / owned[3].len().max(1) as f32,
                    most(&owned[4], person),
                    most(&owned[5], person),
                    most(&owned[6], person),
                    f32::from(u8::from(is_reporter)),
                    if is_reporter { takes_own } else { -takes_own },
                    vote(&votes.owned),
                    vote(&votes.nearest),
                    vote(&votes.commented),
                    vote(&votes.reported),
                    by_text[n],
                    by_meta[n],
                    days(known.last_active),
                    days(known.last_owned),
                    most(&said[0], person),
                    most(&said[1], person),
                    most(&said[2], person),
                    (known.owned as f32).ln_1p(),
                    (known.commented as f32).ln_1p(),
                    (self.opened.of(person, now) / reported_total) as f32,
                    f32::from(u8::from(is_named)),
                    f32::from(u8::from(ticket.first_owner == Some(person))),
                    f32::from(u8::from(ticket.first_owner.is_some())),
                    f32::from(u8::from(
                        ticket
                            .reporter
                            .and_then(|reporter| self.last_for.get(&reporter))
                            == Some(&person),
                    )),
                    count,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    most(&said[3], person),
                    owned[3]
                        .iter()
                        .map(|shares| shares.total as f32)
                        .fold(0.0, f32::max)
                        .ln_1p(),
                    if ticket.first_owner == Some(person) {
                        stays
                    } else {
                        -stays
                    },
                    f32::from(u8::from(ticket.is_unowned)),
                    most(&given[0], person),
                    most(&given[1], person),
                    most(&given[2], person),
                    (self.said_now.of(person, now) / said_now) as f32,
                    self.awake(person, now),
                    most(&owned[7], person),
                    self.last_ones(&keys, Of::Component, person),
                    self.last_ones(&keys, Of::Reporter, person),
                    vote(&votes.commented_lately),
                    if is_reporter { takes_now } else { -takes_now },
                    most(&opened_with, person),
                    f32::from(u8::from(ticket.path_owners.contains(&person))),
                    vote(&by_title.owned),
                ]
            })
            .collect();
        keep_best(&mut people, &mut rows);
        for (column, of) in [(29, COMPONENT), (30, NEAR), (31, TEXT), (32, LATELY)] {
            let best = rows.iter().map(|row| row[of]).fold(1e-6, f32::max);
            for row in &mut rows {
                row[column] = row[of] / best;
            }
        }
        (people, rows)
    }

    /// Returns the tickets with titles most like a ticket's, without itself.
    fn titled(&self, ticket: &Ticket) -> Vec<(TicketNo, f32)> {
        let own = self.numbers.get(&ticket.id);
        let mut titled = self.titles.like(&ticket.title, TITLED);
        titled.retain(|(number, _)| Some(number) != own);
        titled
    }

    /// Returns which share somebody has of the last few tickets of a component, or of the reporter.
    fn last_ones(&self, keys: &[(Of, String)], of: Of, person: PersonNo) -> f32 {
        let latest = keys.iter().filter(|key| key.0 == of);
        latest
            .filter_map(|key| self.latest.get(key))
            .map(|latest| {
                let own = latest.iter().filter(|owner| **owner == person).count();
                own as f32 / (latest.len() + 1) as f32
            })
            .fold(0.0, f32::max)
    }

    /// Returns which share of somebody's deeds falls into the eight hours from this time of the day.
    fn awake(&self, person: PersonNo, now: Seconds) -> f32 {
        let Some(hours) = self.hours.get(&person) else {
            return 0.33;
        };
        let first = (now.rem_euclid(DAY) / 3_600) as usize;
        let ahead: f32 = (0..8).map(|n| hours[(first + n) % 24]).sum();
        (ahead + 1.0) / (hours.iter().sum::<f32>() + 3.0)
    }

    fn may_be_asked(&self, person: PersonNo, ticket: &Ticket, now: Seconds) -> bool {
        let known = &self.people[person as usize];
        if known.is_placeholder {
            return false;
        }
        let is_active = known
            .last_active
            .is_some_and(|last| now - last <= INACTIVE_DAYS * DAY);
        if ticket.reporter == Some(person) {
            return true;
        }
        if ticket.first_owner == Some(person) {
            return is_active || known.last_active.is_none();
        }
        let is_of_use = known.owned > 0 || known.commented >= 5;
        is_active && (is_of_use || ticket.path_owners.contains(&person))
    }

    fn votes(&self, ticket: &Ticket, near: &[(TicketNo, f32)]) -> Near {
        let mut votes = Near::default();
        let mut with_owner = 0;
        for (n, (number, score)) in near.iter().enumerate() {
            let other = &self.tickets[*number as usize];
            let age = (ticket.at - other.at).max(0) as f32 / DAY as f32;
            let vote = score * score * 0.5_f32.powf(age / NEIGHBOUR_HALF_LIFE_DAYS);
            let late = score * score * 0.5_f32.powf(age / LATE_NEIGHBOUR_HALF_LIFE_DAYS);
            if let Some(owner) = other.owner
                && with_owner < NEIGHBOURS
            {
                with_owner += 1;
                *votes.owned.entry(owner).or_default() += vote;
                let nearest = votes.nearest.entry(owner).or_default();
                *nearest = nearest.max(*score);
            }
            if n < NEIGHBOURS {
                for person in &other.commenters {
                    *votes.commented.entry(*person).or_default() += vote;
                    *votes.commented_lately.entry(*person).or_default() += late;
                }
                if let Some(reporter) = other.reporter {
                    *votes.reported.entry(reporter).or_default() += vote;
                }
            }
        }
        for shares in [
            &mut votes.owned,
            &mut votes.commented,
            &mut votes.commented_lately,
            &mut votes.reported,
        ] {
            let mut all: Vec<f32> = shares.values().copied().collect();
            all.sort_by(f32::total_cmp);
            let sum = all.iter().sum::<f32>() + 1e-6;
            for share in shares.values_mut() {
                *share /= sum;
            }
        }
        votes
    }
}

/// Keeps the candidates that the rough order puts first.
fn keep_best(people: &mut Vec<PersonNo>, rows: &mut Vec<Vec<f32>>) {
    let mut order: Vec<usize> = (0..people.len()).collect();
    order.sort_by(|a, b| {
        rough(&rows[*b])
            .total_cmp(&rough(&rows[*a]))
            .then(people[*a].cmp(&people[*b]))
    });
    order.truncate(MOST_CANDIDATES);
    *people = order.iter().map(|n| people[*n]).collect();
    *rows = order
        .iter()
        .map(|n| std::mem::take(&mut rows[*n]))
        .collect();
}
