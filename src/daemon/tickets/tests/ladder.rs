//! Every step of the ladder through the real connectors: a label, a comment, an owner; once whatever is lost, taken back by
//! people, refused by the tracker.

use std::sync::{Arc, Mutex};

use super::*;
use crate::store::suggestions::{self, Outcome, Recorded};
use crate::store::tickets;

const LABEL: &str = "mode = \"label\"\nlabel = \"suggested-{member}\"";
const ALL: &str = "mode = \"assign\"\nlabel = \"suggested-{member}\"";

/// Has the last weeks show that suggestions are right here.
fn has_been_right(here: &Here, area: Option<&str>) {
    let made_at = "2026-11-20T08:00:00Z".parse().unwrap();
    let put = |c: &Connection, number: usize| {
        let said = Recorded {
            id: 0,
            connector: here.id.clone(),
            ticket: format!("earlier {number}"),
            state: "a".into(),
            mode: crate::model::suggestion::Ladder::Comment,
            made_at,
            area: area.map(|area| (area.to_owned(), 1.0)),
            duty: None,
            threshold: 0.5,
            is_abstained: false,
            first_account: Some("ana".into()),
            candidates: Vec::new(),
            excluded: BTreeMap::new(),
            repeats: Vec::new(),
            outcome: None,
        };
        let id = suggestions::put(c, &said)?.unwrap();
        suggestions::settle(c, id, Outcome::Right, Some("ana"), made_at)
    };
    here.store
        .write_now(|c| (0..12).try_for_each(|number| put(c, number)))
        .unwrap();
}

/// Has the process die after the tracker took everything and before that was noted.
fn die_before_the_receipts(here: &Here) {
    let sql = "UPDATE postings SET state = 'posting', url = NULL WHERE state = 'posted'";
    let died = here.store.write_now(|c| Ok(c.execute(sql, [])?));
    assert!(died.unwrap() > 0);
}

fn declined(here: &Here) -> Vec<String> {
    let sql = "SELECT ticket FROM postings LIMIT 1";
    here.store
        .read_now(|c| {
            let ticket: String = c.query_row(sql, [], |row| row.get(0))?;
            tickets::declined_by(c, &ticket)
        })
        .unwrap()
}

async fn a_label_to_its_undoing(board: &impl Board, mut here: Here) {
    fill(board);
    board.lose_answers();
    here.look(NOW).await;
    assert_eq!(
        board.labels(NEW),
        ["suggested-ana"],
        "although no answer came"
    );
    assert_eq!(
        board.ours(NEW).len(),
        0,
        "a label is all that the config allows"
    );
    assert_eq!(board.owner(NEW), None);
    let writes = board.writes();
    die_before_the_receipts(&here);
    here.look("2026-11-23T08:05:00Z").await;
    here.look("2026-11-23T08:06:00Z").await;
    assert_eq!(board.labels(NEW), ["suggested-ana"]);
    assert_eq!(board.writes(), writes);
    let sql = "SELECT count(*) FROM suggestions";
    let said = here
        .store
        .read_now(|c| Ok(c.query_row(sql, [], |row| row.get::<_, u64>(0))?));
    assert_eq!(said.unwrap(), 1, "our own label is no news of the ticket");

    board.rename(NEW, "2026-11-23T08:07:00Z", "colour breaks in the list");
    here.look("2026-11-23T08:10:00Z").await;
    assert_eq!(board.labels(NEW), ["suggested-bo"], "changed, not added to");

    board.strip(NEW, "2026-11-23T08:11:00Z", "suggested-bo");
    here.look("2026-11-23T08:15:00Z").await;
    board.rename(NEW, "2026-11-23T08:16:00Z", "scroll breaks in the tree");
    here.look("2026-11-23T08:20:00Z").await;
    assert_eq!(
        board.labels(NEW),
        [""; 0],
        "what a person took off stays off"
    );
    let others = (1..=PAST).map(|number| board.labels(number).len());
    assert_eq!(others.sum::<usize>(), 0);
}

async fn comment_label_and_owner(board: &impl Board, mut here: Here, area: Option<&str>) {
    fill(board);
    has_been_right(&here, area);
    board.lose_answers();
    here.look(NOW).await;
    let stands = |owner: Option<&str>| {
        assert_eq!(board.ours(NEW).len(), 1);
        assert_eq!(board.labels(NEW).len(), 1);
        assert_eq!(board.owner(NEW).as_deref(), owner);
    };
    stands(Some("ana"));
    let writes = board.writes();
    die_before_the_receipts(&here);
    here.look("2026-11-23T08:05:00Z").await;
    stands(Some("ana"));
    assert_eq!(board.writes(), writes, "all of it once");

    // She gives it back, and the ticket is not pressed on her again.
    board.give_back(NEW, "2026-11-23T08:06:00Z", "ana");
    here.look("2026-11-23T08:10:00Z").await;
    assert_eq!(declined(&here), ["ana"], "that is an answer");
    board.rename(NEW, "2026-11-23T08:11:00Z", "colour breaks in the list");
    here.look("2026-11-23T08:15:00Z").await;
    here.look("2026-11-23T08:16:00Z").await;
    stands(None);
    assert_eq!(board.labels(NEW), ["suggested-bo"]);

    // Nobody is given it unasked any more; his own word is another matter.
    board.say(NEW, "2026-11-23T08:17:00Z", "bo", "/take");
    here.look("2026-11-23T08:20:00Z").await;
    stands(Some("bo"));

    // Whoever deletes the comment has heard enough.
    board.delete(NEW);
    here.look("2026-11-23T08:25:00Z").await;
    board.rename(NEW, "2026-11-23T08:26:00Z", "scroll breaks in the tree");
    here.look("2026-11-23T08:30:00Z").await;
    assert_eq!(board.ours(NEW).len(), 0);
}

/// What is logged, for reading.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn a_refusal_is_named_once(board: &impl Board, mut here: Here, next_step: &str) {
    fill(board);
    let opened_at = NOW.parse::<Timestamp>().unwrap() - SignedDuration::from_mins(20);
    board.open(NEW + 1, opened_at, "scroll breaks in the menu", None);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    for _ in 0..2 {
        board.refuse_label(NEW);
        board.refuse_label(NEW + 1);
    }
    here.look(NOW).await;
    here.look("2026-11-23T08:05:00Z").await;
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("(label)") && log.contains(next_step), "{log}");
    for number in [NEW, NEW + 1] {
        assert_eq!(board.ours(number).len(), 1, "the rest goes on");
        assert_eq!(board.labels(number), [""; 0]);
    }
    // Somebody followed the advice.
    here.look("2026-11-23T09:00:00Z").await;
    for number in [NEW, NEW + 1] {
        assert_eq!(board.ours(number).len(), 1);
        assert_eq!(board.labels(number), ["suggested-ana"]);
    }
}

#[tokio::test]
async fn on_github_every_step_is_taken_once_and_taken_back() {
    let (fake, here) = on_github(LABEL).await;
    a_label_to_its_undoing(&fake, here).await;
    let (fake, here) = on_github(ALL).await;
    comment_label_and_owner(&fake, here, None).await;
}

#[tokio::test]
async fn on_jira_every_step_is_taken_once_and_taken_back() {
    for is_cloud in [true, false] {
        let (fake, here) = on_jira(is_cloud, LABEL).await;
        a_label_to_its_undoing(&fake, here).await;
        let (fake, here) = on_jira(is_cloud, ALL).await;
        comment_label_and_owner(&fake, here, Some("parser")).await;
    }
}

#[tokio::test]
async fn a_tracker_that_refuses_labels_is_named_once_with_the_next_step_and_the_rest_goes_on() {
    let config = "mode = \"comment\"\nlabel = \"suggested-{member}\"";
    let (fake, here) = on_github(config).await;
    a_refusal_is_named_once(&fake, here, "Issues (read and write)").await;
    for is_cloud in [true, false] {
        let (fake, here) = on_jira(is_cloud, config).await;
        a_refusal_is_named_once(&fake, here, "Edit Issues").await;
    }
}

async fn a_forged_mark_is_nobodys(board: &impl Board, mut here: Here) {
    fill(board);
    board.forge(NEW, "2026-11-23T07:45:00Z");
    let forged = board.ours(NEW);
    assert_eq!(forged.len(), 1);
    here.look(NOW).await;
    board.rename(NEW, "2026-11-23T08:01:00Z", "colour breaks in the list");
    here.look("2026-11-23T08:05:00Z").await;
    let marked = board.ours(NEW);
    assert_eq!(marked.len(), 2, "theirs, and one of ours");
    assert_eq!(marked[0], forged[0], "it is not edited");
    assert!(marked[1].1.contains("Bo"), "{marked:?}");
    assert_eq!(board.owner(NEW), None, "a stranger takes nothing");
    let sql =
        "SELECT count(*) FROM events WHERE text LIKE '%Mallory knows best%' AND kind = 'posted'";
    let told = here
        .store
        .read_now(|c| Ok(c.query_row(sql, [], |row| row.get::<_, u64>(0))?));
    assert_eq!(
        told.unwrap(),
        1,
        "what they say is told like what anybody says"
    );
    board.delete(NEW);
    here.look("2026-11-23T08:10:00Z").await;
    assert_eq!(
        board.ours(NEW),
        forged,
        "theirs does not stand for ours, and is not taken away"
    );
}

#[tokio::test]
async fn what_carries_our_mark_and_is_not_ours_is_neither_edited_nor_trusted() {
    let (fake, here) = on_github(COMMENT).await;
    a_forged_mark_is_nobodys(&fake, here).await;
    for is_cloud in [true, false] {
        let (fake, here) = on_jira(is_cloud, COMMENT).await;
        a_forged_mark_is_nobodys(&fake, here).await;
    }
}
