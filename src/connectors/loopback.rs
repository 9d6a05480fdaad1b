//! What the fakes of trackers on loopback share, and the tests against them: a way in, what an address asks for, what goes
//! wrong, and what is stored in the end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::http::Options;
use crate::store::Store;

/// Returns how calls are made where nobody waits for long.
pub fn hurried() -> Options {
    Options {
        is_paced: false,
        back_off: Duration::from_millis(2),
        patience: Duration::from_secs(2),
        ..Options::default()
    }
}

/// Returns the first column of what a question to the store finds.
pub fn rows(store: &Store, sql: &str) -> Vec<String> {
    store
        .read_now(|c| {
            let mut statement = c.prepare(sql)?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .unwrap()
}

/// Returns the log from a position on, as `kind id by: text`.
pub fn log(store: &Store, from: usize) -> Vec<String> {
    let sql = "SELECT kind || ' ' || id || ' ' || coalesce(author, '-') || ': ' || iif(removed, '-', text) FROM events ORDER BY seq";
    let lines = rows(store, sql).into_iter().skip(from);
    lines
        .map(|line| line.trim_end_matches(": ").to_owned())
        .collect()
}

/// What the next call that matches meets.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// This status, with a header.
    Status(u16, &'static str, &'static str),
    /// An answer that breaks off.
    Cut,
    /// It is done, but the answer is a 502.
    AnswerLost,
}

/// What will go wrong, each once: a part of the method and address, and what that call meets.
#[derive(Default)]
pub struct Faults(VecDeque<(&'static str, Fault)>);

impl Faults {
    pub fn add(&mut self, part: &'static str, fault: Fault) {
        self.0.push_back((part, fault));
    }

    /// Returns what a call meets, which is over then.
    pub fn met_by(&mut self, call: &str) -> Option<Fault> {
        let at = self.0.iter().position(|(part, _)| call.contains(part))?;
        self.0.remove(at).map(|(_, fault)| fault)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Serves on a port of its own; returns the address.
pub async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Returns an answer that breaks off after these words.
pub fn cut(said: &'static str) -> Response {
    let parts = [Ok(said.to_owned()), Err(std::io::Error::other("cut"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    ([("content-length", "900")], body).into_response()
}

/// Returns what stands behind the question mark.
pub fn query_of(uri: &Uri) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x{uri}")).unwrap();
    let pairs = url.query_pairs();
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
