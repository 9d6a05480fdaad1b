//! The nightly fit: the re-ranker over what became known, the probabilities and the threshold over what was said before.

use super::Model;
use super::boost::{Boosted, Group};
use super::calibrate::Calibration;
use super::tally::Seconds;

/// How many of the latest known owners the re-ranker is fitted on, and its greatest number of trees.
pub(super) const FITTED_ON: usize = 5_000;
const ROUNDS: usize = 300;
/// Every so many refits it is found out anew how many trees are enough.
const CHECKED_EVERY: usize = 5;
/// How many outcomes the probabilities are calibrated on.
const CALIBRATED_ON: usize = 2_500;
/// How many outcomes there have to be before anything is answered.
const LEAST_JUDGED: usize = 40;
/// After so many tickets opened later an outcome counts half.
const OUTCOMES_HALVE: f32 = 1_200.0;

/// Whether the first candidate was the reporter, and whether the ticket was known to have no owner.
pub(super) type Slice = (bool, bool);

pub(super) struct Outcome {
    pub(super) slice: Slice,
    pub(super) said: f32,
    pub(super) is_right: bool,
    pub(super) opened: Seconds,
    pub(super) known: Seconds,
    pub(super) area: Option<String>,
}

impl Model {
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
        let mut settled: Vec<&Outcome> = self.outcomes.iter().collect();
        settled.sort_by_key(|outcome| outcome.opened);
        let settled = &settled[settled.len().saturating_sub(CALIBRATED_ON)..];
        let weighed: Vec<(Slice, (f32, bool, f32))> = settled
            .iter()
            .map(|outcome| {
                let weight = self.worth_of(outcome, now);
                (outcome.slice, (outcome.said, outcome.is_right, weight))
            })
            .collect();
        let outcomes: Vec<(f32, bool, f32)> = weighed.iter().map(|(_, outcome)| *outcome).collect();
        let all = Calibration::fit(&outcomes, Calibration::default());
        self.calibrations.clear();
        let mut judged: Vec<(f32, bool)> = Vec::new();
        for slice in [(false, false), (false, true), (true, false), (true, true)] {
            let of_slice: Vec<(f32, bool, f32)> = weighed
                .iter()
                .filter(|(of, _)| *of == slice)
                .map(|(_, outcome)| *outcome)
                .collect();
            let fitted = Calibration::fit(&of_slice, all);
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
            if fitted.probability(outcome.said) >= self.threshold {
                let area = outcome.area.clone().unwrap_or_default();
                let (answered, right) = self.answered.entry(area).or_default();
                *answered += 1;
                *right += usize::from(outcome.is_right);
            }
        }
    }

    /// Returns how much an outcome counts: half after so many tickets opened since it could have been known first.
    ///
    /// What takes a year to be known is known only of tickets that are older than a year, and is often the harder half; by
    /// counting from the youngest ticket whose outcome could be known by now after the same time, late outcomes weigh as
    /// much as early ones do.
    fn worth_of(&self, outcome: &Outcome, now: Seconds) -> f32 {
        let youngest = now - (outcome.known - outcome.opened).max(0);
        let upto = |at: Seconds| self.tickets.partition_point(|ticket| ticket.at <= at);
        let since = upto(youngest).saturating_sub(upto(outcome.opened));
        0.5_f32.powf(since as f32 / OUTCOMES_HALVE)
    }

    /// Returns how many of the settled tickets of an area, or of those without one, would have been answered, and how many of
    /// the answers were right.
    pub fn answered_in(&self, area: Option<&str>) -> (usize, usize) {
        self.answered
            .get(area.unwrap_or_default())
            .copied()
            .unwrap_or_default()
    }

    /// Returns the probability from which the memory answers; 1 while too little is known.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Returns whether outcomes were there to hold the probabilities against.
    pub fn is_calibrated(&self) -> bool {
        self.is_calibrated
    }
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
