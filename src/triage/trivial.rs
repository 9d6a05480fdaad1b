//! What a one-line rule would suggest: the orders that the model has to beat, shown beside it.

use std::collections::HashMap;

use super::model::Opened;
use super::model::tally::{PersonNo, Seconds, Tally};
use super::past::Step;

/// The rules, in the order in which [`Trivial::suggest`] answers.
pub const RULES: [&str; 4] = [
    "most tickets lately",
    "recent owner of the component",
    "reporter's usual owner",
    "owner it was opened with",
];

/// Half-lives in days: of everything, of a component, of a reporter.
const EVERYTHING_DAYS: f64 = 45.0;
const COMPONENT_DAYS: f64 = 90.0;
const REPORTER_DAYS: f64 = 180.0;

/// Counts for the one-line rules.
#[derive(Debug)]
pub struct Trivial {
    names: Vec<String>,
    numbers: HashMap<String, PersonNo>,
    opened: HashMap<String, (Vec<String>, Option<String>)>,
    everything: Tally,
    components: HashMap<String, Tally>,
    reporters: HashMap<String, Tally>,
}

impl Default for Trivial {
    fn default() -> Self {
        Trivial {
            names: Vec::new(),
            numbers: HashMap::new(),
            opened: HashMap::new(),
            everything: Tally::new(EVERYTHING_DAYS),
            components: HashMap::new(),
            reporters: HashMap::new(),
        }
    }
}

impl Trivial {
    /// Takes a step in.
    pub fn follow(&mut self, at: Seconds, step: &Step) {
        match step {
            Step::Opened(opened) => {
                let known = (opened.components.clone(), opened.reporter.clone());
                self.opened.insert(opened.id.clone(), known);
            }
            Step::Owned { id, by } => self.own(id, by, at),
            _ => {}
        }
    }

    fn own(&mut self, id: &str, by: &str, at: Seconds) {
        let next = self.names.len() as PersonNo;
        let person = *self.numbers.entry(by.to_owned()).or_insert(next);
        if person == next {
            self.names.push(by.to_owned());
        }
        self.everything.add(person, 1.0, at);
        let Some((components, reporter)) = self.opened.get(id) else {
            return;
        };
        for component in components {
            self.components
                .entry(component.clone())
                .or_insert_with(|| Tally::new(COMPONENT_DAYS))
                .add(person, 1.0, at);
        }
        if let Some(reporter) = reporter {
            self.reporters
                .entry(reporter.clone())
                .or_insert_with(|| Tally::new(REPORTER_DAYS))
                .add(person, 1.0, at);
        }
    }

    /// Returns each rule's order of names, best first.
    pub fn suggest(&self, opened: &Opened) -> [Vec<String>; 4] {
        let everybody = self.order(&[&self.everything], opened.at);
        let then_everybody = |mut names: Vec<String>| {
            names.extend(everybody.iter().cloned());
            let mut seen = std::collections::HashSet::new();
            names.retain(|name| seen.insert(name.clone()));
            names
        };
        let components: Vec<&Tally> = opened
            .components
            .iter()
            .filter_map(|component| self.components.get(component))
            .collect();
        let reporter = opened
            .reporter
            .as_ref()
            .and_then(|reporter| self.reporters.get(reporter));
        [
            everybody.clone(),
            then_everybody(self.order(&components, opened.at)),
            then_everybody(self.order(reporter.as_slice(), opened.at)),
            then_everybody(opened.first_owner.iter().cloned().collect()),
        ]
    }

    fn order(&self, tallies: &[&Tally], now: Seconds) -> Vec<String> {
        let mut sums: HashMap<PersonNo, f64> = HashMap::new();
        for (person, count) in tallies.iter().flat_map(|tally| tally.all(now)) {
            *sums.entry(person).or_default() += count;
        }
        let mut sums: Vec<(PersonNo, f64)> = sums.into_iter().collect();
        sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        sums.into_iter()
            .take(10)
            .map(|(person, _)| self.names[person as usize].clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_counts_its_own() {
        let mut trivial = Trivial::default();
        let day = 86_400;
        let opened = |id: &str, component: &str, reporter: &str, at| Opened {
            id: id.into(),
            components: vec![component.into()],
            reporter: Some(reporter.into()),
            first_owner: Some("default".into()),
            at,
            ..Opened::default()
        };
        let past = [
            ("1", "ui", "rita", "ana"),
            ("2", "db", "rita", "bo"),
            ("3", "db", "sam", "bo"),
        ];
        for (n, (id, component, reporter, owner)) in (0..).zip(past) {
            let ticket = opened(id, component, reporter, n * day);
            trivial.follow(n * day, &Step::Opened(Box::new(ticket)));
            let owned = Step::Owned {
                id: id.into(),
                by: owner.into(),
            };
            trivial.follow(n * day + 1, &owned);
        }
        let firsts: Vec<String> = trivial
            .suggest(&opened("4", "ui", "sam", 5 * day))
            .into_iter()
            .map(|names| names[0].clone())
            .collect();
        assert_eq!(firsts, ["bo", "ana", "bo", "default"]);
    }
}
