//! Groups what stands unthreaded in a channel into conversations, so that a talk is one topic and not forty.
//!
//! A message that has replies of its own keeps its thread as its topic. A message once placed stays where it is.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use rusqlite::Connection;

use super::Touched;
use crate::model::{Logged, Seq, SpaceId, ThreadKind, TopicId};
use crate::roster::Roster;
use crate::store::events;
use crate::text::conversations::{Disentangler, Line, Placed, WINDOW};

/// Places the new unthreaded messages among the touched threads and moves their events under the conversation's topic.
pub(super) fn group(
    c: &Connection,
    touched: &mut BTreeMap<u64, Touched>,
    roster: &Roster,
) -> Result<()> {
    let mut by_space: BTreeMap<SpaceId, Vec<(u64, Seq)>> = BTreeMap::new();
    let mut split = Vec::new();
    for (tid, touched) in touched.iter() {
        if touched.kind != ThreadKind::Conversation {
            continue;
        }
        match (&touched.space, touched.root) {
            (Some(space), Some((seq, _))) if !touched.has_replies => {
                by_space.entry(space.clone()).or_default().push((*tid, seq));
            }
            // Replies to a message that was placed in a conversation before: from now on it is a thread of its own.
            (Some(_), None) if touched.has_replies && touched.topic.0 != *tid => split.push(*tid),
            _ => {}
        }
    }
    for tid in split {
        events::move_to_topic(c, tid, tid)?;
        if let Some(touched) = touched.get_mut(&tid) {
            touched.topic = TopicId(tid);
        }
    }
    for (space, mut roots) in by_space {
        roots.sort_by_key(|(tid, seq)| (touched[tid].root.map(|(_, at)| at), *seq));
        place(c, &space, &roots, touched, roster)?;
    }
    Ok(())
}

fn place(
    c: &Connection,
    space: &SpaceId,
    roots: &[(u64, Seq)],
    touched: &mut BTreeMap<u64, Touched>,
    roster: &Roster,
) -> Result<()> {
    let Some((_, first_at)) = roots.first().and_then(|(tid, _)| touched[tid].root) else {
        return Ok(());
    };
    let mut disentangler = Disentangler::new();
    // Topic and position of each line by its number, and the number of each topic's first line.
    let mut lines: Vec<(u64, Seq)> = Vec::new();
    let mut opened: HashMap<u64, usize> = HashMap::new();
    for (topic, reply_seq, logged) in events::unthreaded_before(c, space, first_at, WINDOW)? {
        let conversation = *opened.entry(topic).or_insert(lines.len());
        let reply_to = lines.iter().position(|(_, seq)| Some(*seq) == reply_seq);
        lines.push((topic, logged.seq));
        with_line(&logged, roster, |line| {
            disentangler.recall(
                line,
                Placed {
                    reply_to,
                    conversation,
                },
            );
        });
    }
    for (tid, _) in roots {
        // A message that only became readable as a root carries its own text; read it back as stored.
        let Some(logged) = events::first_of_thread(c, *tid)? else {
            continue;
        };
        let placed = with_line(&logged, roster, |line| disentangler.push(line));
        let topic = lines
            .get(placed.conversation)
            .map_or(*tid, |(topic, _)| *topic);
        if let Some((_, replied)) = placed.reply_to.and_then(|number| lines.get(number)) {
            events::put_reply(c, logged.seq, *replied)?;
        }
        lines.push((topic, logged.seq));
        if topic != *tid {
            events::move_to_topic(c, *tid, topic)?;
            if let Some(touched) = touched.get_mut(tid) {
                touched.topic = TopicId(topic);
            }
        }
    }
    Ok(())
}

/// Calls `work` with a message as the rules read it; a closure, because the names live only here.
fn with_line<T>(logged: &Logged, roster: &Roster, work: impl FnOnce(&Line<'_>) -> T) -> T {
    let names = logged
        .event
        .author
        .as_ref()
        .map(|author| roster.names_of(author))
        .unwrap_or_default();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mentions: Vec<&str> = logged
        .event
        .mentions
        .iter()
        .map(|handle| &*handle.id)
        .collect();
    work(&Line {
        author: logged
            .event
            .author
            .as_ref()
            .map_or("", |author| &*author.id),
        names: &names,
        at: logged.event.occurred_at,
        text: &logged.event.text.0,
        mentions: &mentions,
    })
}
