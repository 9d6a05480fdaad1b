//! Groups what stands unthreaded in a channel into conversations, so that a talk is one topic and not forty.
//!
//! A message that has replies of its own keeps its thread as its topic. A message once placed stays where it is.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use rusqlite::Connection;

use super::Touched;
use crate::model::{Seq, SpaceId, ThreadKind, TopicId};
use crate::store::events;
use crate::text::conversations::{Disentangler, Line, Placed, WINDOW};

/// Places the new unthreaded messages among the touched threads and moves their events under the conversation's topic.
pub(super) fn group(c: &Connection, touched: &mut BTreeMap<u64, Touched>) -> Result<()> {
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
        place(c, &space, &roots, touched)?;
    }
    Ok(())
}

fn place(
    c: &Connection,
    space: &SpaceId,
    roots: &[(u64, Seq)],
    touched: &mut BTreeMap<u64, Touched>,
) -> Result<()> {
    let Some((_, first_at)) = roots.first().and_then(|(tid, _)| touched[tid].root) else {
        return Ok(());
    };
    let mut disentangler = Disentangler::new();
    // Topic of each line by its number, and the number of each topic's first line.
    let mut topics: Vec<u64> = Vec::new();
    let mut opened: HashMap<u64, usize> = HashMap::new();
    for (topic, logged) in events::unthreaded_before(c, space, first_at, WINDOW)? {
        let conversation = *opened.entry(topic).or_insert(topics.len());
        topics.push(topic);
        let mentions: Vec<&str> = logged
            .event
            .mentions
            .iter()
            .map(|handle| &*handle.id)
            .collect();
        disentangler.recall(
            &line_of(&logged, &mentions),
            Placed {
                reply_to: None,
                conversation,
            },
        );
    }
    for (tid, _) in roots {
        // A message that only became readable as a root carries its own text; read it back as stored.
        let Some(logged) = events::first_of_thread(c, *tid)? else {
            continue;
        };
        let mentions: Vec<&str> = logged
            .event
            .mentions
            .iter()
            .map(|handle| &*handle.id)
            .collect();
        let placed = disentangler.push(&line_of(&logged, &mentions));
        let topic = topics.get(placed.conversation).copied().unwrap_or(*tid);
        topics.push(topic);
        if topic != *tid {
            events::move_to_topic(c, *tid, topic)?;
            if let Some(touched) = touched.get_mut(tid) {
                touched.topic = TopicId(topic);
            }
        }
    }
    Ok(())
}

fn line_of<'a>(logged: &'a crate::model::Logged, mentions: &'a [&'a str]) -> Line<'a> {
    Line {
        author: logged
            .event
            .author
            .as_ref()
            .map_or("", |author| &*author.id),
        names: &[],
        at: logged.event.occurred_at,
        text: &logged.event.text.0,
        mentions,
    }
}
