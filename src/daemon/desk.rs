//! What Slack pushes, at work: a hint brings a reading forward, a word to us is heard, a question is answered, a button does
//! what it says.
//!
//! A button counts for the member one of whose accounts there pressed it, and only on their own briefing.

mod questions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::questions::{Question, Questions};
use super::hints::Hints;
use crate::ask::Answering;
use crate::brief::hear::hear_all;
use crate::brief::render::slack::{self, WHY};
use crate::brief::steer;
use crate::clock::Clock;
use crate::connectors::slack::api::Client;
use crate::connectors::slack::dm::Dm;
use crate::connectors::slack::push::{Click, Push};
use crate::connectors::slack::socket::{BackOff, listen};
use crate::model::{ConnectorId, Member, Verdict};
use crate::sinks::Sink;
use crate::store::{Store, steering};

/// A workspace that pushes, and the members that are briefed there.
#[derive(Clone)]
pub struct Listener {
    /// The workspace.
    pub connector: ConnectorId,
    /// What may open its sockets.
    pub client: Client,
    /// Who is briefed there.
    pub accounts: Accounts,
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
        let desk = Desk::new(
            store.clone(),
            Clock::System,
            hints,
            self.connector,
            self.accounts,
        )
        .with_answers(answering);
        loops.spawn(listen(
            self.client,
            BackOff::default(),
            push,
            self.is_open,
            token.clone(),
        ));
        loops.spawn(desk.work(pushes, token.clone()));
    }
}

/// The accounts of one workspace that may press buttons, each with its member and its conversation; clones share them.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<BTreeMap<String, (Member, Dm)>>>);

impl Accounts {
    /// Lets a member in who is briefed at a workspace, with every account they have there.
    pub fn seat(&self, connector: &ConnectorId, member: &Member, dm: &Dm) {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for other in member.handles.get(connector).into_iter().flatten() {
            let theirs = (member.clone(), dm.with_account(&other.id));
            accounts.insert(other.id.to_string(), theirs);
        }
        accounts.insert(dm.user().to_owned(), (member.clone(), dm.clone()));
    }

    fn of(&self, user: &str) -> Option<(Member, Dm)> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(user).cloned()
    }
}

/// Takes what one workspace pushes.
pub struct Desk {
    store: Store,
    clock: Clock,
    hints: Hints,
    connector: ConnectorId,
    accounts: Accounts,
    questions: Questions,
}

impl Desk {
    /// Returns the desk of a workspace for those who are briefed there.
    pub fn new(
        store: Store,
        clock: Clock,
        hints: Hints,
        connector: ConnectorId,
        accounts: Accounts,
    ) -> Desk {
        Desk {
            store,
            clock,
            hints,
            connector,
            accounts,
            questions: Questions::default(),
        }
    }

    /// Returns the desk with something to answer questions with.
    #[must_use]
    pub fn with_answers(self, answering: Answering) -> Desk {
        Desk {
            questions: Questions::with(answering, self.store.clone()),
            ..self
        }
    }

    /// Takes pushes, one after the other, until the token is cancelled; what is being worked on then is finished. Whoever
    /// asks something waits for a model, and nobody else with them.
    pub async fn work(self, mut pushes: mpsc::UnboundedReceiver<Push>, token: CancellationToken) {
        let mut answers = JoinSet::new();
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
                Ok(Some(question)) => drop(answers.spawn(question.answer())),
                Ok(None) => {}
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

    /// Does what one push asks for.
    ///
    /// # Errors
    /// When the store fails or Slack refuses an answer.
    pub async fn take(&self, push: Push) -> Result<()> {
        match self.taken(push).await? {
            Some(question) => question.answer().await,
            None => Ok(()),
        }
    }

    /// Does what one push asks for, and returns the question that is to be answered beside what is pushed next.
    async fn taken(&self, push: Push) -> Result<Option<Question>> {
        match push {
            Push::Happened(object) => self.hints.give(&self.connector, object.as_deref()),
            Push::Addressed { user } => {
                if let Some((member, dm)) = self.accounts.of(&user) {
                    let (sink, now) = (Sink::Slack(dm.clone()), self.clock.now());
                    let (_, asked) = hear_all(&self.store, &member, &sink, now).await?;
                    return Ok(asked.and_then(|asked| self.questions.take(member, dm, asked, now)));
                }
            }
            Push::Clicked(click) => self.click(*click).await?,
        }
        Ok(None)
    }

    async fn click(&self, click: Click) -> Result<()> {
        let Some((member, dm)) = self.accounts.of(&click.user) else {
            warn!(connector = %self.connector, "A button was pressed by an account that no member has; nothing was changed");
            return Ok(());
        };
        // Somebody else's key has no date for this member.
        let date = steer::date_of_key(&member.id, &click.key);
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
        let id = member.id.clone();
        let said = self
            .store
            .write(move |c| {
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
        // What the message shows is made from what is stored, so the order of clicks cannot undo a mark.
        let rows = slack::rows_of(&click.message);
        let id = member.id.clone();
        let states = self
            .store
            .read(move |c| {
                rows.into_iter()
                    .map(|row| Ok((row, steer::said_of(c, &id, date, row)?)))
                    .collect::<Result<Vec<_>>>()
            })
            .await?;
        let message = slack::with_marks(click.message, &click.key, &states);
        dm.update(&click.channel, &message)
            .await
            .context("the mark of what was said")?;
        Ok(())
    }
}
