//! Questions that members ask us in a direct message: answered there, once each, from what the asker may read, and not
//! without end.
//!
//! A question is kept with the mark of how far its asker was heard, and gone when it is answered; in between whoever answers
//! holds it. A crash leaves it to the next reading, which looks for an answer before it gives one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use tracing::info;

use crate::ask::{Answer, Answering};
use crate::model::{Member, MemberId};
use crate::sinks::ChatSink;
use crate::store::{Store, questions};

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

    /// Takes what a member has asked and nobody answers yet, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take<S: ChatSink + Clone>(
        &self,
        member: &Member,
        sink: &S,
        now: Timestamp,
    ) -> Result<Vec<Question<S>>> {
        let Some((answering, store)) = &self.with else {
            return Ok(Vec::new());
        };
        let id = member.id.clone();
        let open = store.write(move |c| questions::take(c, &id, now)).await?;
        let open = open.into_iter().map(|(mark, text)| Question {
            answering: answering.clone(),
            store: store.clone(),
            member: member.clone(),
            sink: sink.clone(),
            mark,
            text,
            is_too_many: !self.may_ask(&member.id, now),
            now,
        });
        Ok(open.collect())
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
pub struct Question<S> {
    answering: Answering,
    store: Store,
    member: Member,
    sink: S,
    mark: String,
    text: String,
    is_too_many: bool,
    now: Timestamp,
}

impl<S: ChatSink> Question<S> {
    /// Answers in the conversation it was asked in, once a question, whatever comes between.
    ///
    /// # Errors
    /// When neither the answer nor an apology can be given; then it is answered later.
    pub async fn answer(self) -> Result<()> {
        let key = format!("answer-{}", self.mark);
        let (said, trouble) = match self.found().await {
            Ok(Some(Ok(found))) => (
                self.sink.answer(&key, &found, &self.member, self.now).await,
                None,
            ),
            Ok(Some(Err(words))) => (self.sink.say(&key, &words).await, None),
            Ok(None) => (Ok(()), None),
            Err(error) => {
                let sorry = "Your question could not be answered just now. Please ask again in a few minutes.";
                (self.sink.say(&key, sorry).await, Some(error))
            }
        };
        said.context("the answer to a question")?;
        let (id, mark) = (self.member.id.clone(), self.mark.clone());
        self.store
            .write(move |c| questions::settle(c, &id, &mark))
            .await?;
        trouble.map_or(Ok(()), |error| Err(error.context("a question")))
    }

    /// Returns what answers it, or words of our own; nothing to whoever is no member any more.
    async fn found(&self) -> Result<Option<Result<Answer, String>>> {
        if self.is_too_many {
            let minutes = AWHILE.as_mins();
            return Ok(Some(Err(format!(
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
        Ok(Some(Ok(found)))
    }
}
