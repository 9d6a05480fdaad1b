//! Writing: once, whatever is lost; and what people make of it.

use super::*;

#[tokio::test]
async fn a_comment_of_ours_is_edited_instead_of_repeated_whatever_is_lost() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        here.fake.open(1, &on(22, "09:00"), "Ana", "one");
        let forged =
            json!({ "properties": [{ "key": "daybrief", "value": { "key": "suggest" } }] });
        here.fake
            .comment(1, &on(22, "10:00"), "mallory", "not ours", forged);
        here.fake
            .comment(1, &on(22, "10:00"), "daybrief", "by hand", json!({}));
        let tracker = here.tracker();
        let ticket = ThreadId::new(&"jira".into(), "1");
        let say = async |text: &str| {
            let said = tracker
                .comment(&ticket, "suggest", &Markdown(text.into()))
                .await;
            let count = here.fake.issue(1, |issue| issue.comments.len());
            (said, count)
        };
        assert_eq!(tracker.find(&ticket, "suggest").await.unwrap(), None);
        here.fake
            .fail("POST /rest/api/3/issue/1/comment", Fault::AnswerLost);
        here.fake
            .fail("POST /rest/api/2/issue/1/comment", Fault::AnswerLost);
        let (said, count) = say("**Ana** knows [this](https://x.org) best").await;
        let receipt = said.unwrap();
        assert!(
            receipt.is_changed
                && receipt
                    .url
                    .ends_with(&format!("/browse/CORE-1?focusedCommentId={}", receipt.id))
        );
        assert_eq!(count, 3, "exactly one, although no answer came");
        let (said, _) = say("**Ana** knows [this](https://x.org) best").await;
        assert!(!said.unwrap().is_changed, "it stands there already");
        let (said, count) = say("Bo does").await;
        assert!(said.unwrap().is_changed);
        let (said, _) = say("Bo does").await;
        assert_eq!((said.unwrap().is_changed, count), (false, 3));
        let found = tracker.find(&ticket, "suggest").await.unwrap().unwrap();
        assert_eq!(found.id, receipt.id);
        let properties = here
            .fake
            .issue(1, |issue| issue.comments[2]["properties"].to_string());
        assert!(
            properties.contains("\"internal\":true"),
            "customers of a desk do not see it"
        );
        let other = tracker
            .comment(&ticket, "other", &Markdown("x".into()))
            .await
            .unwrap();
        assert!(other.is_changed && other.id != receipt.id);

        here.fake.get().faults.clear();
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let posted: Vec<String> =
            here.query("SELECT text FROM events WHERE kind = 'posted' ORDER BY text");
        assert_eq!(
            posted,
            ["by hand", "not ours"],
            "what we wrote is no news, what the account's owner wrote is"
        );

        assert!(tracker.withdraw(&ticket, "suggest").await.unwrap());
        assert!(!tracker.withdraw(&ticket, "suggest").await.unwrap());
        let verdicts = tracker.verdicts(&ticket, "suggest", on(23, "00:00").parse().unwrap());
        assert_eq!(
            verdicts.await.unwrap()[0].kind,
            crate::connectors::tracker::VerdictKind::Removed
        );
        for wrong in ["a b", ""] {
            assert!(
                tracker
                    .comment(&ticket, wrong, &Markdown("x".into()))
                    .await
                    .is_err()
            );
        }
        let elsewhere = ThreadId::new(&"jira".into(), "../1");
        assert!(tracker.find(&elsewhere, "suggest").await.is_err());
    }
}

#[tokio::test]
async fn an_owner_and_a_label_are_given_once_and_never_over_somebody_else() {
    for (is_cloud, more) in [
        (true, ""),
        (true, "owner_field = \"customfield_10050\""),
        (false, ""),
    ] {
        let mut here = Here::new(is_cloud).await;
        here.more = more.into();
        here.fake.open(1, &on(22, "09:00"), "Ana", "one");
        let tracker = here.tracker();
        let ticket = ThreadId::new(&"jira".into(), "1");
        let handle = |name: &str| {
            Handle::new(
                &"jira".into(),
                if is_cloud {
                    format!("acc-{name}")
                } else {
                    name.to_owned()
                },
            )
        };
        let (ana, zoe) = (handle("ana"), handle("zoe"));
        let assign = async |to: &Handle| tracker.assign(&ticket, to).await.unwrap();
        assert_eq!(assign(&zoe).await, Assigned::Impossible);
        here.fake.fail("PUT", Fault::AnswerLost);
        assert_eq!(assign(&ana).await, Assigned::Done);
        assert_eq!(assign(&ana).await, Assigned::Already);
        assert_eq!(assign(&zoe).await, Assigned::Owned(ana.clone()));
        let is_field_only = here
            .fake
            .issue(1, |issue| issue.fields["assignee"].is_null());
        assert_eq!(is_field_only, !more.is_empty());
        assert!(!tracker.unassign(&ticket, &zoe).await.unwrap());
        here.fake.fail("PUT", Fault::AnswerLost);
        assert!(tracker.unassign(&ticket, &ana).await.unwrap());
        assert!(!tracker.unassign(&ticket, &ana).await.unwrap());

        here.fake.fail("PUT", Fault::AnswerLost);
        assert!(tracker.add_label(&ticket, "needs owner").await.unwrap());
        assert!(!tracker.add_label(&ticket, "needs owner").await.unwrap());
        assert_eq!(
            here.fake.issue(1, |issue| issue.fields["labels"].clone()),
            json!(["needs-owner"])
        );
        assert!(tracker.remove_label(&ticket, "needs owner").await.unwrap());
        assert!(!tracker.remove_label(&ticket, "needs owner").await.unwrap());
    }
}

#[tokio::test]
async fn what_people_make_of_a_suggestion_is_told_and_what_we_did_is_not() {
    let here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    let tracker = here.tracker();
    let ticket = ThreadId::new(&"jira".into(), "1");
    let said = Markdown("Ana knows this best.\n\n/take".into());
    tracker.comment(&ticket, "suggest", &said).await.unwrap();
    here.fake
        .comment(1, &on(22, "10:00"), "cy", "/take", json!({}));
    here.fake
        .comment(1, &on(23, "10:00"), "bo", "not me", json!({}));
    here.fake
        .comment(1, &on(23, "11:00"), "Ana", "Thanks.\n\n/take", json!({}));
    here.fake.assign(1, &on(23, "12:00"), "daybrief", "zoe");
    here.fake.assign(1, &on(23, "13:00"), "bo", "cy");
    let since = on(23, "08:00").parse().unwrap();
    let verdicts = tracker.verdicts(&ticket, "suggest", since).await.unwrap();
    let shown: Vec<String> = verdicts
        .iter()
        .map(|verdict| {
            format!(
                "{} {:?}",
                verdict.by.as_ref().map_or("-", |by| &by.id),
                verdict.kind
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "acc-bo Declined",
            "acc-ana Taken",
            "acc-bo Owner(Some(jira/acc-cy))"
        ]
    );
}

#[tokio::test]
async fn a_busy_endpoint_holds_up_no_other() {
    let mut here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.fake
        .fail("/search/jql", Fault::Status(429, "retry-after", "600"));
    let error = format!("{:#}", here.sync_at(&on(23, "08:00")).await.unwrap_err());
    assert!(
        error.contains("allows no further calls before 2026-11-23T08:10:00Z"),
        "{error}"
    );
    let tracker = here.tracker();
    let ticket = ThreadId::new(&"jira".into(), "1");
    let text = Markdown("Ana does".into());
    let said = tracker.comment(&ticket, "suggest", &text).await;
    assert!(said.unwrap().is_changed);
    assert_eq!(
        here.fake.calls_with("/search/jql"),
        1,
        "and it is left alone until then"
    );
}

#[tokio::test]
#[ignore = "reads the folder that DAYBRIEF_SHARED names"]
async fn every_request_is_one_that_jira_describes() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.sync_at(&on(23, "08:00")).await.unwrap();
        here.fake.comment(
            6,
            &on(23, "08:01"),
            "cy",
            "x",
            json!({ "visibility": { "type": "group", "value": "staff" } }),
        );
        here.fake.comment(
            6,
            &on(23, "08:01"),
            "cy",
            "x",
            json!({ "visibility": { "type": "role", "value": "Developers" } }),
        );
        here.fake.issue(6, |issue| {
            issue.fields["security"] = json!({ "id": "9", "name": "Staff" })
        });
        if is_cloud {
            here.fake
                .get()
                .circles
                .extend([("Developers", vec!["bo"]), ("staff", vec!["cy"])]);
            here.sync_at(&on(23, "08:05")).await.unwrap();
        }
        here.config()
            .check(&"jira".into(), here.dir.path(), &here.http)
            .await
            .unwrap();
        let tracker = here.tracker();
        let ticket = ThreadId::new(&"jira".into(), "2");
        for text in ["Ana knows this best", "Bo does"] {
            tracker
                .comment(&ticket, "suggest", &Markdown(text.into()))
                .await
                .unwrap();
        }
        let to = Handle::new(&"jira".into(), if is_cloud { "acc-ana" } else { "ana" });
        assert_eq!(tracker.assign(&ticket, &to).await.unwrap(), Assigned::Done);
        tracker.add_label(&ticket, "x").await.unwrap();
        tracker
            .verdicts(&ticket, "suggest", Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        tracker.withdraw(&ticket, "suggest").await.unwrap();
        let operations = described(is_cloud).check(&here.sent.calls());
        let known: &[&str] = if is_cloud {
            &[
                "delete /rest/api/3/issue/{issueIdOrKey}/comment/{id}",
                "get /rest/api/3/group/member",
                "get /rest/api/3/issue/{issueIdOrKey}",
                "get /rest/api/3/issue/{issueIdOrKey}/changelog",
                "get /rest/api/3/issue/{issueIdOrKey}/comment",
                "get /rest/api/3/mypermissions",
                "get /rest/api/3/myself",
                "get /rest/api/3/project/search",
                "get /rest/api/3/project/{projectIdOrKey}/role",
                "get /rest/api/3/project/{projectIdOrKey}/role/{id}",
                "get /rest/api/3/serverInfo",
                "get /rest/api/3/user/assignable/search",
                "get /rest/api/3/user/viewissue/search",
                "post /rest/api/3/changelog/bulkfetch",
                "post /rest/api/3/comment/list",
                "post /rest/api/3/issue/bulkfetch",
                "post /rest/api/3/issue/{issueIdOrKey}/comment",
                "post /rest/api/3/search/jql",
                "put /rest/api/3/issue/{issueIdOrKey}",
                "put /rest/api/3/issue/{issueIdOrKey}/assignee",
                "put /rest/api/3/issue/{issueIdOrKey}/comment/{id}",
            ]
        } else {
            &[]
        };
        let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
        if is_cloud {
            assert_eq!(operations, known);
        } else {
            assert!(operations.contains(&"get /api/2/search"), "{operations:?}");
        }
    }
}
