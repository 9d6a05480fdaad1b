//! What a model wrote about a topic, kept by what it was asked, and the ledger of its calls.

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, params};

use super::micros;
use crate::llm::spend::Spent;
use crate::model::{MemberId, TopicId};

/// Words to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// A hash of what was asked.
    pub key: String,
    /// The topic it is about; a change of it takes the words away.
    pub topic: TopicId,
    /// The model.
    pub model: String,
    /// The prompt's name and hash.
    pub prompt: String,
    /// The answer, as JSON.
    pub body: String,
}

/// A call that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// For whom.
    pub member: MemberId,
    /// The prompt's name.
    pub purpose: String,
    /// The model.
    pub model: String,
    /// The prompt's name and hash.
    pub prompt: String,
    /// Tokens read, as estimated.
    pub input_tokens: u64,
    /// Tokens written, at most.
    pub output_tokens: u64,
    /// What that costs.
    pub cost_micros: u64,
}

/// A sum over the calls of some days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Calls that were answered.
    pub done: u64,
    /// Calls that were not.
    pub failed: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Money, in millionths.
    pub cost_micros: u64,
}

/// Returns the words that were made of exactly this.
pub fn words_of(c: &Connection, key: &str) -> Result<Option<String>> {
    let mut statement = c.prepare_cached("SELECT body FROM words WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Returns what is kept of a model's answers about threads since a moment, each with its key.
pub fn answers_since(
    c: &Connection,
    model: &str,
    since: Timestamp,
) -> Result<Vec<(String, String)>> {
    let mut statement = c.prepare_cached(
        "SELECT key, body FROM words WHERE model = ?1 AND made_at >= ?2 AND body LIKE '%\"items\":%' ORDER BY key",
    )?;
    let rows = statement.query_map(params![model, micros(since)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps words.
pub fn put_words(c: &Connection, kept: &Kept, now: Timestamp) -> Result<()> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO words (key, topic, model, prompt, body, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        kept.key,
        kept.topic.0,
        kept.model,
        kept.prompt,
        kept.body,
        micros(now)
    ])?;
    Ok(())
}

/// Forgets words from before a moment, and words of a model that only rehearses.
pub fn prune(c: &Connection, before: Timestamp) -> Result<usize> {
    Ok(c.execute("DELETE FROM words WHERE made_at < ?1", [micros(before)])?)
}

/// Notes a call before it is made, at its highest price; returns its number.
pub fn begin_call(c: &Connection, call: &Call, now: Timestamp) -> Result<i64> {
    c.prepare_cached(
        "INSERT INTO llm_calls (day, at, member, purpose, model, prompt, state, input_tokens, output_tokens, cost_micros)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'begun', ?7, ?8, ?9)",
    )?
    .execute(params![
        day_of(now).to_string(),
        micros(now),
        call.member.as_str(),
        call.purpose,
        call.model,
        call.prompt,
        call.input_tokens,
        call.output_tokens,
        call.cost_micros
    ])?;
    Ok(c.last_insert_rowid())
}

/// Settles a call with what it took; one that failed may have been charged for what was sent.
pub fn settle_call(
    c: &Connection,
    id: i64,
    is_done: bool,
    input_tokens: u64,
    output_tokens: u64,
    cost_micros: u64,
) -> Result<()> {
    c.execute(
        "UPDATE llm_calls SET state = ?2, input_tokens = ?3, output_tokens = ?4, cost_micros = ?5 WHERE id = ?1",
        params![
            id,
            if is_done { "done" } else { "failed" },
            input_tokens,
            output_tokens,
            cost_micros
        ],
    )?;
    Ok(())
}

/// Returns what a model cost on the day of a moment: for everybody, or for one member.
pub fn spent_on(
    c: &Connection,
    model: &str,
    member: Option<&MemberId>,
    now: Timestamp,
) -> Result<Spent> {
    let mut statement = c.prepare_cached(
        "SELECT coalesce(sum(input_tokens + output_tokens), 0), coalesce(sum(cost_micros), 0) FROM llm_calls
         WHERE day = ?1 AND model = ?2 AND (?3 IS NULL OR member = ?3)",
    )?;
    Ok(statement.query_row(
        params![day_of(now).to_string(), model, member.map(MemberId::as_str)],
        |row| {
            Ok(Spent {
                tokens: row.get(0)?,
                micros: row.get(1)?,
            })
        },
    )?)
}

/// Returns the sum over the calls of a model since a moment.
pub fn sum_since(c: &Connection, model: &str, since: Timestamp) -> Result<Sum> {
    let mut statement = c.prepare_cached(
        "SELECT count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state <> 'done'),
                coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost_micros), 0)
         FROM llm_calls WHERE model = ?1 AND at >= ?2",
    )?;
    Ok(statement.query_row(params![model, micros(since)], |row| {
        Ok(Sum {
            done: row.get(0)?,
            failed: row.get(1)?,
            input_tokens: row.get(2)?,
            output_tokens: row.get(3)?,
            cost_micros: row.get(4)?,
        })
    })?)
}

/// Takes away what a rehearsal left.
pub fn forget_model(c: &Connection, model: &str) -> Result<()> {
    c.execute("DELETE FROM words WHERE model = ?1", [model])?;
    c.execute("DELETE FROM llm_calls WHERE model = ?1", [model])?;
    Ok(())
}

fn day_of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn calls_count_at_their_highest_price_until_they_are_settled() {
        let store = Store::in_memory().unwrap();
        let call = Call {
            member: MemberId::new("ana"),
            purpose: "thread-delta".into(),
            model: "m".into(),
            prompt: "thread-delta@1".into(),
            input_tokens: 900,
            output_tokens: 700,
            cost_micros: 50,
        };
        let spent = |member: Option<&str>, now: &str| {
            let member = member.map(MemberId::new);
            store
                .read_now(|c| spent_on(c, "m", member.as_ref(), at(now)))
                .unwrap()
                .tokens
        };
        let now = at("2026-11-23T08:00:00Z");
        let id = store.write_now(|c| begin_call(c, &call, now)).unwrap();
        assert_eq!(spent(None, "2026-11-23T23:59:00Z"), 1600);
        store
            .write_now(|c| settle_call(c, id, true, 800, 100, 9))
            .unwrap();
        assert_eq!(spent(None, "2026-11-23T23:59:00Z"), 900);
        assert_eq!(spent(Some("ana"), "2026-11-23T23:59:00Z"), 900);
        assert_eq!(spent(Some("bo"), "2026-11-23T23:59:00Z"), 0);
        assert_eq!(spent(None, "2026-11-24T00:00:00Z"), 0, "a new day");
    }
}
