//! A tracker that answers later than the press: the message says so once, whatever comes between.

use super::super::team::Team;
use crate::connectors::slack::fake::Fault;

/// A Monday on which Bo has pressed Take and the tracker was down.
async fn pressed() -> Team {
    let mut team = Team::new().await;
    team.tickets(&["HUT-7"]);
    team.run_until("2026-11-23T09:30:00Z").await;
    team.board.0.state.lock().unwrap().is_down = true;
    team.presses("UBO", "DUBO", "take", "1").await;
    team
}

fn shows(team: &Team, words: &str) -> bool {
    team.messages("DUBO")[0]["blocks"]
        .to_string()
        .contains(words)
}

const WAITS: &str = "you get it as soon as the tracker answers";

#[tokio::test]
async fn a_write_that_succeeds_later_is_shown_once_and_loses_no_mark() {
    let mut team = pressed().await;
    assert!(shows(&team, WAITS));
    let updates = team.fake.calls_of("chat.update");
    team.run_until("2026-11-23T10:30:00Z").await;
    assert_eq!(team.fake.calls_of("chat.update"), updates, "it still waits");
    team.presses("UBO", "DUBO", "up", "2").await;
    assert!(shows(&team, WAITS));
    team.board.0.state.lock().unwrap().is_down = false;
    let updates = team.fake.calls_of("chat.update");
    // The first edit does not get through.
    team.fake
        .fail("chat.update", Fault::Refusal("internal_error"));
    team.run_until("2026-11-23T12:30:00Z").await;
    assert!(shows(&team, "you have it now") && shows(&team, "✓ 👍") && !shows(&team, WAITS));
    assert_eq!(
        team.fake.calls_of("chat.update"),
        updates + 2,
        "one was refused"
    );
    assert_eq!(team.messages("DUBO").len(), 1);
    assert_eq!(team.owner("HUT-7").as_deref(), Some("bo"));
    assert_eq!(team.board.0.state.lock().unwrap().writes, 1);
}

#[tokio::test]
async fn a_tracker_that_refuses_in_the_end_is_told_too() {
    let mut team = pressed().await;
    team.run_until("2026-11-23T18:30:00Z").await;
    assert!(shows(&team, "the tracker did not give it to you"));
}

#[tokio::test]
async fn a_message_that_is_gone_and_a_member_who_left_are_left_alone() {
    for is_gone in [true, false] {
        let mut team = pressed().await;
        team.board.0.state.lock().unwrap().is_down = false;
        match is_gone {
            true => {
                let ts = team.messages("DUBO")[0]["ts"].as_str().unwrap().to_owned();
                team.fake.delete("DUBO", &ts);
            }
            false => team.joins("UBO", false),
        }
        let updates = team.fake.calls_of("chat.update");
        team.run_until("2026-11-23T12:30:00Z").await;
        assert_eq!(team.fake.calls_of("chat.update"), updates);
        let left: i64 = team
            .store
            .read_now(|c| Ok(c.query_row("SELECT count(*) FROM awaited", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(left, 0, "nothing is tried for ever");
    }
}
