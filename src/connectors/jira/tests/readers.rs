//! Who may read what, and what the token may see.

use super::*;

#[tokio::test]
async fn an_issue_is_read_by_whom_jira_lets_and_otherwise_by_few() {
    let mut here = Here::new(true).await;
    here.more.clear();
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.fake
        .comment(1, &on(22, "10:00"), "bo", "hi", json!({}));
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.readers("1"), "ana bo", "those who take part");
    // Whoever takes part from now on reads it from now on.
    here.fake.assign(1, &on(23, "08:01"), "bo", "cy");
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(here.readers("1"), "ana bo cy");
    (here.more, here.source) = ("audience = \"everyone\"".into(), None);
    here.sync_at(&on(23, "08:10")).await.unwrap();
    assert_eq!(here.readers("1"), "- ana bo cy");
    let before = here.log(0).len();

    // A level narrows it: to whom Jira names, or to those closest.
    here.fake.issue(1, |issue| {
        issue.fields["security"] = json!({ "id": "9", "name": "Staff" });
        issue.changes.push(on(23, "08:11").parse().unwrap());
    });
    here.sync_at(&on(23, "08:15")).await.unwrap();
    assert_eq!(here.readers("1"), "ana cy");
    here.fake.get().viewers.insert(1, vec!["bo"]);
    here.fake.issue(1, |issue| {
        issue.changes.push(on(23, "08:16").parse().unwrap())
    });
    here.sync_at(&on(23, "08:20")).await.unwrap();
    assert_eq!(here.readers("1"), "bo");
    let log = here.log(before);
    assert!(
        log.iter().all(|line| line.starts_with("audience")),
        "{log:?}"
    );

    // Back to few: what was open is closed before anything is read again.
    here.fake
        .issue(1, |issue| issue.fields["security"] = Value::Null);
    here.fake.open(2, &on(23, "08:21"), "Ana", "two");
    here.sync_at(&on(23, "08:25")).await.unwrap();
    assert_eq!(here.readers("2"), "- ana bo cy");
    (here.more, here.source) = (String::new(), None);
    here.sync_at(&on(23, "08:30")).await.unwrap();
    assert_eq!(
        (here.readers("1").as_str(), here.readers("2").as_str()),
        ("ana bo cy", "ana")
    );
}

#[tokio::test]
async fn a_comment_kept_to_some_is_read_by_them_only() {
    let mut here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.fake.assign(1, &on(22, "09:30"), "Ana", "bo");
    let role = |name: &str| json!({ "visibility": { "type": "role", "value": name } });
    let group =
        json!({ "visibility": { "type": "group", "value": "staff", "identifier": "staff" } });
    here.fake.get().circles.extend([
        ("Developers", vec!["bo", "staff"]),
        ("staff", vec!["cy", "dan", "eve"]),
    ]);
    let say = |text: &str, more: Value| {
        let id = here.fake.comment(1, &on(22, "10:00"), "Ana", text, more);
        format!("1-c{id}")
    };
    let (open, developers, secret) = (
        say("open", json!({})),
        say("for developers", role("Developers")),
        say("for few", role("Secret")),
    );
    let (staff, note) = (
        say("for staff", group.clone()),
        say("a note", json!({ "jsdPublic": false })),
    );
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.readers(&open), "- ana bo cy");
    assert_eq!(
        here.readers(&developers),
        "bo cy",
        "with the people of the groups in it"
    );
    assert_eq!(
        here.readers(&secret),
        "ana",
        "who is in it is not told, so its author"
    );
    assert_eq!(here.readers(&staff), "cy");
    assert_eq!(
        here.readers(&note),
        "ana bo",
        "a note of the desk: its author and the owner"
    );

    // Whoever leaves the group loses what was said in it, although no comment changed.
    here.fake.get().circles.insert("staff", vec!["dan"]);
    here.sync_at(&on(23, "08:30")).await.unwrap();
    assert_eq!(
        (
            here.readers(&developers).as_str(),
            here.readers(&staff).as_str()
        ),
        ("bo", "")
    );
    // And what was open is closed when somebody keeps it to a group later.
    let before = here.log(0).len();
    here.fake.issue(1, |issue| {
        issue.comments[0]["visibility"] = group["visibility"].clone()
    });
    here.sync_at(&on(23, "08:35")).await.unwrap();
    assert_eq!(here.readers(&open), "");
    assert_eq!(here.log(before), ["audience 1~ -"], "the index hears of it");
}

#[tokio::test]
async fn an_issue_that_is_gone_is_closed_at_once_and_forgotten_after_a_day() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        here.fake.open(1, &on(22, "09:00"), "Ana", "one");
        here.fake.open(2, &on(22, "09:00"), "Ana", "two");
        here.fake
            .comment(1, &on(22, "10:00"), "bo", "hi", json!({}));
        here.sync_at(&on(23, "08:00")).await.unwrap();
        here.fake.get().hidden.insert(1);
        here.sync_at(&on(23, "08:05")).await.unwrap();
        assert_eq!(
            (here.readers("1").as_str(), here.readers("2").as_str()),
            ("", "- ana bo cy")
        );
        assert!(here.log(0).iter().any(|line| line.contains("hi")));
        // It was out of sight for an hour only.
        here.fake.get().hidden.clear();
        here.sync_at(&on(23, "09:05")).await.unwrap();
        assert_eq!(here.readers("1"), "- ana bo cy");
        here.fake.get().issues.remove(&1);
        here.sync_at(&on(23, "10:00")).await.unwrap();
        here.sync_at(&on(24, "10:05")).await.unwrap();
        let log = here.log(0).join("\n");
        assert!(
            !log.contains("hi") && !log.contains("body of *one*"),
            "{log}"
        );
        assert_eq!(here.sync_at(&on(24, "10:10")).await.unwrap().events, 0);
    }
}

#[tokio::test]
async fn a_token_that_ran_out_says_so_and_closes_nothing() {
    let mut here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.sync_at(&on(23, "08:00")).await.unwrap();
    for (status, name, value) in [
        (401, "x", "y"),
        (200, "x-seraph-loginreason", "AUTHENTICATED_FAILED"),
    ] {
        here.fake
            .fail("/myself", Fault::Status(status, name, value));
        let error = format!("{:#}", here.sync_at(&on(23, "08:05")).await.unwrap_err());
        assert!(
            error.contains("does not accept the token") && !error.contains("geheim"),
            "{error}"
        );
        assert_eq!(here.readers("1"), "- ana bo cy");
    }
    here.more = "audience = \"everyone\"\nprojects = [\"GONE\"]".into();
    here.source = None;
    let error = format!("{:#}", here.sync_at(&on(23, "08:10")).await.unwrap_err());
    assert!(error.contains("does not understand search.jql"), "{error}");
}

#[tokio::test]
async fn check_says_what_the_token_may_see_and_what_to_do() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        here.more = "projects = [\"CORE\", \"HID\"]\naudience = \"everyone\"".into();
        here.fake
            .get()
            .denied
            .extend(["ASSIGN_ISSUES", "USER_PICKER"]);
        here.clock.move_to(Timestamp::now());
        let checked = here
            .config()
            .check(&"jira".into(), here.dir.path(), &here.http)
            .await;
        let facts: Vec<String> = checked
            .unwrap()
            .iter()
            .map(|fact| match fact {
                Fact::Fine(says) => format!("+ {says}"),
                Fact::Note(says) => format!("! {says}"),
            })
            .collect();
        let edition = if is_cloud { "Cloud" } else { "Data Center" };
        assert_eq!(
            facts,
            [
                "+ reads as daybrief Real".to_owned(),
                format!("+ Jira {edition} 1001.0.0"),
                "! project HID is not there or hidden from the token's account; check the key, or give the account the permission \"Browse projects\" there".to_owned(),
                "+ project CORE is read".to_owned(),
                "! project CORE: without the permission \"Assign issues\" nobody can be made the owner of an issue; grant it to the token's account under Project settings, Permissions".to_owned(),
                "! may not list users and groups (\"Browse users and groups\"): issues with a security level are shown to their reporter and owner only, comments kept to a group to their author; grant it under System, Global permissions".to_owned(),
                "! audience = \"everyone\" shows every issue without a security level to every member; take that line out to keep issues to those who take part".to_owned(),
            ]
        );
        here.clock.move_to("2036-01-01T00:00:00Z".parse().unwrap());
        let checked = here
            .config()
            .check(&"jira".into(), here.dir.path(), &here.http)
            .await;
        let is_skewed = |fact: &Fact| matches!(fact, Fact::Note(says) if says.contains("clock") && says.ends_with("(`timedatectl set-ntp true`)"));
        assert!(checked.unwrap().iter().any(is_skewed));

        here.fake.fail("/myself", Fault::Status(401, "x", "y"));
        let check = async || {
            here.config()
                .check(&"jira".into(), here.dir.path(), &here.http)
                .await
        };
        let error = format!("{:#}", check().await.unwrap_err());
        assert!(
            error.contains("make a new one, put it where the config says"),
            "{error}"
        );
        here.fake.fail("/myself", Fault::Status(404, "x", "y"));
        let facts = check().await.unwrap();
        let other = if is_cloud { "data-center" } else { "cloud" };
        let step = format!("write deployment = \"{other}\" if it is of that edition");
        assert!(
            matches!(&facts[..], [Fact::Note(says)] if says.ends_with(&step)),
            "{facts:?}"
        );
    }
}
