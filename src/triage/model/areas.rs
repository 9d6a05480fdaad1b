//! Which area a ticket belongs to that names none.

use std::collections::HashMap;

use super::words::TicketNo;
use super::{DAY, Model, Ticket};

impl Model {
    /// Returns the components a ticket may belong to, by the tickets like it and by what its reporter reports.
    pub(super) fn areas_of(&self, ticket: &Ticket, near: &[(TicketNo, f32)]) -> Vec<(String, f32)> {
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
}
