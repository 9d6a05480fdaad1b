//! A day in bad weather: 5 % of the calls are refused as too many, 2 % break on Slack's side, 1 % lose their connection,
//! and for an hour the token has expired. On simulated and paused time, with the whole daemon.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use axum::extract::State;
use daybrief_index::Index;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::fake::{self, Fake, TOKEN, Weather};
use crate::brief::Style;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Daemon, Parts};
use crate::http::{Answer, Call, Http, HttpError, Options};
use crate::roster::Roster;
use crate::sinks::Sink;
use crate::store::Store;

/// The fake without a network between, so that time may be paused.
#[derive(Clone)]
struct Direct(Fake);

impl Service<Call> for Direct {
    type Response = Answer;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, HttpError>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let workspace = self.0.shared();
        Box::pin(async move {
            // Slack takes its time.
            tokio::time::sleep(Duration::from_millis(80)).await;
            let path = format!(
                "{}?{}",
                call.url.path(),
                call.url.query().unwrap_or_default()
            );
            let uri = path.parse().expect("a path and a query");
            let response = fake::answer(State(workspace), call.headers, uri, call.body).await;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let body = body.map_err(|_| HttpError::Unreachable {
                host: "slack".into(),
                reason: "the connection broke".into(),
            })?;
            Ok(Answer {
                status,
                headers,
                body,
            })
        })
    }
}

/// People who write, answer, correct themselves and take things back.
struct Office {
    fake: Fake,
    /// What stands, by channel and time.
    standing: BTreeMap<(String, String), String>,
    random: u64,
    said: u64,
}

const CHANNELS: [&str; 5] = ["C1", "C2", "C3", "C4", "C5"];

impl Office {
    fn below(&mut self, bound: usize) -> usize {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % bound
    }

    fn act(&mut self, now: Timestamp) {
        self.said += 1;
        let ts = format!("{}.{:06}", now.as_second(), self.said % 1_000_000);
        let user = ["UANA", "UBO", "UCY"][self.below(3)];
        let text = format!("number {} about the harbor, {user}", self.said);
        let channel = CHANNELS[self.below(CHANNELS.len())].to_owned();
        let recent: Vec<(String, String)> = self
            .standing
            .keys()
            .filter(|(of, _)| *of == channel)
            .cloned()
            .collect();
        let roll = self.below(100);
        if roll < 60 || recent.len() < 3 {
            self.fake.post(&channel, &ts, user, &text);
            self.standing.insert((channel, ts), text);
            return;
        }
        let (_, of) = recent[self.below(recent.len())].clone();
        let message = self.fake.get().channels[&channel].messages[&of].clone();
        let is_reply = message["thread_ts"].is_string();
        match roll {
            60..82 => {
                let root = message["thread_ts"].as_str().unwrap_or(&of);
                self.fake.reply(&channel, root, &ts, user, &text);
                self.standing.insert((channel, ts), text);
            }
            // Replies that are edited are seen when their thread moves, or by an event; the log shows roots.
            82..92 if !is_reply => {
                let mut edited = message;
                edited["text"] = json!(text);
                edited["edited"] = json!({ "ts": ts });
                self.fake.put(&channel, edited);
                self.standing.insert((channel, of), text);
            }
            92.. => {
                self.fake.delete(&channel, &of);
                self.standing.remove(&(channel, of));
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_of_bad_weather_loses_nothing_doubles_nothing_and_keeps_the_limits() {
    let start: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    let fake = Fake::start().await;
    fake.get().page_size = 40;
    for channel in CHANNELS {
        fake.channel(channel, &format!("room-{channel}"));
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), TOKEN).unwrap();
    let mut text = "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n\
        [connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napi_url = \"http://slack/api\"\n"
        .to_owned();
    for (name, zone) in [
        ("ana", "Europe/Lisbon"),
        ("bo", "Asia/Kolkata"),
        ("cy", "America/New_York"),
    ] {
        let id = name.to_uppercase();
        text += &format!(
            "[members.{name}]\ntime_zone = \"{zone}\"\nhandles = {{ office = \"U{id}\" }}\n"
        );
    }
    let path = dir.path().join("daybrief.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap();
    let clock = Clock::simulated(start);
    let http = Http::over(Direct(fake.clone()), Options::default(), clock.clone());
    let members = config.members(start).unwrap();
    let sinks = members
        .iter()
        .map(|member| (member.id.clone(), Sink::of(&config, &http, member).unwrap()));
    let store = Store::open(&dir.path().join("data")).unwrap();
    let parts = Parts {
        following: None,
        llm: None,
        tickets: crate::daemon::tickets::Tickets::new(Default::default(), BTreeMap::new()),
        sinks: sinks.collect(),
        connectors: config.connectors,
        base: config.base,
        http,
        index: Index::open(
            &dir.path().join("index"),
            &store.log_uuid().unwrap(),
            daybrief_index::Options::default(),
        )
        .unwrap(),
        store: store.clone(),
        roster: Roster::new(members, Vec::new(), Vec::new(), Vec::new()),
        style: Style::default(),
        quiet_line: true,
        retention: Default::default(),
        sync_every: SignedDuration::from_mins(5),
    };
    let mut daemon = Daemon::new(parts, clock.clone(), CancellationToken::new());
    let mut office = Office {
        fake: fake.clone(),
        standing: BTreeMap::new(),
        random: 7,
        said: 0,
    };
    let begun = tokio::time::Instant::now();
    let now = || start + SignedDuration::try_from(begun.elapsed()).unwrap();
    for _ in 0..40 {
        office.act(
            start - SignedDuration::from_hours(3) + SignedDuration::from_mins(office.said as i64),
        );
    }
    let hour = |hour: u64| Duration::from_secs(3_600 * hour);
    fake.get().weather = Some(Weather {
        limited: 50,
        broken: 20,
        reset: 10,
        random: 3,
    });
    let mut failed_without_token = false;
    while begun.elapsed() < hour(25) {
        let elapsed = begun.elapsed();
        if elapsed < hour(24) {
            office.act(now());
        } else {
            // An hour of calm, in which what was noticed late is caught up with.
            fake.get().weather = None;
            fake.get().faults.clear();
        }
        let is_expired = (hour(10)..hour(11)).contains(&elapsed);
        if elapsed >= hour(10) {
            fake.get().token = "xoxb-neu".into();
        }
        if elapsed >= hour(11) {
            std::fs::write(dir.path().join("token"), "xoxb-neu\n").unwrap();
        }
        clock.move_to(now());
        daemon.step().await.unwrap();
        failed_without_token |= is_expired && fake.get().calls.len() > 100;
        tokio::time::sleep(Duration::from_secs(100)).await;
    }
    assert!(failed_without_token);
    let workspace = fake.get();
    assert_eq!(
        workspace.too_fast,
        [] as [&str; 0],
        "as the fake counts them"
    );
    let calls = workspace.calls.len();
    for user in ["UANA", "UBO", "UCY"] {
        let briefings = workspace.channels[&format!("D{user}")].messages.values();
        let keys: Vec<&str> = briefings
            .filter_map(|message| message["metadata"]["event_payload"]["key"].as_str())
            .collect();
        assert_eq!(keys.len(), 1, "one briefing for the day: {keys:?}");
    }
    drop(workspace);
    let stored: Vec<(String, String)> = store
        .read_now(|c| {
            let mut statement = c.prepare(
                "SELECT id, text FROM events WHERE kind = 'posted' AND NOT removed ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .unwrap();
    let wanted: Vec<(String, String)> = office
        .standing
        .iter()
        .map(|((channel, ts), text)| (format!("{channel}:{ts}"), text.clone()))
        .collect();
    let lost: Vec<_> = wanted
        .iter()
        .filter(|line| !stored.contains(line))
        .collect();
    let doubled: Vec<_> = stored
        .iter()
        .filter(|line| !wanted.contains(line))
        .collect();
    assert!(
        lost.is_empty() && doubled.is_empty() && stored.len() == wanted.len(),
        "lost {lost:?}, too much {doubled:?}"
    );
    eprintln!(
        "{calls} calls, {} messages stand, {} acts",
        wanted.len(),
        office.said
    );
}
