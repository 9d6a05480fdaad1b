//! The buttons below a ticket that nobody owns: what a press does, to whom it is open, and what a crash leaves over.

use super::*;
use crate::connectors::tickets::Tickets;
use crate::model::Handle;
use crate::model::suggestion::{Candidate, Ladder};
use crate::store::suggestions::{self, Recorded};
use crate::store::tickets;
use crate::triage::post::{board::Board, post_due};

const TICKET: &str = "HUT-7";

fn candidate(member: &str, probability: f32) -> Candidate {
    Candidate {
        member: member.into(),
        probability,
        evidence: Vec::new(),
        although: None,
    }
}

/// A morning on which Ana reads of a ticket that she or Bo might take.
struct Morning {
    here: Here,
    board: Board,
    desk: Desk<Board>,
}

impl Morning {
    async fn new(can_write: bool) -> Morning {
        let mut here = Here::new(true).await;
        let row = json!({
            "id": TICKET, "project": "HUT", "type": "bug", "title": "The ferry page stays blank", "body": "Since the last release.",
            "created_at": "2026-11-22T21:00:00Z", "reporter": "zoe", "status": "open",
        });
        let path = here.dir.path().join("tickets.jsonl");
        std::fs::write(path, format!("{row}\n")).unwrap();
        let tracker = ConnectorId::new("tracker");
        let tickets = Tickets {
            path: "tickets.jsonl".into(),
            url: "https://tracker.example/{id}".into(),
            ..Tickets::default()
        };
        let mut source = tickets.open(&tracker, here.dir.path()).unwrap();
        let now = || "2026-11-22T22:00:00Z".parse().unwrap();
        ingest::sync(
            &here.store,
            &tracker,
            &mut source,
            &here.roster,
            now,
            |_, _| {},
        )
        .await
        .unwrap();
        let said = Recorded {
            id: 0,
            connector: tracker.clone(),
            ticket: TICKET.into(),
            state: "s".into(),
            mode: Ladder::Briefing,
            made_at: "2026-11-22T22:00:00Z".parse().unwrap(),
            area: None,
            duty: None,
            threshold: 0.5,
            is_abstained: false,
            first_account: Some("ana".into()),
            candidates: vec![candidate("ana", 0.6), candidate("bo", 0.3)],
            excluded: BTreeMap::new(),
            repeats: Vec::new(),
            outcome: None,
        };
        here.store
            .write_now(|c| suggestions::put(c, &said))
            .unwrap();
        let board = Board::default();
        let trackers = can_write.then(|| (tracker.clone(), board.clone()));
        let trackers: BTreeMap<ConnectorId, Board> = trackers.into_iter().collect();
        here.taps = trackers.keys().cloned().collect();
        assert_eq!(here.morning("ana", "2026-11-23").await, Outcome::Sent);
        let desk = Morning::desk(&here, trackers);
        Morning { here, board, desk }
    }

    fn desk(here: &Here, trackers: BTreeMap<ConnectorId, Board>) -> Desk<Board> {
        let accounts = Accounts::default();
        for member in &here.roster.members {
            match &here.sinks[member.id.as_str()] {
                Sink::Slack(dm) => accounts.seat(&"office".into(), member, dm),
                other => panic!("{other:?}"),
            }
        }
        Desk::new(
            here.store.clone(),
            here.clock.clone(),
            here.hints.clone(),
            "office".into(),
            accounts,
            (watch::channel(Arc::new(here.roster.clone())).1, trackers),
        )
    }

    /// Returns the rows of the ticket in Ana's message: words, and what there is to press.
    fn rows(&self) -> Vec<String> {
        let message = self.here.messages("DUANA")[0].clone();
        let blocks = message["blocks"].as_array().unwrap().iter();
        let own = blocks.filter(|one| {
            let id = one["block_id"].as_str();
            id.is_some_and(|id| id.starts_with("ticket-"))
        });
        let text = |parts: &Value| -> Vec<String> {
            let parts = parts.as_array().unwrap().iter();
            let text = |part: &Value| match &part["text"] {
                Value::String(text) => text.clone(),
                button => format!("[{}]", button["text"].as_str().unwrap()),
            };
            parts.map(text).collect()
        };
        let row = |one: &Value| match one["type"] == "actions" {
            true => text(&one["elements"]).join(" "),
            false => text(&one["elements"][0]["elements"]).concat(),
        };
        own.map(row).collect()
    }

    /// Returns the push of a button below the ticket.
    fn press(&self, user: &str, action: &str, id: &str) -> Push {
        self.here.fake.press(user, "DUANA", action, id)
    }

    fn owner(&self) -> Option<Handle> {
        self.board
            .0
            .state
            .lock()
            .unwrap()
            .owners
            .get(TICKET)
            .cloned()
    }

    fn writes(&self) -> usize {
        self.board.0.state.lock().unwrap().writes
    }

    fn has_declined(&self, member: &str) -> bool {
        let declined = |c: &Connection| tickets::has_declined(c, member, TICKET);
        self.here.store.read_now(declined).unwrap()
    }
}

const OPEN: &str = "[Take HUT-7] [Assign bo to HUT-7] [HUT-7 is not me]";

#[tokio::test]
async fn taking_a_ticket_changes_its_owner_once_and_the_message_says_so() {
    let morning = Morning::new(true).await;
    assert_eq!(morning.rows(), [OPEN]);
    let (take, again) = (
        morning.press("UANA", "take", "1"),
        morning.press("UANA", "take", "2"),
    );
    let late = morning.press("UANA", "give:bo", "3");
    for push in [take, again, late] {
        morning.desk.take(push).await.unwrap();
        assert_eq!(morning.rows(), ["✓ HUT-7: you have it now"]);
        assert_eq!(&*morning.owner().unwrap().id, "ana");
    }
    assert_eq!(morning.writes(), 1);
    let hinted = morning.here.hints.take();
    assert!(
        hinted.contains_key(&ConnectorId::new("tracker")),
        "it is read again soon"
    );
    let ours = morning.here.messages("DUANA");
    assert_eq!(ours.len(), 1, "it was edited, not sent again");
}

#[tokio::test]
async fn a_strangers_press_changes_nothing() {
    let morning = Morning::new(true).await;
    for user in ["UBO", "UMALLORY", ""] {
        for action in ["take", "give:bo", "not_me"] {
            let push = morning.press(user, action, action);
            morning.desk.take(push).await.unwrap();
        }
    }
    assert_eq!(morning.owner(), None);
    assert!(!morning.has_declined("ana") && !morning.has_declined("bo"));
    assert_eq!(morning.rows(), [OPEN]);
    assert_eq!(morning.here.fake.calls_of("chat.update"), 0);
}

#[tokio::test]
async fn who_says_not_me_is_left_out_and_the_next_one_is_offered() {
    let morning = Morning::new(true).await;
    let (not_me, old) = (
        morning.press("UANA", "not_me", "1"),
        morning.press("UANA", "take", "2"),
    );
    // A second press, and one on the picture before it, change nothing more.
    for push in [not_me.clone(), not_me, old] {
        morning.desk.take(push).await.unwrap();
        assert_eq!(
            morning.rows(),
            [
                "✓ HUT-7: not yours, and not suggested to you again; next is bo (30 %)",
                "[Assign bo to HUT-7]"
            ]
        );
    }
    assert!(morning.has_declined("ana"));
    assert_eq!(morning.owner(), None);
    let give = morning.press("UANA", "give:bo", "3");
    morning.desk.take(give).await.unwrap();
    assert_eq!(morning.rows(), ["✓ HUT-7: bo has it now"]);
    assert_eq!(&*morning.owner().unwrap().id, "bo");
}

#[tokio::test]
async fn a_button_that_could_not_do_anything_is_not_there() {
    let morning = Morning::new(false).await;
    assert_eq!(morning.rows(), ["[HUT-7 is not me]"]);
    let push = morning.press("UANA", "not_me", "1");
    morning.desk.take(push).await.unwrap();
    assert_eq!(
        morning.rows(),
        ["✓ HUT-7: not yours, and not suggested to you again; next is bo (30 %)"]
    );
}

#[tokio::test]
async fn a_crash_between_the_press_and_the_tracker_loses_nothing_and_doubles_nothing() {
    let morning = Morning::new(true).await;
    let Morning { here, board, desk } = &morning;
    board.0.state.lock().unwrap().is_mute = true;
    let (push, again) = (
        morning.press("UANA", "take", "1"),
        morning.press("UANA", "take", "2"),
    );
    tokio::select! {
        _ = desk.take(push) => panic!("the tracker never answers"),
        () = board.0.written.notified() => {}
    }
    assert_eq!(
        morning.rows(),
        [OPEN],
        "nothing is claimed that is not known"
    );
    let trackers = [(ConnectorId::new("tracker"), board.clone())].into();
    let restarted = Morning::desk(here, trackers);
    restarted.take(again).await.unwrap();
    assert_eq!(morning.rows(), ["✓ HUT-7: you have it now"]);
    assert_eq!(morning.writes(), 1, "the tracker was asked first");
    assert!(Arc::strong_count(&board.0) > 1);
}

#[tokio::test]
async fn what_a_tracker_that_is_down_did_not_take_is_given_to_it_later() {
    let morning = Morning::new(true).await;
    morning.board.0.state.lock().unwrap().is_down = true;
    let push = morning.press("UANA", "take", "1");
    morning.desk.take(push).await.unwrap();
    assert_eq!(
        morning.rows(),
        ["✓ HUT-7: you get it as soon as the tracker answers"]
    );
    morning.board.0.state.lock().unwrap().is_down = false;
    let later = morning.here.clock.now() + SignedDuration::from_hours(2);
    let tracker_of = |_: &ConnectorId| Some(morning.board.clone());
    post_due(&morning.here.store, tracker_of, later)
        .await
        .unwrap();
    assert_eq!(&*morning.owner().unwrap().id, "ana");
}

#[tokio::test]
async fn a_ticket_that_got_an_owner_meanwhile_keeps_them() {
    let morning = Morning::new(true).await;
    let bo = Handle::new(&"tracker".into(), "bo");
    let owners = |board: &Board| {
        board
            .0
            .state
            .lock()
            .unwrap()
            .owners
            .insert(TICKET.into(), bo.clone())
    };
    owners(&morning.board);
    let push = morning.press("UANA", "take", "1");
    morning.desk.take(push).await.unwrap();
    assert_eq!(
        morning.rows(),
        [
            "✓ HUT-7: the tracker did not give it to you; it has an owner there, or does not let them have it"
        ]
    );
    assert_eq!(morning.owner(), Some(bo));
}
