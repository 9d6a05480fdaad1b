//! Discussions: read, read again, taken away, kept from the token, and asked for in GitHub's own words.

use std::collections::BTreeMap;
use std::io::Read;

use super::*;
use crate::connectors::github::discussions::{LIST, ONE, REPLIES};
use crate::spec_check::shared;

/// Fills a repository with discussions; returns the numbers of a comment and of its first reply.
fn discuss(fake: &Fake) -> (u64, u64) {
    fake.discuss(REPO, 12, &on(2, "09:00"), "Ana", "which parser");
    let first = fake.say_there(
        REPO,
        12,
        None,
        &on(3, "09:00"),
        "bo",
        "the <!-- hidden -->small one",
    );
    let reply = fake.say_there(REPO, 12, Some(first), &on(3, "10:00"), "Cy", "why? 😀");
    fake.say_there(REPO, 12, Some(first), &on(3, "11:00"), "bo", "it is fast");
    fake.say_there(REPO, 12, Some(first), &on(3, "12:00"), "Cy", "@Ana agreed?");
    fake.say_there(REPO, 12, None, &on(4, "09:00"), "ci[bot]", "measured");
    fake.say_there(REPO, 12, None, &on(5, "09:00"), "مريم", "تمام");
    fake.discuss(REPO, 13, &on(6, "09:00"), "Cy", "release notes");
    fake.discuss(REPO, 14, &on(7, "09:00"), "Cy", "roadmap");
    fake.discuss(REPO, 11, "2024-01-01T00:00:00Z", "Cy", "from long ago");
    fake.choose(REPO, 12, first, &on(5, "10:00"), "Ana");
    (first, reply)
}

/// Returns how often GraphQL was asked for something since the last time.
fn asked(here: &Here) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in here.fake.get().asked.drain(..) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn discussions_are_read_with_comments_replies_and_answer() {
    let mut here = Here::new().await;
    discuss(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let mut log = here.log(0);
    log.sort();
    insta::assert_snapshot!(log.join("\n"), @r"
    opened !12 ana: body of which parser
    opened !13 cy: body of release notes
    opened !14 cy: body of roadmap
    posted !12-c501 bo: the small one
    posted !12-c502 cy: why? 😀
    posted !12-c503 bo: it is fast
    posted !12-c504 cy: @Ana agreed?
    posted !12-c505 ci[bot]: measured
    posted !12-c506 مريم: تمام
    transitioned !12@answered-501 ana
    ");
    let kinds = here.query("SELECT kind || ' ' || title FROM threads WHERE id LIKE '%!12'");
    assert_eq!(kinds, ["topic which parser"]);
    let bots = here.query("SELECT name FROM people WHERE is_bot");
    assert_eq!(bots, ["ci[bot]"], "as the REST API calls it");
    assert_eq!(here.readers(&format!("{REPO}!12")), "- ana bo");

    // Nothing changed: one question.
    asked(&here);
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(asked(&here), BTreeMap::from([("list".into(), 1)]));

    // A new comment is news, and only its discussion is asked for.
    let before = here.log(0).len();
    here.fake
        .say_there(REPO, 14, None, &on(23, "08:06"), "Ana", "and then?");
    here.sync_at(&on(23, "08:10")).await.unwrap();
    assert_eq!(here.log(before).len(), 1, "{:?}", here.log(before));
    let once = [("list".to_owned(), 1), ("one 14".to_owned(), 1)];
    assert_eq!(asked(&here), BTreeMap::from(once));

    // A private repository's discussions are its collaborators'.
    let private = |hub: &mut super::super::fake::Hub| {
        hub.repositories.get_mut(REPO).unwrap().visibility = "private";
    };
    private(&mut here.fake.get());
    here.sync_at(&on(23, "08:15")).await.unwrap();
    assert_eq!(here.readers(&format!("{REPO}!12")), "ana");
}

#[tokio::test]
async fn late_replies_edits_and_deletions_that_change_no_listing_are_noticed() {
    let mut here = Here::new().await;
    let (first, reply) = discuss(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let before = here.log(0).len();
    here.fake
        .say_there(REPO, 12, Some(first), &on(23, "08:01"), "Ana", "late");
    {
        let mut hub = here.fake.get();
        let comments = &mut hub.topic(REPO, 12)["comments"];
        comments[0]["body"] = json!("the smaller one");
        // A comment that was replied to leaves its place behind; another one is just gone.
        comments[1]["deletedAt"] = json!(on(23, "08:02"));
        let replies = comments[0]["replies"].as_array_mut().unwrap();
        replies.retain(|known| known["databaseId"] != reply);
    }
    here.sync_at(&on(23, "08:30")).await.unwrap();
    assert_eq!(here.log(before), [""; 0], "each is read again hourly only");
    here.sync_at(&on(23, "09:00")).await.unwrap();
    let mut news: Vec<String> = here
        .log(before)
        .into_iter()
        .map(|line| match line.split_once('~') {
            Some((head, tail)) if !tail.starts_with("deleted") => format!("{head}~{}", &tail[8..]),
            _ => line,
        })
        .collect();
    news.sort();
    insta::assert_snapshot!(news.join("\n"), @r"
    deleted !12-c502~deleted -
    deleted !12-c505~deleted -
    edited !12-c501~ bo: the smaller one
    posted !12-c507 ana: late
    ");

    // A hook brings what is gone at once, and all that was said in it goes with it.
    let before = here.log(0).len();
    let topics = |here: &Here| {
        let mut hub = here.fake.get();
        hub.repositories
            .get_mut(REPO)
            .unwrap()
            .discussions
            .take()
            .unwrap()
    };
    let mut left = topics(&here);
    left.remove(&12);
    here.fake
        .get()
        .repositories
        .get_mut(REPO)
        .unwrap()
        .discussions = Some(left);
    let mut source = here.source.take().unwrap();
    for hint in [
        format!("{}!12", REPO.to_uppercase()),
        format!("{REPO}!999"),
        "somebody/else!1".into(),
    ] {
        source.hint(&hint);
    }
    here.source = Some(source);
    here.sync_at(&on(23, "09:05")).await.unwrap();
    assert!(
        here.log(before)
            .iter()
            .all(|line| line.starts_with("deleted !12")),
        "{:?}",
        here.log(before)
    );
    let words = here.query("SELECT text FROM events WHERE id LIKE '%!12%' AND text <> ''");
    assert!(words.is_empty(), "{words:?}");
}

#[tokio::test]
async fn discussions_that_are_kept_from_the_token_or_shown_in_part_cost_nothing_else() {
    let mut here = Here::new().await;
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    discuss(&here.fake);
    here.fake.get().refuses = Some("FORBIDDEN");
    let synced = here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.log(0), ["opened #1 ana: body of one"]);
    let reason = &synced.skipped[0].reason;
    assert!(
        reason.contains("Resource not accessible by personal access token"),
        "{reason}"
    );
    let last = async |here: &Here| here.check().await.pop().unwrap();
    let Fact::Note(says) = last(&here).await else {
        panic!("it is a note");
    };
    assert!(says.contains("or set discussions = false"), "{says}");

    // The right comes later: what is old by then is history, not news.
    here.fake.get().refuses = None;
    here.sync_at(&on(23, "08:05")).await.unwrap();
    let news = here.query("SELECT id FROM events WHERE id LIKE '%!%' AND learned <> occurred_at");
    assert!(news.is_empty(), "{news:?}");
    assert_eq!(
        last(&here).await,
        Fact::Fine(format!("{REPO}: discussions are read"))
    );

    // Part of it is held back, on a page that leads nowhere: nothing counts as deleted.
    let before = here.log(0).len();
    here.fake.get().is_odd = true;
    here.sync_at(&on(23, "09:05")).await.unwrap();
    assert_eq!(here.log(before), [""; 0]);
    here.fake.get().is_odd = false;

    // A limit is waited for, and is no reason to leave anything out.
    here.fake.get().refuses = Some("RATE_LIMITED");
    let error = format!("{:#}", here.sync_at(&on(23, "09:10")).await.unwrap_err());
    assert!(
        error.contains("allows no further calls before 2026-11-23T09:11:00Z"),
        "{error}"
    );

    (here.more, here.source) = ("discussions = false".into(), None);
    let before = here.fake.calls_with("graphql").0;
    here.sync_at(&on(23, "09:15")).await.unwrap();
    assert_eq!(here.fake.calls_with("graphql").0, before);
}

#[tokio::test]
async fn no_discussion_is_lost_or_doubled_when_github_fails_or_the_process_dies_anywhere() {
    let mut here = Here::new().await;
    discuss(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let mut calm = here.log(0);
    calm.sort();

    let mut here = Here::new().await;
    discuss(&here.fake);
    for fault in [
        Fault::Status(502, "x", "y"),
        Fault::Cut,
        Fault::Status(403, "retry-after", "0.01"),
        Fault::AnswerLost,
    ] {
        here.fake.fail("graphql", fault);
    }
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert!(here.fake.get().faults.is_empty(), "every fault was met");
    let mut log = here.log(0);
    log.sort();
    assert_eq!(log, calm);

    // A new process after every question.
    let here = Here::new().await;
    discuss(&here.fake);
    let now: Timestamp = on(23, "08:00").parse().unwrap();
    let mut cursor: Option<Cursor> = None;
    for round in 0.. {
        assert!(round < 200, "it comes to an end");
        let mut source = here.open();
        let gatherer = &mut source.0;
        gatherer.start(cursor.as_ref());
        let mut page = Page::default();
        // Far enough to get beyond what was read before.
        while page.events.is_empty() && gatherer.next_history().is_some() {
            gatherer.step(&mut page).await.unwrap();
        }
        page.history_before = Some(now);
        let page = gatherer.close(page, cursor.as_ref());
        cursor = page.next.clone().or(cursor);
        here.store
            .write_now(|c| {
                ingest::store_page(c, &"code".into(), &page, &Roster::default(), now, true)
            })
            .unwrap();
        if !page.more {
            break;
        }
    }
    let mut log = here.log(0);
    log.sort();
    assert_eq!(log, calm);
}

/// Fields by type, with the type that each leads to and the arguments it takes.
type Schema = BTreeMap<String, BTreeMap<String, (String, Vec<String>)>>;

fn schema() -> Schema {
    let packed = std::fs::read(shared().join("github/schema.graphql.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*packed)
        .read_to_string(&mut text)
        .unwrap();
    let mut schema = Schema::new();
    let (mut own, mut open, mut is_comment) = (String::new(), None::<(String, Vec<String>)>, false);
    let bare = |leads: &str| {
        leads
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .trim_matches(['[', ']', '!'])
            .to_owned()
    };
    for line in text.lines() {
        let quotes = line.matches("\"\"\"").count();
        if quotes > 0 || is_comment {
            is_comment ^= quotes == 1;
            continue;
        }
        if let Some(name) = line
            .strip_prefix("type ")
            .or(line.strip_prefix("interface "))
        {
            own = name.split_whitespace().next().unwrap().to_owned();
        } else if !line.starts_with(' ') && !line.is_empty() {
            own.clear();
        } else if let Some((name, leads)) = line.trim().split_once(':').filter(|_| !own.is_empty())
        {
            let fields = schema.entry(own.clone()).or_default();
            match &mut open {
                Some((field, arguments)) if name == ")" => {
                    fields.insert(
                        std::mem::take(field),
                        (bare(leads), std::mem::take(arguments)),
                    );
                    open = None;
                }
                Some((_, arguments)) => arguments.push(name.to_owned()),
                None => {
                    fields.insert(name.to_owned(), (bare(leads), Vec::new()));
                }
            }
        } else if let Some(name) = line.trim().strip_suffix('(').filter(|_| !own.is_empty()) {
            open = Some((name.to_owned(), Vec::new()));
        }
    }
    schema
}

/// Walks through a query and returns how many fields it has, each of which the schema knows.
fn known_fields(schema: &Schema, query: &str) -> usize {
    let body = &query[query.find('{').unwrap()..];
    let mut spaced = String::new();
    for letter in body.chars() {
        match letter {
            '{' | '}' | '(' | ')' => spaced.extend([' ', letter, ' ']),
            _ => spaced.push(letter),
        }
    }
    let mut tokens = spaced.split_whitespace().peekable();
    let (mut stack, mut next, mut count) = (Vec::new(), "Query".to_owned(), 0);
    while let Some(token) = tokens.next() {
        match token {
            "{" => stack.push(next.clone()),
            "}" => drop(stack.pop()),
            "..." => {
                assert_eq!(tokens.next(), Some("on"));
                next = tokens.next().unwrap().to_owned();
                assert!(schema.contains_key(&next), "no type {next}");
            }
            "__typename" => count += 1,
            field => {
                let own: &String = stack.last().unwrap();
                let known = schema[own].get(field);
                let (leads, arguments) = known.unwrap_or_else(|| panic!("{own} has no {field}"));
                (next, count) = (leads.clone(), count + 1);
                if tokens.peek() == Some(&"(") {
                    tokens.next();
                    let mut depth = 0;
                    for token in tokens.by_ref().take_while(|token| *token != ")") {
                        depth += usize::from(token == "{");
                        if let Some(argument) = token.strip_suffix(':').filter(|_| depth == 0) {
                            assert!(
                                arguments.iter().any(|known| known == argument),
                                "{field} takes no {argument}"
                            );
                        }
                        depth -= usize::from(token == "}");
                    }
                }
            }
        }
    }
    assert!(stack.is_empty());
    count
}

#[test]
#[ignore = "reads the folder that DAYBRIEF_SHARED names"]
fn every_field_that_is_asked_for_is_one_that_github_has() {
    let schema = schema();
    assert_eq!(schema["Query"]["repository"].0, "Repository");
    for (query, least) in [(LIST, 9), (ONE, 35), (REPLIES, 12)] {
        let count = known_fields(&schema, query);
        assert!(count >= least, "{count} fields");
    }
}
