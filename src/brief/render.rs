//! STUB until the render branch lands.
use crate::model::*;
use jiff::Timestamp;
use serde_json::{Value, json};
pub struct Screen {}
impl Screen {
    pub fn bold(&self, t: &str) -> String {
        t.to_owned()
    }
}
pub fn plain(t: &str) -> String {
    t.to_owned()
}
pub fn markdown(_: &Briefing, _: &Member, _: Timestamp) -> String {
    String::new()
}
pub fn terminal(b: &Briefing, _: &Member, _: Timestamp, _: &Screen) -> String {
    format!("{b:#?}")
}
pub fn to_json(b: &Briefing) -> Value {
    json!({"member": b.member.as_str(), "date": b.date.to_string(), "window": {"from": b.window.after.0.to_string(), "to": b.window.upto.0.to_string()},
    "quiet": b.is_quiet(), "headline": b.headline,
    "items": b.items.iter().map(|i| json!({"kind": format!("{:?}", i.kind), "section": format!("{:?}", i.section), "reasons": i.reasons.iter().map(|r| format!("{r:?}")).collect::<Vec<_>>(), "headline": i.headline, "summary": i.summary, "carried": i.carried, "score": i.score,
       "threads": i.threads.iter().map(|t| json!({"connector": t.id.connector.as_str(), "id": &*t.id.id, "url": t.url, "label": t.label})).collect::<Vec<_>>(),
       "citations": i.citations.iter().map(|c| json!({"connector": c.event.connector.as_str(), "id": &*c.event.id, "at": c.at.to_string(), "author": c.author, "quote": c.quote})).collect::<Vec<_>>()})).collect::<Vec<_>>(),
    "also": b.also.iter().map(|t| json!({"connector": t.id.connector.as_str(), "id": &*t.id.id})).collect::<Vec<_>>(),
    "waiting": b.waiting.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>(),
    "omitted": b.omitted, "gaps": []})
}
