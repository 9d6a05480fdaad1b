//! What daybrief writes to GitHub, once whatever is lost, and what people make of it.

use super::*;

#[tokio::test]
async fn a_comment_of_ours_is_edited_instead_of_repeated_whatever_is_lost() {
    let mut here = Here::new().await;
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    here.fake.comment(
        REPO,
        1,
        &on(22, "10:00"),
        "Mallory",
        "<!-- daybrief:suggest --> not ours",
    );
    here.fake
        .comment(REPO, 1, &on(22, "10:00"), "Cy", "a second page");
    let comments = here
        .config()
        .comments(&"code".into(), here.dir.path(), &here.http)
        .unwrap();
    let ticket = ThreadId::new(&"code".into(), format!("{REPO}#1"));
    let say = async |text: &str| {
        let said = comments
            .comment(&ticket, "suggest", &Markdown(text.into()))
            .await;
        let bodies: Vec<String> = here.fake.get().repositories[REPO].issues[&1]
            .comments
            .iter()
            .map(|comment| comment["body"].as_str().unwrap().to_owned())
            .collect();
        (said, bodies)
    };
    here.fake.fail("POST", Fault::AnswerLost);
    let (said, bodies) = say("Ana knows this best").await;
    assert!(said.unwrap().is_changed);
    assert_eq!(bodies.len(), 3);
    assert_eq!(
        bodies[2],
        "Ana knows this best\n\n<!-- daybrief:suggest -->"
    );
    let (said, _) = say("Ana knows this best").await;
    assert!(!said.unwrap().is_changed, "it stands there already");
    let (said, bodies) = say("Bo does <!-- daybrief:x -->").await;
    assert!(said.unwrap().is_changed);
    assert_eq!(
        (bodies.len(), bodies[2].matches("<!-- daybrief:").count()),
        (3, 1)
    );
    assert_eq!(
        bodies[0], "<!-- daybrief:suggest --> not ours",
        "nobody else's is touched"
    );

    here.fake.open(REPO, 2, &on(22, "09:00"), "Ana", "two");
    here.fake.fail("POST", Fault::Status(500, "x", "y"));
    let other = ThreadId::new(&"code".into(), format!("{REPO}#2"));
    let lost = comments
        .comment(&other, "suggest", &Markdown("x".into()))
        .await;
    assert!(lost.is_err());
    assert!(
        comments
            .comment(&other, "suggest", &Markdown("x".into()))
            .await
            .unwrap()
            .is_changed
    );

    here.sync_at(&on(23, "08:00")).await.unwrap();
    let log = here.log(0).join("\n");
    assert!(!log.contains("Bo does"), "what we wrote is no news: {log}");
    assert!(
        log.contains("not ours"),
        "and a mark hides nobody's words: {log}"
    );
}

#[tokio::test]
async fn an_owner_and_a_label_are_given_once_and_never_over_somebody_else() {
    let here = Here::new().await;
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    let tracker = here
        .config()
        .comments(&"code".into(), here.dir.path(), &here.http)
        .unwrap();
    let ticket = ThreadId::new(&"code".into(), format!("{REPO}#1"));
    let handle = |login: &str| Handle::new(&"code".into(), login);
    let (ana, zoe) = (handle("ana"), handle("zoe"));
    let assign = async |to: &Handle| tracker.assign(&ticket, to).await.unwrap();
    assert_eq!(assign(&zoe).await, Assigned::Impossible);
    here.fake.fail("POST", Fault::AnswerLost);
    assert_eq!(assign(&ana).await, Assigned::Done);
    assert_eq!(assign(&ana).await, Assigned::Already);
    assert_eq!(assign(&zoe).await, Assigned::Owned(ana.clone()));
    assert!(!tracker.unassign(&ticket, &zoe).await.unwrap());
    here.fake.fail("DELETE", Fault::AnswerLost);
    assert!(tracker.unassign(&ticket, &ana).await.unwrap());
    assert!(!tracker.unassign(&ticket, &ana).await.unwrap());

    here.fake.fail("POST", Fault::AnswerLost);
    assert!(tracker.add_label(&ticket, "needs owner").await.unwrap());
    assert!(!tracker.add_label(&ticket, "Needs Owner").await.unwrap());
    assert!(tracker.remove_label(&ticket, "needs owner").await.unwrap());
    assert!(!tracker.remove_label(&ticket, "needs owner").await.unwrap());
    let fields = here.fake.get().repositories[REPO].issues[&1].fields.clone();
    assert_eq!(
        (&fields["assignees"], &fields["labels"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn what_people_make_of_a_suggestion_is_told_and_what_we_did_is_not() {
    let here = Here::new().await;
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    let tracker = here
        .config()
        .comments(&"code".into(), here.dir.path(), &here.http)
        .unwrap();
    let ticket = ThreadId::new(&"code".into(), format!("{REPO}#1"));
    let said = Markdown("Ana knows this best".into());
    let receipt = tracker.comment(&ticket, "suggest", &said).await.unwrap();
    let found = tracker.find(&ticket, "suggest").await.unwrap().unwrap();
    assert_eq!((&found.id, &found.url), (&receipt.id, &receipt.url));
    let reactions = |by: &str, content: &str| json!({ "content": content, "user": user(by), "created_at": on(23, "09:00") });
    here.fake
        .get()
        .repositories
        .get_mut(REPO)
        .unwrap()
        .issues
        .get_mut(&1)
        .unwrap()
        .reactions
        .insert(
            receipt.id.parse().unwrap(),
            vec![
                reactions("Ana", "+1"),
                reactions("bo", "-1"),
                reactions("daybrief", "+1"),
                reactions("Cy", "eyes"),
            ],
        );
    here.fake.comment(REPO, 1, &on(22, "10:00"), "Cy", "/take");
    here.fake.comment(REPO, 1, &on(23, "10:00"), "bo", "not me");
    here.fake
        .comment(REPO, 1, &on(23, "11:00"), "Ana", "Thanks.\n/take");
    for (at, by, to) in [("12:00", "daybrief", "zoe"), ("13:00", "bo", "Cy")] {
        let more = json!({ "assignee": user(to) });
        here.fake.happen(REPO, 1, &on(23, at), by, "assigned", more);
    }
    let verdicts = async || {
        let since = on(23, "08:00").parse().unwrap();
        let verdicts = tracker.verdicts(&ticket, "suggest", since).await.unwrap();
        let shown = verdicts.iter().map(|verdict| {
            let by = verdict.by.as_ref().map_or("-", |by| &by.id);
            format!("{by} {:?}", verdict.kind)
        });
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        verdicts().await,
        [
            "ana Liked",
            "bo Disliked",
            "bo Declined",
            "ana Taken",
            "bo Added(code/cy)"
        ]
    );
    assert!(tracker.withdraw(&ticket, "suggest").await.unwrap());
    assert!(!tracker.withdraw(&ticket, "suggest").await.unwrap());
    assert_eq!(verdicts().await[0], "- Removed");
}
