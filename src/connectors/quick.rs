//! STUB importer until the files branch lands.
use super::*;
use crate::model::*;
use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub struct Quick {
    pub id: ConnectorId,
    pub path: PathBuf,
    pub kind: &'static str,
}
fn ev(
    id: &ConnectorId,
    eid: &str,
    th: &str,
    kind: EventKind,
    author: Option<&str>,
    at: Timestamp,
    text: &str,
) -> Event {
    Event {
        id: EventId::new(id, eid),
        thread: ThreadId::new(id, th),
        kind,
        author: author.map(|a| Handle::new(id, a)),
        occurred_at: at,
        text: Markdown(text.into()),
        aside: String::new(),
        mentions: vec![],
        url: String::new(),
        audience: None,
        by_bot: false,
    }
}
impl Source for Quick {
    async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
        if after.is_some() {
            return Ok(Page::default());
        }
        let mut page = Page {
            next: Some(Cursor("x".into())),
            ..Page::default()
        };
        match self.kind {
            "slack" => slack(&self.id, &self.path, &mut page)?,
            "tickets" => tickets(&self.id, &self.path, &mut page)?,
            _ => {}
        }
        Ok(page)
    }
}
fn slack(id: &ConnectorId, path: &Path, page: &mut Page) -> Result<()> {
    let users: Vec<Value> = serde_json::from_slice(&std::fs::read(path.join("users.json"))?)?;
    for u in &users {
        page.people.push(Person {
            handle: Some(Handle::new(id, u["id"].as_str().unwrap())),
            name: u["real_name"].as_str().unwrap_or("").into(),
            aliases: vec![u["name"].as_str().unwrap_or("").into()],
            email: None,
            time_zone: None,
            is_bot: u["is_bot"].as_bool().unwrap_or(false),
        });
    }
    let channels: Vec<Value> = serde_json::from_slice(&std::fs::read(path.join("channels.json"))?)?;
    for c in channels {
        let name = c["name"].as_str().unwrap().to_owned();
        let sp = SpaceId::new(id, c["id"].as_str().unwrap());
        page.spaces.push(Space {
            id: sp.clone(),
            name: format!("#{name}"),
            members: None,
        });
        let mut files: Vec<_> = std::fs::read_dir(path.join(&name))?
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        for f in files {
            let ms: Vec<Value> = serde_json::from_slice(&std::fs::read(f)?)?;
            for m in ms {
                let ts = m["ts"].as_str().unwrap();
                let root = m["thread_ts"].as_str().unwrap_or(ts);
                let th = format!("{name}:{root}");
                let at = Timestamp::from_microsecond((ts.replace('.', "")).parse()?)?;
                page.threads.push(Thread {
                    id: ThreadId::new(id, th.as_str()),
                    kind: ThreadKind::Conversation,
                    space: Some(sp.clone()),
                    title: String::new(),
                    url: String::new(),
                    audience: Audience::Everyone,
                    participants: Default::default(),
                    ticket: None,
                });
                let text = m["text"].as_str().unwrap_or("");
                let mut e = ev(
                    id,
                    &format!("{name}:{ts}"),
                    &th,
                    EventKind::Posted,
                    m["user"].as_str(),
                    at,
                    text,
                );
                for (i, _) in text.match_indices("<@") {
                    if let Some(end) = text[i..].find('>') {
                        e.mentions.push(Handle::new(
                            id,
                            text[i + 2..i + end].split('|').next().unwrap(),
                        ));
                    }
                }
                page.events.push(e);
            }
        }
    }
    Ok(())
}
fn tickets(id: &ConnectorId, path: &Path, page: &mut Page) -> Result<()> {
    for l in std::fs::read_to_string(path)?.lines() {
        let t: Value = serde_json::from_str(l)?;
        let k = t["id"].as_str().unwrap();
        let closed = !t["resolved_at"].is_null();
        let h = |v: &Value| v.as_str().map(|a| Handle::new(id, a));
        page.threads.push(Thread {
            id: ThreadId::new(id, k),
            kind: ThreadKind::Ticket,
            space: Some(SpaceId::new(id, "CORE")),
            title: t["title"].as_str().unwrap().into(),
            url: String::new(),
            audience: Audience::Everyone,
            participants: Default::default(),
            ticket: Some(Ticket {
                key: k.into(),
                kind: t["type"].as_str().unwrap_or("").into(),
                status: t["status"].as_str().unwrap_or("").into(),
                is_closed: closed,
                reporter: h(&t["reporter"]),
                assignee: h(&t["assignee"]),
                ..Ticket::default()
            }),
        });
        page.events.push(ev(
            id,
            k,
            k,
            EventKind::Opened,
            t["reporter"].as_str(),
            t["created_at"].as_str().unwrap().parse()?,
            t["body"].as_str().unwrap_or(""),
        ));
        for c in t["comments"].as_array().unwrap() {
            page.events.push(ev(
                id,
                c["id"].as_str().unwrap(),
                k,
                EventKind::Posted,
                c["author"].as_str(),
                c["at"].as_str().unwrap().parse()?,
                c["text"].as_str().unwrap_or(""),
            ));
        }
        if let Some(r) = t["resolved_at"].as_str() {
            page.events.push(ev(
                id,
                &format!("{k}@{r}"),
                k,
                EventKind::Transitioned {
                    from: None,
                    to: t["status"].as_str().unwrap_or("closed").into(),
                },
                None,
                r.parse()?,
                "",
            ));
        }
    }
    Ok(())
}
