//! Sets the messages of a topic as a scene for the rules over wording, with everybody's names.

use crate::model::{Handle, Logged, ThreadKind, Topic};
use crate::roster::Roster;
use crate::text::asks::{Named, Scene, Utterance};

/// Calls `work` with the scene of a topic and the messages in it, in the scene's order.
///
/// A closure, because a scene borrows names that live only here.
pub fn with_scene<'a, T>(
    topic: &'a Topic,
    roster: &Roster,
    work: impl FnOnce(&Scene<'_>, &[&'a Logged]) -> T,
) -> T {
    let said: Vec<&Logged> = topic
        .events
        .iter()
        .filter(|logged| logged.event.kind.is_said() && !logged.is_removed)
        .collect();
    let names: Vec<Vec<String>> = said
        .iter()
        .map(|logged| author_names(logged, roster))
        .collect();
    let names: Vec<Vec<&str>> = names
        .iter()
        .map(|names| names.iter().map(String::as_str).collect())
        .collect();
    let mentions: Vec<Vec<&str>> = said
        .iter()
        .map(|logged| {
            logged
                .event
                .mentions
                .iter()
                .map(|handle| &*handle.id)
                .collect()
        })
        .collect();
    let utterances: Vec<Utterance<'_>> = said
        .iter()
        .enumerate()
        .map(|(index, logged)| Utterance {
            author: logged
                .event
                .author
                .as_ref()
                .map_or("", |author| &*author.id),
            names: &names[index],
            at: Some(logged.event.occurred_at),
            text: &logged.event.text.0,
            mentions: &mentions[index],
            reply_to: None,
            is_bot: is_bot(logged, roster),
        })
        .collect();

    let others = others_of(topic, roster);
    let others: Vec<(&str, Vec<String>)> = others
        .into_iter()
        .map(|handle| (&*handle.id, roster.names_of(handle)))
        .collect();
    let other_names: Vec<Vec<&str>> = others
        .iter()
        .map(|(_, names)| names.iter().map(String::as_str).collect())
        .collect();
    let people: Vec<Named<'_>> = others
        .iter()
        .zip(&other_names)
        .map(|((key, _), names)| Named { key, names })
        .collect();

    let ticket = topic.thread.ticket.as_ref();
    let owner = ticket.and_then(|ticket| ticket.reporter.as_ref().or(ticket.assignee.as_ref()));
    let starts_here = said
        .first()
        .is_some_and(|first| first.event.thread == topic.thread.id);
    let scene = Scene {
        kind: topic.thread.kind,
        title: &topic.thread.title,
        messages: &utterances,
        opener: starts_here.then_some(0),
        owner: owner
            .map(|owner| &*owner.id)
            .or_else(|| utterances.first().map(|first| first.author)),
        people: &people,
        between: between(topic, roster),
    };
    work(&scene, &said)
}

/// Returns the two people of a mail that goes from one to the other, and to no list; one of them at least is a member.
fn between<'a>(topic: &'a Topic, roster: &Roster) -> Option<[&'a str; 2]> {
    let thread = &topic.thread;
    if thread.kind != ThreadKind::Mail || thread.space.is_some() {
        return None;
    }
    let mut people = thread.participants.iter();
    let (one, other) = (people.next()?, people.next()?);
    let is_member = |handle: &Handle| roster.member_of(handle).is_some();
    let is_between_two = people.next().is_none() && (is_member(one) || is_member(other));
    is_between_two.then_some([&*one.id, &*other.id])
}

/// Returns whether a program made an event.
pub fn is_bot(logged: &Logged, roster: &Roster) -> bool {
    logged.event.by_bot
        || logged
            .event
            .author
            .as_ref()
            .is_some_and(|author| roster.is_bot(author))
}

fn author_names(logged: &Logged, roster: &Roster) -> Vec<String> {
    logged
        .event
        .author
        .as_ref()
        .map(|author| roster.names_of(author))
        .unwrap_or_default()
}

/// Returns the members who may be named in the topic without having written in it.
fn others_of<'r>(topic: &Topic, roster: &'r Roster) -> Vec<&'r Handle> {
    let has_written = |handle: &Handle| {
        topic
            .events
            .iter()
            .any(|logged| logged.event.author.as_ref() == Some(handle))
    };
    let connector = &topic.thread.id.connector;
    roster
        .members
        .iter()
        .filter_map(|member| member.handles.get(connector)?.first())
        .filter(|handle| !has_written(handle))
        .collect()
}
