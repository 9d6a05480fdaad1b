//! What is written to a tracker, through failures, kills and what people made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::board::Board;
use super::*;
use crate::connectors::tracker::{Verdict, VerdictKind};
use crate::model::suggestion::{Candidate, Evidence};
use crate::model::{Member, ThreadRef};
use crate::store::suggestions;
use crate::triage::verdicts;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap()
}

fn member(name: &str) -> Member {
    let connector = ConnectorId::new("tracker");
    Member {
        id: name.into(),
        name: name.to_uppercase(),
        handles: [(connector.clone(), vec![Handle::new(&connector, name)])].into(),
        time_zone: jiff::tz::TimeZone::UTC,
        day_start: jiff::civil::time(9, 0, 0, 0),
        day_end: jiff::civil::time(17, 0, 0, 0),
        workdays: [true; 7],
        holidays: Arc::default(),
        away: Vec::new(),
        languages: Vec::new(),
        capacity: None,
        is_briefed: true,
        is_suggested: true,
        is_quoted: true,
    }
}

fn roster() -> Roster {
    Roster::new(
        vec![member("ana"), member("bo")],
        Vec::new(),
        Vec::new(),
        Vec::new(),
    )
}

fn by_word() -> BTreeSet<ConnectorId> {
    ["tracker".into()].into()
}

fn candidate(name: &str, probability: f32) -> Candidate {
    Candidate {
        member: name.into(),
        probability,
        evidence: vec![Evidence::OwnsComponent {
            name: "parser_core @bo".into(),
            count: 7,
            of: 9,
        }],
        although: None,
    }
}

fn suggestion(candidates: Vec<Candidate>) -> Suggestion {
    let connector = ConnectorId::new("tracker");
    Suggestion {
        ticket: ThreadRef {
            id: ThreadId::new(&connector, "T-1"),
            url: String::new(),
            label: "T-1".into(),
        },
        title: "It dies".into(),
        is_sure: candidates
            .first()
            .is_some_and(|first| first.probability > 0.6),
        candidates,
        excluded: BTreeMap::new(),
        threshold: 0.6,
        is_calibrated: true,
        owner: None,
        area: Some(("parser".into(), 1.0)),
        rotation: None,
        repeats: Vec::new(),
        made_at: at(0),
    }
}

/// Records a suggestion as the watch does, and plans what follows from it.
fn said(store: &Store, state: &str, mode: Ladder, candidates: Vec<Candidate>) {
    said_with(store, state, mode, "", candidates);
}

fn said_with(store: &Store, state: &str, mode: Ladder, label: &str, candidates: Vec<Candidate>) {
    let said = suggestion(candidates);
    let text = comment_text(&said, Some(&"rita".into()), &roster(), at(0));
    let mut recorded = Recorded {
        id: 0,
        connector: "tracker".into(),
        ticket: "T-1".into(),
        state: state.into(),
        mode,
        made_at: at(0),
        area: said.area.clone(),
        duty: None,
        threshold: 0.6,
        is_abstained: !said.is_sure,
        first_account: said
            .candidates
            .first()
            .map(|first| first.member.to_string()),
        candidates: said.candidates,
        excluded: BTreeMap::new(),
        repeats: Vec::new(),
        outcome: None,
    };
    store
        .write_now(|c| {
            recorded.id = suggestions::put(c, &recorded)?.unwrap();
            for posting in postings_for(&recorded, text, label, &roster(), at(0)) {
                postings::plan(c, &posting)?;
            }
            Ok(())
        })
        .unwrap();
}

async fn post_all(store: &Store, board: &Board, minute: i64) -> usize {
    post_due(store, |_| Some(board.clone()), at(minute))
        .await
        .unwrap()
}

fn state_of(store: &Store, kind: Kind) -> Option<State> {
    let found = store.read_now(|c| postings::posting(c, &"tracker".into(), "T-1", kind));
    found.unwrap().map(|posting| posting.state)
}

#[test]
fn a_comment_names_who_and_why_pings_nobody_and_says_nothing_when_weak() {
    let roster = roster();
    let text = |candidates: Vec<Candidate>, reporter: &str| {
        comment_text(
            &suggestion(candidates),
            Some(&reporter.into()),
            &roster,
            at(0),
        )
    };
    let two = || vec![candidate("ana", 0.7), candidate("bo", 0.2)];
    let said = text(two(), "rita").unwrap();
    assert_eq!(
        said,
        "Who might take this, going by who took what before:\n\n\
         * **ANA** (70 %): owned 7 of the last 9 in parser\\_core @\u{2060}bo\n\
         * **BO** (20 %): owned 7 of the last 9 in parser\\_core @\u{2060}bo\n\n\
         `/take` takes it, `/not-me` says that it is not yours."
    );
    assert_eq!(text(two(), "ana"), None, "the reporter reads it first");
    assert!(!text(two(), "bo").unwrap().contains("BO"));
    assert_eq!(text(vec![candidate("ana", 0.3)], "rita"), None);
    assert_eq!(text(vec![], "rita"), None);
}

#[tokio::test]
async fn killed_between_the_comment_and_its_receipt_there_is_exactly_one_comment() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    said(&store, "a", Ladder::Comment, vec![candidate("ana", 0.7)]);
    board.0.state.lock().unwrap().is_mute = true;
    tokio::select! {
        _ = post_all(&store, &board, 1) => panic!("the answer came"),
        () = board.0.written.notified() => {}
    }
    assert_eq!(state_of(&store, Kind::Comment), Some(State::Posting));
    assert_eq!(post_all(&store, &board, 2).await, 1);
    assert_eq!(state_of(&store, Kind::Comment), Some(State::Posted));
    assert_eq!(board.0.state.lock().unwrap().writes, 1);
    assert_eq!(post_all(&store, &board, 3).await, 0);
}

#[tokio::test]
async fn another_state_edits_the_comment_a_weak_one_takes_it_away_and_lower_steps_write_nothing() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    for (n, mode) in [Ladder::Shadow, Ladder::Briefing].into_iter().enumerate() {
        said(
            &store,
            &format!("low {n}"),
            mode,
            vec![candidate("bo", 0.9)],
        );
        assert_eq!(post_all(&store, &board, 1).await, 0);
        assert_eq!(board.comment_on("T-1"), None);
    }
    said(&store, "a", Ladder::Comment, vec![candidate("ana", 0.7)]);
    post_all(&store, &board, 1).await;
    said(&store, "b", Ladder::Comment, vec![candidate("bo", 0.8)]);
    post_all(&store, &board, 2).await;
    assert!(board.comment_on("T-1").unwrap().contains("BO"));
    said(&store, "c", Ladder::Comment, vec![candidate("bo", 0.8)]);
    assert_eq!(post_all(&store, &board, 3).await, 0, "it says so already");
    said(&store, "d", Ladder::Comment, vec![candidate("bo", 0.3)]);
    post_all(&store, &board, 4).await;
    assert_eq!(board.comment_on("T-1"), None);
}

#[tokio::test]
async fn a_tracker_that_is_down_is_tried_again_later_and_less_often() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    said(&store, "a", Ladder::Comment, vec![candidate("ana", 0.7)]);
    board.0.state.lock().unwrap().is_down = true;
    assert_eq!(post_all(&store, &board, 1).await, 0);
    assert_eq!(state_of(&store, Kind::Comment), Some(State::Failed));
    board.0.state.lock().unwrap().is_down = false;
    assert_eq!(post_all(&store, &board, 1).await, 0, "not at once");
    assert_eq!(post_all(&store, &board, 3).await, 1);
}

#[tokio::test]
async fn what_a_human_took_back_is_not_said_again() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    said(&store, "a", Ladder::Assign, vec![candidate("ana", 0.7)]);
    assert_eq!(post_all(&store, &board, 1).await, 2);
    let ana = Handle::new(&"tracker".into(), "ana");
    assert_eq!(board.0.state.lock().unwrap().owners["T-1"], ana);
    let undone = store
        .write_now(|c| postings::undo(c, &"tracker".into(), "T-1", at(2)))
        .unwrap();
    assert_eq!(undone.len(), 2);
    post_all(&store, &board, 3).await;
    assert_eq!(board.comment_on("T-1"), None);
    assert!(board.0.state.lock().unwrap().owners.is_empty());
    said(&store, "b", Ladder::Assign, vec![candidate("ana", 0.9)]);
    assert_eq!(post_all(&store, &board, 4).await, 0);
    assert_eq!(board.comment_on("T-1"), None);
    assert_eq!(state_of(&store, Kind::Assign), Some(State::Undone));
}

#[tokio::test]
async fn whoever_got_it_first_keeps_it() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    let bo = Handle::new(&"tracker".into(), "bo");
    board
        .0
        .state
        .lock()
        .unwrap()
        .owners
        .insert("T-1".into(), bo.clone());
    said(&store, "a", Ladder::Assign, vec![candidate("ana", 0.7)]);
    post_all(&store, &board, 1).await;
    assert_eq!(state_of(&store, Kind::Assign), Some(State::Refused));
    assert_eq!(board.0.state.lock().unwrap().owners["T-1"], bo);
}

#[tokio::test]
async fn one_word_or_one_thumb_takes_a_ticket_and_strangers_are_not_heard() {
    let connector = ConnectorId::new("tracker");
    let verdict = |kind, by: &str| Verdict {
        kind,
        by: Some(Handle::new(&connector, by)),
        at: None,
    };
    for (verdicts, owner) in [
        (vec![verdict(VerdictKind::Taken, "mallory")], None),
        (vec![verdict(VerdictKind::Liked, "mallory")], None),
        (vec![verdict(VerdictKind::Liked, "bo")], None),
        (vec![verdict(VerdictKind::Liked, "ana")], Some("ana")),
        (vec![verdict(VerdictKind::Taken, "bo")], Some("bo")),
        (vec![verdict(VerdictKind::Declined, "ana")], None),
    ] {
        let (store, board) = (Store::in_memory().unwrap(), Board::default());
        said(&store, "a", Ladder::Comment, vec![candidate("ana", 0.7)]);
        post_all(&store, &board, 1).await;
        board.0.state.lock().unwrap().verdicts = verdicts.clone();
        for _ in 0..2 {
            verdicts::read(
                &store,
                |_| Some(board.clone()),
                &by_word(),
                &roster(),
                at(2),
            )
            .await
            .unwrap();
        }
        post_all(&store, &board, 3).await;
        let owners = board.0.state.lock().unwrap().owners.clone();
        let has = owners.get("T-1").map(|owner| owner.id.to_string());
        assert_eq!(has.as_deref(), owner, "{verdicts:?}");
        let declined = store.read_now(|c| crate::store::tickets::declined_by(c, "T-1"));
        let has_declined = verdicts[0].kind == VerdictKind::Declined;
        assert_eq!(
            declined.unwrap(),
            if has_declined { vec!["ana"] } else { vec![] }
        );
    }
}

#[tokio::test]
async fn a_comment_that_somebody_deleted_does_not_come_back() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    said(&store, "a", Ladder::Comment, vec![candidate("ana", 0.7)]);
    post_all(&store, &board, 1).await;
    {
        let mut state = board.0.state.lock().unwrap();
        state.comments.clear();
        state.verdicts = vec![Verdict {
            kind: VerdictKind::Removed,
            by: None,
            at: None,
        }];
    }
    verdicts::read(
        &store,
        |_| Some(board.clone()),
        &by_word(),
        &roster(),
        at(2),
    )
    .await
    .unwrap();
    said(&store, "b", Ladder::Comment, vec![candidate("bo", 0.9)]);
    assert_eq!(post_all(&store, &board, 3).await, 0);
    assert_eq!(board.comment_on("T-1"), None);
}

fn labels(board: &Board) -> Vec<String> {
    let state = board.0.state.lock().unwrap();
    state.labels.get("T-1").cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_label_follows_who_stands_out_and_leaves_the_labels_of_others() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    let say = |state: &str, candidates| {
        said_with(&store, state, Ladder::Label, "for-{member}", candidates);
    };
    say("a", vec![candidate("ana", 0.7)]);
    board.0.state.lock().unwrap().is_mute = true;
    tokio::select! {
        _ = post_all(&store, &board, 1) => unreachable!("the answer never comes"),
        () = board.0.written.notified() => {}
    }
    assert_eq!(
        state_of(&store, Kind::Label),
        Some(State::Posting),
        "killed here"
    );
    assert_eq!(post_all(&store, &board, 2).await, 1);
    assert_eq!(labels(&board), ["for-ana"]);
    assert_eq!(
        board.comment_on("T-1"),
        None,
        "a label is all that the step allows"
    );

    // Killed again between the new label and its receipt, and somebody else stands out meanwhile.
    say("b", vec![candidate("bo", 0.8)]);
    board.0.state.lock().unwrap().is_mute = true;
    tokio::select! {
        _ = post_all(&store, &board, 3) => unreachable!("the answer never comes"),
        () = board.0.written.notified() => {}
    }
    say("c", vec![candidate("ana", 0.8)]);
    assert_eq!(post_all(&store, &board, 4).await, 1);
    assert_eq!(labels(&board), ["for-ana"], "no label is left behind");
    say("d", vec![candidate("ana", 0.3)]);
    assert_eq!(post_all(&store, &board, 5).await, 1);
    assert_eq!(labels(&board), [""; 0], "nobody stands out");

    // What a person put there themselves is theirs.
    let mark = vec!["for-bo".to_owned(), "bug".to_owned()];
    board
        .0
        .state
        .lock()
        .unwrap()
        .labels
        .insert("T-1".into(), mark);
    say("e", vec![candidate("bo", 0.8)]);
    post_all(&store, &board, 6).await;
    say("f", vec![candidate("ana", 0.8)]);
    post_all(&store, &board, 7).await;
    assert_eq!(labels(&board), ["for-bo", "bug", "for-ana"]);
    let undone = store.write_now(|c| postings::undo(c, &"tracker".into(), "T-1", at(8)));
    assert_eq!(undone.unwrap().len(), 1);
    post_all(&store, &board, 9).await;
    assert_eq!(labels(&board), ["for-bo", "bug"]);
}

#[tokio::test]
async fn a_label_of_ours_is_taken_off_when_who_it_names_is_forgotten() {
    let (store, board) = (Store::in_memory().unwrap(), Board::default());
    let say = |state: &str, candidates| {
        said_with(&store, state, Ladder::Label, "for-{member}", candidates);
    };
    say("a", vec![candidate("ana", 0.7)]);
    post_all(&store, &board, 1).await;
    say("b", vec![candidate("bo", 0.7)]);
    // Bo's is planned, Ana's stands; both are forgotten.
    for name in ["ana", "bo"] {
        store
            .write_now(|c| suggestions::forgotten::forget(c, &name.into(), &[], at(2)))
            .unwrap();
    }
    post_all(&store, &board, 3).await;
    assert_eq!(labels(&board), [""; 0]);
}
