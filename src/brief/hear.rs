//! What readers say where their briefings arrive: 👍 and 👎 on a message, the words `stop` and `start`, and what they ask.
//!
//! A sink that can be read is asked before every briefing, so that a word is heard even where nothing pushes.

use anyhow::Result;
use jiff::Timestamp;
use tracing::{info, warn};

use super::steer;
use crate::model::{Heard, Member, Word};
use crate::sinks::ChatSink;
use crate::store::{Store, questions, steering};

fn answer_to(word: Word) -> &'static str {
    match word {
        Word::Stop => {
            "You get no more briefings. Write start here, and they begin again with your next work day."
        }
        Word::Start => {
            "Your briefings begin again with your next work day. Write stop here to end them."
        }
    }
}

/// Asks a sink what its reader has said, keeps it and answers; returns whether they want briefings. What they want to know
/// is kept with it, for whoever answers questions.
///
/// # Errors
/// When the store fails. A sink that cannot be asked changes nothing.
pub async fn hear<S: ChatSink>(
    store: &Store,
    member: &Member,
    sink: &S,
    now: Timestamp,
) -> Result<bool> {
    let id = member.id.clone();
    let (was_stopped, mark) = store.read(move |c| steering::listening(c, &id)).await?;
    let heard = match sink.hear(&mark).await {
        Ok(heard) => heard,
        Err(error) => {
            warn!(member = %member.id, error = %format!("{error:#}"), "What {} wrote to us could not be read; it is looked at again next time", member.id);
            return Ok(!was_stopped);
        }
    };
    if heard == Heard::default() {
        return Ok(!was_stopped);
    }
    let (id, said) = (member.id.clone(), heard.clone());
    let changed = store
        .write(move |c| {
            let mut changed = 0;
            for (key, vote) in &said.votes {
                let date = steer::date_of_key(&id, key);
                if let Some(date) = date {
                    changed += usize::from(steer::vote(c, &id, date, *vote, now)?);
                }
            }
            if let Some(word) = said.word {
                steering::set_stopped(c, &id, word == Word::Stop)?;
            }
            for asked in &said.questions {
                if questions::is_timely(c, asked.at, now)? {
                    questions::put(c, &id, asked)?;
                }
            }
            if !said.upto.is_empty() {
                steering::set_heard(c, &id, &said.upto)?;
            }
            Ok(changed)
        })
        .await?;
    if changed > 0 {
        info!(member = %member.id, changed, "{} voted on {changed} briefings", member.id);
    }
    let Some(word) = heard.word else {
        return Ok(!was_stopped);
    };
    info!(member = %member.id, "{} wants {} briefings", member.id, if word == Word::Stop { "no more" } else { "to have" });
    if let Err(error) = sink
        .say(&format!("word-{}", heard.upto), answer_to(word))
        .await
    {
        warn!(member = %member.id, error = %format!("{error:#}"), "{} could not be answered", member.id);
    }
    Ok(word == Word::Start)
}
