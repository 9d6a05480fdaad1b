//! Who may read what, what moved out of sight, and what the token may see.

use super::*;

#[tokio::test]
async fn a_private_repository_is_read_by_its_collaborators_and_otherwise_by_nobody() {
    let mut here = Here::new().await;
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "secret");
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.readers(&format!("{REPO}#1")), "- ana bo");
    here.fake
        .get()
        .repositories
        .get_mut(REPO)
        .unwrap()
        .visibility = "private";
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(
        here.readers(&format!("{REPO}#1")),
        "ana",
        "logins have no case"
    );
    here.fake
        .get()
        .repositories
        .get_mut(REPO)
        .unwrap()
        .collaborators = None;
    let synced = here.sync_at(&on(23, "08:10")).await.unwrap();
    assert_eq!(here.readers(&format!("{REPO}#1")), "");
    assert!(
        synced.skipped[0].reason.contains("audience = \"everyone\""),
        "{:?}",
        synced.skipped
    );
    (here.more, here.source) = ("audience = \"everyone\"".into(), None);
    here.sync_at(&on(23, "08:15")).await.unwrap();
    assert_eq!(here.readers(&format!("{REPO}#1")), "- ana bo");
}

#[tokio::test]
async fn a_repository_or_issue_that_cannot_be_seen_stops_no_other() {
    let mut here = Here::new().await;
    here.more = format!("repositories = [\"team/nowhere\", \"{REPO}\"]");
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    here.fake.open(REPO, 2, &on(22, "09:00"), "Ana", "two");
    here.fake
        .fail("/issues/1/timeline", Fault::Status(410, "x", "y"));
    let synced = here.sync_at(&on(23, "08:00")).await.unwrap();
    let skipped: Vec<String> = synced
        .skipped
        .iter()
        .map(|skip| format!("{}: {}", skip.at, skip.reason))
        .collect();
    assert!(
        skipped[0].starts_with("team/nowhere: team/nowhere is not there"),
        "{skipped:?}"
    );
    assert!(
        skipped[1].starts_with("team/parser#1: it was listed and is gone"),
        "{skipped:?}"
    );
    assert_eq!(here.log(0), ["opened #2 ana: body of two"]);

    here.fake.fail("/repos/", Fault::Status(401, "x", "y"));
    let error = format!("{:#}", here.sync_at(&on(23, "08:05")).await.unwrap_err());
    assert!(
        error.contains("does not accept the token") && !error.contains("geheim"),
        "{error}"
    );
}

#[tokio::test]
async fn an_issue_that_was_transferred_goes_and_what_is_said_at_its_new_place_stays_there() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let before = here.log(0).len();
    // The new place is private, and a redirect leads there.
    here.fake.repository("team/secret", "private");
    here.fake.open(
        "team/secret",
        1,
        &on(2, "09:00"),
        "Ana",
        "crash on empty input",
    );
    here.fake.comment(
        "team/secret",
        1,
        &on(23, "08:30"),
        "Ana",
        "the leaked key was 77",
    );
    here.fake.transfer((REPO, 1), ("team/secret", 1));
    let mut source = here.source.take().unwrap();
    source.hint(&format!("{REPO}#1"));
    here.source = Some(source);
    here.sync_at(&on(23, "09:00")).await.unwrap();
    let mut news = here.log(before);
    news.sort();
    assert_eq!(
        news,
        [
            "deleted #1-c3~deleted -",
            "deleted #1-c4~deleted -",
            "deleted #1~deleted -"
        ]
    );
    let leaked = here.query("SELECT text FROM events WHERE text LIKE '%leaked%'");
    assert!(leaked.is_empty(), "{leaked:?}");
    assert!(
        here.fake.calls_with("team/secret/issues/1").0 > 0,
        "the redirect was followed"
    );
}

fn lines(facts: &[Fact]) -> Vec<String> {
    let lines = facts.iter().map(|fact| match fact {
        Fact::Fine(says) => format!("+ {says}"),
        Fact::Note(says) => format!("! {says}"),
    });
    lines.collect()
}

#[tokio::test]
async fn check_says_what_the_token_may_see_and_each_note_ends_with_what_to_do() {
    let mut here = Here::new().await;
    here.more = format!("repositories = [\"{REPO}\", \"team/secret\", \"team/nowhere\"]");
    here.fake.repository("team/secret", "private");
    {
        let mut hub = here.fake.get();
        hub.repositories
            .get_mut("team/secret")
            .unwrap()
            .collaborators = None;
        hub.is_reader = true;
        hub.told_of_token = vec![
            ("x-oauth-scopes", "public_repo, read:org"),
            (
                "github-authentication-token-expiration",
                "2026-11-30 09:00:00 UTC",
            ),
        ];
    }
    let mut facts = lines(&here.check().await);
    // GitHub's clock is the real one here, that of the test is not.
    facts.retain(|line| !line.contains("clock"));
    insta::assert_snapshot!(facts.join("\n"), @r#"
    + reads as daybrief
    + the token's scopes: public_repo, read:org; for private repositories tick repo too, under Settings, Developer settings, Personal access tokens
    ! the token ends on 2026-11-30: make a new one before and put it where the config says
    + 4990 of 5000 calls left this hour
    + team/parser is public
    + suggestions in team/parser can be comments only; to set labels or owners, give the token's account the role Triage there
    + team/parser has no discussions
    ! the token may not list the collaborators of team/secret, so nobody gets to see what stands there; use the token of an account with write access, or set audience = "everyone"
    + suggestions in team/secret can be comments only; to set labels or owners, give the token's account the role Triage there
    + team/secret has no discussions
    ! team/nowhere is not there, or the token cannot see it: check its name, and give the token access to it
    "#);
}

#[tokio::test]
async fn a_clock_that_is_wrong_and_a_token_that_ended_are_told_with_the_next_step() {
    let here = Here::new().await;
    here.clock.move_to("2036-01-01T00:00:00Z".parse().unwrap());
    let facts = lines(&here.check().await);
    assert!(
        facts.iter().any(|line| line.contains("ahead of GitHub's")
            && line.ends_with("(`timedatectl set-ntp true`)")),
        "{facts:?}"
    );
    here.fake.fail("/user", Fault::Status(401, "x", "y"));
    let config = here.config();
    let id = "code".into();
    let error = config
        .check(&id, here.dir.path(), &here.http)
        .await
        .unwrap_err();
    let error = format!("{error:#}");
    assert!(error.ends_with("put it where the config says"), "{error}");
}
