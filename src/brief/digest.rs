//! One changed thread as a model may see it: numbered messages, people and tickets as slots, and the daemon's own facts.
//!
//! A digest is made for one audience class and shared by all readers of that class. Ids, addresses and mention tokens stay
//! beside it and never enter a prompt; the checks hold every word of an answer against what stands here.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;

use crate::brief::changes::change_of;
use crate::llm::orders::gives_orders;
use crate::model::{
    AudienceId, EventId, EventKind, Handle, Logged, Member, Seq, Thread, ThreadId, ThreadKind,
    Topic, TopicId,
};
use crate::roster::Roster;
use crate::stage;
use crate::text::asks::{ask_in, blocker_in, decision_in};

mod aliases;
mod prompt_text;

pub(crate) use aliases::folded;
use prompt_text::{Names, PromptText};

/// A changed thread for one audience class.
#[derive(Clone, Debug)]
pub struct Digest {
    /// The topic it was made of.
    pub topic: TopicId,
    /// The topic's thread.
    pub thread: ThreadId,
    /// What kind of place it is.
    pub kind: ThreadKind,
    /// The title, made fit for a prompt; empty for chat.
    pub title: String,
    /// The audiences of the messages in it: who may read all of these may share the words made of it.
    pub audiences: BTreeSet<AudienceId>,
    /// What was said, oldest first.
    pub messages: Vec<DigestMessage>,
    /// Everybody who wrote, is named, or owns or reported the ticket.
    pub people: Vec<PersonSlot>,
    /// The thread's own ticket first, then tickets that the messages name.
    pub tickets: Vec<TicketSlot>,
    /// What changed in the window, as computed.
    pub facts: Facts,
}

/// A message of a digest.
#[derive(Clone, Debug)]
pub struct DigestMessage {
    /// Its number in the request, from 1.
    pub n: u32,
    /// The author's place in [`Digest::people`].
    pub who: Option<usize>,
    /// The source's own time.
    pub at: Timestamp,
    /// The words for the prompt: addresses as `[link: host]`, people and tickets as slots.
    pub text: String,
    /// The event behind it; never in a prompt.
    pub event: EventId,
    /// The event's place in the log.
    pub seq: Seq,
    /// Whether it is new in the window; the others are context.
    pub is_new: bool,
    /// Whether a program wrote it.
    pub by_bot: bool,
    /// What the rules over wording found in it.
    pub cues: Cues,
    /// The people it names, besides its author: places in [`Digest::people`].
    pub names: BTreeSet<usize>,
    /// The text as it was written, without what nobody can see.
    pub source: String,
    pieces: Vec<prompt_text::Piece>,
}

/// What the rules of [`crate::text::asks`] found in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cues {
    /// It asks something of somebody.
    pub asks: bool,
    /// It settles a choice.
    pub decides: bool,
    /// It says that work cannot go on.
    pub blocks: bool,
}

/// A person as a prompt names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSlot {
    /// `p1`, `p2` …
    pub slot: String,
    /// The name to show.
    pub name: String,
    /// Lower-case names they go by: display name and its parts, login, mail address and its local part, short forms.
    pub aliases: BTreeSet<String>,
    /// Their accounts in this digest.
    pub handles: BTreeSet<Handle>,
    /// Whether they are a member of the team.
    pub is_member: bool,
    /// Whether it is a program.
    pub is_bot: bool,
}

/// A ticket as a prompt names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketSlot {
    /// `t1`, `t2` …
    pub slot: String,
    /// The visible key.
    pub key: String,
    /// Where it can be read; never in a prompt.
    pub url: String,
    /// The tracker's status word now.
    pub status: String,
    /// Whether that means "done".
    pub is_closed: bool,
    /// The person who owns it: a place in [`Digest::people`].
    pub owner: Option<usize>,
}

/// What changed in the window, computed by the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The ticket's status before and after, where it changed.
    pub status: Option<(String, String)>,
    /// Every status the ticket went through in the window.
    pub statuses: Vec<String>,
    /// The owner before and after, where it changed: places in [`Digest::people`].
    pub owner: Option<(Option<usize>, Option<usize>)>,
    /// Whether the ticket was opened in the window.
    pub is_opened: bool,
    /// The priority after, where it changed.
    pub priority: Option<String>,
    /// The due date after, where it changed.
    pub due: Option<jiff::civil::Date>,
    /// New messages by people.
    pub messages: usize,
    /// People behind them.
    pub voices: usize,
    /// Events behind the state changes, oldest first.
    pub events: Vec<EventId>,
}

impl Facts {
    /// Returns the facts as plain lines for a prompt, people and tickets as slots.
    pub fn lines(&self, digest: &Digest) -> Vec<String> {
        let slot = |person: &Option<usize>| match person {
            Some(at) => digest.people[*at].slot.clone(),
            None => "nobody".to_owned(),
        };
        let mut lines = Vec::new();
        if self.is_opened {
            lines.push("t1 was opened".to_owned());
        }
        if let Some((from, to)) = &self.status {
            lines.push(format!("t1 status: from {from} to {to}"));
        }
        if let Some((from, to)) = &self.owner {
            lines.push(format!("t1 owner: from {} to {}", slot(from), slot(to)));
        }
        lines.extend(self.priority.iter().map(|to| format!("t1 priority: {to}")));
        lines.extend(self.due.iter().map(|to| format!("t1 due: {to}")));
        lines.push(format!(
            "new messages: {}, people: {}",
            self.messages, self.voices
        ));
        lines
    }
}

/// The most words of a title that a prompt sees.
const TITLE_WORDS: usize = 24;

/// Returns the digest of a topic whose events are those of one audience class, oldest first.
///
/// `new` are the positions of the window; `tickets` are tickets that every reader of the class may read, so that their keys
/// become slots.
pub fn digest_of(
    topic: &Topic,
    new: &BTreeSet<Seq>,
    roster: &Roster,
    tickets: &[&Thread],
) -> Digest {
    let mut people = People {
        roster,
        slots: Vec::new(),
        connector: &topic.thread.id,
    };
    let in_window: Vec<&Logged> = topic
        .events
        .iter()
        .filter(|logged| new.contains(&logged.seq) && !logged.is_removed)
        .collect();
    let said: Vec<&Logged> = topic
        .events
        .iter()
        .filter(|logged| logged.event.kind.is_said() && !logged.is_removed)
        .collect();
    for author in said
        .iter()
        .filter_map(|logged| logged.event.author.as_ref())
    {
        people.place_of(author);
    }
    for handle in said.iter().flat_map(|logged| &logged.event.mentions) {
        people.place_of(handle);
    }
    let ticket = topic.thread.ticket.as_ref();
    for handle in ticket.iter().flat_map(|ticket| {
        ticket
            .reporter
            .iter()
            .chain(&ticket.assignee)
            .chain(&ticket.reviewers)
    }) {
        people.place_of(handle);
    }
    let facts = facts_of(topic, &in_window, &mut people);
    let slots = ticket_slots(topic, &said, tickets, &mut people);
    let names = Names {
        people: &people.slots,
        tickets: &slots,
    };
    let cues = cues_of(topic, roster);
    let mut messages = Vec::new();
    for (logged, cues) in said.iter().zip(cues) {
        let made = PromptText::of(&logged.event.text.0, &names);
        if made.text.trim().is_empty() {
            continue;
        }
        let who = logged
            .event
            .author
            .as_ref()
            .and_then(|author| names.person(author));
        let mentioned = logged
            .event
            .mentions
            .iter()
            .filter_map(|handle| names.person(handle));
        let mut named: BTreeSet<usize> = mentioned.chain(made.people.iter().copied()).collect();
        named.extend(names.named_in(&made.source));
        named.retain(|person| Some(*person) != who);
        messages.push(DigestMessage {
            n: messages.len() as u32 + 1,
            who,
            at: logged.event.occurred_at,
            text: made.text,
            event: logged.event.id.clone(),
            seq: logged.seq,
            is_new: new.contains(&logged.seq),
            by_bot: stage::is_bot(logged, roster),
            cues,
            names: named,
            source: made.source,
            pieces: made.pieces,
        });
    }
    // Whoever may write a title may write orders into it; then the thread has none, neither to be read nor as a source.
    let title = match gives_orders(&topic.thread.title) {
        true => String::new(),
        false => PromptText::of(&topic.thread.title, &names).text,
    };
    Digest {
        topic: topic.id,
        thread: topic.thread.id.clone(),
        kind: topic.thread.kind,
        title: title
            .split_whitespace()
            .take(TITLE_WORDS)
            .collect::<Vec<_>>()
            .join(" "),
        audiences: topic.events.iter().map(|logged| logged.audience).collect(),
        messages,
        people: people.slots,
        tickets: slots,
        facts,
    }
}

impl Digest {
    /// Returns the message of a number.
    pub fn message(&self, n: u32) -> Option<&DigestMessage> {
        let at = self
            .messages
            .binary_search_by_key(&n, |message| message.n)
            .ok()?;
        Some(&self.messages[at])
    }

    /// Returns the same digest with only these messages; they keep their numbers. For long threads, cut or in parts.
    pub fn part(&self, numbers: Range<u32>) -> Digest {
        let mut part = self.clone();
        part.messages.retain(|message| numbers.contains(&message.n));
        part
    }

    /// Returns the person of a slot such as `p2`.
    pub fn person(&self, slot: &str) -> Option<&PersonSlot> {
        self.people.iter().find(|person| person.slot == slot)
    }

    /// Returns the ticket of a slot such as `t1`.
    pub fn ticket(&self, slot: &str) -> Option<&TicketSlot> {
        self.tickets.iter().find(|ticket| ticket.slot == slot)
    }

    /// Returns a member's slot, when they have one here.
    pub fn slot_of(&self, member: &Member) -> Option<&PersonSlot> {
        self.people
            .iter()
            .find(|person| person.handles.iter().any(|handle| member.owns(handle)))
    }
}

impl DigestMessage {
    /// Returns the part of [`source`](Self::source) behind a part of [`text`](Self::text).
    pub fn source_range(&self, of_text: Range<usize>) -> Range<usize> {
        prompt_text::source_range(&self.pieces, of_text)
    }
}

/// Who is who in one digest.
struct People<'a> {
    roster: &'a Roster,
    slots: Vec<PersonSlot>,
    connector: &'a ThreadId,
}

impl People<'_> {
    /// Returns the place of an account's owner, who gets a slot if they have none.
    fn place_of(&mut self, handle: &Handle) -> usize {
        let member = self.roster.member_of(handle);
        let found = self.slots.iter().position(|slot| {
            slot.handles.contains(handle)
                || member.is_some_and(|member| slot.handles.iter().any(|own| member.owns(own)))
        });
        if let Some(at) = found {
            self.slots[at].handles.insert(handle.clone());
            self.slots[at]
                .aliases
                .extend(aliases::of(&self.roster.names_of(handle)));
            return at;
        }
        let mut names = self.roster.names_of(handle);
        names.extend(self.roster.email_of(handle).map(str::to_owned));
        // The same person's accounts elsewhere are names, too.
        if let Some(member) = member {
            let here = &self.connector.connector;
            let other = member.handles.values().flatten();
            names.extend(
                other
                    .filter(|own| own.connector != *here && own.id.contains('@'))
                    .map(|own| own.id.to_string()),
            );
        }
        self.slots.push(PersonSlot {
            slot: format!("p{}", self.slots.len() + 1),
            name: aliases::display(&self.roster.name_of(handle)),
            aliases: aliases::of(&names),
            handles: BTreeSet::from([handle.clone()]),
            is_member: member.is_some(),
            is_bot: self.roster.is_bot(handle),
        });
        self.slots.len() - 1
    }
}

fn facts_of(topic: &Topic, in_window: &[&Logged], people: &mut People<'_>) -> Facts {
    let change = change_of(topic, in_window);
    let mut facts = Facts {
        is_opened: topic.thread.ticket.is_some()
            && in_window
                .iter()
                .any(|logged| logged.event.kind == EventKind::Opened),
        ..Facts::default()
    };
    if let (Some(before), Some(after)) = (&change.before, &change.after) {
        facts.status = (before.status != after.status)
            .then(|| (plain_word(&before.status), plain_word(&after.status)));
        if before.assignee != after.assignee {
            let mut place =
                |handle: &Option<Handle>| handle.as_ref().map(|handle| people.place_of(handle));
            facts.owner = Some((place(&before.assignee), place(&after.assignee)));
        }
        if before.priority != after.priority {
            facts.priority = after.priority.as_deref().map(plain_word);
        }
        if before.due != after.due {
            facts.due = after.due;
        }
    }
    for logged in in_window {
        if let EventKind::Transitioned { to, .. } = &logged.event.kind {
            facts.statuses.push(plain_word(to));
        }
        if logged.event.kind.is_state_change() {
            facts.events.push(logged.event.id.clone());
        }
    }
    let spoken: Vec<&&Logged> = in_window
        .iter()
        .filter(|logged| {
            logged.event.kind == EventKind::Posted && !stage::is_bot(logged, people.roster)
        })
        .collect();
    facts.messages = spoken.len();
    facts.voices = spoken
        .iter()
        .filter_map(|logged| logged.event.author.as_ref())
        .collect::<BTreeSet<_>>()
        .len();
    facts
}

/// Returns a tracker's word as one line of letters, digits and spaces.
fn plain_word(word: &str) -> String {
    let kept: String = crate::text::safe(word)
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '-' | '\'' | '.') {
                c
            } else {
                ' '
            }
        })
        .take(40)
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The most tickets of other threads that get a slot.
const MAX_TICKETS: usize = 12;

fn ticket_slots(
    topic: &Topic,
    said: &[&Logged],
    others: &[&Thread],
    people: &mut People<'_>,
) -> Vec<TicketSlot> {
    let is_named = |key: &str| {
        said.iter()
            .any(|logged| prompt_text::key_at(&logged.event.text.0, key, 0).is_some())
    };
    let own = topic.thread.ticket.as_ref().map(|_| &topic.thread);
    let named = others
        .iter()
        .copied()
        .filter(|thread| thread.id != topic.thread.id)
        .filter(|thread| {
            let key = thread.ticket.as_ref().map_or("", |ticket| &ticket.key);
            !key.is_empty() && is_named(key)
        })
        .take(MAX_TICKETS);
    own.into_iter()
        .chain(named)
        .filter_map(|thread| Some((thread, thread.ticket.as_ref()?)))
        .enumerate()
        .map(|(at, (thread, ticket))| TicketSlot {
            slot: format!("t{}", at + 1),
            key: aliases::display(if ticket.key.is_empty() {
                &thread.id.id
            } else {
                &ticket.key
            }),
            url: thread.url.clone(),
            status: plain_word(&ticket.status),
            is_closed: ticket.is_closed,
            owner: ticket.assignee.as_ref().map(|owner| people.place_of(owner)),
        })
        .collect()
}

/// Returns what the rules over wording find, one entry for each message that says something.
fn cues_of(topic: &Topic, roster: &Roster) -> Vec<Cues> {
    stage::with_scene(topic, roster, |scene, said| {
        (0..said.len())
            .map(|index| Cues {
                asks: ask_in(scene, index).is_some(),
                decides: decision_in(scene, index).is_some(),
                blocks: blocker_in(scene, index).is_some(),
            })
            .collect()
    })
}

#[cfg(test)]
pub(crate) mod tests;
