//! What a member of the workspace who means harm can put into a briefing, or press.

use super::*;
use crate::brief::deliver::{begin, hand_over, plan};

/// Calls a check with every element.
fn walk(element: &Value, check: &mut impl FnMut(&Value)) {
    check(element);
    let inner = match element {
        Value::Array(inner) => inner.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    for inner in inner {
        walk(inner, check);
    }
}

#[tokio::test]
async fn names_that_are_markup_or_links_or_without_end_stay_text_in_a_message_that_slack_takes() {
    let names = [
        "<!channel> <https://evil.example/login|Ana>".to_owned(),
        "B".repeat(40_000),
        "\u{202e}anA https://evil.example/\u{200b}login".to_owned(),
    ];
    for name in names {
        let mut here = Here::new(true).await;
        let profile =
            json!({ "real_name": name, "display_name": name, "email": "eve@example.org" });
        here.fake.user("eve", json!({ "profile": profile }));
        let channel = "https://evil.example/sign-in".to_owned();
        here.fake.get().channels.get_mut("C1").unwrap().name = channel;
        let ask = format!("<@UANA> {ASK} <https://evil.example|team.slack.com> <!here>");
        here.fake
            .post("C1", &ts("2026-11-22T21:00:00Z"), "UEVE", &ask);
        assert_eq!(here.morning("ana", "2026-11-23").await, Outcome::Sent);
        let click = here.fake.press("UANA", "DUANA", "done", "1");
        here.desk.take(click).await.unwrap();
        let message = here.messages("DUANA")[0].clone();
        let notice = message["text"].as_str().unwrap();
        assert!(
            !notice.contains('<') && !notice.contains("https://evil"),
            "{notice}"
        );
        assert!(message["blocks"].to_string().contains("harbors"));
        walk(&message["blocks"], &mut |element| {
            let text = element["text"].as_str().unwrap_or_default();
            assert!(
                !text.contains("https://evil") && !text.contains('\u{202e}'),
                "{text}"
            );
            assert!(!text.contains(&"B".repeat(200)), "a name is a name");
            if let Some(url) = element["url"].as_str() {
                assert!(url.starts_with("https://team.slack.com/"), "{url}");
            }
            assert_ne!(element["type"], "broadcast");
            assert_ne!(element["type"], "user");
        });
    }
}

#[tokio::test]
async fn a_press_that_no_button_of_theirs_makes_changes_nothing() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    here.morning("bo", "2026-11-23").await;
    let Push::Clicked(click) = here.fake.press("UANA", "DUANA", "done", "1") else {
        panic!("a button is pressed");
    };
    let forged = [
        ("done", "line-0", "ana-2026-11-23"),
        ("done", "line-99", "ana-2026-11-23"),
        ("done", "line-1", "ana-2026-11-22"),
        ("done", "line-1", "bo-2026-11-23"),
        ("done", "line-1", "ana-"),
        ("done", "line--1", "ana-2026-11-23"),
        ("drop", "line-1", "ana-2026-11-23"),
        ("take", "ticket-1-0", "ana-2026-11-23"),
        ("give:bo", "ticket-1-0", "ana-2026-11-23"),
        ("not_me", "ticket-99-9", "bo-2026-11-23"),
        ("why", "line-1", "bo-2026-11-23"),
    ];
    for (number, (action, row, key)) in forged.into_iter().enumerate() {
        let mut click = click.clone();
        (click.action, click.row, click.key) = (action.into(), row.into(), key.into());
        click.id = number.to_string();
        here.desk.take(Push::Clicked(click)).await.unwrap();
    }
    assert_eq!(here.said(), [] as [&str; 0]);
    assert_eq!(here.fake.calls_of("chat.update"), 0);
    assert_eq!(
        (here.messages("DUANA").len(), here.messages("DUBO").len()),
        (1, 1)
    );
}

#[tokio::test]
async fn what_is_deleted_between_writing_and_sending_is_not_sent() {
    let mut here = Here::new(true).await;
    here.clock.move_to("2026-11-23T08:00:00Z".parse().unwrap());
    here.sync().await;
    let (store, roster, style) = (here.store.clone(), here.roster.clone(), Style::default());
    let with = Delivering {
        store: &store,
        roster: &roster,
        style: &style,
        quiet_line: true,
        gaps: &[],
        llm: None,
        taps: &BTreeSet::new(),
    };
    let ana = roster.member(&MemberId::new("ana")).unwrap();
    let now = here.clock.now() + SignedDuration::from_secs(1);
    let planned = plan(&with, ana, now).await.unwrap();
    here.fake.delete("C1", &ts("2026-11-22T20:00:00Z"));
    here.clock.move_to("2026-11-23T08:20:00Z".parse().unwrap());
    here.sync().await;
    let now = here.clock.now() + SignedDuration::from_secs(1);
    let made = begin(&with, ana, planned, now).await.unwrap().unwrap();
    let sent = hand_over(&with, ana, &made, &here.sinks["ana"], now)
        .await
        .unwrap();
    assert_eq!(sent, Outcome::Sent);
    let message = here.messages("DUANA")[0].to_string();
    assert!(
        !message.contains("harbors") && !message.contains("asks you"),
        "{message}"
    );
}
