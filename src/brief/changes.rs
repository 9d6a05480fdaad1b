//! What is new for one member, topic by topic, as facts: who did what, and what it has to do with the reader.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;

use crate::model::{
    Asked, Change, EventKind, Handle, Logged, LoggedAsk, Member, Seq, ThreadKind, Ticket, Topic,
};
use crate::roster::Roster;
use crate::stage;
use crate::store::night::Night;
use crate::text::asks::{blocker_in, decision_in};
use crate::text::overriding::{names_of, takes_back};

/// One topic with something for the reader to know: what is new in it, and how it is theirs.
#[derive(Clone, Debug)]
pub struct News<'a> {
    /// The topic, as far as the reader may read it.
    pub topic: &'a Topic,
    /// Its new events and the ticket before and after, as facts.
    pub change: Change,
    /// What others did within the window, oldest first, programs left out.
    pub new: Vec<&'a Logged>,
    /// How many of the new events programs made.
    pub by_bots: usize,
    /// How it is the reader's.
    pub mine: Mine,
    /// New events by others that name the reader.
    pub mentions: Vec<&'a Logged>,
    /// Open asks to the reader.
    pub asks: Vec<&'a LoggedAsk>,
    /// Mentions from before the window without a later act of the reader.
    pub old_mentions: Vec<&'a Logged>,
    /// New events that settle a choice, with the sentence.
    pub decisions: Vec<(&'a Logged, Range<usize>)>,
    /// New events that say that work cannot go on, with the sentence.
    pub blockers: Vec<(&'a Logged, Range<usize>)>,
    /// How many people were behind the new events.
    pub voices: usize,
    /// What the reader put off until this morning.
    pub put_off: Vec<&'a Logged>,
    /// Whether the reader said that it is done with, and nothing has come since.
    pub is_done: bool,
}

/// How a topic is the reader's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mine {
    /// How often the reader wrote in it.
    pub posts: usize,
    /// How many events of others came since the reader last wrote; `None` when they never did.
    pub distance: Option<usize>,
    /// Whether nobody came after the reader.
    pub had_last_word: bool,
    /// Whether the reader opened the ticket or began the thread.
    pub began: bool,
    /// Whether the reader reported the ticket.
    pub reported: bool,
    /// Whether the reader owns the ticket.
    pub owns: bool,
    /// Whether the reader is asked to review.
    pub reviews: bool,
    /// Whether the reader is addressed as one of the participants, by mail or invitation.
    pub takes_part: bool,
}

impl Mine {
    /// Returns whether the topic is the reader's in any way but being addressed along with others.
    pub fn is_mine(&self) -> bool {
        self.posts > 0 || self.reported || self.owns || self.reviews
    }
}

/// Returns what is new for a member, one entry a topic, in the order of the topics' numbers.
///
/// A topic comes up when others did something new in it, or when an open ask to the reader, an unanswered mention or
/// nothing but time (a due date) makes it matter; `rank` decides what of it is shown. What a later decision takes back is no
/// decision any more.
pub fn news_of<'a>(night: &'a Night, member: &Member, roster: &Roster) -> Vec<News<'a>> {
    let topics = night.topics.values();
    let mut news: Vec<News<'a>> = topics
        .map(|topic| news_in(topic, night, member, roster))
        .collect();
    // An outsider takes nothing back.
    let is_by_member = |logged: &&Logged| {
        let author = logged.event.author.as_ref();
        author.is_some_and(|author| roster.member_of(author).is_some())
    };
    let decisions: Vec<&'a Logged> = news
        .iter()
        .flat_map(|news| news.decisions.iter().map(|(logged, _)| *logged))
        .filter(is_by_member)
        .collect();
    for news in &mut news {
        let title = &news.topic.thread.title;
        news.decisions.retain(|(earlier, sentence)| {
            let names = names_of(&earlier.event.text.0[sentence.clone()], title);
            !decisions.iter().any(|later| {
                later.event.occurred_at > earlier.event.occurred_at
                    && takes_back(&later.event.text.0, &names)
            })
        });
    }
    news
}

fn news_in<'a>(topic: &'a Topic, night: &'a Night, member: &Member, roster: &Roster) -> News<'a> {
    let is_mine = |logged: &Logged| {
        logged
            .event
            .author
            .as_ref()
            .is_some_and(|author| member.owns(author))
    };
    let is_bot = |logged: &Logged| {
        logged.event.by_bot
            || logged
                .event
                .author
                .as_ref()
                .is_some_and(|author| roster.is_bot(author))
    };
    let in_window: Vec<&Logged> = topic
        .events
        .iter()
        .filter(|logged| night.new.contains(&logged.seq) && !logged.is_removed)
        .collect();
    let (by_bots, new): (Vec<&Logged>, Vec<&Logged>) = in_window
        .iter()
        .copied()
        .filter(|logged| !is_mine(logged))
        .partition(|logged| is_bot(logged));

    let mine = mine_in(topic, member, &is_mine, &is_bot);
    let names_me = |logged: &&Logged| {
        logged
            .event
            .mentions
            .iter()
            .any(|handle| member.owns(handle))
    };
    let mentions = new
        .iter()
        .copied()
        .filter(|logged| names_me(logged))
        .collect();
    let asks = night
        .asks_to
        .iter()
        .filter(|ask| ask.topic == topic.id && !is_answered_by_act(ask, topic, member))
        .collect();
    let old: BTreeSet<Seq> = night
        .old_mentions
        .iter()
        .filter(|(_, id)| *id == topic.id)
        .map(|(seq, _)| *seq)
        .collect();
    let last_act = last_act_of(topic, member);
    let old_mentions = topic
        .events
        .iter()
        .filter(|logged| old.contains(&logged.seq) && !logged.is_removed)
        .filter(|logged| last_act.is_none_or(|act| act < logged.event.occurred_at))
        .collect();
    let (decisions, blockers) = settled_in(topic, &new, roster);
    let voices = new
        .iter()
        .filter_map(|logged| logged.event.author.as_ref())
        .collect::<BTreeSet<_>>()
        .len();
    let put_off = night.steering.put_off.get(&topic.id);
    let put_off = topic
        .events
        .iter()
        .filter(|logged| {
            !logged.is_removed && put_off.is_some_and(|seqs| seqs.contains(&logged.seq))
        })
        .collect();
    News {
        put_off,
        is_done: new.is_empty() && night.steering.done.contains_key(&topic.id),
        topic,
        change: change_of(topic, &in_window),
        by_bots: by_bots.len(),
        new,
        mine,
        mentions,
        asks,
        old_mentions,
        decisions,
        blockers,
        voices,
    }
}

/// Returns when the reader last did anything in a topic.
fn last_act_of(topic: &Topic, member: &Member) -> Option<Timestamp> {
    let by_me = |logged: &&Logged| {
        logged
            .event
            .author
            .as_ref()
            .is_some_and(|author| member.owns(author))
    };
    topic
        .events
        .iter()
        .filter(by_me)
        .map(|logged| logged.event.occurred_at)
        .max()
}

/// Returns whether the reader did something in the topic after the ask: reacting is an act, too.
fn is_answered_by_act(ask: &LoggedAsk, topic: &Topic, member: &Member) -> bool {
    last_act_of(topic, member).is_some_and(|act| act > ask.ask.asked_at)
}

fn mine_in(
    topic: &Topic,
    member: &Member,
    is_mine: &impl Fn(&Logged) -> bool,
    is_bot: &impl Fn(&Logged) -> bool,
) -> Mine {
    let counted: Vec<&Logged> = topic
        .events
        .iter()
        .filter(|logged| {
            (logged.event.kind.is_said() || logged.event.kind.is_state_change()) && !is_bot(logged)
        })
        .collect();
    let said_by_me = |logged: &&&Logged| is_mine(logged) && logged.event.kind.is_said();
    let owns = |handle: &Option<Handle>| handle.as_ref().is_some_and(|handle| member.owns(handle));
    let ticket = topic.thread.ticket.as_ref();
    let opened_by_me =
        |logged: &&&Logged| is_mine(logged) && logged.event.kind == EventKind::Opened;
    let posts =
        counted.iter().filter(said_by_me).count() - counted.iter().filter(opened_by_me).count();
    let last_mine = counted.iter().rposition(|logged| is_mine(logged));
    Mine {
        posts,
        distance: counted
            .iter()
            .rposition(|logged| is_mine(logged) && logged.event.kind.is_said())
            .map(|last| counted.len() - 1 - last),
        had_last_word: last_mine.is_some_and(|last| last + 1 == counted.len()),
        began: counted.first().is_some_and(|first| is_mine(first)),
        reported: ticket.is_some_and(|ticket| owns(&ticket.reporter)),
        owns: ticket.is_some_and(|ticket| owns(&ticket.assignee)),
        reviews: ticket.is_some_and(|ticket| {
            ticket
                .reviewers
                .iter()
                .any(|reviewer| member.owns(reviewer))
        }),
        takes_part: topic
            .thread
            .participants
            .iter()
            .any(|handle| member.owns(handle)),
    }
}

/// Returns the change of a topic within the window: its events, and the ticket before and after them.
pub fn change_of(topic: &Topic, in_window: &[&Logged]) -> Change {
    let after: Option<Ticket> = topic.thread.ticket.clone();
    let is_opened = in_window
        .iter()
        .any(|logged| logged.event.kind == EventKind::Opened);
    let before = after.clone().filter(|_| !is_opened).map(|mut ticket| {
        for logged in in_window.iter().rev() {
            ticket.undo(&logged.event.kind);
        }
        ticket
    });
    let events = in_window
        .iter()
        .map(|logged| logged.event.id.clone())
        .collect();
    Change {
        thread: topic.thread.id.clone(),
        events,
        before,
        after,
    }
}

type Cited<'a> = Vec<(&'a Logged, Range<usize>)>;

/// Returns the new messages that settle a choice or report a blocker, with the sentences that do.
fn settled_in<'a>(topic: &'a Topic, new: &[&'a Logged], roster: &Roster) -> (Cited<'a>, Cited<'a>) {
    if new.iter().all(|logged| !logged.event.kind.is_said()) {
        return (Vec::new(), Vec::new());
    }
    let (mut decisions, mut blockers) = (Vec::new(), Vec::new());
    stage::with_scene(topic, roster, |scene, said| {
        for (index, logged) in said.iter().enumerate() {
            if !new.iter().any(|other| other.seq == logged.seq) {
                continue;
            }
            decisions.extend(decision_in(scene, index).map(|sentence| (*logged, sentence)));
            blockers.extend(blocker_in(scene, index).map(|sentence| (*logged, sentence)));
        }
    });
    (decisions, blockers)
}

/// Returns whom an ask is to, as accounts.
pub fn asked_accounts(asked: &Asked) -> &[Handle] {
    match asked {
        Asked::Persons(handles) => handles,
        Asked::Group => &[],
    }
}

/// Returns whether a topic is a ticket.
pub fn is_ticket(topic: &Topic) -> bool {
    topic.thread.kind == ThreadKind::Ticket
}
