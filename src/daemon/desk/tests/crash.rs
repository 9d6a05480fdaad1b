//! A crash between a press and the mark that shows it.

use super::*;
use crate::store::presses as kept;

impl Here {
    /// Has a press kept, as the socket does before it acknowledges it, and returns it.
    async fn keep(&self, action: &str, id: &str) -> Click {
        let Push::Clicked(click) = self.fake.press("UANA", "DUANA", action, id) else {
            panic!("a button is pressed");
        };
        let keeper = presses::keeper(&self.store, &self.clock, &"office".into());
        keeper(&click).await.unwrap();
        *click
    }

    fn open_presses(&self) -> usize {
        let office = ConnectorId::new("office");
        self.store
            .read_now(|c| kept::open(c, &office))
            .unwrap()
            .len()
    }
}

#[tokio::test]
async fn a_press_that_was_only_kept_is_obeyed_at_the_next_start() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    here.keep("done", "1").await;
    here.keep("up", "2").await;
    assert_eq!((here.said().len(), here.open_presses()), (0, 2));

    here.desk.catch_up().await.unwrap();
    assert_eq!(here.said(), ["done 1", "up 1"]);
    assert_eq!(
        here.labels(),
        ["*✓ Done", "Later", "Mute", "Why?", "*✓ 👍", "👎"]
    );
    assert_eq!(here.open_presses(), 0);
    let updates = here.fake.calls_of("chat.update");
    here.desk.catch_up().await.unwrap();
    assert_eq!(here.fake.calls_of("chat.update"), updates, "and only once");
}

#[tokio::test]
async fn a_press_of_long_ago_is_forgotten_and_not_obeyed() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    here.keep("up", "1").await;
    here.clock
        .move_to(here.clock.now() + SignedDuration::from_hours(2));
    here.desk.catch_up().await.unwrap();
    assert_eq!((here.said().len(), here.open_presses()), (0, 0));
    assert_eq!(here.fake.calls_of("chat.update"), 0);
}

#[tokio::test]
async fn a_press_that_was_stored_but_not_shown_is_shown_and_not_taken_back() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    let click = here.keep("up", "1").await;
    let (id, now) = (MemberId::new("ana"), here.clock.now());
    let key = here.desk.kept(&click);
    here.store
        .write_now(|c| {
            assert!(key.count(c, now)?);
            steer::say(c, &id, "2026-11-23".parse()?, 1, Verdict::Up, now)
        })
        .unwrap();

    here.desk.catch_up().await.unwrap();
    assert_eq!(here.said(), ["up 1"]);
    assert_eq!(
        here.labels(),
        ["Done", "Later", "Mute", "Why?", "*✓ 👍", "👎"]
    );
}

#[tokio::test]
async fn a_vote_that_slack_sends_twice_counts_once_and_a_second_press_takes_it_back() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    let click = here.keep("up", "1").await;
    for _ in 0..2 {
        let push = Push::Clicked(Box::new(click.clone()));
        here.desk.take(push).await.unwrap();
        assert_eq!(here.said(), ["up 1"]);
    }
    let again = here.keep("up", "2").await;
    here.desk
        .take(Push::Clicked(Box::new(again)))
        .await
        .unwrap();
    assert_eq!(here.said(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_kept_press_that_cannot_be_read_is_named_once_and_holds_nothing_up() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    let office = ConnectorId::new("office");
    let now = here.clock.now();
    here.store
        .write_now(|c| {
            let key = kept::Key {
                connector: &office,
                id: "UANA:0",
            };
            kept::keep(c, key, "UANA", "{}", now)
        })
        .unwrap();
    here.keep("done", "1").await;
    here.desk.catch_up().await.unwrap();
    assert_eq!((here.said().len(), here.open_presses()), (1, 0));
}
