//! Asking a model for what is not in the cache, within time and limits: noted before, settled after, one repair, then
//! kept for everybody.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::frame::Frame;
use super::request::{Job, SourceKind, source_of};
use super::{headline, line, translate};
use crate::brief::checks::Checker;
use crate::brief::digest::Digest;
use crate::brief::draft::{Check, Draft};
use crate::llm::spend::{Price, Spent, limit_broken};
use crate::llm::{Failure, Llm, Prompt, Question, Reply, salvage, tokens};
use crate::model::MemberId;
use crate::store::Store;
use crate::store::words::{self, Call, Kept};

/// Who asks, and until when.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The store.
    pub store: &'a Store,
    /// The model.
    pub llm: &'a Llm,
    /// For whom; the ledger charges them.
    pub member: &'a MemberId,
    /// How long all of it may take.
    pub within: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Answers that are kept now.
    pub kept: usize,
    /// Questions without an answer; their lines stay quotes.
    pub left: usize,
}

/// Asks for all of these, side by side as far as the model allows, and keeps the answers.
///
/// # Errors
/// When the store fails. A model that fails is no error.
pub async fn fill(asking: &Asking<'_>, jobs: Vec<Job>) -> Result<Asked> {
    let mut asked = Asked::default();
    if jobs.is_empty() || asking.within.is_zero() {
        asked.left = jobs.len();
        return Ok(asked);
    }
    let until = Instant::now() + asking.within;
    let mut unique: Vec<Job> = Vec::with_capacity(jobs.len());
    for job in jobs {
        if !unique.iter().any(|other| other.key == job.key) {
            unique.push(job);
        }
    }
    let answers = unique.iter().map(|job| one(asking, job, until));
    for answer in join_all(answers).await {
        if answer? {
            asked.kept += 1;
        } else {
            asked.left += 1;
        }
    }
    Ok(asked)
}

/// Asks for one; returns whether there is an answer to keep.
async fn one(asking: &Asking<'_>, job: &Job, until: Instant) -> Result<bool> {
    let frame = Frame::random();
    let body = match &job.source {
        SourceKind::Thread(digest) => thread(asking, job, digest, &frame, until).await?,
        SourceKind::Text { text, language } => {
            let stands = |words: &str| translate::stands(text, words, language);
            one_line(asking, job, text, Some(language), &frame, until, stands).await?
        }
        SourceKind::Lines { text } => {
            let stands = |words: &str| line::stands(text, words, headline::WORDS);
            one_line(asking, job, text, None, &frame, until, stands).await?
        }
    };
    let Some(body) = body else {
        return Ok(false);
    };
    let kept = Kept {
        key: job.key.clone(),
        topic: job.topic,
        model: asking.llm.config().model.clone(),
        prompt: format!("{}@{}", job.prompt.name, job.prompt.hash),
        body: body.to_string(),
    };
    let now = asking.llm.clock().now();
    asking
        .store
        .write(move |c| words::put_words(c, &kept, now))
        .await?;
    Ok(true)
}

/// Returns one line about a text: the model's if it stands, else an empty one, so that it is not asked for again.
async fn one_line(
    asking: &Asking<'_>,
    job: &Job,
    text: &str,
    language: Option<&str>,
    frame: &Frame,
    until: Instant,
    stands: impl Fn(&str) -> bool,
) -> Result<Option<Value>> {
    let most = asking.llm.config().max_output_tokens.min(300);
    let question = frame.question(&job.prompt, &json!({ "text": text }), language, most)?;
    let Ok(reply) = call(asking, &job.prompt, &question, until).await? else {
        return Ok(None);
    };
    let found = salvage::object_in(&reply.text);
    let words = found.as_ref().and_then(|found| found["text"].as_str());
    let words = words
        .filter(|_| !is_leaking(frame, &reply, &job.prompt))
        .filter(|words| stands(words));
    Ok(Some(json!({ "text": words.unwrap_or_default() })))
}

/// Returns the items about a thread: those that hold, those of one repair, and none where the answer is no answer.
async fn thread(
    asking: &Asking<'_>,
    job: &Job,
    digest: &Digest,
    frame: &Frame,
    until: Instant,
) -> Result<Option<Value>> {
    let most = asking.llm.config().max_output_tokens;
    let mut question = frame.question(&job.prompt, &source_of(digest), None, most)?;
    let mut answer = call(asking, &job.prompt, &question, until).await?;
    if answer == Err(Failure::TooLong)
        && let Some(SourceKind::Thread(shorter)) = job.shorter().map(|job| job.source)
    {
        question = frame.question(&job.prompt, &source_of(&shorter), None, most)?;
        answer = call(asking, &job.prompt, &question, until).await?;
    }
    let reply = match answer {
        Ok(reply) => reply,
        // A thread that does not fit even so is quoted for good.
        Err(Failure::TooLong) => return Ok(Some(json!({ "items": [] }))),
        Err(_) => return Ok(None),
    };
    let mut tally = Tally::default();
    if is_leaking(frame, &reply, &job.prompt) {
        tally.add("its instructions");
        return Ok(Some(json!({ "items": [], "tally": tally })));
    }
    let items = salvage::list_in(&reply.text, "items");
    match &items {
        None => tally.add("no JSON"),
        Some(items) if items.is_empty() && reply.is_cut => {
            tally.add("cut before its first sentence")
        }
        Some(_) => {}
    }
    let (mut good, faults, signals) = sorted(digest, items.unwrap_or_default(), &mut tally);
    if !faults.is_empty() && signals == 0 && !reply.is_cut {
        let repair = asking.llm.prompts().get("repair");
        let inputs = BTreeMap::from([("faults", faults.join("\n"))]);
        let again = repair.question(&inputs, most)?;
        question.turns.push(("assistant", reply.text.clone()));
        question.turns.extend(again.turns);
        if let Ok(second) = call(asking, &job.prompt, &question, until).await?
            && !is_leaking(frame, &second, &job.prompt)
        {
            let items = salvage::list_in(&second.text, "items").unwrap_or_default();
            let (mended, ..) = sorted(digest, items, &mut tally);
            let is_there = |good: &[Value], item: &Value| {
                good.iter().any(|other| other["text"] == item["text"])
            };
            for item in mended {
                if !is_there(&good, &item) {
                    good.push(item);
                }
            }
        }
    }
    Ok(Some(json!({ "items": good, "tally": tally })))
}

/// How the items of an answer fared, repair included; kept beside those that hold, for `explain` and for counting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Items that the model wrote.
    pub written: usize,
    /// Those that passed every check.
    pub passed: usize,
    /// By check, how many others it refused; one item may be refused by several.
    pub refused: BTreeMap<String, usize>,
}

impl Tally {
    /// Returns the tally beside the items of a kept answer, and the answer without it.
    pub fn beside(body: &str) -> (Tally, String) {
        let mut value: Value = serde_json::from_str(body).unwrap_or_default();
        let tally = value.as_object_mut().and_then(|body| body.remove("tally"));
        let tally = tally.and_then(|tally| serde_json::from_value(tally).ok());
        (tally.unwrap_or_default(), value.to_string())
    }

    fn add(&mut self, check: &str) {
        *self.refused.entry(check.to_owned()).or_default() += 1;
    }
}

/// Returns the items that hold, what is wrong with the others, and how many signs of orders they bear.
fn sorted(
    digest: &Digest,
    items: Vec<Value>,
    tally: &mut Tally,
) -> (Vec<Value>, Vec<String>, usize) {
    let checker = Checker::new(digest);
    let (mut good, mut faults, mut signals) = (Vec::new(), Vec::new(), 0);
    for (index, value) in items.into_iter().enumerate() {
        let number = index + 1;
        tally.written += 1;
        let wrapped = json!({ "items": [value] });
        let Ok(draft) = Draft::from_json(&wrapped.to_string()) else {
            continue;
        };
        faults.extend(
            draft
                .malformed
                .iter()
                .map(|why| format!("item {number}: {why}")),
        );
        if !draft.malformed.is_empty() {
            tally.add(Check::V1.as_str());
        }
        for item in &draft.items {
            let checked = checker.check(item);
            signals += checked.report.injection_signals;
            if checked.worded.is_some() {
                tally.passed += 1;
                good.push(value_of(&wrapped));
            } else {
                for outcome in checked.report.failed_hard() {
                    tally.add(outcome.check.as_str());
                }
                let whys = checked.report.failed_hard().map(|outcome| {
                    format!("item {number}: {} ({})", outcome.check.about(), outcome.why)
                });
                faults.extend(whys);
            }
        }
    }
    faults.truncate(8);
    (good, faults, signals)
}

fn value_of(wrapped: &Value) -> Value {
    wrapped["items"][0].clone()
}

pub(super) fn is_leaking(frame: &Frame, reply: &Reply, prompt: &Prompt) -> bool {
    let leaks = frame.leaks_into(&reply.text);
    if leaks {
        warn!(
            prompt = prompt.name,
            "A model repeated its instructions; somebody in what it read may have ordered it to. Its answer is dropped"
        );
    }
    leaks
}

/// Makes one call: noted at its highest price before, settled after.
pub(super) async fn call(
    asking: &Asking<'_>,
    prompt: &Prompt,
    question: &Question,
    until: Instant,
) -> Result<Result<Reply, Failure>> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() || asking.llm.is_resting() {
        return Ok(Err(Failure::Unavailable("there is no time left".into())));
    }
    let config = asking.llm.config();
    let price = Price::of(config);
    let input: usize = question
        .turns
        .iter()
        .map(|(_, text)| tokens::estimate(text) + tokens::TURN)
        .sum();
    let (input, output) = (input as u64, question.max_output_tokens as u64);
    let noted = Call {
        member: asking.member.clone(),
        purpose: question.purpose.clone(),
        model: config.model.clone(),
        prompt: format!("{}@{}", prompt.name, prompt.hash),
        input_tokens: input,
        output_tokens: output,
        cost_micros: price.micros(input, output),
    };
    let (now, limits) = (asking.llm.clock().now(), config.clone());
    let begun = asking
        .store
        .write(move |c| {
            let all = words::spent_on(c, &noted.model, None, now)?;
            let own = words::spent_on(c, &noted.model, Some(&noted.member), now)?;
            let more = Spent {
                tokens: input + output,
                micros: noted.cost_micros,
            };
            match limit_broken(&limits, all, own, more) {
                Some(limit) => Ok(Err(limit)),
                None => Ok(Ok(words::begin_call(c, &noted, now)?)),
            }
        })
        .await?;
    let id = match begun {
        Ok(id) => id,
        Err(limit) => {
            info!(member = %asking.member, limit, "The limit {limit} is reached; lines stay quotes");
            return Ok(Err(Failure::Refused(limit.into())));
        }
    };
    let answer = asking.llm.ask(question, left).await;
    let (is_done, input, output) = match &answer {
        Ok(reply) => (true, reply.input_tokens, reply.output_tokens),
        // What was sent may have been read, and charged.
        Err(Failure::Unavailable(_) | Failure::NoTime) => (false, input, 0),
        Err(_) => (false, 0, 0),
    };
    debug!(
        prompt = prompt.name,
        is_done, input, output, "Asked the model"
    );
    let cost = price.micros(input, output);
    asking
        .store
        .write(move |c| words::settle_call(c, id, is_done, input, output, cost))
        .await?;
    Ok(answer)
}
