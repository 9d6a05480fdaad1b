//! Why somebody might take a ticket, in one sentence that says no more than the evidence beside it.

use std::cell::RefCell;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::ask::{Asking, call, is_leaking};
use super::frame::Frame;
use super::line;
use crate::brief::render::plain;
use crate::llm::salvage;
use crate::model::suggestion::{Candidate, Evidence};

/// The most words of the sentence.
pub const WORDS: usize = 25;
/// The most tokens of an answer.
const OUTPUT: usize = 120;

/// Returns the sentence for evidence in which the person is `{p1}` and tickets are `{t1}`, `{t2}` …, with these slots in it.
/// It rests on the evidence alone: its numbers, its slots and nearly all its words stand there, and it names the person.
///
/// # Errors
/// When the ledger of calls fails. A model that fails, or says more, is no error: there is no sentence then.
pub async fn rationale(asking: &Asking<'_>, evidence: &str) -> Result<Option<String>> {
    let until = Instant::now() + asking.within;
    let frame = Frame::random();
    let prompt = asking.llm.prompts().get("rationale");
    let most = asking.llm.config().max_output_tokens.min(OUTPUT);
    let question = frame.question(prompt, &json!({ "text": evidence }), None, most)?;
    let Ok(reply) = call(asking, prompt, &question, until).await? else {
        return Ok(None);
    };
    if is_leaking(&frame, &reply, prompt) {
        return Ok(None);
    }
    let found = salvage::object_in(&reply.text).unwrap_or_default();
    let words = found["text"].as_str().unwrap_or_default();
    let holds = words.contains("{p1}") && line::stands(evidence, words, WORDS);
    Ok(holds.then(|| words.to_owned()))
}

/// Returns the evidence for somebody with them as `{p1}` and tickets as `{t1}`, `{t2}` …, and what `label` calls these.
pub fn in_slots(
    candidate: &Candidate,
    label: impl Fn(&str) -> String,
    now: Timestamp,
) -> (String, Vec<String>) {
    let labels = RefCell::new(Vec::new());
    let sentences = candidate.evidence.iter().map(|evidence| {
        let slot = |id: &str| {
            labels.borrow_mut().push(plain(&label(id)).into_owned());
            format!("{{t{}}}", labels.borrow().len())
        };
        let words = evidence.in_words(slot, now);
        match evidence {
            Evidence::OpenedWith | Evidence::OwnsPath { .. } => format!("For {{p1}}: {words}."),
            _ => format!("{{p1}} {words}."),
        }
    });
    let text = sentences.collect::<Vec<_>>().join(" ");
    (text, labels.into_inner())
}

/// Returns a sentence with the name and the tickets in place of their slots, each looked at once: what a ticket is called
/// cannot become a slot.
pub fn filled(sentence: &str, name: &str, labels: &[String]) -> String {
    let mut pieces = sentence.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (slot, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let label = slot
            .strip_prefix('t')
            .and_then(|number| number.parse::<usize>().ok()?.checked_sub(1))
            .and_then(|at| labels.get(at));
        text.push_str(label.map_or(name, String::as_str));
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::trial::fake_asking;
    use super::*;
    use crate::llm::fake::{Fake, Manner, Mind};
    use crate::model::MemberId;
    use crate::store::Store;

    #[test]
    fn slots_are_filled_once_each() {
        let labels = ["HUT-7 {p1}".to_owned(), "HUT-8".to_owned()];
        assert_eq!(
            filled("{p1} owned {t2} like {t1}", "Ana", &labels),
            "Ana owned HUT-8 like HUT-7 {p1}"
        );
    }

    #[test]
    fn a_rationale_says_only_what_the_evidence_says() {
        let evidence =
            "{p1} owned {t1}, 91 % alike, 3 weeks ago. {p1} owned 7 of the last 9 in booking.";
        let said = |manner: Manner, mind: Mind| {
            let (store, fake) = (Store::in_memory().unwrap(), Fake::new(manner, mind));
            let llm = fake_asking(&fake);
            let asking = Asking {
                store: &store,
                llm: &llm,
                member: &MemberId::new("ana"),
                within: Duration::from_secs(5),
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(rationale(&asking, evidence)).unwrap()
        };
        let words = said(Manner::Well, Mind::Faithful).unwrap();
        assert!(words.contains("{p1}") && words.contains("{t1}"), "{words}");
        for mind in [
            Mind::Liar,
            Mind::Obedient,
            Mind::Cunning,
            Mind::Silent,
            Mind::Parrot,
        ] {
            assert_eq!(said(Manner::Well, mind), None, "{mind:?}");
        }
        for manner in [Manner::Down, Manner::Html, Manner::Prose, Manner::Cut(5)] {
            assert_eq!(said(manner.clone(), Mind::Faithful), None, "{manner:?}");
        }
    }
}
