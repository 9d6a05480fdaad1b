//! Briefings for the tests of every surface.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{date, time};
use jiff::tz::TimeZone;

use crate::model::{
    AnswerBy, Briefing, BriefingItem, Citation, ConnectorId, Covered, EventId, Gap, ItemKind,
    Learned, Member, MemberId, Reason, Section, Seq, ThreadId, ThreadRef, Waiting, Window,
};

/// Monday 16 November 2026, 09:00 in Berlin.
pub fn now() -> Timestamp {
    at("2026-11-16T08:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn member() -> Member {
    Member {
        id: MemberId::new("becki"),
        name: "Becki".into(),
        handles: BTreeMap::new(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        day_start: time(9, 0, 0, 0),
        day_end: time(17, 30, 0, 0),
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

pub fn thread(label: &str, url: &str) -> ThreadRef {
    let connector = ConnectorId::new(if label.starts_with('#') {
        "chat"
    } else {
        "tracker"
    });
    ThreadRef {
        id: ThreadId::new(&connector, label),
        url: url.into(),
        label: label.into(),
    }
}

pub fn citation(author: &str, at_text: &str, quote: &str) -> Citation {
    Citation {
        event: EventId::new(&ConnectorId::new("tracker"), format!("e-{at_text}")),
        at: at(at_text),
        author: (!author.is_empty()).then(|| author.to_owned()),
        url: format!(
            "https://tracker.example/e/{}",
            &at_text[5..16].replace(':', "")
        ),
        quote: quote.into(),
        is_cut: false,
    }
}

pub fn item(
    section: Section,
    kind: ItemKind,
    thread: ThreadRef,
    headline: &str,
    reasons: &[Reason],
) -> BriefingItem {
    BriefingItem {
        section,
        kind,
        threads: vec![thread],
        carried: false,
        headline: headline.into(),
        facts: String::new(),
        summary: String::new(),
        wording: None,
        citations: Vec::new(),
        reasons: reasons.to_vec(),
        answer_by: None,
        asker: None,
        score: 0.7,
    }
}

/// Returns a briefing with nothing in it.
pub fn quiet() -> Briefing {
    Briefing {
        member: MemberId::new("becki"),
        date: date(2026, 11, 16),
        window: Window {
            after: Learned(at("2026-11-13T16:30:00Z")),
            upto: Learned(now()),
            upto_seq: Seq(4_711),
        },
        headline: String::new(),
        items: Vec::new(),
        also: Vec::new(),
        waiting: Vec::new(),
        omitted: 0,
        covered: Covered {
            messages: 145,
            mails: 0,
            opened: 0,
            closed: 0,
        },
        gaps: Vec::new(),
        theme: String::new(),
        written_by: "extractive".into(),
        is_catch_up: false,
    }
}

/// Returns a briefing with every section.
pub fn full() -> Briefing {
    let issue = |key: &str| thread(key, &format!("https://tracker.example/issue/{key}"));
    let mut ask = item(
        Section::NeedsYou,
        ItemKind::Ask,
        issue("CORE-123"),
        "Ana asks you · Serve the nightly archives over https only",
        &[Reason::AsksYou, Reason::AssignedToYou],
    );
    ask.facts = "6 comments by 3".into();
    ask.asker = Some("Ana".into());
    ask.answer_by = Some(AnswerBy {
        by: at("2026-11-16T10:30:00Z"),
        else_waits_until: at("2026-11-17T08:00:00Z"),
    });
    ask.citations = vec![
        citation(
            "Ana",
            "2026-11-15T19:09:00Z",
            "Can you pick one of the two certificates before we cut the branch on Tuesday?",
        ),
        Citation {
            is_cut: true,
            ..citation(
                "Ruut",
                "2026-11-16T07:12:00Z",
                "The cheaper one needs a dedicated address",
            )
        },
    ];
    let mut review = item(
        Section::NeedsYou,
        ItemKind::Ask,
        issue("CORE-98"),
        "Bo asks you for a review · Retry on 503",
        &[Reason::ReviewRequested],
    );
    review.carried = true;
    review.facts = "open since Thu 12 Nov".into();
    review.citations = vec![citation("Bo", "2026-11-12T13:10:00Z", "")];
    let blocker = item(
        Section::Blockers,
        ItemKind::Blocker,
        thread("#build", "https://chat.example/build"),
        "blocked · the mirror is read-only",
        &[Reason::Blocks],
    );
    let mut closed = item(
        Section::ChangedOnYours,
        ItemKind::StatusChange,
        issue("CORE-94"),
        "Remove the special treatment of boxes in the borrow checker",
        &[Reason::ReportedByYou],
    );
    closed.facts = "closed by Dov Fri 21:16".into();
    closed.citations = vec![citation("Dov", "2026-11-13T20:16:00Z", "")];
    let mut decided = item(
        Section::WorthKnowing,
        ItemKind::Decision,
        thread("#clojure", ""),
        "decided",
        &[Reason::DecidedInYourArea],
    );
    decided.citations = vec![citation(
        "Alyson",
        "2026-11-14T00:13:00Z",
        "We go with [link: clojure.org].",
    )];
    Briefing {
        headline: "2 need you · 1 blocker · 1 of yours moved".into(),
        items: vec![ask, review, blocker, closed, decided],
        also: vec![
            issue("CORE-64"),
            thread("#clojure", "https://chat.example/clojure/1"),
            thread("#clojure", "https://chat.example/clojure/2"),
        ],
        waiting: vec![Waiting {
            thread: issue("CORE-7"),
            citation: citation(
                "Becki",
                "2026-11-12T13:10:00Z",
                "Could you look at the flaky test?",
            ),
            on: vec!["Bo".into()],
            instead: String::new(),
            work_hours: 9.2,
        }],
        omitted: 3,
        covered: Covered {
            messages: 189,
            mails: 51,
            opened: 28,
            closed: 14,
        },
        gaps: vec![Gap {
            of: "office".into(),
            reason: "it has not answered since 04:10".into(),
        }],
        ..quiet()
    }
}

/// Returns the first briefing after two weeks of leave, with a line that shares several places and an old citation.
pub fn catch_up() -> Briefing {
    let mut briefing = quiet();
    briefing.is_catch_up = true;
    briefing.window.after = Learned(at("2026-10-30T16:30:00Z"));
    briefing.headline = "1 needs you · 4 of yours moved".into();
    let mut old = item(
        Section::NeedsYou,
        ItemKind::Due,
        thread("CORE-5", "https://tracker.example/issue/CORE-5"),
        "Renew the signing key",
        &[Reason::Overdue, Reason::NoMovement(6)],
    );
    old.carried = true;
    old.facts = "overdue since 2026-11-02".into();
    old.citations = vec![citation(
        "Ana",
        "2026-10-17T09:00:00Z",
        "The key ends in November.",
    )];
    let mut group = item(
        Section::ChangedOnYours,
        ItemKind::StatusChange,
        thread("CORE-11", "https://tracker.example/issue/CORE-11"),
        "4 more of your tickets moved",
        &[Reason::AssignedToYou, Reason::HandledWithoutYou],
    );
    group.threads.extend(
        ["CORE-12", "CORE-13", "CORE-14"]
            .map(|key| thread(key, &format!("https://tracker.example/issue/{key}"))),
    );
    group.facts = "CORE-11 closed · CORE-12 +3 · CORE-13 new owner".into();
    group.citations = vec![citation("Dov", "2026-11-13T20:16:00Z", "")];
    briefing.items = vec![old, group];
    briefing
}

/// Returns a briefing of people whose names need more than ASCII.
pub fn scripts() -> Briefing {
    let mut briefing = quiet();
    briefing.headline = "1 needs you".into();
    let mut line = item(
        Section::NeedsYou,
        ItemKind::Mention,
        thread("#開発-日本語", "https://chat.example/dev"),
        "דנה לוי names you · 明日のリリースの前に署名の鍵を更新してください、それから全員に知らせてください",
        &[Reason::MentionsYou, Reason::YouWroteHere],
    );
    line.citations = vec![
        citation("דנה לוי", "2026-11-15T19:09:00Z", "אפשר לבדוק את זה היום?"),
        citation(
            "山田 花子 🌸",
            "2026-11-15T20:09:00Z",
            "ありがとう 👍🏽👍🏽 e\u{301}te\u{301} 🇩🇪 よろしくお願いいたします。明日の朝までに返事をください、お願いします。",
        ),
    ];
    briefing.items = vec![line];
    briefing
}
