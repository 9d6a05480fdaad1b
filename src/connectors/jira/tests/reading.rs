//! Reading: complete, once, in every zone, whatever fails.

use super::*;

#[tokio::test]
async fn issues_are_read_with_all_that_happened() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let first = |line: &String| line.contains(" 1");
    let log: Vec<String> = here.log(0).into_iter().filter(first).collect();
    insta::assert_snapshot!(log.join("\n"), @r"
    opened 1 acc-ana: body of *crash on empty input*
    transitioned 1@901.status acc-bo
    assigned 1@902.assignee acc-bo
    labelled 1@903.labels acc-bo
    prioritized 1@904.priority acc-ana
    rescheduled 1@905.duedate acc-ana
    posted 1-c507 acc-cy: who can look?
    posted 1-c508 acc-bo: I can
    posted 1-c509 acc-ci: build 12 failed
    ");
    assert_eq!(here.log(0).len(), 14);
    let ticket = here.query("SELECT ticket FROM threads WHERE id = '1'");
    for field in [
        "\"CORE-1\"",
        "In Progress",
        "High",
        "acc-ana",
        "acc-bo",
        "\"bug\",\"parser\"",
        "2026-11-27",
    ] {
        assert!(ticket[0].contains(field), "{field}: {}", ticket[0]);
    }
    assert_eq!(
        here.query("SELECT url FROM events WHERE id LIKE '1-c%' LIMIT 1"),
        [format!(
            "{}/browse/CORE-1?focusedCommentId=507",
            here.fake.url
        )]
    );
    assert_eq!(
        here.query("SELECT handle || ' ' || name || ' ' || coalesce(email, '-') || ' ' || coalesce(time_zone, '-') FROM people WHERE handle = 'acc-ana' OR is_bot"),
        ["acc-ana Ana Real ana@example.org Europe/Lisbon", "acc-ci ci Real - -"]
    );
    assert_eq!(here.readers("1"), "- ana bo cy");

    let calls = here.fake.calls_with("bulkfetch");
    assert_eq!(here.sync_at(&on(23, "08:05")).await.unwrap().events, 0);
    let again = here.fake.calls_with("bulkfetch") - calls;
    assert_eq!(
        again, 0,
        "what lies behind the watch and the overlap is not fetched again"
    );
}

#[tokio::test]
async fn data_center_is_read_in_its_own_way() {
    let mut here = Here::new(false).await;
    fill(&here.fake);
    here.fake.comment(
        1,
        &on(3, "12:00"),
        "Ana",
        "*sure* [~Bo] see {{x}}",
        json!({}),
    );
    here.fake.change(
        1,
        &on(3, "13:00"),
        "Ana",
        "assignee",
        [
            json!("JIRAUSER-bo"),
            json!("bo"),
            json!("JIRAUSER-gone"),
            json!("Gone"),
        ],
    );
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let first = |line: &String| line.contains(" 1");
    let log: Vec<String> = here.log(0).into_iter().filter(first).collect();
    insta::assert_snapshot!(log.join("\n"), @r"
    opened 1 ana: body of **crash on empty input**
    transitioned 1@901.status bo
    assigned 1@902.assignee bo
    labelled 1@903.labels bo
    prioritized 1@904.priority ana
    rescheduled 1@905.duedate ana
    posted 1-c507 cy: who can look?
    posted 1-c508 bo: I can
    posted 1-c509 ci: build 12 failed
    posted 1-c510 ana: **sure** @Bo see `x`
    assigned 1@911.assignee ana
    ");
    assert_eq!(here.log(0).len(), 16);
    let assigned = here.query("SELECT detail FROM events WHERE kind = 'assigned' ORDER BY seq");
    assert!(
        assigned[0].contains("\"bo\""),
        "a history's name is a login: {assigned:?}"
    );
    assert!(assigned[1].contains("jirauser-gone"), "{assigned:?}");
    assert_eq!(here.query("SELECT handle FROM mentions"), ["bo"]);
    let (call, _) = here
        .fake
        .get()
        .calls
        .iter()
        .find(|(call, _)| call.contains("search?"))
        .cloned()
        .unwrap();
    assert!(
        call.contains("updated+%3E%3D+%222026-05-27+18%3A00%22"),
        "in the zone of the account: {call}"
    );
    assert_eq!(here.sync_at(&on(23, "08:05")).await.unwrap().events, 0);
}

#[tokio::test]
async fn what_happens_later_is_news_with_who_did_it_and_what_is_old_is_not() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.fake
            .open(90, "2024-01-01T00:00:00Z", "cy", "from long ago");
        here.fake.comment(
            90,
            "2024-01-02T00:00:00Z",
            "cy",
            "an old comment",
            json!({}),
        );
        let gone = here
            .fake
            .comment(6, &on(20, "09:00"), "cy", "to be deleted", json!({}));
        let typo = here
            .fake
            .comment(6, &on(20, "10:00"), "cy", "teh words", json!({}));
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let before = here.log(0).len();
        assert!(
            !here.log(0).iter().any(|line| line.contains(" 90")),
            "older than the history that is read"
        );

        here.fake.transition(1, &on(23, "08:10"), "Ana", "Done");
        here.fake
            .comment(90, &on(23, "08:13"), "Ana", "still there", json!({}));
        // None of these counts as a change of the issue.
        let (gone, typo) = (gone.to_string(), typo.to_string());
        let words = here.fake.get().body("the words");
        here.fake.issue(6, |issue| {
            issue.comments.retain(|comment| comment["id"] != *gone);
            issue.comments[0]["body"] = words;
            issue.fields["summary"] = json!("another title");
        });
        here.sync_at(&on(23, "08:15")).await.unwrap();
        let mut news = here.log(before);
        news.sort();
        let who = |name: &str| {
            if is_cloud {
                format!("acc-{name}")
            } else {
                name.to_owned()
            }
        };
        let (ana, cy) = (who("ana"), who("cy"));
        let expected = [
            format!("deleted 6-c{gone}~deleted -"),
            format!("edited 6-c{typo}~ {cy}: the words"),
            format!("opened 90 {cy}: body of *from long ago*"),
            format!("posted 90-c512 {ana}: still there"),
            format!("posted 90-c508 {cy}: an old comment"),
            format!("transitioned 1@911.status {ana}"),
        ];
        let mut got: Vec<&str> = news
            .iter()
            .map(|line| line.split(" body of").next().unwrap())
            .collect();
        got.sort_unstable();
        assert_eq!(news.len(), expected.len(), "{news:#?}");
        for line in [&expected[0], &expected[1], &expected[3], &expected[4]] {
            let is_same = |own: &&String| {
                let bare = |line: &str| {
                    line.chars()
                        .filter(|c| !c.is_ascii_digit())
                        .collect::<String>()
                };
                bare(own) == bare(line)
            };
            assert!(
                news.iter().any(|own| is_same(&own)),
                "{line} is not among {news:#?}"
            );
        }
        let learned = here.query(
            "SELECT kind FROM events WHERE id LIKE '90%' AND learned = occurred_at ORDER BY kind",
        );
        assert_eq!(
            learned,
            ["opened", "posted"],
            "only its last comment is news"
        );
        assert_eq!(
            here.query("SELECT title FROM threads WHERE id = '6'"),
            ["another title"]
        );
        assert_eq!(here.sync_at(&on(23, "08:20")).await.unwrap().events, 0);
    }
}

#[tokio::test]
async fn a_change_that_the_index_learns_of_late_is_not_lost() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let before = here.log(0).len();
        here.fake
            .comment(2, &on(23, "08:01"), "cy", "late in the index", json!({}));
        // The index knows nothing of it for a quarter of an hour, but of what happened after it.
        here.fake.issue(2, |issue| issue.changes.pop());
        here.fake
            .comment(3, &on(23, "08:09"), "cy", "at once in the index", json!({}));
        here.sync_at(&on(23, "08:10")).await.unwrap();
        here.sync_at(&on(23, "08:14")).await.unwrap();
        here.fake.issue(2, |issue| {
            issue.changes.push(on(23, "08:01").parse().unwrap())
        });
        here.sync_at(&on(23, "08:16")).await.unwrap();
        let news = here.log(before).join("\n");
        assert!(
            news.contains("at once") && news.contains("late in"),
            "{news}"
        );
        assert_eq!(here.log(before).len(), 2);

        // And in general, with everything late.
        here.fake.get().index_delay = SignedDuration::from_mins(12);
        let before = here.log(0).len();
        for minute in 20..50_u64 {
            let id = minute % 5 + 2;
            here.fake
                .comment(id, &on(23, &format!("08:{minute}")), "cy", "x", json!({}));
            here.sync_at(&on(23, &format!("08:{minute}")))
                .await
                .unwrap();
        }
        here.sync_at(&on(23, "09:05")).await.unwrap();
        assert_eq!(here.log(before).len(), 30);
    }
}

#[tokio::test]
async fn the_zone_of_the_account_hides_nothing() {
    for zone in [
        "Australia/Sydney",
        "America/Los_Angeles",
        "Pacific/Kiritimati",
        "Europe/Berlin",
    ] {
        for is_cloud in [true, false] {
            let mut here = Here::new(is_cloud).await;
            here.fake.get().zone = TimeZone::get(zone).unwrap();
            fill(&here.fake);
            here.sync_at(&on(23, "08:00")).await.unwrap();
            let before = here.log(0).len();
            here.fake
                .comment(2, &on(23, "08:03"), "cy", "news", json!({}));
            here.sync_at(&on(23, "08:04")).await.unwrap();
            assert_eq!(here.log(before).len(), 1, "{zone} {is_cloud}");
            let listed = if is_cloud { "bulkfetch" } else { "search?" };
            let calls = here.fake.calls_with(listed);
            here.sync_at(&on(23, "08:06")).await.unwrap();
            assert!(
                here.fake.calls_with(listed) - calls <= 4,
                "nor shows everything again"
            );
        }
    }
    // The night in which an hour comes twice.
    let mut here = Here::new(false).await;
    here.fake.get().zone = TimeZone::get("Europe/Berlin").unwrap();
    here.fake.open(1, "2026-10-24T20:00:00Z", "cy", "x");
    here.sync_at("2026-10-25T00:10:00Z").await.unwrap();
    for (minute, now) in [
        ("00:20", "00:25"),
        ("00:50", "00:55"),
        ("01:10", "01:15"),
        ("01:50", "01:55"),
        ("02:10", "02:15"),
    ] {
        let before = here.log(0).len();
        here.fake
            .comment(1, &format!("2026-10-25T{minute}:00Z"), "cy", "x", json!({}));
        here.sync_at(&format!("2026-10-25T{now}:00Z"))
            .await
            .unwrap();
        assert_eq!(here.log(before).len(), 1, "{minute}");
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_jira_fails_or_the_process_dies_anywhere() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let calm = here.log(0);
        assert_eq!(calm.len(), 14, "{calm:#?}");

        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        let faults: &[(&'static str, Fault)] = &[
            ("/search", Fault::Status(429, "retry-after", "0.02")),
            ("/search", Fault::Cut),
            ("/myself", Fault::Status(503, "retry-after", "0.01")),
            ("/search", Fault::Status(502, "x", "y")),
            ("/search", Fault::AnswerLost),
        ];
        for (part, fault) in faults {
            here.fake.fail(part, *fault);
        }
        if is_cloud {
            here.fake.fail(
                "/issue/bulkfetch",
                Fault::Status(429, "retry-after", "0.02"),
            );
            here.fake.fail("/changelog/bulkfetch", Fault::Cut);
            here.fake.fail("/issue/1/comment", Fault::AnswerLost);
        }
        here.sync_at(&on(23, "08:00")).await.unwrap();
        assert!(here.fake.get().faults.is_empty(), "every fault was met");
        let sorted = |mut log: Vec<String>| {
            log.sort();
            log
        };
        // A token that was lost with its answer begins the listing again.
        assert_eq!(sorted(here.log(0)), sorted(calm.clone()));

        // A new process after every page; in Cloud a week goes by in the middle.
        let here = Here::new(is_cloud).await;
        fill(&here.fake);
        let mut cursor: Option<Cursor> = None;
        for round in 0.. {
            assert!(round < 100, "it comes to an end");
            let mut source = here.open();
            source.0.start(cursor.as_ref());
            let mut page = Page {
                history_before: source.0.next_history(),
                ..Page::default()
            };
            for _ in 0..3 + round {
                if source.0.next_history().is_some() {
                    source.0.step(&mut page).await.unwrap();
                }
            }
            let page = source.0.close(page, cursor.as_ref());
            if round == 3 {
                here.fake.get().expire_tokens();
            }
            cursor = page.next.clone().or(cursor);
            let now: Timestamp = on(23, "08:00").parse().unwrap();
            here.store
                .write_now(|c| {
                    ingest::store_page(c, &"jira".into(), &page, &Roster::default(), now, true)
                })
                .unwrap();
            if !page.more {
                break;
            }
        }
        assert_eq!(sorted(here.log(0)), sorted(calm));
    }
}

#[tokio::test]
async fn an_issue_that_changes_while_pages_are_turned_hides_no_other() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.fake.get().change_at_search = Some((2, 1));
        here.sync_at(&on(23, "08:00")).await.unwrap();
        assert_eq!(
            here.query("SELECT id FROM threads ORDER BY id").len(),
            6,
            "{is_cloud}"
        );
    }
}

#[tokio::test]
async fn an_issue_that_moves_stays_itself_under_its_new_key() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let before = here.log(0).len();
    here.fake.issue(1, |issue| {
        (issue.key, issue.project) = ("OPS-7".into(), ("11".into(), "OPS".into()));
        issue.changes.push(on(23, "08:01").parse().unwrap());
    });
    here.fake.change(
        1,
        &on(23, "08:01"),
        "Ana",
        "Key",
        [Value::Null, json!("CORE-1"), Value::Null, json!("OPS-7")],
    );
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(
        here.log(before),
        ["audience 1~ -"],
        "nothing is told twice; the readers are another project's now"
    );
    let sql = "SELECT ticket ->> 'key' || ' ' || space || ' ' || substr(url, -5) FROM threads WHERE id = '1'";
    assert_eq!(here.query(sql), ["OPS-7 11 OPS-7"]);
    assert_eq!(
        here.query("SELECT name FROM spaces WHERE id = '11'"),
        ["OPS"]
    );
}

#[tokio::test]
async fn a_hook_brings_an_issue_forward_that_the_index_does_not_know() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    here.fake.get().index_delay = SignedDuration::from_mins(12);
    here.fake
        .comment(2, &on(23, "08:01"), "cy", "right now", json!({}));
    let before = here.log(0).len();
    let source = here.source.as_mut().unwrap();
    source.hint("2");
    source.hint("../nonsense");
    here.sync_at(&on(23, "08:02")).await.unwrap();
    assert_eq!(here.log(before).len(), 1);
    here.sync_at(&on(23, "08:20")).await.unwrap();
    assert_eq!(
        here.log(before).len(),
        1,
        "and the index brings nothing twice"
    );
}

#[test]
fn a_table_that_cannot_be_right_is_refused() {
    let http = Http::new(Default::default(), Default::default());
    for (table, expected) in [
        ("", "names no site"),
        ("site = \"x\"\nprojects = [\"A B\"]", "no key of a project"),
        (
            "site = \"x\"\nprojects = [\"A\\\"\"]",
            "no key of a project",
        ),
        ("site = \"x\"\nowner_field = \"a/b\"", "no id of a field"),
        (
            "site = \"x\"\nuser = \"a\"\ndeployment = \"data-center\"",
            "leave it out",
        ),
        ("site = \"x\"", "names no token"),
    ] {
        let config: JiraConfig = toml::from_str(table).unwrap();
        let error = config
            .open(&"jira".into(), Path::new("/"), &http)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_project_that_is_named_later_is_read_with_its_past() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.fake
        .issue(4, |issue| issue.project = ("11".into(), "OPS".into()));
    here.fake
        .comment(2, &on(22, "09:00"), "cy", "lately", json!({}));
    here.more = "audience = \"everyone\"\nprojects = [\"CORE\"]".into();
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.query("SELECT id FROM threads").len(), 5);
    let before = here.log(0).len();
    here.more = "audience = \"everyone\"\nprojects = [\"CORE\", \"OPS\"]".into();
    here.source = None;
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(here.log(before), ["opened 4 acc-cy: body of *issue 4*"]);
    let learned = here.query("SELECT id FROM events WHERE id = '4' AND learned = occurred_at");
    assert_eq!(learned, ["4"], "which is no news");
}

#[tokio::test]
async fn a_server_that_shows_less_at_once_is_asked_for_the_rest() {
    let mut here = Here::new(false).await;
    fill(&here.fake);
    here.fake.get().is_terse = true;
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.log(0).len(), 14);
}
