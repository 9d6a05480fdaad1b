//! What a digest shows of a topic, and what it keeps to itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Timestamp, civil};

use super::*;
use crate::model::{
    Audience, ConnectorId, Event, Learned, Markdown, MemberId, Person, Ticket, TopicId,
};

/// A topic, built line by line.
pub(crate) struct Build {
    pub topic: Topic,
    pub roster: Roster,
    pub new: BTreeSet<Seq>,
}

pub(crate) fn handle(id: &str) -> Handle {
    Handle::new(&ConnectorId::new("tracker"), id)
}

fn member(id: &str, name: &str) -> Member {
    let connector = ConnectorId::new("tracker");
    Member {
        id: MemberId::new(id),
        name: name.to_owned(),
        handles: BTreeMap::from([(connector.clone(), vec![Handle::new(&connector, id)])]),
        time_zone: jiff::tz::TimeZone::UTC,
        day_start: civil::time(9, 0, 0, 0),
        day_end: civil::time(17, 0, 0, 0),
        workdays: [true, true, true, true, true, false, false],
        holidays: Arc::default(),
        away: Vec::new(),
        languages: Vec::new(),
        capacity: None,
        is_briefed: true,
        is_suggested: true,
        is_quoted: true,
    }
}

impl Build {
    /// Begins a ticket `CORE-7` with Ana Vale, Bo Lind and David Ito in the team and `zed` outside it.
    pub fn ticket(title: &str) -> Build {
        let connector = ConnectorId::new("tracker");
        let members = vec![
            member("ana", "Ana Vale"),
            member("bo.lind", "Bo Lind"),
            member("dito", "David Ito"),
        ];
        let people = vec![Person {
            handle: Some(handle("zed")),
            name: "Zed <!channel>".into(),
            ..Person::default()
        }];
        let thread = Thread {
            id: ThreadId::new(&connector, "7"),
            kind: ThreadKind::Ticket,
            space: None,
            title: title.to_owned(),
            url: "https://tracker.test/7".into(),
            audience: Audience::Everyone,
            participants: BTreeSet::new(),
            ticket: Some(Ticket {
                key: "CORE-7".into(),
                status: "open".into(),
                reporter: Some(handle("ana")),
                ..Ticket::default()
            }),
        };
        Build {
            topic: Topic {
                id: TopicId(1),
                thread,
                events: Vec::new(),
            },
            roster: Roster::new(members, Vec::new(), people, Vec::new()),
            new: BTreeSet::new(),
        }
    }

    pub fn event(mut self, author: &str, kind: EventKind, text: &str, is_new: bool) -> Build {
        let seq = Seq(self.topic.events.len() as u64 + 1);
        let at: Timestamp = "2026-11-16T08:00:00Z".parse().unwrap();
        let at = at + jiff::SignedDuration::from_mins(seq.0 as i64);
        if is_new {
            self.new.insert(seq);
        }
        self.topic.events.push(Logged {
            seq,
            learned: Learned(at),
            event: Event {
                id: EventId::new(&ConnectorId::new("tracker"), format!("7-c{}", seq.0)),
                thread: self.topic.thread.id.clone(),
                kind,
                author: Some(handle(author)),
                occurred_at: at,
                text: Markdown(text.to_owned()),
                aside: String::new(),
                mentions: Vec::new(),
                url: String::new(),
                audience: None,
                by_bot: false,
            },
            audience: AudienceId(1),
            is_removed: false,
        });
        self
    }

    /// Adds a new message.
    pub fn says(self, author: &str, text: &str) -> Build {
        self.event(author, EventKind::Posted, text, true)
    }

    /// Adds a message from before the window.
    pub fn said(self, author: &str, text: &str) -> Build {
        self.event(author, EventKind::Posted, text, false)
    }

    /// Changes the ticket's status.
    pub fn moves(mut self, author: &str, to: &str) -> Build {
        let ticket = self.topic.thread.ticket.as_mut().unwrap();
        let from = Some(std::mem::replace(&mut ticket.status, to.to_owned()));
        ticket.is_closed = crate::model::is_closed_status(to);
        let to = to.to_owned();
        self.event(author, EventKind::Transitioned { from, to }, "", true)
    }

    pub fn digest(&self) -> Digest {
        digest_of(&self.topic, &self.new, &self.roster, &[])
    }
}

#[test]
fn a_prompt_sees_slots_and_hosts_and_no_ids() {
    let digest = Build::ticket("Import fails, see https://wiki.test/import?key=1")
        .said(
            "ana",
            "It fails since Monday, CORE-7 is the same as CORE-71.",
        )
        .says(
            "bo.lind",
            "<@ana> look at https://ci.test/run/88?token=abc, please. {p1} agrees.",
        )
        .says("zed", "@David can you? <!here> <https://evil.test/x|click>")
        .moves("bo.lind", "in review")
        .digest();
    let texts: Vec<&str> = digest
        .messages
        .iter()
        .map(|message| &*message.text)
        .collect();
    assert_eq!(
        texts,
        [
            "It fails since Monday, {t1} is the same as CORE-71.",
            "{p1} look at [link: ci.test], please. (p1} agrees.",
            "@David can you? everyone click [link: evil.test]",
        ]
    );
    assert_eq!(digest.title, "Import fails, see [link: wiki.test]");
    let names: Vec<&str> = digest.people.iter().map(|person| &*person.name).collect();
    assert_eq!(names, ["Ana", "Bo", "Zed channel"]);
    assert_eq!(
        digest.facts.lines(&digest),
        [
            "t1 status: from open to in review",
            "new messages: 2, people: 2"
        ]
    );
    let whole = format!("{:?}", (&texts, &digest.title, digest.facts.lines(&digest)));
    for secret in ["7-c1", "https:", "token=abc", "tracker.test", "<@", "<!"] {
        assert!(!whole.contains(secret), "{secret}");
    }
}

#[test]
fn numbers_are_kept_when_a_long_thread_is_cut() {
    let build = (0..5).fold(Build::ticket("t"), |build, n| {
        build.says("ana", &format!("message number {n} of the thread"))
    });
    let digest = build.digest();
    let part = digest.part(4..6);
    assert_eq!(
        part.messages
            .iter()
            .map(|message| message.n)
            .collect::<Vec<_>>(),
        [4, 5]
    );
    assert!(part.message(4).is_some() && part.message(1).is_none());
    assert_eq!(
        digest.message(1).unwrap().text,
        "message number 0 of the thread"
    );
}

#[test]
fn a_range_of_the_prompt_leads_back_to_the_words_as_written() {
    let digest = Build::ticket("t")
        .says(
            "bo.lind",
            "Ask @ana about CORE-7 at https://wiki.test/a/b first.",
        )
        .digest();
    let message = &digest.messages[0];
    let back = |part: &str| {
        let at = message.text.find(part).unwrap();
        &message.source[message.source_range(at..at + part.len())]
    };
    assert_eq!(
        message.text,
        "Ask {p2} about {t1} at [link: wiki.test] first."
    );
    assert_eq!(back("about {t1} at"), "about CORE-7 at");
    assert_eq!(back("Ask {p2}"), "Ask @ana");
    assert_eq!(back("wiki.test] first"), "https://wiki.test/a/b first");
    assert_eq!(back("first."), "first.");
}

#[test]
fn who_is_named_is_known_without_being_called() {
    let digest = Build::ticket("t")
        .said("dito", "I take the import.")
        .says(
            "bo.lind",
            "Dave said that he takes the import, ana agrees and Ana will test.",
        )
        .digest();
    let named: Vec<&str> = digest.messages[1]
        .names
        .iter()
        .map(|at| &*digest.people[*at].name)
        .collect();
    assert_eq!(named, ["David", "Ana"]);
}
