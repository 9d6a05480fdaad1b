//! Which parts of a briefing a surface shows, and what stands together.

use super::names::SECTIONS;
use crate::model::{Briefing, BriefingItem, Citation, Section, ThreadRef};

/// How many folded threads are named.
const MAX_ALSO: usize = 10;

/// Returns the lines of each section with their numbers; sections without lines are left out.
pub fn sections(
    briefing: &Briefing,
) -> impl Iterator<Item = (Section, Vec<(usize, &BriefingItem)>)> {
    let numbered = || (1..).zip(&briefing.items);
    SECTIONS
        .into_iter()
        .map(move |section| {
            (
                section,
                numbered()
                    .filter(|(_, item)| item.section == section)
                    .collect::<Vec<_>>(),
            )
        })
        .filter(|(_, items)| !items.is_empty())
}

/// Returns the citations of a line that are shown in their own words; those that its summary quotes are not said twice.
pub fn quotes(item: &BriefingItem) -> impl Iterator<Item = &Citation> {
    item.citations.iter().filter(|citation| {
        !citation.quote.trim().is_empty() && !item.summary.contains(&citation.quote)
    })
}

/// Returns the label of a line about one place; lines about several have none in front.
pub fn label(item: &BriefingItem) -> Option<&ThreadRef> {
    let first = item.threads.first()?;
    item.threads
        .iter()
        .all(|thread| thread.label == first.label)
        .then_some(first)
}

/// Returns the first thread of each label.
fn by_label<'a>(threads: impl IntoIterator<Item = &'a ThreadRef>) -> Vec<(&'a ThreadRef, usize)> {
    let mut labels: Vec<(&ThreadRef, usize)> = Vec::new();
    for thread in threads {
        match labels
            .iter_mut()
            .find(|(known, _)| known.label == thread.label)
        {
            Some((_, times)) => *times += 1,
            None => labels.push((thread, 1)),
        }
    }
    labels
}

/// A part of a line's facts: the thread it begins with, if it names one, and the rest.
pub type Fact<'a> = (Option<&'a ThreadRef>, &'a str);

/// Returns a line's facts; on a line about several places each label stands once as a thread, those that no fact names last.
/// On a line about one place its label is not said again.
pub fn facts(item: &BriefingItem) -> Vec<Fact<'_>> {
    let place = label(item);
    let mut labels = if place.is_some() {
        Vec::new()
    } else {
        by_label(&item.threads)
    };
    let place = place.map_or("", |thread| thread.label.as_str());
    let mut facts: Vec<Fact<'_>> = Vec::new();
    for fact in item
        .facts
        .split(" · ")
        .filter(|fact| !fact.trim().is_empty())
    {
        let named = labels.iter().position(|(thread, _)| {
            fact.strip_prefix(thread.label.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        match named.map(|named| labels.remove(named).0) {
            Some(thread) => facts.push((Some(thread), &fact[thread.label.len()..])),
            None => facts.push((None, after_label(fact, place))),
        }
    }
    facts.extend(labels.into_iter().map(|(thread, _)| (Some(thread), "")));
    facts
}

/// Returns a fact without the label it begins with, unless nothing else is left.
fn after_label<'a>(fact: &'a str, label: &str) -> &'a str {
    let rest = fact
        .strip_prefix(label)
        .and_then(|rest| rest.strip_prefix(' '));
    rest.filter(|rest| !label.is_empty() && !rest.trim().is_empty())
        .unwrap_or(fact)
}

/// Returns the folded threads that are named, each label once with how often it stands, and how many are not.
pub fn also(briefing: &Briefing) -> (Vec<(&ThreadRef, usize)>, usize) {
    let named = briefing.also.len().min(MAX_ALSO);
    (
        by_label(&briefing.also[..named]),
        briefing.also.len() - named + briefing.omitted,
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_label_is_said_once() {
        let mut group = sample::catch_up().items.remove(1);
        let said = |item: &BriefingItem| {
            let facts = facts(item).into_iter();
            let said = facts.map(|(thread, words)| {
                format!("{}|{words}", thread.map_or("", |thread| &thread.label))
            });
            said.collect::<Vec<_>>()
        };
        assert_eq!(
            said(&group),
            [
                "CORE-11| closed",
                "CORE-12| +3",
                "CORE-13| new owner",
                "CORE-14|"
            ]
        );
        group
            .threads
            .iter_mut()
            .for_each(|thread| thread.label = "#ops".into());
        group.facts = "#ops +3 · #opsy +1 · #ops".into();
        assert_eq!(said(&group), ["|+3", "|#opsy +1", "|#ops"]);
    }
}
