//! The memory of a tracker and what it says about a new ticket: who might take it, which area it belongs to, what it
//! repeats. It is fed event by event in the order in which things became known, and learns only from what it was fed.

pub mod boost;
pub mod calibrate;
pub mod tally;
pub mod text;
pub mod words;

mod areas;
mod evidence;
mod features;
mod fit;
mod learn;
mod repeats;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use boost::Boosted;
use calibrate::Calibration;
use tally::{PersonNo, Seconds, Tally};
use text::{TextModel, TextVector, softmax};
use words::{Bag, TicketNo, Words};

use fit::{Outcome, Slice};

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
/// How much likelier than anybody else the reporter has to be to come first: they know of their ticket, so that naming
/// somebody else who takes it is worth more.
const REPORTER_LEAD: f32 = 2.0;
/// Candidates the re-ranker looks at.
const MOST_CANDIDATES: usize = 24;
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
    path_owners: Vec<PersonNo>,
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
    /// The reporter's tickets of a component.
    ReporterThere,
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
    takes_own_now: HashMap<PersonNo, (f64, f64)>,
    /// Who the tickets of a component were opened with: its default owner has most.
    opened_with: HashMap<String, Tally>,
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
            takes_own_now: HashMap::new(),
            opened_with: HashMap::new(),
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

    fn ticket_of(&mut self, opened: &Opened) -> Ticket {
        let reporter = opened.reporter.as_deref().map(|name| self.person(name));
        let first_owner = opened.first_owner.as_deref().map(|name| self.person(name));
        let path_owners = opened.path_owners.iter();
        let path_owners = path_owners.map(|(name, _)| self.person(name)).collect();
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
            path_owners,
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
        let shares = softmax(people.iter().zip(scores).map(|(person, score)| {
            let is_reporter = reporter == Some(*person);
            score - if is_reporter { REPORTER_LEAD.ln() } else { 0.0 }
        }));
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
    if let Some(reporter) = ticket.reporter {
        let there = ticket.components.iter();
        keys.extend(there.map(|name| (Of::ReporterThere, format!("{reporter}/{name}"))));
    }
    keys
}

#[cfg(test)]
mod tests;
