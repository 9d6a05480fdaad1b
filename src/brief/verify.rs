//! The checks every line passes before anybody reads it: its citations exist, the reader may read them, the quotes stand
//! word for word in what they cite, and what is not carried lies in the window.

use std::collections::BTreeMap;

use crate::model::{BriefingItem, EventId, Logged};
use crate::store::night::Night;
use crate::text::stands_in;

/// Returns the items that pass, and how many citations or items were dropped.
pub fn verified(items: Vec<BriefingItem>, night: &Night) -> (Vec<BriefingItem>, usize) {
    let known: BTreeMap<&EventId, &Logged> = night
        .topics
        .values()
        .flat_map(|topic| &topic.events)
        .filter(|logged| !logged.is_removed)
        .map(|logged| (&logged.event.id, logged))
        .collect();
    let mut dropped = 0;
    let items = items
        .into_iter()
        .filter_map(|mut item| {
            let before = item.citations.len();
            item.citations.retain(|citation| {
                known.get(&citation.event).is_some_and(|logged| {
                    night.readable.contains(&logged.audience)
                        && stands_in(&citation.quote, &logged.event.text.0)
                })
            });
            dropped += before - item.citations.len();
            let is_new = |citation: &crate::model::Citation| {
                known
                    .get(&citation.event)
                    .is_some_and(|logged| night.new.contains(&logged.seq))
            };
            let stands =
                !item.citations.is_empty() && (item.carried || item.citations.iter().any(is_new));
            dropped += usize::from(!stands);
            stands.then_some(item)
        })
        .collect();
    (items, dropped)
}
