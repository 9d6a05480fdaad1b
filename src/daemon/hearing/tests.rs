//! Questions that nothing pushes: answered with the next reading, once each, only to members, only about what they may read.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;

use super::super::team::{Team, ts};
use crate::connectors::slack::fake::Fault;
use crate::model::MemberId;
use crate::store::questions;

const QUESTION: &str = "When does the ferry contract end?";

/// A team whose workspace pushes nothing, with something private of Bo's in it.
async fn polling() -> Team {
    let team = Team::new().await;
    team.is_open.store(false, Ordering::SeqCst);
    team.fake.channel("G2", "board");
    {
        let mut workspace = team.fake.get();
        let channel = workspace.channels.get_mut("G2").unwrap();
        channel.is_private = true;
        channel.members = vec!["UBO".into(), "UDAYBRIEF".into()];
    }
    let secret = "The ferry contract ends in March, the harbor office was told.";
    team.fake
        .post("G2", &ts("2026-11-21T10:00:00Z"), "UBO", secret);
    for user in ["UANA", "UBO", "UCY"] {
        team.fake.direct(user);
    }
    team
}

fn asks(team: &Team, user: &str, at: &str, text: &str) {
    team.fake.post(&format!("D{user}"), &ts(at), user, text);
}

/// Returns what we answered in the conversation with an account, oldest first; briefings are no answers.
fn answers(team: &Team, user: &str) -> Vec<String> {
    let messages = team.messages(&format!("D{user}"));
    let ours = messages
        .iter()
        .filter(|message| message["metadata"]["event_type"] == "daybrief_answer");
    ours.map(|message| message["blocks"].to_string()).collect()
}

#[tokio::test]
async fn each_question_is_answered_with_the_next_reading_once_from_what_its_asker_may_read() {
    let mut team = polling().await;
    team.run_until("2026-11-22T13:00:00Z").await;
    for user in ["UANA", "UBO", "UCY"] {
        asks(&team, user, "2026-11-22T13:01:00Z", QUESTION);
    }
    asks(
        &team,
        "UANA",
        "2026-11-22T13:02:00Z",
        "Where is the new timetable?",
    );
    asks(
        &team,
        "UANA",
        "2026-11-22T13:03:00Z",
        "Thanks for the new timetable.",
    );
    team.run_until("2026-11-22T13:20:00Z").await;
    assert_eq!(answers(&team, "UANA").len(), 0, "nothing was read since");
    for until in ["2026-11-22T13:40:00Z", "2026-11-22T15:00:00Z"] {
        team.run_until(until).await;
        let (ana, bo) = (answers(&team, "UANA"), answers(&team, "UBO"));
        assert_eq!((ana.len(), bo.len()), (2, 1), "{until}");
        assert!(ana[0].contains("Not found in your sources."), "{ana:?}");
        assert!(
            ana[1].contains("The new timetable is on staging."),
            "{ana:?}"
        );
        assert!(bo[0].contains("ends in March"), "{bo:?}");
    }
    assert_eq!(answers(&team, "UCY"), [] as [&str; 0], "no member");
    let kept: i64 = team
        .store
        .read_now(|c| Ok(c.query_row("SELECT count(*) FROM questions", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(kept, 0, "its words are not kept");
}

#[tokio::test]
async fn what_was_asked_before_we_were_there_or_a_day_ago_is_not_answered() {
    let mut team = polling().await;
    asks(&team, "UANA", "2026-11-22T11:00:00Z", QUESTION);
    team.run_until("2026-11-22T13:00:00Z").await;
    assert_eq!(answers(&team, "UANA"), [] as [&str; 0]);
    // Nobody was there for a day and a half; the last question of it is timely.
    asks(&team, "UANA", "2026-11-22T13:10:00Z", QUESTION);
    asks(
        &team,
        "UANA",
        "2026-11-23T20:00:00Z",
        "Where is the new timetable?",
    );
    team.clock.move_to("2026-11-23T22:00:00Z".parse().unwrap());
    team.run_until("2026-11-23T23:00:00Z").await;
    let said = answers(&team, "UANA");
    assert!(said.len() == 1 && said[0].contains("staging"), "{said:?}");
}

#[tokio::test]
async fn a_crash_or_a_lost_answer_neither_doubles_nor_loses_it() {
    for fault in [Fault::AnswerLost, Fault::Status(500, ""), Fault::Cut] {
        let mut team = polling().await;
        team.run_until("2026-11-22T13:00:00Z").await;
        asks(&team, "UBO", "2026-11-22T13:01:00Z", QUESTION);
        team.fake.fail("chat.postMessage", fault);
        team.run_until("2026-11-22T15:00:00Z").await;
        assert_eq!(answers(&team, "UBO").len(), 1, "{fault:?}");
    }
    // Whoever held it died.
    let mut team = polling().await;
    team.run_until("2026-11-22T13:00:00Z").await;
    asks(&team, "UBO", "2026-11-22T13:01:00Z", QUESTION);
    let asked = crate::model::Inquiry {
        mark: ts("2026-11-22T13:01:00Z"),
        text: QUESTION.into(),
        at: "2026-11-22T13:01:00Z".parse().unwrap(),
    };
    let now = team.clock.now() + SignedDuration::from_mins(29);
    let taken = team.store.write_now(|c| {
        questions::put(c, &MemberId::new("bo"), &asked)?;
        questions::take(c, &MemberId::new("bo"), now)
    });
    assert_eq!(taken.unwrap().len(), 1);
    team.run_until("2026-11-22T13:31:00Z").await;
    assert_eq!(answers(&team, "UBO").len(), 0, "somebody may be at it");
    team.run_until("2026-11-22T14:10:00Z").await;
    assert_eq!(answers(&team, "UBO").len(), 1);
}

#[tokio::test]
async fn what_is_asked_between_two_sockets_is_answered_with_the_next_reading_and_not_twice() {
    let mut team = polling().await;
    team.is_open.store(true, Ordering::SeqCst);
    team.run_until("2026-11-22T13:00:00Z").await;
    asks(&team, "UBO", "2026-11-22T13:01:00Z", QUESTION);
    team.run_until("2026-11-22T13:40:00Z").await;
    assert_eq!(answers(&team, "UBO").len(), 1);
    let user = "UBO".into();
    let late = crate::connectors::slack::push::Push::Addressed { user };
    team.desk.take(late).await.unwrap();
    assert_eq!(answers(&team, "UBO").len(), 1);
}
