//! What a token may see, what it may not, and who may read what it saw.

use super::*;

#[tokio::test]
async fn a_private_channel_is_read_only_when_asked_for_and_seen_by_its_members() {
    let mut here = Here::new().await;
    here.more = "private_channels = true".into();
    here.fake.channel("G1", "hiring");
    here.fake.get().channels.get_mut("G1").unwrap().is_private = true;
    here.fake.post("G1", &ago(5), "UANA", "between us");
    here.fake.post("C1", &ago(4), "UANA", "for all");
    here.sync(0).await.unwrap();
    assert_eq!(here.readers(&format!("G1:{}", ago(5))), "ana");
    assert_eq!(here.readers(&format!("C1:{}", ago(4))), "- ana cy gil");

    here.fake
        .get()
        .channels
        .get_mut("G1")
        .unwrap()
        .members
        .push("UCY".into());
    here.sync(5).await.unwrap();
    assert_eq!(
        here.readers(&format!("G1:{}", ago(5))),
        "ana cy",
        "a member who joined"
    );
    here.fake.get().channels.get_mut("G1").unwrap().is_joined = false;
    here.sync(5).await.unwrap();
    assert_eq!(
        here.readers(&format!("G1:{}", ago(5))),
        "",
        "the app was removed"
    );
}

#[tokio::test]
async fn a_channel_that_becomes_private_is_closed_at_the_next_reading() {
    let mut here = Here::new().await;
    here.fake.post("C1", &ago(4), "UANA", "once for all");
    here.sync(0).await.unwrap();
    assert_eq!(here.readers(&format!("C1:{}", ago(4))), "- ana cy gil");
    here.fake.get().channels.get_mut("C1").unwrap().is_private = true;
    here.sync(5).await.unwrap();
    assert_eq!(here.readers(&format!("C1:{}", ago(4))), "ana");
    assert_eq!(here.fake.calls_of("conversations.info"), 1);
    assert_eq!(here.standing().len(), 1);
    here.fake.get().channels.get_mut("C1").unwrap().is_private = false;
    here.sync(5).await.unwrap();
    assert_eq!(
        here.readers(&format!("C1:{}", ago(4))),
        "- ana cy gil",
        "and open again"
    );
}

#[tokio::test]
async fn a_channel_that_the_app_is_invited_to_later_is_history() {
    let mut here = Here::new().await;
    here.fake.post("C1", &ago(10), "UANA", "first");
    here.sync(0).await.unwrap();
    here.fake.channel("C9", "late");
    here.fake.post("C9", &ago(5_000), "UANA", "long ago");
    here.fake
        .reply("C9", &ago(5_000), &ago(4_000), "UBO", "long ago, too");
    here.fake.post("C1", &ago(1), "UANA", "news");
    here.sync(60).await.unwrap();
    let sql =
        "SELECT id || iif(learned = occurred_at, ' history', ' news') FROM events ORDER BY id";
    let learned: Vec<String> = here
        .query(sql)
        .iter()
        .map(|line| here.relative(line))
        .collect();
    assert_eq!(
        learned,
        [
            "C1:-10 history",
            "C1:-1 news",
            "C9:-5000 history",
            "C9:-4000 history"
        ]
    );
}

#[tokio::test]
async fn a_token_that_is_no_good_is_named_with_the_next_step_and_never_shown() {
    let mut here = Here::new().await;
    here.fake.fail("auth.test", Fault::Refusal("token_revoked"));
    let error = format!("{:#}", here.sync(0).await.unwrap_err());
    assert!(
        error.contains("token_revoked") && error.contains("Bot User OAuth Token"),
        "{error}"
    );
    assert!(!error.contains("geheim"), "{error}");
    here.fake
        .fail("users.list", Fault::Refusal("missing_scope"));
    assert!(here.sync(0).await.is_err());
    here.sync(0).await.unwrap();
}

#[tokio::test]
async fn a_place_that_cannot_be_seen_stops_no_other() {
    let mut here = Here::new().await;
    here.more = "channels = [\"#general\", \"C2\", \"nowhere\"]".into();
    here.fake.channel("C2", "parser");
    here.fake.channel("C3", "unwanted");
    here.fake.post("C2", &ago(1), "UANA", "parser");
    here.fake.post("C3", &ago(1), "UANA", "unwanted");
    here.fake
        .fail("conversations.history", Fault::Refusal("not_in_channel"));
    let synced = here.sync(0).await.unwrap();
    let skipped: Vec<String> = synced
        .skipped
        .iter()
        .map(|skip| format!("{} {}", skip.at, skip.reason))
        .collect();
    assert!(
        skipped[0].starts_with("#nowhere the app is not in it"),
        "{skipped:?}"
    );
    assert!(
        skipped[1].starts_with("#general the app is not in the channel"),
        "{skipped:?}"
    );
    assert_eq!(here.standing(), ["C2:-1 parser"]);
}

#[tokio::test]
async fn the_cap_on_distributed_apps_is_noticed_and_named_once() {
    let mut here = Here::new().await;
    here.fake.get().page_size = 999;
    here.fake.get().is_capped = true;
    for minute in 1..=40 {
        here.fake.post("C1", &ago(minute), "UANA", "x");
    }
    let synced = here.sync(0).await.unwrap();
    assert_eq!(synced.events, 40);
    let named = synced
        .skipped
        .iter()
        .filter(|skip| skip.reason.contains("15 messages a minute"));
    assert_eq!(named.count(), 1);
}

#[tokio::test]
async fn check_says_what_the_token_may_see_and_what_to_do() {
    let mut here = Here::new().await;
    here.fake.channel("C2", "elsewhere");
    here.fake.get().channels.get_mut("C2").unwrap().is_joined = false;
    here.fake.get().scopes = "channels:read,channels:history,users:read";
    here.clock
        .move_to(Timestamp::now() + SignedDuration::from_hours(1));
    let checked = here
        .config()
        .check(&"office".into(), here.dir.path(), &here.http)
        .await;
    let facts: Vec<String> = checked
        .unwrap()
        .iter()
        .map(|fact| match fact {
            Fact::Fine(says) => format!("+ {says}"),
            Fact::Note(says) => format!("! {}", says.split([':', ';']).next().unwrap()),
        })
        .collect();
    assert_eq!(
        facts,
        [
            "+ reads Team (https://team.slack.com/)",
            "! cannot match people by mail address",
            "! cannot send briefings",
            "+ no App-Level Token: read on the interval, briefings without buttons; 👍, 👎, stop and questions are heard with the next reading",
            "! this machine's clock is 3600 s ahead of Slack's",
            "+ 1 channel",
            "! it is not in 1 public channel, such as #elsewhere",
        ]
    );
    // Only what the config asks for is missed.
    here.more = "channels = [\"#general\", \"harbor\"]".into();
    let checked = here
        .config()
        .check(&"office".into(), here.dir.path(), &here.http)
        .await
        .unwrap();
    let says = format!("{checked:?}");
    assert!(
        says.contains("`channels` names #harbor, which Slack does not show"),
        "{says}"
    );
    assert!(
        says.contains("\"1 channel\"") && !says.contains("elsewhere"),
        "{says}"
    );
    // With the other token the other half is looked at too.
    here.more = "app_token_file = \"app\"".into();
    for (app, expected) in [
        (super::fake::APP_TOKEN, "Slack pushes by Socket Mode"),
        ("xapp-old", "generate one with the scope connections:write"),
    ] {
        std::fs::write(here.dir.path().join("app"), app).unwrap();
        let checked = here
            .config()
            .check(&"office".into(), here.dir.path(), &here.http)
            .await
            .unwrap();
        let says = format!("{checked:?}");
        assert!(
            says.contains(expected) && says.contains("reactions:read"),
            "{says}"
        );
    }
    here.fake.fail("auth.test", Fault::Refusal("invalid_auth"));
    let error = here
        .config()
        .check(&"office".into(), here.dir.path(), &here.http)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("install the app"), "{error}");
}
