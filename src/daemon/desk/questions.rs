//! Questions that members ask us in a direct message: answered there, once each, from what the asker may read, and not
//! without end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use tracing::info;

use crate::ask::Answering;
use crate::brief::render::slack;
use crate::connectors::slack::dm::{Dm, Post};
use crate::model::{Member, MemberId};
use crate::store::Store;

/// The most questions of one member that are answered within [`AWHILE`].
const MOST: usize = 30;
const AWHILE: SignedDuration = SignedDuration::from_hours(1);

/// What answers questions; by default nothing does.
#[derive(Default)]
pub struct Questions {
    with: Option<(Answering, Store)>,
    /// When each member asked, not longer ago than [`AWHILE`].
    asked: Mutex<BTreeMap<MemberId, VecDeque<Timestamp>>>,
}

impl Questions {
    /// Returns what answers from this store.
    pub fn with(answering: Answering, store: Store) -> Questions {
        Questions {
            with: Some((answering, store)),
            asked: Mutex::default(),
        }
    }

    /// Takes a question, with the mark of its message.
    pub fn take(
        &self,
        member: Member,
        dm: Dm,
        (mark, text): (String, String),
        now: Timestamp,
    ) -> Option<Question> {
        let (answering, store) = self.with.clone()?;
        let is_too_many = !self.may_ask(&member.id, now);
        Some(Question {
            answering,
            store,
            member,
            dm,
            mark,
            text,
            is_too_many,
            now,
        })
    }

    fn may_ask(&self, member: &MemberId, now: Timestamp) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(member.clone()).or_default();
        times.retain(|at| now.duration_since(*at) < AWHILE);
        let may_ask = times.len() < MOST;
        if may_ask {
            times.push_back(now);
        }
        may_ask
    }
}

/// A question that a member asked in their conversation with us, and nowhere else.
pub struct Question {
    answering: Answering,
    store: Store,
    member: Member,
    dm: Dm,
    mark: String,
    text: String,
    is_too_many: bool,
    now: Timestamp,
}

impl Question {
    /// Answers in the conversation it was asked in, once a question, whatever comes between.
    ///
    /// # Errors
    /// When neither the answer nor an apology can be given.
    pub async fn answer(self) -> Result<()> {
        let (post, trouble) = match self.post().await {
            Ok(Some(post)) => (post, None),
            Ok(None) => return Ok(()),
            Err(error) => {
                let sorry = "Your question could not be answered just now. Please ask again in a few minutes.";
                (slack::words(sorry), Some(error))
            }
        };
        let said = self.dm.say(&format!("answer-{}", self.mark), &post).await;
        said.context("the answer to a question")?;
        trouble.map_or(Ok(()), |error| Err(error.context("a question")))
    }

    async fn post(&self) -> Result<Option<Post>> {
        if self.is_too_many {
            let minutes = AWHILE.as_mins();
            return Ok(Some(slack::words(&format!(
                "More than {MOST} questions in {minutes} minutes are too many for me. Please ask again later."
            ))));
        }
        let id = &self.member.id;
        let answered = self.answering.answer(&self.store, &self.text, id, self.now);
        let Some(found) = answered.await? else {
            return Ok(None);
        };
        let (quotes, words) = (found.quotes.len(), found.words.len());
        info!(member = %id, quotes, words, "{id} asked something and got {quotes} quotes");
        Ok(Some(slack::answer(&found, &self.member, self.now)))
    }
}
