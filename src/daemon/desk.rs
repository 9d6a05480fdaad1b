//! What Slack pushes, at work: a hint brings a reading forward, a word to us is heard, a question is answered, a button does
//! what it says.
//!
//! A button counts for the member one of whose accounts there pressed it, and only on their own briefing. A press is kept before
//! Slack hears that we have it, and counts once whatever crashes. What it asks of a
//! tracker is written down first, done at once and settled; the daemon's own look at tickets does what a crash left over.

mod presses;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::{Timestamp, civil};
use rusqlite::Connection;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::presses::Kept;
use super::Parts;
use super::hints::Hints;
use super::joining::Following;
use super::questions::{Question, Questions};
use crate::ask::Answering;
use crate::brief::hear::hear;
use crate::brief::offers::{Reader, offer_of, ticket_of};
use crate::brief::render::slack::{self, Pressed, WHY};
use crate::brief::standing::{Standing, standing};
use crate::brief::steer;
use crate::clock::Clock;
use crate::connectors::Tracker;
use crate::connectors::slack::api::Client;
use crate::connectors::slack::dm::{Dm, place_of};
use crate::connectors::slack::push::{Click, Push};
use crate::connectors::slack::socket::{BackOff, listen};
use crate::connectors::tracker::AnyTracker;
use crate::model::{ConnectorId, Handle, Member, Verdict};
use crate::roster::Roster;
use crate::sinks::Sink;
use crate::store::awaited::{self, Awaited};
use crate::store::postings::{self, Kind, Posting, State};
use crate::store::{Store, steering};
use crate::triage::post;
use crate::triage::verdicts::{Answer, Heard, take_in};

/// A workspace that pushes, and the members that are briefed there.
#[derive(Clone)]
pub struct Listener {
    /// The workspace.
    pub connector: ConnectorId,
    /// What may open its sockets.
    pub client: Client,
    /// Who is briefed there.
    pub accounts: Accounts,
    /// The ways to write to trackers, where the config lets daybrief write.
    pub trackers: BTreeMap<ConnectorId, AnyTracker>,
    /// Whether a socket is open, so that buttons are heard.
    pub is_open: Arc<AtomicBool>,
}

impl Listener {
    /// Starts to listen, until the token is cancelled.
    pub fn start(
        self,
        loops: &TaskTracker,
        store: &Store,
        hints: Hints,
        answering: Answering,
        token: &CancellationToken,
    ) {
        let (push, pushes) = mpsc::unbounded_channel();
        let keeper = presses::keeper(store, &Clock::System, &self.connector);
        let desk = Desk::new(
            store.clone(),
            Clock::System,
            hints,
            self.connector,
            self.accounts,
            (answering.roster.clone(), self.trackers),
        )
        .with_answers(answering);
        loops.spawn(listen(
            self.client,
            BackOff::default(),
            (keeper, push),
            self.is_open,
            token.clone(),
        ));
        loops.spawn(desk.work(pushes, token.clone()));
    }
}

impl Parts<Sink> {
    /// Lets everybody in who is briefed at a workspace that pushes, those who join later too.
    pub fn seat(&mut self, listeners: &[Listener]) {
        for member in &self.roster.members {
            if let Some(sink) = self.sinks.get_mut(&member.id) {
                seat(listeners, member, sink);
            }
        }
        self.following = self.following.take().map(|following| {
            let (sink_of, seats) = (following.sink_of, listeners.to_vec());
            Following {
                sink_of: Box::new(move |member| {
                    let mut sink = sink_of(member)?;
                    seat(&seats, member, &mut sink);
                    Ok(sink)
                }),
                ..following
            }
        });
    }
}

/// Lets a member in who is briefed at a workspace that pushes. A button that nobody hears pressed is not shown.
fn seat(listeners: &[Listener], member: &Member, sink: &mut Sink) {
    let Sink::Slack(dm) = sink else { return };
    let mut listeners = listeners.iter();
    if let Some(listener) = listeners.find(|listener| listener.connector == *dm.connector()) {
        *dm = dm.clone().while_open(listener.is_open.clone());
        listener.accounts.seat(&listener.connector, member, dm);
    }
}

/// The conversations of one workspace in which members are briefed, by account; clones share them. Whose an account is,
/// and whether it still counts, the roster says at the moment of a press.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<BTreeMap<String, Dm>>>);

impl Accounts {
    /// Lets a member in who is briefed at a workspace, with every account they have there.
    pub fn seat(&self, connector: &ConnectorId, member: &Member, dm: &Dm) {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for other in member.handles.get(connector).into_iter().flatten() {
            accounts.insert(other.id.to_string(), dm.with_account(&other.id));
        }
        accounts.insert(dm.user().to_owned(), dm.clone());
    }

    fn of(&self, user: &str) -> Option<Dm> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(user).cloned()
    }
}

/// Takes what one workspace pushes.
pub struct Desk<T = AnyTracker> {
    store: Store,
    clock: Clock,
    hints: Hints,
    connector: ConnectorId,
    accounts: Accounts,
    questions: Questions,
    /// Everybody, as of the last reading.
    roster: watch::Receiver<Arc<Roster>>,
    trackers: BTreeMap<ConnectorId, T>,
    taps: BTreeSet<ConnectorId>,
}

impl<T: Tracker> Desk<T> {
    /// Returns the desk of a workspace for those who are briefed there; with everybody as the daemon knows them, and the ways
    /// to write to trackers.
    pub fn new(
        store: Store,
        clock: Clock,
        hints: Hints,
        connector: ConnectorId,
        accounts: Accounts,
        (roster, trackers): (watch::Receiver<Arc<Roster>>, BTreeMap<ConnectorId, T>),
    ) -> Desk<T> {
        Desk {
            store,
            clock,
            hints,
            connector,
            accounts,
            questions: Questions::default(),
            roster,
            taps: trackers.keys().cloned().collect(),
            trackers,
        }
    }

    /// Returns the desk with something to answer questions with.
    #[must_use]
    pub fn with_answers(self, answering: Answering) -> Desk<T> {
        Desk {
            questions: Questions::with(answering, self.store.clone()),
            ..self
        }
    }

    /// Takes pushes, one after the other, until the token is cancelled; what is being worked on then is finished. Whoever
    /// asks something waits for a model, and nobody else with them.
    pub async fn work(self, mut pushes: mpsc::UnboundedReceiver<Push>, token: CancellationToken) {
        let mut answers = JoinSet::new();
        self.warn_of(self.catch_up().await);
        loop {
            let push = tokio::select! {
                () = token.cancelled() => break,
                push = pushes.recv() => push,
                Some(answered) = answers.join_next() => {
                    self.warn_of(answered.unwrap_or(Ok(())));
                    continue;
                }
            };
            let Some(push) = push else { break };
            match self.taken(push).await {
                Ok(asked) => {
                    for question in asked {
                        answers.spawn(question.answer());
                    }
                }
                Err(error) => self.warn_of(Err(error)),
            }
        }
        while let Some(answered) = answers.join_next().await {
            self.warn_of(answered.unwrap_or(Ok(())));
        }
    }

    fn warn_of(&self, result: Result<()>) {
        if let Err(error) = result {
            warn!(connector = %self.connector, error = %format!("{error:#}"), "What {} pushed could not be worked on", self.connector);
        }
    }

    fn everybody(&self) -> Arc<Roster> {
        self.roster.borrow().clone()
    }

    /// Returns the member that an account is today, and the conversation with it; nobody who joined is missing, and nobody
    /// who left is there.
    fn reader(&self, user: &str) -> Option<(Member, Dm)> {
        let account = Handle::new(&self.connector, user);
        let everybody = self.roster.borrow();
        let member = everybody.member_of(&account);
        let member = member.filter(|member| member.is_briefed)?.clone();
        Some((member, self.accounts.of(user)?))
    }

    /// Does what one push asks for.
    ///
    /// # Errors
    /// When the store fails or Slack refuses an answer.
    pub async fn take(&self, push: Push) -> Result<()> {
        for question in self.taken(push).await? {
            question.answer().await?;
        }
        Ok(())
    }

    /// Does what one push asks for, and returns the questions that are to be answered beside what is pushed next.
    async fn taken(&self, push: Push) -> Result<Vec<Question<Sink>>> {
        match push {
            Push::Happened(object) => self.hints.give(&self.connector, object.as_deref()),
            Push::Addressed { user } => {
                if let Some((member, dm)) = self.reader(&user) {
                    let (sink, now) = (Sink::Slack(dm), self.clock.now());
                    hear(&self.store, &member, &sink, now).await?;
                    return self.questions.take(&member, &sink, now).await;
                }
            }
            Push::Clicked(click) => {
                let kept = self.kept(&click);
                let done = self.click(*click, &kept).await;
                // What failed was told; the button can be pressed again.
                self.settle(kept).await?;
                done?;
            }
        }
        Ok(Vec::new())
    }

    async fn click(&self, click: Click, kept: &Kept) -> Result<()> {
        let Some((member, dm)) = self.reader(&click.user) else {
            warn!(connector = %self.connector, "A button was pressed by an account that no member has now; nothing was changed");
            return Ok(());
        };
        // Somebody else's key has no date for this member.
        let date = steer::date_of_key(&member.id, &click.key);
        if let (Some(date), Some(at)) = (date, slack::place_of_id(&click.row)) {
            return self.press(click, &member, &dm, date, at).await;
        }
        let line = slack::line_of_id(&click.row);
        let (Some(date), Some(line)) = (date, line) else {
            warn!(member = %member.id, "{} pressed a button of a briefing that is not theirs; nothing was changed", member.id);
            return Ok(());
        };
        let now = self.clock.now();
        if click.action == WHY {
            let owned = member.clone();
            let item = self
                .store
                .read(move |c| steer::why(c, &owned, date, line))
                .await?;
            let post = match &item {
                Some(item) => slack::why(line, item, &member, now),
                None => slack::words("Nothing that this line rests on is there for you any more."),
            };
            let message = &click.message;
            let root = message["thread_ts"]
                .as_str()
                .or(message["ts"].as_str())
                .unwrap_or_default();
            let key = format!("why-{}-{line}-{}", click.key, click.id);
            dm.answer(&click.channel, root, &key, &post)
                .await
                .context("the answer to why")?;
            return Ok(());
        }
        let Some(verdict) = Verdict::parse(&click.action) else {
            return Ok(());
        };
        let (id, kept) = (member.id.clone(), kept.clone());
        let said = self
            .store
            .write(move |c| {
                if !kept.count(c, now)? {
                    // A crash came before the mark; the mark is still to be made.
                    return Ok(true);
                }
                let before = steer::said_of(c, &id, date, line)?;
                // A vote that stands is taken back by the same button.
                if before.vote == Some(verdict) {
                    return steering::withdraw_vote(c, &id, Some(date), line);
                }
                Ok(steer::say(c, &id, date, line, verdict, now)?.is_some())
            })
            .await?;
        if !said {
            return Ok(());
        }
        info!(member = %member.id, line, "{} said {} of line {line} of {date}", member.id, verdict.as_str());
        let (_, stands) = self.stands(&member, date, String::new()).await?;
        let message = slack::as_it_stands(click.message, &click.key, &stands);
        dm.update(&click.channel, &message)
            .await
            .context("the mark of what was said")?;
        Ok(())
    }

    /// Does what a button below a ticket says, and shows what became of it.
    async fn press(
        &self,
        click: Click,
        member: &Member,
        dm: &Dm,
        date: civil::Date,
        at: (usize, usize),
    ) -> Result<()> {
        let Some(pressed) = Pressed::of(&click.action) else {
            return Ok(());
        };
        let now = self.clock.now();
        let (to, roster, taps) = (member.clone(), self.everybody(), self.taps.clone());
        let place = place_of(&click.channel, &click.message);
        let said_at = place.clone();
        let pressed = self
            .store
            .write(move |c| {
                let reader = Reader {
                    member: &to,
                    roster: &roster,
                    taps: &taps,
                };
                let taken = take_press(c, reader, date, at, &pressed, now)?;
                let posting = taken.as_ref().and_then(|taken| taken.posting.as_ref());
                if let Some(posting) = posting {
                    // Whatever comes between, the message says in the end what became of the ticket.
                    let waiting = Awaited {
                        place: said_at,
                        member: to.id.clone(),
                        date,
                        tickets: vec![(posting.connector.clone(), posting.ticket.clone())],
                    };
                    awaited::put(c, &waiting, now)?;
                }
                Ok(taken)
            })
            .await?;
        let Some(Taken {
            connector,
            is_new,
            posting,
        }) = pressed
        else {
            warn!(member = %member.id, "{} pressed a button of a ticket that is not in their briefing; nothing was changed", member.id);
            return Ok(());
        };
        if is_new {
            info!(member = %member.id, action = click.action, "{} answered a suggestion of {date}", member.id);
        }
        if let Some(posting) = posting
            && let Some(tracker) = self.trackers.get(&posting.connector)
        {
            let posted = post::post(&self.store, tracker, posting, now).await;
            if let Err(error) = posted {
                warn!(connector = %connector, error = %format!("{error:#}"), "What was pressed was not written to {connector}; the next look tries again");
            }
        }
        if is_new {
            // What the tracker says of it now, and who is suggested next, is soon known.
            self.hints.give(&connector, None);
        }
        let (answered, stands) = self.stands(member, date, place).await?;
        let message = slack::as_it_stands(click.message, &click.key, &stands);
        dm.update(&click.channel, &message)
            .await
            .context("what became of a ticket")?;
        if let Some(answered) = answered {
            let settle = move |c: &Connection| awaited::settle(c, &answered, now);
            self.store.write(settle).await?;
        }
        Ok(())
    }

    /// Returns what the messages of a member's briefing are to show now, and what the one at `place` waits for no more.
    async fn stands(
        &self,
        member: &Member,
        date: civil::Date,
        place: String,
    ) -> Result<(Option<Awaited>, Standing)> {
        let (to, roster, taps) = (member.clone(), self.everybody(), self.taps.clone());
        let stands = move |c: &Connection| {
            let reader = Reader {
                member: &to,
                roster: &roster,
                taps: &taps,
            };
            // In this order: what is answered in between is shown now and once more, never not at all.
            let mut answered = awaited::answered(c)?.into_iter();
            let answered = answered.find(|answered| answered.place == place);
            Ok((answered, standing(c, date, reader)?))
        };
        self.store.read(stands).await
    }
}

/// What a press came to.
struct Taken {
    /// The tracker.
    connector: ConnectorId,
    /// Whether it said something new.
    is_new: bool,
    /// What is to be written to a tracker because of it, this time or since an earlier one that was cut off.
    posting: Option<Posting>,
}

/// Writes down what a press below a ticket says, if it still says something; `None` when there is no such ticket there.
fn take_press(
    c: &Connection,
    reader: Reader<'_>,
    date: civil::Date,
    at: (usize, usize),
    pressed: &Pressed,
    now: Timestamp,
) -> Result<Option<Taken>> {
    let item = steer::line_of(c, &reader.member.id, date, at.0)?;
    let Some(ticket) = item.as_ref().and_then(|item| ticket_of(item, at.1)) else {
        return Ok(None);
    };
    let Some(offer) = offer_of(c, at, ticket, reader)? else {
        return Ok(None);
    };
    // Only what is offered now counts: a second press, or one on an old picture, says nothing new.
    let answer = match pressed {
        Pressed::Take if offer.may_take => Some(Answer::Take),
        Pressed::Give(to)
            if offer
                .give_to
                .as_ref()
                .is_some_and(|(member, _)| member == to) =>
        {
            Some(Answer::AssignTo(to.clone()))
        }
        Pressed::NotMe if offer.may_decline => Some(Answer::NotMe),
        _ => None,
    };
    let (connector, id) = (&ticket.id.connector, &*ticket.id.id);
    let mut is_new = false;
    if let Some(answer) = answer {
        let heard = Heard {
            connector,
            ticket: id,
            by: &reader.member.id,
            answer: &answer,
        };
        is_new = take_in(
            c,
            heard,
            reader.roster,
            reader.taps.contains(connector),
            now,
        )?;
    }
    let posting = postings::posting(c, connector, id, Kind::Assign)?;
    let is_waiting = |posting: &Posting| {
        matches!(
            posting.state,
            State::Planned | State::Posting | State::Failed
        )
    };
    Ok(Some(Taken {
        connector: connector.clone(),
        is_new,
        posting: posting.filter(is_waiting),
    }))
}
