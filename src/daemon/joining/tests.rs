//! Joiners and leavers of a running daemon: who is briefed, and whose buttons count.

use serde_json::{Value, json};

use super::super::team::{ASK, Team, ts};
use crate::store::tickets;

#[tokio::test]
async fn a_joiner_of_the_running_daemon_is_briefed_and_every_button_of_theirs_is_obeyed() {
    let mut team = Team::new().await;
    team.run_until("2026-11-22T18:00:00Z").await;
    team.joins("UCY", true);
    team.tickets(&["HUT-7", "HUT-8"]);
    team.fake.post(
        "C1",
        &ts("2026-11-22T20:00:00Z"),
        "UBO",
        &format!("<@UCY> {ASK}"),
    );
    team.run_until("2026-11-23T09:30:00Z").await;
    let briefing = team.messages("DUCY");
    assert_eq!(briefing.len(), 1);
    let shown = briefing[0]["blocks"].to_string();
    for part in [
        ASK,
        "This is daybrief",
        "Take HUT-7",
        "Take HUT-8",
        "Assign bo to HUT-8",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for action in ["later", "done", "mute", "why"] {
        team.presses("UCY", "DUCY", action, action).await;
    }
    assert_eq!(team.said_by("cy"), ["later", "done", "mute"]);
    let answers = team.messages("DUCY").split_off(1);
    assert!(answers.len() == 1 && answers[0]["blocks"].to_string().contains(ASK));
    team.presses("UCY", "DUCY", "take", "t").await;
    let left = team.messages("DUCY")[0]["blocks"].to_string();
    let (taken, other) = match left.contains("Take HUT-7") {
        true => ("HUT-8", "HUT-7"),
        false => ("HUT-7", "HUT-8"),
    };
    assert_eq!(team.owner(taken).as_deref(), Some("cy@example.org"));
    team.presses("UCY", "DUCY", "give:bo", "g").await;
    assert_eq!(team.owner(other).as_deref(), Some("bo"));

    // What was said counts on the next morning.
    team.run_until("2026-11-24T09:30:00Z").await;
    let next = team.messages("DUCY").pop().unwrap()["blocks"].to_string();
    assert!(
        !next.contains("harbors") && !next.contains("This is daybrief"),
        "{next}"
    );
}

#[tokio::test]
async fn a_leaver_gets_no_further_briefing_and_their_taps_and_questions_are_refused() {
    let mut team = Team::new().await;
    team.fake.post(
        "C1",
        &ts("2026-11-22T20:00:00Z"),
        "UANA",
        &format!("<@UBO> {ASK}"),
    );
    team.tickets(&["HUT-7"]);
    team.run_until("2026-11-23T09:30:00Z").await;
    assert_eq!(team.messages("DUBO").len(), 1);
    team.presses("UBO", "DUBO", "later", "1").await;
    team.joins("UBO", false);
    team.run_until("2026-11-23T10:30:00Z").await;
    let updates = team.fake.calls_of("chat.update");
    for action in ["done", "mute", "why", "up", "take", "not_me"] {
        team.presses("UBO", "DUBO", action, action).await;
    }
    team.fake.post(
        "DUBO",
        &ts("2026-11-23T10:29:00Z"),
        "UBO",
        "Where is the new timetable?",
    );
    let push = crate::connectors::slack::push::Push::Addressed { user: "UBO".into() };
    team.desk.take(push).await.unwrap();
    assert_eq!(team.said_by("bo"), ["later"], "what they said as a member");
    assert_eq!(team.owner("HUT-7"), None);
    assert!(
        !team
            .store
            .read_now(|c| tickets::has_declined(c, "bo", "HUT-7"))
            .unwrap()
    );
    assert_eq!(team.fake.calls_of("chat.update"), updates);
    team.run_until("2026-11-25T09:30:00Z").await;
    let ours = |message: &&Value| message["bot_id"] == "BDAYBRIEF";
    assert_eq!(team.messages("DUBO").iter().filter(ours).count(), 1);
    let told = team.messages("DUANA")[1]["blocks"].to_string();
    assert!(told.contains("bo left"), "{told}");

    // Whoever comes back is a member again.
    team.joins("UBO", true);
    team.run_until("2026-11-25T11:00:00Z").await;
    team.presses("UBO", "DUBO", "done", "2").await;
    assert_eq!(team.said_by("bo"), ["later", "done"]);
}

#[tokio::test]
async fn a_joiner_keeps_their_id_and_their_conversation_whoever_of_the_same_name_comes_and_goes() {
    let mut team = Team::new().await;
    for (user, id) in [("cyb", "UB2"), ("cya", "UA1")] {
        let profile =
            json!({ "real_name": format!("Cyd {user}"), "email": format!("{user}@example.org") });
        team.fake
            .user(user, json!({ "id": id, "profile": profile }));
    }
    team.joins("UB2", true);
    team.run_until("2026-11-22T18:00:00Z").await;
    // The account of the second comes before that of the first.
    team.joins("UA1", true);
    team.fake.post(
        "C1",
        &ts("2026-11-22T20:00:00Z"),
        "UBO",
        &format!("<@UB2> {ASK}"),
    );
    team.run_until("2026-11-23T09:30:00Z").await;
    let texts = |team: &Team, channel: &str| -> Vec<bool> {
        let messages = team.messages(channel);
        messages
            .iter()
            .map(|message| message["blocks"].to_string().contains(ASK))
            .collect()
    };
    assert_eq!(texts(&team, "DUB2"), [true]);
    assert_eq!(texts(&team, "DUA1"), [false]);
    team.presses("UB2", "DUB2", "later", "1").await;
    assert_eq!(team.said_by("cyd"), ["later"]);
    // When the first goes, the second does not step into their place.
    team.joins("UB2", false);
    team.run_until("2026-11-24T09:30:00Z").await;
    assert_eq!(texts(&team, "DUB2"), [true]);
    assert_eq!(texts(&team, "DUA1"), [false, false]);
}

#[tokio::test]
async fn who_was_here_before_ids_were_kept_keeps_theirs_at_the_first_reading_after_a_start() {
    let mut team = Team::new().await;
    for (user, id) in [("cyb", "UB2"), ("cya", "UA1")] {
        let profile = json!({ "real_name": format!("Cyd {user}") });
        team.fake
            .user(user, json!({ "id": id, "profile": profile }));
    }
    team.joins("UB2", true);
    team.run_until("2026-11-22T18:00:00Z").await;
    // As a store of before has it, and as a daemon begins.
    team.store
        .write_now(|c| Ok(c.execute("DELETE FROM joiners", [])?))
        .unwrap();
    team.daemon.read_at = None;
    team.joins("UA1", true);
    team.run_until("2026-11-22T19:00:00Z").await;
    let ids = team.store.read_now(crate::store::members::joiners).unwrap();
    let office = crate::model::ConnectorId::new("office");
    let id_of = |account: &str| ids[&crate::model::Handle::new(&office, account)].to_string();
    assert_eq!(id_of("UB2"), "cyd");
    assert_ne!(id_of("UA1"), "cyd");
}
