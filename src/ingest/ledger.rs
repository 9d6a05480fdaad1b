//! Who asked whom for what: the asks of a topic, found and closed by the rules over structure and wording.

use anyhow::Result;
use rusqlite::Connection;

use crate::model::{Learned, Seq, TopicId};
use crate::roster::Roster;
use crate::stage;
use crate::store::asks::{FoundAsk, put_asks};
use crate::store::events;
use crate::text::asks::{To, ask_in, closed_by};

/// The latest messages of a topic that are read for asks; older ones were judged when they came.
const MESSAGES: usize = 200;

/// Judges a topic anew and stores its asks.
pub fn judge(c: &Connection, topic: TopicId, roster: &Roster) -> Result<()> {
    let end = Learned(jiff::Timestamp::MAX);
    let Some(topic) = events::topic(c, topic, end, Seq(i64::MAX as u64), MESSAGES)? else {
        return Ok(());
    };
    let (mut judged, mut asks) = (Vec::new(), Vec::new());
    stage::with_scene(&topic, roster, |scene, said| {
        for (index, logged) in said.iter().enumerate() {
            judged.push(logged.seq);
            let Some(found) = ask_in(scene, index) else {
                continue;
            };
            let closed = closed_by(scene, index, &found).map(|closer| said[closer].seq);
            let to = match &found.to {
                To::Persons(keys) => keys.iter().map(|key| (*key).to_owned()).collect(),
                // Nobody the source knows by this name: to a person, though we cannot say to whom.
                To::Somebody(name) => vec![(*name).to_owned()],
                To::Group => Vec::new(),
            };
            asks.push(FoundAsk {
                seq: logged.seq,
                kind: found.kind,
                sentence: found.sentence,
                to,
                closed,
            });
        }
    });
    put_asks(c, topic.id, &judged, &asks)
}
