//! What a deletion leaves of the briefings, titles and suggestions that are kept: nothing of its words.

use jiff::{SignedDuration, Timestamp};

use crate::brief::deliver::put_planned;
use crate::brief::render::sample;
use crate::connectors::Page;
use crate::ingest;
use crate::model::suggestion::{Candidate, Evidence, Ladder};
use crate::model::{
    Audience, Briefing, BriefingItem, Citation, ConnectorId, Event, EventId, EventKind, ItemKind,
    Markdown, Reason, Section, Thread, ThreadId, ThreadKind, ThreadRef, Waiting,
};
use crate::roster::Roster;
use crate::store::postings::{self, Kind, Posting, State};
use crate::store::suggestions::{self, Recorded};
use crate::store::{Store, retention};

fn now() -> Timestamp {
    sample::now()
}

fn box_id() -> ConnectorId {
    ConnectorId::new("box")
}

fn event(thread: &str, id: &str, kind: EventKind, text: &str) -> Event {
    Event {
        id: EventId::new(&box_id(), id),
        thread: ThreadId::new(&box_id(), thread),
        kind,
        author: None,
        occurred_at: now() - SignedDuration::from_hours(9),
        text: Markdown(text.into()),
        aside: String::new(),
        mentions: Vec::new(),
        url: String::new(),
        audience: None,
        by_bot: false,
    }
}

fn thread(id: &str, kind: ThreadKind, title: &str) -> Thread {
    Thread {
        id: ThreadId::new(&box_id(), id),
        kind,
        space: None,
        title: title.into(),
        url: String::new(),
        audience: Audience::Everyone,
        participants: Default::default(),
        ticket: None,
    }
}

fn named(id: &str, label: &str) -> ThreadRef {
    ThreadRef {
        id: ThreadId::new(&box_id(), id),
        url: format!("https://box.example/{id}"),
        label: label.into(),
    }
}

fn line(thread: &str, label: &str, headline: &str, cited: &str) -> BriefingItem {
    let mut item = sample::item(
        Section::NeedsYou,
        ItemKind::Ask,
        named(thread, label),
        headline,
        &[Reason::AsksYou],
    );
    item.facts = "2 mails".into();
    item.citations = vec![citation(cited, "please count them")];
    item
}

fn citation(cited: &str, quote: &str) -> Citation {
    Citation {
        event: EventId::new(&box_id(), cited),
        ..sample::citation("Bo", "2026-11-16T07:00:00Z", quote)
    }
}

/// A store with mails and a talk, and one briefing about them.
struct Here(Store);

impl Here {
    fn with(made: Briefing) -> Here {
        let here = Here(Store::in_memory().unwrap());
        here.read(Page {
            threads: vec![
                thread("m1", ThreadKind::Mail, "marmalade jars"),
                thread("m9", ThreadKind::Mail, "harbor plan"),
                thread("t1", ThreadKind::Conversation, ""),
            ],
            events: vec![
                event("m1", "m1", EventKind::Posted, "we have forty"),
                event("m1", "m2", EventKind::Posted, "no, thirty"),
                event("m9", "m9", EventKind::Posted, "it is closed"),
                event(
                    "t1",
                    "t1",
                    EventKind::Posted,
                    "<@UBO> the lighthouse lamp went out",
                ),
                event("t1", "t2", EventKind::Posted, "please count them"),
            ],
            ..Page::default()
        });
        here.0.write_now(|c| put_planned(c, &made)).unwrap();
        here
    }

    fn read(&self, page: Page) {
        let put = |c: &rusqlite::Connection| {
            ingest::store_page(c, &box_id(), &page, &Roster::default(), now(), false)
        };
        self.0.write_now(put).unwrap();
    }

    fn delete(&self, thread: &str, id: &str) {
        let of = EventId::new(&box_id(), id);
        let gone = event(
            thread,
            &format!("{id}~deleted"),
            EventKind::Deleted { of },
            "",
        );
        self.read(Page {
            events: vec![gone],
            ..Page::default()
        });
    }

    fn body(&self) -> String {
        self.one("SELECT body FROM deliveries")
    }

    fn one(&self, sql: &str) -> String {
        let found = self
            .0
            .read_now(|c| Ok(c.query_row(sql, [], |row| row.get::<_, String>(0))?));
        found.unwrap()
    }

    fn holds(&self, word: &str) -> bool {
        self.body().contains(word)
    }
}

#[test]
fn a_thread_that_is_only_named_loses_its_title_and_link_with_its_last_mail() {
    let mut made = sample::quiet();
    made.also = vec![named("m1", "marmalade jars"), named("m9", "harbor plan")];
    made.waiting = vec![Waiting {
        thread: named("m1", "marmalade jars"),
        citation: citation("m2", "no, thirty"),
        on: Vec::new(),
        instead: String::new(),
        work_hours: 9.0,
    }];
    let here = Here::with(made);
    here.delete("m1", "m1");
    assert!(here.holds("marmalade"), "an answer still has the subject");
    here.delete("m1", "m2");
    for word in ["marmalade", "box.example/m1", "thirty"] {
        assert!(!here.holds(word), "{word}: {}", here.body());
    }
    assert!(here.holds("harbor plan") && here.holds("box.example/m9"));
    let title = "SELECT title FROM threads WHERE id = 'm1'";
    assert_eq!(here.one(title), "");

    // Whoever still has the mail, under another number, tells it again: it stays gone.
    here.read(Page {
        threads: vec![thread("m1", ThreadKind::Mail, "marmalade jars")],
        events: vec![event("m1", "m1", EventKind::Posted, "we have forty")],
        ..Page::default()
    });
    assert_eq!(here.one(title), "");
    // A new answer brings it back.
    here.read(Page {
        threads: vec![thread("m1", ThreadKind::Mail, "marmalade jars")],
        events: vec![event("m1", "m3", EventKind::Posted, "twenty")],
        ..Page::default()
    });
    assert_eq!(here.one(title), "marmalade jars");
}

#[test]
fn retention_takes_titles_as_a_deletion_does() {
    let mut made = sample::quiet();
    made.also = vec![named("m1", "marmalade jars")];
    let here = Here::with(made);
    here.0
        .write_now(|c| retention::expire(c, &box_id(), now(), 99))
        .unwrap();
    assert!(!here.holds("marmalade"), "{}", here.body());
    assert_eq!(here.one("SELECT group_concat(title, '') FROM threads"), "");
}

#[test]
fn a_line_lets_go_of_words_that_it_does_not_cite() {
    let mut made = sample::quiet();
    let mut talk = line("t1", "#general", "Bo asks you · the lighthouse lamp…", "t2");
    talk.summary = "The lamp is out, and Bo counts.".into();
    made.items = vec![talk, line("m9", "harbor plan", "Bo asks you", "m9")];
    made.theme = "lamps and harbors".into();
    let here = Here::with(made);
    here.delete("t1", "t1");
    for word in ["lighthouse", "lamp"] {
        assert!(!here.holds(word), "{word}: {}", here.body());
    }
    // What others said stays, and so does the other line.
    for word in ["please count them", "#general", "2 mails", "harbor plan"] {
        assert!(here.holds(word), "{word}: {}", here.body());
    }
    here.delete("m9", "m9");
    assert!(!here.holds("harbor") && here.holds("#general"));
}

#[test]
fn a_message_that_is_named_by_itself_loses_its_link() {
    let mut made = sample::quiet();
    made.also = vec![named("t2", "#general"), named("t1", "#general")];
    let here = Here::with(made);
    here.delete("t1", "t2");
    assert!(!here.holds("box.example/t2") && here.holds("box.example/t1"));
}

#[test]
fn briefings_from_before_are_known_by_what_they_name() {
    let mut made = sample::quiet();
    made.also = vec![named("m1", "marmalade jars"), named("t2", "#general")];
    let here = Here::with(made);
    let of_threads = "SELECT group_concat(tid) FROM (SELECT tid FROM named ORDER BY tid)";
    let known = here.one(of_threads);
    here.0
        .write_now(|c| {
            c.execute("DELETE FROM named", [])?;
            c.execute_batch("INSERT INTO deliveries SELECT 'bo', date, state, attempts, next_try_at, window_after, window_upto, upto_seq, hash, cited, 'damaged', receipt, settled_at FROM deliveries")?;
            let sql = include_str!("../0011_named.sql");
            let fill = sql.find("INSERT").unwrap();
            Ok(c.execute_batch(&sql[fill..])?)
        })
        .unwrap();
    assert_eq!(here.one(of_threads), known);
    assert_eq!(known.split(',').count(), 2);
}

#[test]
fn a_ticket_that_is_deleted_leaves_no_path_of_its_text_in_what_was_suggested() {
    let here = Here::with(sample::quiet());
    here.read(Page {
        threads: vec![thread("T-1", ThreadKind::Ticket, "the parser dies")],
        events: vec![event(
            "T-1",
            "T-1",
            EventKind::Opened,
            "in src/secret/parser.rs",
        )],
        ..Page::default()
    });
    let said = Recorded {
        id: 0,
        connector: box_id(),
        ticket: "T-1".into(),
        state: "s".into(),
        mode: Ladder::Comment,
        made_at: now(),
        area: None,
        duty: None,
        threshold: 0.3,
        is_abstained: false,
        first_account: Some("bo".into()),
        candidates: vec![Candidate {
            member: "bo".into(),
            probability: 0.9,
            although: None,
            evidence: vec![Evidence::OwnsPath {
                path: "src/secret/parser.rs".into(),
            }],
        }],
        excluded: Default::default(),
        repeats: Vec::new(),
        outcome: None,
    };
    let posting = |suggestion: i64| Posting {
        connector: box_id(),
        ticket: "T-1".into(),
        kind: Kind::Comment,
        suggestion,
        state: State::Planned,
        body: "Bo looks after src/secret/parser.rs".into(),
        member: None,
        stands: Vec::new(),
        url: None,
        attempts: 0,
        next_try_at: None,
        changed_at: now(),
    };
    here.0
        .write_now(|c| {
            let id = suggestions::put(c, &said)?.unwrap();
            postings::plan(c, &posting(id))?;
            suggestions::put_stand_ins(c, crate::model::Seq(6), &said.candidates, now())
        })
        .unwrap();
    let kept = "SELECT (SELECT group_concat(candidates) FROM suggestions) || coalesce((SELECT group_concat(candidates) FROM stand_ins), '')
        || (SELECT body || ' ' || state FROM postings)";
    assert!(
        here.one(kept).matches("secret").count() == 3,
        "{}",
        here.one(kept)
    );
    here.delete("T-1", "T-1");
    assert_eq!(here.one(kept), "[] refused");
}
