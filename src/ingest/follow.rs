//! Brings the index up to the log: every step after the position it has applied, as passages.

use anyhow::Result;
use daybrief_index::{Index, Op, Passage};
use rusqlite::Connection;

use crate::model::{EventKind, Logged, Seq, Thread};
use crate::roster::Roster;
use crate::store::followers::{Beside, Step, beside, said_in, step_at, steps_after};
use crate::store::{Store, events};
use crate::text::safe;

/// How many steps of the log go into one commit of the index.
const BATCH: usize = 4_000;
/// How many passages an embedding model is asked for at once.
const EMBEDDED_AT_ONCE: usize = 64;

/// Applies what the log has and the index has not; returns how many steps that were.
///
/// # Errors
/// When the store cannot be read or the index not be written; what was committed stays.
pub fn follow(
    store: &Store,
    index: &Index,
    roster: &Roster,
    mut seen: impl FnMut(u64, u64),
) -> Result<usize> {
    let last = store.read_now(events::last_seq)?;
    if index.applied() > last {
        // Another log, or one that was restored from an older backup.
        index.rebuild(std::iter::empty())?;
    }
    let first = index.applied();
    let mut count = 0;
    loop {
        let after = index.applied();
        let (ops, upto, steps) = store.read_now(|c| {
            let steps = steps_after(c, after, BATCH)?;
            let upto = steps.last().map(|step| step.logged.seq);
            let mut ops = Vec::with_capacity(steps.len());
            for step in &steps {
                ops.extend(ops_of(c, step, roster)?);
            }
            Ok((ops, upto, steps.len()))
        })?;
        let Some(upto) = upto else { return Ok(count) };
        index.apply(&ops, upto)?;
        count += steps;
        seen(upto.0 - first.0, last.0.saturating_sub(first.0));
    }
}

/// Makes the vectors of the configured embedding model for what has none yet, a batch after the other until nothing is left or
/// `stopped` says so; `seen` learns how many are left. The built-in vectors answer meanwhile.
///
/// # Errors
/// When the model does not answer; what it answered before stays.
pub fn embed(index: &Index, stopped: impl Fn() -> bool, mut seen: impl FnMut(usize)) -> Result<()> {
    while !stopped() {
        let left = index.embed_more(EMBEDDED_AT_ONCE)?.left;
        seen(left);
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// Returns what one step changes in the index.
fn ops_of(c: &Connection, step: &Step, roster: &Roster) -> Result<Vec<Op>> {
    let logged = &step.logged;
    match &logged.event.kind {
        EventKind::Posted | EventKind::Opened => {
            let mut ops = put(c, &step.thread, logged, roster)?;
            // A message that arrives late stands before one that is indexed already.
            if let Some(next) = beside(c, logged, Beside::After)?
                && next.seq < logged.seq
                && let Some(next) = step_at(c, next.seq)?
            {
                ops.extend(put(c, &next.thread, &next.logged, roster)?);
            }
            Ok(ops)
        }
        EventKind::Edited { of } | EventKind::Deleted { of } => {
            let base = events::find_event(c, of)?;
            let Some(base) = base.map(|base| step_at(c, base.seq)).transpose()?.flatten() else {
                return Ok(Vec::new());
            };
            let mut ops = put_anew(c, &base, roster)?;
            // The next message carries the end of this one.
            if let Some(next) = beside(c, &base.logged, Beside::After)?
                && let Some(next) = step_at(c, next.seq)?
            {
                ops.extend(put_anew(c, &next, roster)?);
            }
            Ok(ops)
        }
        EventKind::AudienceChanged => {
            let mut ops = Vec::new();
            for said in said_in(c, step.tid)? {
                ops.extend(put(c, &step.thread, &said, roster)?);
            }
            Ok(ops)
        }
        kind if kind.is_state_change() => {
            // The passage that opened the ticket carries its status and owner.
            match events::first_of_thread(c, step.tid)? {
                Some(opened) => put(c, &step.thread, &opened, roster),
                None => Ok(Vec::new()),
            }
        }
        _ => Ok(Vec::new()),
    }
}

/// A text that became shorter leaves no passage behind.
fn put_anew(c: &Connection, step: &Step, roster: &Roster) -> Result<Vec<Op>> {
    let mut ops = vec![Op::DeleteEvent(step.logged.event.id.to_string())];
    ops.extend(put(c, &step.thread, &step.logged, roster)?);
    Ok(ops)
}

/// Returns the passages of an event; none where there is nothing to find.
fn put(c: &Connection, thread: &Thread, logged: &Logged, roster: &Roster) -> Result<Vec<Op>> {
    let event = &logged.event;
    // What no reader may see, nobody finds: whole escape sequences, not only the characters that begin them.
    let (text, title) = (safe(&event.text.0), safe(&thread.title).into_owned());
    if logged.is_removed || (text.trim().is_empty() && event.kind != EventKind::Opened) {
        return Ok(Vec::new());
    }
    let before = match event.kind {
        EventKind::Opened => None,
        _ => beside(c, logged, Beside::Before)?,
    };
    let mut context = before.map_or(String::new(), |before| {
        end_of(&safe(&before.event.text.0)).to_owned()
    });
    let ticket = thread
        .ticket
        .as_ref()
        .filter(|_| event.kind == EventKind::Opened);
    let names = |handle: &crate::model::Handle| roster.names_of(handle);
    let mut labels: Vec<String> = ticket
        .map(|ticket| ticket.labels.clone())
        .unwrap_or_default();
    labels.extend(
        ticket
            .iter()
            .flat_map(|ticket| ticket.components.iter().cloned()),
    );
    labels.extend(ticket.map(|ticket| ticket.key.clone()));
    let id = event.id.to_string();
    let pieces = pieces(&text);
    let mut ops = Vec::with_capacity(pieces.len());
    for (number, piece) in pieces.into_iter().enumerate() {
        ops.push(Op::Put(Passage {
            id: match number {
                0 => id.clone(),
                // No source's id holds a control character.
                _ => format!("{id}\u{1f}{number}"),
            },
            event: id.clone(),
            thread: thread.id.to_string(),
            connector: thread.id.connector.to_string(),
            kind: thread.kind.as_str().to_owned(),
            space: thread.space.as_ref().map(|space| roster.space_name(space)),
            title: title.clone(),
            context: std::mem::replace(&mut context, end_of(piece).to_owned()),
            text: piece.to_owned(),
            authors: event.author.as_ref().map(names).unwrap_or_default(),
            labels: labels.clone(),
            status: ticket.map(|ticket| ticket.status.clone()),
            assignees: ticket
                .and_then(|ticket| ticket.assignee.as_ref())
                .map(names)
                .unwrap_or_default(),
            language: None,
            audience: logged.audience,
            occurred_at: event.occurred_at,
        }));
    }
    Ok(ops)
}

/// A message of more than this is cut: a page of a hundred lines is found by the lines that say it.
const LONGEST_PIECE: usize = 4_000;
/// What a passage carries of the one before it.
const OVERLAP: usize = 320;

/// Cuts a long text where a paragraph, a line, a sentence or at least a word ends.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > LONGEST_PIECE {
        let head = &rest[..boundary(rest, LONGEST_PIECE * 3 / 4)];
        let late = |at: usize| at > head.len() / 2;
        let cut = ["\n\n", "\n", ". ", " "]
            .iter()
            .find_map(|border| {
                head.rfind(border)
                    .map(|at| at + border.len())
                    .filter(|at| late(*at))
            })
            .unwrap_or(head.len());
        pieces.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    if pieces.is_empty() || !rest.trim().is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Returns the last words of a text.
fn end_of(text: &str) -> &str {
    let text = text.trim_end();
    if text.len() <= OVERLAP {
        return text;
    }
    let end = &text[boundary(text, text.len() - OVERLAP)..];
    end.split_once(char::is_whitespace)
        .map_or(end, |(_, whole)| whole)
}

/// Returns the place of a character at or before a byte.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the position up to which nothing is missing from the index.
pub fn is_behind(store: &Store, applied: Seq) -> Result<bool> {
    Ok(store.read_now(events::last_seq)? > applied)
}

#[cfg(test)]
mod tests {
    use daybrief_index::{Options, Query};

    use super::*;
    use crate::connectors::files::bare_event;
    use crate::connectors::{Cursor, Page, Source};
    use crate::ingest;
    use crate::model::{
        Audience, ConnectorId, Event, EventId, Handle, Markdown, ThreadId, ThreadKind,
    };

    /// One conversation that everyone may read.
    struct Talk(Vec<Event>);

    impl Source for Talk {
        async fn fetch(&mut self, _after: Option<&Cursor>) -> Result<Page> {
            let thread = Thread {
                id: thread_id(),
                kind: ThreadKind::Conversation,
                space: None,
                title: String::new(),
                url: String::new(),
                audience: Audience::Everyone,
                participants: Default::default(),
                ticket: None,
            };
            Ok(Page {
                threads: vec![thread],
                events: std::mem::take(&mut self.0),
                ..Page::default()
            })
        }
    }

    fn thread_id() -> ThreadId {
        ThreadId::new(&"office".into(), "t".to_owned())
    }

    fn event(id: &str, minute: i64, kind: EventKind, text: &str) -> Event {
        Event {
            id: EventId::new(&"office".into(), id.to_owned()),
            thread: thread_id(),
            kind,
            author: None,
            occurred_at: jiff::Timestamp::from_second(1_790_000_000 + minute * 60).unwrap(),
            text: Markdown(text.to_owned()),
            aside: String::new(),
            mentions: Vec::new(),
            url: String::new(),
            audience: None,
            by_bot: false,
        }
    }

    async fn learn(store: &Store, index: &Index, events: Vec<Event>) {
        let now = jiff::Timestamp::from_second(1_790_100_000).unwrap();
        let (mut talk, roster) = (Talk(events), Roster::default());
        ingest::sync(
            store,
            &"office".into(),
            &mut talk,
            &roster,
            || now,
            |_, _| {},
        )
        .await
        .unwrap();
        follow(store, index, &roster, |_, _| {}).unwrap();
    }

    /// Returns the messages that full text finds.
    fn found(store: &Store, index: &Index, text: &str) -> String {
        let readable = store
            .read_now(|c| crate::store::audiences::readable_by(c, None))
            .unwrap();
        let query = Query {
            arms: daybrief_index::Arms::Lexical,
            ..Query::new(text, readable, 9)
        };
        let mut ids: Vec<String> = index
            .search(&query)
            .unwrap()
            .items
            .into_iter()
            .map(|hit| hit.passage.event.replace("office/", ""))
            .collect();
        ids.sort();
        ids.join(" ")
    }

    #[tokio::test]
    async fn a_message_is_found_by_the_end_of_the_one_before_until_that_is_gone() {
        let store = Store::in_memory().unwrap();
        let index = Index::in_memory(Options::default());
        let of = EventId::new(&"office".into(), "1".to_owned());
        let posted = vec![
            event(
                "1",
                1,
                EventKind::Posted,
                "Why does the invoice export fail?",
            ),
            event("2", 5, EventKind::Posted, "The disk was full."),
        ];
        learn(&store, &index, posted).await;
        assert_eq!(found(&store, &index, "invoice"), "1 2");
        // One that comes late stands between them.
        let late = event("3", 3, EventKind::Posted, "Let me look at the journal.");
        learn(&store, &index, vec![late]).await;
        assert_eq!(found(&store, &index, "invoice"), "1 3");
        assert_eq!(found(&store, &index, "journal"), "2 3");
        let edited = event(
            "4",
            6,
            EventKind::Edited { of: of.clone() },
            "Why is the bill empty?",
        );
        learn(&store, &index, vec![edited]).await;
        assert_eq!(found(&store, &index, "invoice"), "");
        assert_eq!(found(&store, &index, "bill"), "1 3");
        let deleted = event("5", 7, EventKind::Deleted { of }, "");
        learn(&store, &index, vec![deleted]).await;
        assert_eq!(found(&store, &index, "bill"), "");
        assert_eq!(found(&store, &index, "journal"), "2 3");
        // What is forgotten for its age is forgotten by the one after it too.
        let before = jiff::Timestamp::from_second(1_790_000_000 + 4 * 60).unwrap();
        let expired = store
            .write(move |c| crate::store::retention::expire(c, &"office".into(), before, 9))
            .await
            .unwrap();
        assert_eq!(expired, 1);
        follow(&store, &index, &Roster::default(), |_, _| {}).unwrap();
        assert_eq!(found(&store, &index, "journal"), "");
        assert_eq!(found(&store, &index, "disk"), "2");
    }

    #[tokio::test]
    async fn a_hit_in_a_long_message_names_the_message() {
        let store = Store::in_memory().unwrap();
        let index = Index::in_memory(Options::default());
        let of = EventId::new(&"office".into(), "1".to_owned());
        let long = format!(
            "{}The quota is twelve.",
            "A line of the report.\n".repeat(600)
        );
        learn(
            &store,
            &index,
            vec![event("1", 1, EventKind::Posted, &long)],
        )
        .await;
        assert!(index.stats().passages > 3);
        assert_eq!(found(&store, &index, "quota"), "1");
        let edited = event("2", 2, EventKind::Edited { of }, "A short report.");
        learn(&store, &index, vec![edited]).await;
        assert_eq!(index.stats().passages, 1);
    }

    #[test]
    fn a_long_text_is_cut_at_its_borders_and_nothing_is_lost() {
        for text in [
            "a line of a long page\n".repeat(900),
            "no border in it".replace(' ', "").repeat(2_000),
            "検索".repeat(3_000),
            "short".to_owned(),
            String::new(),
        ] {
            let pieces = pieces(&text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| piece.len() <= LONGEST_PIECE));
            let late = &pieces[1..];
            assert!(
                late.iter()
                    .all(|piece| !piece.starts_with('\n') && !piece.trim().is_empty())
            );
        }
    }

    #[test]
    fn the_end_of_a_text_begins_with_a_whole_word() {
        assert_eq!(end_of("all of it \n"), "all of it");
        let end = end_of(&"many words ".repeat(100)).to_owned();
        assert!(end.starts_with("many") || end.starts_with("words"), "{end}");
        assert!(end.len() <= OVERLAP);
        assert!(end_of(&"検".repeat(500)).len() <= OVERLAP + 3);
    }

    #[test]
    fn what_others_may_read_now_is_put_into_the_index_again() {
        let id = ConnectorId::new("tracker");
        let page = |readers: &[&str], narrow: bool| {
            let handles = |names: &[&str]| {
                names
                    .iter()
                    .map(|name| Handle::new(&id, *name))
                    .collect::<std::collections::BTreeSet<_>>()
            };
            let thread = ThreadId::new(&id, "1");
            let event = |name: &str, kind| Event {
                text: Markdown(format!("words of {name}")),
                ..bare_event(
                    EventId::new(&id, name),
                    thread.clone(),
                    kind,
                    jiff::Timestamp::UNIX_EPOCH,
                )
            };
            let mut comment = event("1-c1", EventKind::Posted);
            comment.audience = narrow.then(|| Audience::Only(handles(&["cy"])));
            Page {
                threads: vec![Thread {
                    id: thread.clone(),
                    kind: ThreadKind::Ticket,
                    space: None,
                    title: "t".into(),
                    url: String::new(),
                    audience: Audience::Only(handles(readers)),
                    participants: Default::default(),
                    ticket: None,
                }],
                events: vec![event("1", EventKind::Opened), comment],
                ..Page::default()
            }
        };
        let store = Store::in_memory().unwrap();
        let put = |readers: &[&str], narrow: bool| {
            let page = page(readers, narrow);
            let id = id.clone();
            let now = jiff::Timestamp::UNIX_EPOCH;
            store
                .write_now(|c| {
                    let before = events::last_seq(c)?;
                    ingest::store_page(c, &id, &page, &Roster::default(), now, true)?;
                    let steps = steps_after(c, before, 99)?;
                    let mut ops = Vec::new();
                    for step in &steps {
                        ops.extend(ops_of(c, step, &Roster::default())?);
                    }
                    let put = ops.into_iter().filter_map(|op| match op {
                        Op::Put(passage) => Some((passage.event, passage.audience.0)),
                        _ => None,
                    });
                    Ok(put.collect::<Vec<_>>())
                })
                .unwrap()
        };
        let both = |opened: u64, comment: u64| {
            vec![
                ("tracker/1".to_owned(), opened),
                ("tracker/1-c1".to_owned(), comment),
            ]
        };
        assert_eq!(put(&["ana"], false), both(1, 1));
        assert_eq!(put(&["ana"], false), []);
        assert_eq!(
            put(&["ana", "bo"], false),
            both(2, 2),
            "one takes part from now on"
        );
        assert_eq!(
            put(&["ana", "bo"], true),
            both(2, 3),
            "one comment is kept to some"
        );
        assert_eq!(put(&["ana", "bo"], false), both(2, 2));
    }
}
