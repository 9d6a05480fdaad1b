//! Owner suggestion on a tracker's own past: every ticket is looked at as it stood when it was opened, by a model that
//! knows only what was known then.

use std::collections::{BTreeMap, HashMap};

use super::model::{Advice, Model, Opened, tally::Seconds};
use super::past::{Past, Step};
use super::trivial::{RULES, Trivial};

/// The least number of tickets before the asked ones in which probabilities are tried out, as fits of the re-ranker.
const WARM_FITS: i64 = 12;
const DAY: Seconds = 86_400;
/// The tickets before the asked ones on which probabilities are tried out: a share of them, and the least number.
const WARM_SHARE: f64 = 0.2;
const LEAST_WARM: usize = 1_500;
/// Probabilities are cheap to hold against what became known.
const CALIBRATE_EVERY: Seconds = 7 * DAY;
/// Tickets that are too old for the re-ranker to learn from are remembered without a look.
const LOOKED_BEFORE: usize = 12_000;

/// How a backtest is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Days between two fits of the re-ranker.
    pub refit_days: u16,
    /// The share of answers that should be right.
    pub target: f32,
}

/// Walks through a past; `told` hears of each asked ticket, what the model said about it, and what the one-line rules said.
pub fn walk(
    past: &Past,
    is_asked: impl Fn(&str) -> bool,
    plan: Plan,
    mut told: impl FnMut(&Opened, &Advice, &[Vec<String>; 4]),
) -> Model {
    let mut model = Model::new(plan.target);
    for name in &past.inboxes {
        model.exclude(name);
    }
    let openings: Vec<&Opened> = past.openings().collect();
    let first_asked = openings
        .iter()
        .position(|opened| is_asked(&opened.id))
        .unwrap_or(openings.len());
    let looked_from = first_asked.saturating_sub(LOOKED_BEFORE);
    let warm = ((first_asked as f64 * WARM_SHARE) as usize).max(LEAST_WARM);
    let warm_at = openings
        .get(first_asked.saturating_sub(warm))
        .map_or(0, |opened| opened.at);
    let asked_at = openings
        .get(first_asked)
        .or(openings.last())
        .map_or(0, |opened| opened.at);
    let refit_every = Seconds::from(plan.refit_days.max(1)) * DAY;
    let warm_every = ((asked_at - warm_at) / WARM_FITS).max(refit_every);
    let mut trivial = Trivial::default();
    let mut next_fit = warm_at;
    let mut next_calibration = asked_at;
    let mut number = 0;
    for (at, step) in &past.steps {
        let Step::Opened(opened) = step else {
            model.follow(*at, step);
            trivial.follow(*at, step);
            continue;
        };
        if *at >= next_fit {
            model.refit(*at);
            let every = if *at < asked_at {
                warm_every
            } else {
                refit_every
            };
            next_fit = *at + every;
            next_calibration = *at + CALIBRATE_EVERY;
        } else if *at >= next_calibration {
            model.calibrate(*at);
            next_calibration = *at + CALIBRATE_EVERY;
        }
        if number >= looked_from {
            let advice = model.open(opened);
            if is_asked(&opened.id) {
                told(opened, &advice, &trivial.suggest(opened));
            }
        } else {
            model.remember(opened);
        }
        trivial.follow(*at, step);
        number += 1;
    }
    model
}

/// How often the true owner stood where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// Tickets with a known owner.
    pub count: usize,
    /// … where the owner came first, among the first three, the first five.
    pub top: [usize; 3],
}

impl Hits {
    fn add(&mut self, rank: Option<usize>) {
        self.count += 1;
        for (hits, upto) in self.top.iter_mut().zip([1, 3, 5]) {
            *hits += usize::from(rank.is_some_and(|rank| rank < upto));
        }
    }

    /// Returns the three shares.
    pub fn shares(&self) -> [f64; 3] {
        self.top.map(|hits| hits as f64 / self.count.max(1) as f64)
    }
}

/// What came out, for one slice of the tickets.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The model.
    pub model: Hits,
    /// The one-line rules, as [`RULES`] names them.
    pub rules: [Hits; 4],
    /// Each answer's probability and whether it was right.
    answers: Vec<(f32, bool)>,
}

/// A point of the precision–coverage curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The share of the tickets answered, the surest first.
    pub coverage: f64,
    /// The share of those that were right.
    pub precision: f64,
    /// The probability of the last one answered.
    pub probability: f32,
}

impl Slice {
    /// Returns the curve at every `step`-th share of the tickets.
    pub fn curve(&self, step: f64) -> Vec<Point> {
        let sorted = self.sorted();
        let mut points = Vec::new();
        let (mut right, mut next) = (0_usize, step);
        for (n, (probability, is_right)) in sorted.iter().enumerate() {
            right += usize::from(*is_right);
            let coverage = (n + 1) as f64 / sorted.len() as f64;
            if coverage + 1e-9 >= next {
                points.push(Point {
                    coverage,
                    precision: right as f64 / (n + 1) as f64,
                    probability: *probability,
                });
                next += step;
            }
        }
        points
    }

    /// Returns the greatest share of the tickets that can be answered with this share right.
    pub fn coverage_at(&self, precision: f64) -> f64 {
        const LEAST: usize = 20;
        let sorted = self.sorted();
        let (mut right, mut best) = (0_usize, 0);
        for (n, (_, is_right)) in sorted.iter().enumerate() {
            right += usize::from(*is_right);
            if n + 1 >= LEAST && right as f64 / (n + 1) as f64 >= precision {
                best = n + 1;
            }
        }
        best as f64 / sorted.len().max(1) as f64
    }

    /// Returns by how much probabilities and outcomes differ on average, over 15 bins of equal width (ECE).
    pub fn calibration_error(&self) -> f64 {
        const BINS: usize = 15;
        let mut bins = [(0.0_f64, 0.0_f64); BINS];
        for (probability, is_right) in &self.answers {
            let bin = &mut bins[((probability * BINS as f32) as usize).min(BINS - 1)];
            bin.0 += f64::from(*probability);
            bin.1 += f64::from(u8::from(*is_right));
        }
        let off: f64 = bins.iter().map(|(said, was)| (said - was).abs()).sum();
        off / self.answers.len().max(1) as f64
    }

    fn sorted(&self) -> Vec<(f32, bool)> {
        let mut sorted = self.answers.clone();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        sorted
    }
}

/// The slices, in the order of [`Report::slices`]: the ones that need triage first.
pub const SLICES: [&str; 3] = [
    "opened without an owner",
    "owner is not the reporter",
    "all",
];

/// What a backtest found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One slice each of [`SLICES`]; empty where the tracker does not tell.
    pub slices: [Slice; 3],
    /// Tickets of each owner, and how many of them were suggested to the owner first.
    pub people: BTreeMap<String, (usize, usize)>,
    /// Tickets with a component, and how many had it suggested first.
    pub areas: (usize, usize),
    /// Tickets that repeat an older one, and whether that was among the first one, five, ten.
    pub duplicates: (usize, [usize; 3]),
    /// Tickets the model would have answered, and how many of these answers were right.
    pub answered: (usize, usize),
}

/// What is known today of the tickets.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// The final owner of each ticket that has one who is a person.
    pub owners: HashMap<String, String>,
    /// What each ticket repeats.
    pub repeats: HashMap<String, String>,
}

impl Report {
    /// Takes in what was said about a ticket.
    pub fn add(
        &mut self,
        opened: &Opened,
        advice: &Advice,
        rules: &[Vec<String>; 4],
        truth: &Truth,
    ) {
        if let Some(first) = opened.components.first() {
            let suggested = advice.areas.first().map(|(name, _)| name);
            self.areas.0 += 1;
            self.areas.1 += usize::from(suggested == Some(first));
        }
        if let Some(older) = truth.repeats.get(&opened.id) {
            let rank = advice.duplicates.iter().position(|(id, _)| id == older);
            self.duplicates.0 += 1;
            for (hits, upto) in self.duplicates.1.iter_mut().zip([1, 5, 10]) {
                *hits += usize::from(rank.is_some_and(|rank| rank < upto));
            }
        }
        let Some(owner) = truth.owners.get(&opened.id) else {
            return;
        };
        let rank = advice
            .owners
            .iter()
            .position(|ranked| ranked.person == *owner);
        let is_right = rank == Some(0);
        let person = self.people.entry(owner.clone()).or_default();
        person.0 += 1;
        person.1 += usize::from(is_right);
        if advice.is_confident {
            self.answered.0 += 1;
            self.answered.1 += usize::from(is_right);
        }
        let is_in = [
            opened.is_unowned,
            opened.reporter.as_ref() != Some(owner),
            true,
        ];
        let slices = self.slices.iter_mut().zip(is_in);
        for (slice, _) in slices.filter(|(_, is_in)| *is_in) {
            slice.model.add(rank);
            for (hits, names) in slice.rules.iter_mut().zip(rules) {
                hits.add(names.iter().position(|name| name == owner));
            }
            let probability = advice.owners.first().map_or(0.0, |first| first.probability);
            slice.answers.push((probability, is_right));
        }
    }
}

/// Returns the names of the rules with their hits.
pub fn rules_of(slice: &Slice) -> impl Iterator<Item = (&'static str, &Hits)> {
    RULES.into_iter().zip(&slice.rules)
}
