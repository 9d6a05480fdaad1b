//! Hints, long threads, forgotten places, clocks that are off, any script.

use super::*;

#[tokio::test]
async fn a_hint_reads_one_channel_again_and_reaches_what_is_no_longer_watched() {
    let mut here = Here::new().await;
    here.fake.channel("C2", "parser");
    let old = 60 * 24 * 20;
    for channel in ["C1", "C2"] {
        here.fake.post(channel, &ago(old), "UANA", "old");
        here.fake.post(channel, &ago(100), "UANA", "new");
    }
    here.sync(0).await.unwrap();
    let calls = here.fake.get().calls.len();
    here.fake.post("C1", &ago(old), "UANA", "old, corrected");
    here.fake
        .reply("C1", &ago(old), &ago(1), "UBO", "a late reply");
    here.fake.post("C1", &ago(0), "UBO", "news");
    here.fake.post("C2", &ago(0), "UBO", "not hinted at");
    let mut source = here.source.take().unwrap();
    source.hint(&format!("C1:{}", ago(old)));
    source.hint("C1");
    source.hint("");
    here.source = Some(source);
    here.sync(1).await.unwrap();
    assert_eq!(
        here.standing(),
        [
            "C1:-28800 old, corrected",
            "C1:-100 new",
            "C1:-1 a late reply",
            "C1:0 news",
            "C2:-28800 old",
            "C2:-100 new"
        ]
    );
    let calls: Vec<String> = here.fake.get().calls[calls..]
        .iter()
        .map(|(method, _)| method.clone())
        .collect();
    assert_eq!(
        calls,
        ["conversations.history", "conversations.replies"],
        "nothing else is asked"
    );

    // Without the hint only new events would have told; the next reading finds the rest.
    here.sync(5).await.unwrap();
    assert!(here.standing().contains(&"C2:0 not hinted at".to_owned()));

    // A message that is gone with its thread.
    here.fake.post("C1", &ago(-6), "UBO", "a mistake");
    here.sync(5).await.unwrap();
    here.fake.delete("C1", &ago(-6));
    let mut source = here.source.take().unwrap();
    source.hint(&format!("C1:{}", ago(-6)));
    // One that nobody knows, and a channel that the app is not in.
    source.hint("C1:1.000000");
    here.source = Some(source);
    here.sync(1).await.unwrap();
    assert!(
        !here
            .standing()
            .iter()
            .any(|line| line.ends_with("a mistake"))
    );
    here.source.as_mut().unwrap().hint("C99:1.000000");
    here.sync(1).await.unwrap();
}

#[tokio::test]
async fn a_thread_of_ten_thousand_replies_is_read_whole_and_then_only_its_end() {
    let mut here = Here::new().await;
    here.fake.get().page_size = 999;
    here.fake.post("C1", &ago(12_000), "UANA", "root");
    for at in 1..=10_000 {
        here.fake
            .reply("C1", &ago(12_000), &ago(12_000 - at), "UBO", "x");
    }
    assert_eq!(here.sync(0).await.unwrap().events, 10_001);
    let calls = here.fake.calls_of("conversations.replies");
    assert!((11..=12).contains(&calls), "{calls}");
    here.fake
        .reply("C1", &ago(12_000), &ago(-2), "UBO", "one more");
    assert_eq!(here.sync(16).await.unwrap().events, 1);
    assert_eq!(here.fake.calls_of("conversations.replies"), calls + 1);
    assert_eq!(here.standing().len(), 10_002);
}

#[tokio::test]
async fn a_list_whose_place_slack_has_forgotten_is_read_from_its_start() {
    let mut here = Here::new().await;
    for name in ["dee", "eli", "fay"] {
        here.fake.user(name, json!({}));
    }
    here.fake.post("C1", &ago(1), "UDEE", "hello");
    here.fake
        .fail_after("users.list", 1, Fault::Refusal("invalid_cursor"));
    assert!(here.sync(0).await.is_err());
    here.sync(0).await.unwrap();
    let cursors: Vec<bool> = here
        .fake
        .get()
        .calls
        .iter()
        .filter(|(method, _)| method == "users.list")
        .map(|(_, parameters)| parameters.contains_key("cursor"))
        .collect();
    assert_eq!(
        cursors,
        [false, true, false, true],
        "the second time from the start"
    );
    assert_eq!(here.standing().len(), 1);
    let known = here.store.read_now(|c| people::people(c, None)).unwrap();
    assert!(known.iter().any(|person| person.name == "fay Real"));
}

#[tokio::test]
async fn a_clock_that_is_hours_off_loses_nothing() {
    for skew_minutes in [-180, 180] {
        let mut here = Here::new().await;
        here.fake.channel("C2", "empty");
        here.fake.post("C1", &ago(30), "UANA", "before");
        let skewed = here.clock.now() + SignedDuration::from_mins(skew_minutes);
        // Ours only moves on, so one that is behind begins there.
        here.clock = Clock::simulated(skewed);
        let options = Options {
            is_paced: false,
            ..Options::default()
        };
        (here.http, here.sent) = Recorded::http(options, here.clock.clone());
        here.sync(0).await.unwrap();
        here.fake.post("C1", &ago(-5), "UBO", "after");
        here.fake.post("C2", &ago(-6), "UBO", "the first");
        here.sync(10).await.unwrap();
        here.sync(10).await.unwrap();
        assert_eq!(
            here.standing(),
            ["C1:-30 before", "C1:5 after", "C2:6 the first"],
            "{skew_minutes}"
        );
    }
}

#[tokio::test]
async fn names_and_words_of_any_script_and_emoji_arrive_as_they_are() {
    let mut here = Here::new().await;
    let name = "נועה 👩🏽‍🚀 كوهين";
    here.fake.user("noa", json!({ "profile": { "real_name": name, "display_name": name, "email": "noa@example.org" } }));
    here.fake.channel("C2", "日本-😀-שלום");
    here.fake.post(
        "C2",
        &ago(2),
        "UNOA",
        "שלום <@UANA> 👍🏽 e\u{301} — &lt;b&gt; :tada:",
    );
    here.sync(0).await.unwrap();
    let known = here.store.read_now(|c| people::people(c, None)).unwrap();
    assert!(known.iter().any(|person| person.name == name), "{known:?}");
    assert_eq!(
        here.standing(),
        ["C2:-2 שלום @ana 👍🏽 e\u{301} — <b> :tada:"]
    );
    let spaces = here.query("SELECT name FROM spaces WHERE id = 'C2'");
    assert!(spaces[0].ends_with("日本-😀-שלום"), "{spaces:?}");
}

#[tokio::test]
async fn direct_messages_and_private_channels_are_left_alone_by_default() {
    let mut here = Here::new().await;
    for (id, is_im) in [("D7", true), ("G7", false)] {
        here.fake.channel(id, "between-us");
        let mut workspace = here.fake.get();
        let channel = workspace.channels.get_mut(id).unwrap();
        (channel.is_private, channel.is_im) = (true, is_im);
        drop(workspace);
        here.fake.post(id, &ago(5), "UANA", "between us");
    }
    here.sync(0).await.unwrap();
    assert_eq!(here.standing(), [] as [&str; 0]);
    let asked = here
        .fake
        .get()
        .calls
        .iter()
        .any(|(_, parameters)| parameters.get("channel").is_some_and(|id| id != "C1"));
    assert!(!asked, "they are not even asked about");
}

#[tokio::test]
async fn a_token_that_was_replaced_is_taken_up_without_a_restart() {
    let mut here = Here::new().await;
    here.fake.post("C1", &ago(1), "UANA", "first");
    here.sync(0).await.unwrap();
    here.fake.get().token = "xoxb-neu".into();
    let error = format!("{:#}", here.sync(5).await.unwrap_err());
    assert!(
        error.contains("token_expired") && error.contains("install the app"),
        "{error}"
    );
    std::fs::write(here.dir.path().join("token"), "xoxb-neu").unwrap();
    here.fake.post("C1", &ago(-5), "UANA", "second");
    here.sync(5).await.unwrap();
    assert_eq!(here.standing().len(), 2);
}
