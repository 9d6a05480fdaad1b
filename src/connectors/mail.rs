//! A mail as an event, wherever it was kept: what mbox, Maildir and IMAP share.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mail_parser::{Address, HeaderValue, Message, MessageParser};
use sha2::{Digest, Sha256};

use super::files::link::Link;
use super::files::{self, AudienceOption, bare_event};
use crate::model::{
    Audience, ConnectorId, Event, EventId, EventKind, Handle, Markdown, Person, Space, SpaceId,
    Thread, ThreadId, ThreadKind,
};

pub mod body;
pub mod desk;
pub mod html;
pub mod quotes;
pub mod subject;
pub mod threads;

/// No more of one mail is kept; attachments of that size hold no words.
pub const MAX_MAIL: usize = 4 << 20;
/// No more of one mail's own words is kept.
const MAX_TEXT: usize = 256 << 10;

/// What threading needs to know of a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The Message-ID without brackets, or a made-up one.
    pub id: String,
    /// Whether the id is made up.
    pub is_generated: bool,
    /// The ids it refers to, oldest first.
    pub references: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The mailing list, if it came over one.
    pub list: Option<String>,
    /// When it was written; when it was delivered where it does not say, nothing where that is unknown as well.
    pub date: Option<Timestamp>,
    /// Whether the date is the one the mail itself gives.
    pub has_own_date: bool,
    /// A hash that tells two mails with one id apart.
    pub print: u64,
    /// Sender and recipients, as lower-case addresses.
    pub people: BTreeSet<String>,
}

/// Where and when a mail was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// The time of delivery, as the mailbox notes it.
    pub delivered_at: Option<Timestamp>,
    /// Whether more of it lay in the file than was kept.
    pub is_cut: bool,
}

/// What the connector's table says about every mail.
#[derive(Clone, Debug)]
pub struct Options {
    /// The connector.
    pub id: ConnectorId,
    /// The template of links.
    pub url: Link,
    /// Who may read.
    pub audience: AudienceOption,
}

/// Parses a mail; headers may be all there is of it.
pub fn parse(raw: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse(raw)
}

/// Parses only the headers of a mail.
pub fn parse_headers(raw: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse_headers(raw)
}

impl Envelope {
    /// Reads the headers of a mail; `raw` is the whole of it, for mails that have no id.
    pub fn of(message: &Message<'_>, raw: &[u8], found: Found) -> Envelope {
        let subject = message.subject().unwrap_or_default().trim().to_owned();
        let people = people_of(message);
        let own_date = date_of(message, found);
        let sender = addresses(message.from())
            .into_iter()
            .next()
            .map(|(address, _)| address)
            .unwrap_or_default();
        let written = match message.date() {
            Some(date) => date.to_timestamp().to_string(),
            // Not the body: of the last mail of a file some of it may still be missing.
            None => {
                let end = raw.windows(2).position(|pair| pair == b"\n\n");
                files::hex(&Sha256::digest(&raw[..end.unwrap_or(raw.len())]))
            }
        };
        // A list may have put its tag before the subject of its copy.
        let (base, _) = subject::base(&subject);
        let digest = Sha256::digest(format!("{sender}\n{written}\n{base}"));
        let print = u64::from_le_bytes(
            digest[..8]
                .try_into()
                .expect("a SHA-256 digest has 32 bytes"),
        );
        let own = message
            .message_id()
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        Envelope {
            is_generated: own.is_none(),
            id: own.unwrap_or_else(|| format!("{}@generated", files::hex(&Sha256::digest(raw)))),
            references: references_of(message),
            subject,
            list: list_of(message).map(|(id, _)| id),
            date: own_date.or(found.delivered_at),
            has_own_date: own_date.is_some(),
            print,
            people,
        }
    }

    /// Gives the mail an id of its own, because another mail has the one it came with.
    pub fn renew_id(&mut self) {
        let digest = Sha256::digest(format!("{}\n{}", self.id, self.print));
        (self.id, self.is_generated) = (format!("{}@generated", files::hex(&digest)), true);
    }
}

/// What threading says about a mail.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The id of the thread's first mail, without brackets.
    pub thread: String,
    /// The subject of the thread's first mail.
    pub title: String,
    /// The date, the mail's own or one that stands in.
    pub at: Timestamp,
    /// Everybody who wrote or got a mail of the thread so far.
    pub people: BTreeSet<String>,
}

/// A mail as the store wants it.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// Its thread.
    pub thread: Thread,
    /// The mail.
    pub event: Event,
    /// Its list.
    pub space: Option<Space>,
    /// Its sender and recipients.
    pub people: Vec<Person>,
    /// What was odd about it; it is loaded all the same.
    pub notes: Vec<String>,
}

/// Returns a mail as a thread and an event.
pub fn normalize(
    message: &Message<'_>,
    envelope: &Envelope,
    placed: &Placed,
    found: Found,
    options: &Options,
) -> Normalized {
    let id = &options.id;
    let mut notes = Vec::new();
    let handles = |people: &BTreeSet<String>| {
        people
            .iter()
            .map(|address| Handle::new(id, address.as_str()))
            .collect::<BTreeSet<_>>()
    };
    let (everyone, own_people) = (handles(&placed.people), handles(&envelope.people));
    let is_narrow = options.audience == AudienceOption::Participants;
    let space = list_of(message).map(|(list, name)| Space {
        id: SpaceId::new(id, list),
        name,
        members: None,
    });
    let thread = Thread {
        id: ThreadId::new(id, bracketed(&placed.thread)),
        kind: ThreadKind::Mail,
        space: space.as_ref().map(|space| space.id.clone()),
        title: placed.title.clone(),
        url: options.url.fill(&[("id", &placed.thread)]),
        audience: if is_narrow {
            Audience::Only(everyone.clone())
        } else {
            Audience::Everyone
        },
        participants: own_people.clone(),
        ticket: None,
    };

    if !envelope.has_own_date {
        let instead = if envelope.date.is_some() {
            "the time of its delivery"
        } else {
            "the last time of its thread or of the file"
        };
        notes.push(format!(
            "the mail has no date that can be right; {instead} stands in"
        ));
    }
    let mut words = body::words_of(message);
    if words.text.len() > MAX_TEXT {
        words
            .text
            .truncate(words.text.floor_char_boundary(MAX_TEXT));
        notes.push(format!(
            "the mail's text is longer than {} KB; the rest of it was left out",
            MAX_TEXT >> 10
        ));
    }
    // A mail may say all it says in its subject.
    if words.text.trim().is_empty() {
        message
            .subject()
            .unwrap_or_default()
            .trim()
            .clone_into(&mut words.text);
    }
    words
        .aside
        .truncate(words.aside.floor_char_boundary(MAX_TEXT));
    if found.is_cut {
        notes.push("the mail has more than 4 MB, or a line of more than 1 MB; the rest of that was left out".to_owned());
    }
    if words.is_refused {
        notes.push("the mail's HTML is a tower of tags; its text was left out".to_owned());
    }
    if words.is_lossy {
        notes.push(
            "some bytes are not of the character set the mail names; they were replaced".to_owned(),
        );
    }
    let senders = addresses(message.from());
    let author = senders
        .first()
        .map(|(address, _)| Handle::new(id, address.as_str()));
    let event = Event {
        author,
        text: Markdown(words.text),
        aside: words.aside,
        url: options.url.fill(&[("id", &envelope.id)]),
        audience: is_narrow.then_some(Audience::Only(own_people)),
        by_bot: is_automatic(message)
            || senders
                .iter()
                .any(|(address, _)| address.starts_with("mailer-daemon@")),
        ..bare_event(
            EventId::new(id, bracketed(&envelope.id)),
            thread.id.clone(),
            EventKind::Posted,
            placed.at,
        )
    };
    let people = [message.from(), message.to(), message.cc()]
        .into_iter()
        .flat_map(addresses);
    let people = people.map(|(address, name)| Person {
        handle: Some(Handle::new(id, address.as_str())),
        name: name.unwrap_or_default(),
        email: Some(address),
        ..Person::default()
    });
    Normalized {
        thread,
        event,
        space,
        people: people.collect(),
        notes,
    }
}

/// Returns an id as mail programs write it.
pub fn bracketed(id: &str) -> String {
    format!("<{id}>")
}

/// Returns the addresses of a header, in lower case, with the names beside them.
fn addresses(address: Option<&Address<'_>>) -> Vec<(String, Option<String>)> {
    let Some(address) = address else {
        return Vec::new();
    };
    address
        .iter()
        .filter_map(|one| {
            let address = one
                .address
                .as_deref()?
                .trim()
                .trim_matches(['<', '>'])
                .to_lowercase();
            let name = one
                .name
                .as_deref()
                .map(|name| name.trim().trim_matches(['"', '\'']))
                .filter(|name| !name.is_empty());
            (!address.is_empty()).then(|| (address, name.map(str::to_owned)))
        })
        .collect()
}

fn people_of(message: &Message<'_>) -> BTreeSet<String> {
    // Not Bcc: that somebody got a hidden copy is nobody else's business.
    let headers = [message.from(), message.to(), message.cc()];
    headers
        .into_iter()
        .flat_map(addresses)
        .map(|(address, _)| address)
        .collect()
}

/// Returns the ids a mail refers to: its References, else the first of In-Reply-To.
fn references_of(message: &Message<'_>) -> Vec<String> {
    let ids = |value: &HeaderValue<'_>| -> Vec<String> {
        let texts: Vec<&str> = match value {
            HeaderValue::Text(text) => vec![text.as_ref()],
            HeaderValue::TextList(texts) => texts.iter().map(AsRef::as_ref).collect(),
            _ => Vec::new(),
        };
        let words = texts
            .into_iter()
            .flat_map(|text| text.split([' ', '<', '>', ',', '\t', '\r', '\n']));
        words
            .filter(|word| word.contains('@') || word.len() > 8)
            .map(str::to_owned)
            .collect()
    };
    let mut references = ids(message.references());
    if references.is_empty() {
        references = ids(message.in_reply_to());
        references.truncate(1);
    }
    let own = message.message_id().unwrap_or_default();
    references.retain(|id| id != own);
    references
}

/// Returns the id and the short name of the list a mail came over.
fn list_of(message: &Message<'_>) -> Option<(String, String)> {
    let id = match message.list_id() {
        HeaderValue::Address(address) => address.first()?.address.as_deref()?.to_owned(),
        HeaderValue::Text(text) => text
            .rsplit_once('<')
            .map_or(text.as_ref(), |(_, id)| id)
            .to_owned(),
        _ => return None,
    };
    let id = id.trim().trim_matches(['<', '>']).to_lowercase();
    if id.is_empty() {
        return None;
    }
    // The phrase before the id is often a sentence; the first label is what people call the list.
    let short = id.split(['.', '@']).next().unwrap_or(&id).to_owned();
    Some((id, short))
}

/// Returns when a mail was written: its Date, unless that lies after its delivery.
fn date_of(message: &Message<'_>, found: Found) -> Option<Timestamp> {
    const TOLERANCE_SECS: i64 = 24 * 60 * 60;
    let date = message
        .date()
        .filter(|date| date.is_valid() && date.year > 1970)?;
    let date = Timestamp::from_second(date.to_timestamp()).ok()?;
    match found.delivered_at {
        Some(delivered_at) if date.as_second() > delivered_at.as_second() + TOLERANCE_SECS => None,
        _ => Some(date),
    }
}

/// Returns whether a mail is a briefing of ours: what a reader was told is no news to tell.
pub fn is_own(message: &Message<'_>) -> bool {
    is_automatic(message) && list_of(message).is_some_and(|(id, _)| id.starts_with("daybrief."))
}

/// Returns whether a program sent the mail (RFC 3834).
fn is_automatic(message: &Message<'_>) -> bool {
    let value = message
        .header_raw("Auto-Submitted")
        .map(str::trim)
        .unwrap_or_default();
    !value.is_empty() && !value.to_lowercase().starts_with("no")
}

#[cfg(test)]
mod tests;
