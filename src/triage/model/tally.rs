//! Who did something how often, with the old counting less: a decayed count per person.

use std::collections::HashMap;

/// A person's number within one model.
pub type PersonNo = u32;

/// Seconds since the epoch.
pub type Seconds = i64;

const DAY: f64 = 86_400.0;

/// Decayed counts by person. A count halves in `half_life` days.
#[derive(Clone, Debug)]
pub struct Tally {
    rate: f64,
    counts: HashMap<PersonNo, (f64, Seconds)>,
}

impl Tally {
    /// Makes an empty tally whose counts halve in so many days.
    pub fn new(half_life_days: f64) -> Self {
        Tally {
            rate: std::f64::consts::LN_2 / (half_life_days * DAY),
            counts: HashMap::new(),
        }
    }

    /// Counts something that happened at an instant; the instants may come in any order.
    pub fn add(&mut self, person: PersonNo, weight: f64, at: Seconds) {
        let rate = self.rate;
        let (count, last) = self.counts.entry(person).or_insert((0.0, at));
        if at >= *last {
            *count = *count * decay(rate, at - *last) + weight;
            *last = at;
        } else {
            *count += weight * decay(rate, *last - at);
        }
    }

    /// Returns a person's count as of an instant.
    pub fn of(&self, person: PersonNo, now: Seconds) -> f64 {
        self.counts
            .get(&person)
            .map_or(0.0, |(count, last)| count * decay(self.rate, now - last))
    }

    /// Returns everybody's counts as of an instant, in no order.
    pub fn all(&self, now: Seconds) -> impl Iterator<Item = (PersonNo, f64)> + '_ {
        self.counts
            .iter()
            .map(move |(person, (count, last))| (*person, count * decay(self.rate, now - last)))
    }

    /// Returns the sum of all counts as of an instant.
    pub fn total(&self, now: Seconds) -> f64 {
        // Summed in the order of the numbers, so that the same log gives the same bits.
        let mut all: Vec<(PersonNo, f64)> = self.all(now).collect();
        all.sort_unstable_by_key(|(person, _)| *person);
        all.iter().map(|(_, count)| count).sum()
    }
}

fn decay(rate: f64, seconds: Seconds) -> f64 {
    (-rate * seconds.max(0) as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_halves_in_its_half_life_whatever_the_order() {
        let day = 86_400;
        let (mut forward, mut backward) = (Tally::new(10.0), Tally::new(10.0));
        for (at, weight) in [(0, 1.0), (5 * day, 2.0), (10 * day, 4.0)] {
            forward.add(7, weight, at);
        }
        for (at, weight) in [(10 * day, 4.0), (0, 1.0), (5 * day, 2.0)] {
            backward.add(7, weight, at);
        }
        let expected = 0.25 + 2.0 * 0.5_f64.powf(1.5) + 4.0 * 0.5;
        for tally in [forward, backward] {
            assert!((tally.of(7, 20 * day) - expected).abs() < 1e-9);
            assert_eq!(tally.of(8, 20 * day), 0.0);
        }
    }
}
