//! The memory of a tracker and what it says about a new ticket: who might take it, which area it belongs to, what it
//! repeats. It is fed event by event in the order in which things became known, and learns only from what it was fed.

pub mod boost;
pub mod calibrate;
pub mod tally;
pub mod text;
pub mod words;

mod evidence;
mod features;
mod repeats;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use boost::{Boosted, Group};
use calibrate::Calibration;
use tally::{PersonNo, Seconds, Tally};
use text::{TextModel, TextVector, softmax};
use words::{Bag, TicketNo, Words};

pub use evidence::Grounds;
pub use features::NAMES as FEATURE_NAMES;

/// A ticket as it was opened.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The tracker's id.
    pub id: String,
    /// The project or product.
    pub project: String,
    /// `bug`, `improvement` …
    pub kind: String,
    /// The title.
    pub title: String,
    /// The description.
    pub body: String,
    /// Who reported it.
    pub reporter: Option<String>,
    /// Components.
    pub components: Vec<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// Who owned it from the first moment, where the tracker tells; team inboxes left out.
    pub first_owner: Option<String>,
    /// Whether the tracker tells that nobody did.
    pub is_unowned: bool,
    /// Accounts that an owners file names for the paths in the text, each with a path.
    pub path_owners: Vec<(String, String)>,
    /// When it was opened.
    pub at: Seconds,
}

/// Somebody who might take a ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The account.
    pub person: String,
    /// The share of what the model knows that speaks for them; the first one's is calibrated, the rest follow in proportion.
    pub probability: f32,
    /// The features the share comes from, as [`FEATURE_NAMES`] names them.
    pub features: Vec<f32>,
}

/// What the memory says about a ticket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advice {
    /// Candidates, best first.
    pub owners: Vec<Ranked>,
    /// Earlier tickets it may repeat, best first, with a score.
    pub duplicates: Vec<(String, f32)>,
    /// Components with their probability, best first.
    pub areas: Vec<(String, f32)>,
    /// Earlier tickets like it with their owners and likeness, best first.
    pub like_it: Vec<(String, Option<String>, f32)>,
    /// Whether the first probability reaches the threshold for the target precision.
    pub is_confident: bool,
}

/// Who is no candidate after so many days without a word.
pub const INACTIVE_DAYS: i64 = 90;
/// Candidates the re-ranker looks at.
const MOST_CANDIDATES: usize = 24;
/// How many of the latest known owners the re-ranker is fitted on, and its greatest number of trees.
const FITTED_ON: usize = 5_000;
const ROUNDS: usize = 300;
/// Every so many refits it is found out anew how many trees are enough.
const CHECKED_EVERY: usize = 5;
/// How many outcomes the probabilities are calibrated on, and how many a slice of them needs for itself.
const CALIBRATED_ON: usize = 2_500;
const LEAST_SLICE: usize = 300;
/// How many outcomes there have to be before anything is answered.
const LEAST_JUDGED: usize = 40;
/// Tickets younger than this are left out: those that have an owner already are the easy ones.
const SETTLED_DAYS: i64 = 30;
/// After so many tickets opened later an outcome counts half.
const OUTCOMES_HALVE: f32 = 600.0;

const DAY: Seconds = 86_400;

struct Ticket {
    id: String,
    components: Vec<String>,
    project: String,
    labels: Vec<String>,
    kind: String,
    reporter: Option<PersonNo>,
    owner: Option<PersonNo>,
    commenters: Vec<PersonNo>,
    bag: Bag,
    title: Bag,
    vector: TextVector,
    meta: TextVector,
    at: Seconds,
    is_unowned: bool,
    first_owner: Option<PersonNo>,
    /// The candidates as they stood when the ticket was opened, until the ticket is too old to learn from.
    looked: Option<Looked>,
}

struct Looked {
    people: Vec<PersonNo>,
    rows: Vec<Vec<f32>>,
    alike: repeats::Alike,
    /// The uncalibrated share of the first, and who that was; none before the first fit.
    said: Option<(f32, PersonNo)>,
}

#[derive(Clone, Debug, Default)]
struct Person {
    name: String,
    is_placeholder: bool,
    last_active: Option<Seconds>,
    last_owned: Option<Seconds>,
    owned: u32,
    commented: u32,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Of {
    Everything,
    Lately,
    Project,
    Component,
    Label,
    Kind,
    Reporter,
}

/// The memory of one tracker.
pub struct Model {
    words: Words,
    titles: Words,
    repeats: repeats::Repeats,
    tickets: Vec<Ticket>,
    numbers: HashMap<String, TicketNo>,
    people: Vec<Person>,
    by_name: HashMap<String, PersonNo>,
    owned: HashMap<(Of, String), Tally>,
    said: HashMap<(Of, String), Tally>,
    /// Owned and not reported by the owner.
    given: HashMap<(Of, String), Tally>,
    said_now: Tally,
    /// Deeds by hour of the day, UTC.
    hours: HashMap<PersonNo, [f32; 24]>,
    opened: Tally,
    takes_own: HashMap<PersonNo, (f64, f64)>,
    last_for: HashMap<PersonNo, PersonNo>,
    /// How often a first owner stayed the owner, and how often they were one.
    stays: HashMap<PersonNo, (f64, f64)>,
    /// The owners of the last tickets of a component or a reporter, the latest last.
    latest: HashMap<(Of, String), VecDeque<PersonNo>>,
    /// What the people are called, whole and in parts, in lower case.
    names: HashSet<String>,
    by_text: TextModel,
    by_meta: TextModel,
    boosted: Boosted,
    rounds: usize,
    refits: usize,
    outcomes: Vec<Outcome>,
    calibrations: HashMap<Slice, Calibration>,
    threshold: f32,
    /// Of the settled outcomes that reach the threshold: how many an area has, and how many were right.
    answered: HashMap<String, (usize, usize)>,
    is_calibrated: bool,
    target: f32,
}

/// Whether the first candidate was the reporter, and whether the ticket was known to have no owner.
type Slice = (bool, bool);

struct Outcome {
    slice: Slice,
    said: f32,
    is_right: bool,
    opened: Seconds,
    area: Option<String>,
}

impl Model {
    /// Makes an empty memory that answers where at least `target` of its answers should be right.
    pub fn new(target: f32) -> Model {
        Model {
            words: Words::default(),
            titles: Words::default(),
            repeats: repeats::Repeats::default(),
            tickets: Vec::new(),
            numbers: HashMap::new(),
            people: Vec::new(),
            by_name: HashMap::new(),
            owned: HashMap::new(),
            said: HashMap::new(),
            given: HashMap::new(),
            said_now: Tally::new(7.0),
            hours: HashMap::new(),
            opened: Tally::new(90.0),
            takes_own: HashMap::new(),
            last_for: HashMap::new(),
            stays: HashMap::new(),
            latest: HashMap::new(),
            names: HashSet::new(),
            by_text: TextModel::default(),
            by_meta: TextModel::default(),
            boosted: Boosted::default(),
            rounds: 0,
            refits: 0,
            outcomes: Vec::new(),
            calibrations: HashMap::new(),
            threshold: 1.0,
            answered: HashMap::new(),
            is_calibrated: false,
            target,
        }
    }

    /// Marks an account as a team inbox or a program: it is never learned from and never suggested.
    pub fn exclude(&mut self, name: &str) {
        let person = self.person(name);
        self.people[person as usize].is_placeholder = true;
    }

    /// Returns what the memory says about a ticket that is opened now.
    pub fn advise(&mut self, opened: &Opened) -> Advice {
        let (advice, _) = self.look_at(opened);
        advice
    }

    /// Takes a ticket in as opened, and returns what the memory said about it just before.
    pub fn open(&mut self, opened: &Opened) -> Advice {
        let (advice, ticket) = self.look_at(opened);
        self.keep(ticket, opened);
        advice
    }

    fn keep(&mut self, ticket: Ticket, opened: &Opened) {
        let number = self.words.add(&ticket.bag);
        self.titles.add(&ticket.title);
        self.numbers.insert(ticket.id.clone(), number);
        if let Some(reporter) = ticket.reporter {
            self.opened.add(reporter, 1.0, opened.at);
            self.touch(reporter, opened.at);
        }
        self.tickets.push(ticket);
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
    pub fn meet(&mut self, at: Seconds, step: &super::past::Step) {
        use super::past::Step;
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
            let (own, all) = self.takes_own.entry(reporter).or_insert((0.0, 0.0));
            (*own, *all) = (*own * 0.95, *all * 0.95 + 1.0);
            if reporter == person {
                *own += 1.0;
            } else {
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
                area: ticket.components.first().cloned(),
            });
        }
        let among = self.active(at, 365);
        self.by_text.learn(vector, person, &among);
        self.by_meta.learn(meta, person, &among);
    }

    /// Fits the re-ranker, the probabilities and the threshold anew on what is known.
    pub fn refit(&mut self, now: Seconds) {
        if self.refits.is_multiple_of(CHECKED_EVERY) {
            self.fit_repeats();
        }
        let mut groups: Vec<Group> = self
            .tickets
            .iter()
            .rev()
            .filter_map(|ticket| {
                let looked = ticket.looked.as_ref()?;
                let owner = ticket.owner?;
                let owner = looked.people.iter().position(|person| *person == owner)?;
                Some(Group {
                    rows: looked.rows.clone(),
                    owner,
                })
            })
            .take(FITTED_ON)
            .collect();
        if groups.len() < 100 {
            return;
        }
        groups.reverse();
        // The latest ones say how many trees are enough, and are then learned from like the rest.
        if self.refits.is_multiple_of(CHECKED_EVERY) {
            let (known, check) = groups.split_at(groups.len() * 85 / 100);
            self.rounds = Boosted::fit(known, check, ROUNDS).rounds();
        }
        self.refits += 1;
        self.boosted = Boosted::fit(&groups, &[], self.rounds);
        self.calibrate(now);
    }

    /// Holds the probabilities and the threshold against what became known since.
    pub fn calibrate(&mut self, now: Seconds) {
        let from = self.outcomes.len().saturating_sub(2 * CALIBRATED_ON);
        self.outcomes.drain(..from);
        let mut settled: Vec<&Outcome> = self
            .outcomes
            .iter()
            .filter(|outcome| now - outcome.opened >= SETTLED_DAYS * DAY)
            .collect();
        settled.sort_by_key(|outcome| outcome.opened);
        let settled = &settled[settled.len().saturating_sub(CALIBRATED_ON)..];
        let weighed: Vec<(Slice, (f32, bool, f32))> = settled
            .iter()
            .rev()
            .enumerate()
            .map(|(n, outcome)| {
                let weight = 0.5_f32.powf(n as f32 / OUTCOMES_HALVE);
                (outcome.slice, (outcome.said, outcome.is_right, weight))
            })
            .collect();
        let all = Calibration::fit(
            &weighed
                .iter()
                .map(|(_, outcome)| *outcome)
                .collect::<Vec<_>>(),
        );
        self.calibrations.clear();
        let mut judged: Vec<(f32, bool)> = Vec::new();
        for slice in [(false, false), (false, true), (true, false), (true, true)] {
            let of_slice: Vec<(f32, bool, f32)> = weighed
                .iter()
                .filter(|(of, _)| *of == slice)
                .map(|(_, outcome)| *outcome)
                .collect();
            let fitted = if of_slice.len() >= LEAST_SLICE {
                Calibration::fit(&of_slice)
            } else {
                all
            };
            judged.extend(
                of_slice
                    .iter()
                    .map(|(said, is_right, _)| (fitted.probability(*said), *is_right)),
            );
            self.calibrations.insert(slice, fitted);
        }
        self.is_calibrated = judged.len() >= LEAST_JUDGED;
        self.threshold = threshold_for(judged, self.target);
        self.answered.clear();
        for outcome in settled {
            let fitted = self.calibrations.get(&outcome.slice).unwrap_or(&all);
            if let Some(area) = &outcome.area
                && fitted.probability(outcome.said) >= self.threshold
            {
                let (answered, right) = self.answered.entry(area.clone()).or_default();
                *answered += 1;
                *right += usize::from(outcome.is_right);
            }
        }
    }

    /// Returns how many of the settled tickets of an area would have been answered, and how many of the answers were right.
    pub fn answered_in(&self, area: &str) -> (usize, usize) {
        self.answered.get(area).copied().unwrap_or_default()
    }

    /// Returns the probability from which the memory answers; 1 while too little is known.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Returns whether outcomes were there to hold the probabilities against.
    pub fn is_calibrated(&self) -> bool {
        self.is_calibrated
    }

    fn ticket_of(&mut self, opened: &Opened) -> Ticket {
        let reporter = opened.reporter.as_deref().map(|name| self.person(name));
        let first_owner = opened.first_owner.as_deref().map(|name| self.person(name));
        let (title, body) = if self.is_trusted(reporter) {
            (Cow::from(&opened.title), Cow::from(&opened.body))
        } else {
            let masked = |text: &str| features::masked(text, &self.names);
            (masked(&opened.title).into(), masked(&opened.body).into())
        };
        let bag = self.words.bag(&title, &body);
        let title = self.titles.bag(&title, "");
        let mut also: Vec<String> = Vec::new();
        also.extend(opened.components.iter().map(|name| format!("c:{name}")));
        also.extend(opened.reporter.iter().map(|name| format!("r:{name}")));
        also.push(format!("p:{}", opened.project));
        also.push(format!("k:{}", opened.kind));
        Ticket {
            id: opened.id.clone(),
            components: opened.components.clone(),
            project: opened.project.clone(),
            labels: opened.labels.clone(),
            kind: opened.kind.clone(),
            reporter,
            owner: None,
            commenters: Vec::new(),
            vector: TextModel::vector(&self.words, &bag, &[]),
            meta: TextModel::vector(&self.words, &bag, &also),
            bag,
            title,
            at: opened.at,
            is_unowned: opened.is_unowned,
            first_owner,
            looked: None,
        }
    }

    /// Returns the tickets most like one, without itself.
    fn near(&self, ticket: &Ticket) -> Vec<(TicketNo, f32)> {
        let own = self.numbers.get(&ticket.id);
        let mut near = self.words.like(&ticket.bag, 200);
        near.retain(|(number, _)| Some(number) != own);
        near
    }

    fn look_at(&mut self, opened: &Opened) -> (Advice, Ticket) {
        let mut ticket = self.ticket_of(opened);
        let reporter = ticket.reporter;
        let near = self.near(&ticket);
        let names = if self.is_trusted(reporter) {
            features::names_in(&format!("{} {}", opened.title, opened.body))
        } else {
            Vec::new()
        };
        let (people, rows) = self.rows_of(&ticket, &near, &names);
        let scores: Vec<f32> = if self.boosted.is_empty() {
            rows.iter().map(|row| features::rough(row)).collect()
        } else {
            rows.iter().map(|row| self.boosted.score(row)).collect()
        };
        let shares = softmax(scores.into_iter());
        let mut order: Vec<usize> = (0..people.len()).collect();
        order.sort_by(|a, b| {
            shares[*b]
                .total_cmp(&shares[*a])
                .then(people[*a].cmp(&people[*b]))
        });
        let said = order.first().map(|first| (shares[*first], people[*first]));
        let slice = (
            said.is_some_and(|(_, first)| reporter == Some(first)),
            opened.is_unowned,
        );
        let probability = said.map_or(0.0, |(share, _)| {
            self.calibrations
                .get(&slice)
                .map_or(share, |fitted| fitted.probability(share))
        });
        let scale = said.map_or(1.0, |(share, _)| probability / share.max(1e-6));
        let owners = order
            .iter()
            .map(|n| Ranked {
                person: self.people[people[*n] as usize].name.clone(),
                probability: (shares[*n] * scale).min(1.0),
                features: rows[*n].clone(),
            })
            .collect();
        let alike = self.alike(&ticket, &ticket.title, &near);
        let advice = Advice {
            owners,
            duplicates: self
                .order(&alike)
                .into_iter()
                .take(20)
                .map(|(number, score)| (self.tickets[number as usize].id.clone(), score))
                .collect(),
            areas: self.areas_of(&ticket, &near),
            like_it: near
                .iter()
                .take(20)
                .map(|(number, score)| {
                    let near = &self.tickets[*number as usize];
                    let owner = near
                        .owner
                        .map(|owner| self.people[owner as usize].name.clone());
                    (near.id.clone(), owner, *score)
                })
                .collect(),
            is_confident: probability >= self.threshold,
        };
        ticket.looked = Some(Looked {
            people,
            rows,
            alike,
            said: said.filter(|_| !self.boosted.is_empty()),
        });
        (advice, ticket)
    }

    /// Returns the components a ticket may belong to, by the tickets like it and by what its reporter reports.
    fn areas_of(&self, ticket: &Ticket, near: &[(TicketNo, f32)]) -> Vec<(String, f32)> {
        let mut votes: HashMap<&str, f32> = HashMap::new();
        for (number, score) in near.iter().take(60) {
            let other = &self.tickets[*number as usize];
            let same_project = if other.project == ticket.project {
                1.0
            } else {
                0.3
            };
            let same_reporter = if other.reporter == ticket.reporter {
                1.5
            } else {
                1.0
            };
            let age = (ticket.at - other.at).max(0) as f32 / DAY as f32;
            let vote = score * score * same_project * same_reporter * 0.5_f32.powf(age / 360.0);
            for component in &other.components {
                *votes.entry(component).or_default() += vote / other.components.len() as f32;
            }
        }
        let sum: f32 = {
            let mut all: Vec<f32> = votes.values().copied().collect();
            all.sort_by(f32::total_cmp);
            all.iter().sum::<f32>() + 0.05
        };
        let mut areas: Vec<(String, f32)> = votes
            .into_iter()
            .map(|(name, vote)| (name.to_owned(), vote / sum))
            .collect();
        areas.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        areas.truncate(5);
        areas
    }

    fn person(&mut self, name: &str) -> PersonNo {
        if let Some(person) = self.by_name.get(name) {
            return *person;
        }
        let person = self.people.len() as PersonNo;
        self.by_name.insert(name.to_owned(), person);
        self.names.extend(features::parts_of_name(name));
        self.people.push(Person {
            name: name.to_owned(),
            ..Person::default()
        });
        person
    }

    /// Returns when somebody last did something; `None` for whom the memory never met.
    pub fn last_active(&self, name: &str) -> Option<Seconds> {
        let person = self.by_name.get(name)?;
        self.people[*person as usize].last_active
    }

    /// Returns whether somebody's words may name who should take a ticket: only of those who take tickets themselves.
    fn is_trusted(&self, reporter: Option<PersonNo>) -> bool {
        reporter.is_some_and(|reporter| self.people[reporter as usize].owned > 0)
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

    /// Returns who owned or said something within so many days, in the order of their numbers.
    fn active(&self, now: Seconds, days: i64) -> Vec<PersonNo> {
        let is_active = |person: &Person| {
            let last = person
                .last_active
                .is_some_and(|last| now - last <= days * DAY);
            last && !person.is_placeholder && person.owned > 0
        };
        (0..self.people.len() as PersonNo)
            .filter(|person| is_active(&self.people[*person as usize]))
            .collect()
    }
}

fn half_life(of: Of) -> f64 {
    match of {
        Of::Everything => 45.0,
        Of::Lately => 12.0,
        Of::Reporter => 180.0,
        Of::Project | Of::Component | Of::Label | Of::Kind => 90.0,
    }
}

fn keys_of(ticket: &Ticket, people: &[Person]) -> Vec<(Of, String)> {
    let mut keys = vec![
        (Of::Everything, String::new()),
        (Of::Lately, String::new()),
        (Of::Project, ticket.project.clone()),
        (Of::Kind, format!("{}/{}", ticket.project, ticket.kind)),
    ];
    keys.extend(
        ticket
            .components
            .iter()
            .map(|name| (Of::Component, name.clone())),
    );
    keys.extend(ticket.labels.iter().map(|name| (Of::Label, name.clone())));
    keys.extend(
        ticket
            .reporter
            .map(|reporter| (Of::Reporter, people[reporter as usize].name.clone())),
    );
    keys
}

/// Returns the least probability from which the answers hold the target precision; 1 when none does.
fn threshold_for(mut judged: Vec<(f32, bool)>, target: f32) -> f32 {
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut threshold) = (0_usize, 1.0);
    for (n, (probability, is_right)) in judged.iter().enumerate() {
        right += usize::from(*is_right);
        if n >= LEAST_JUDGED && right as f32 / (n + 1) as f32 >= target {
            // A calibrated probability that reaches the target is enough by itself.
            threshold = probability.min(target);
        }
    }
    threshold
}

#[cfg(test)]
mod tests;
