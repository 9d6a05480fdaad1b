//! What the fakes of trackers on loopback share: a way in, what an address asks for, and what goes wrong.

use std::collections::{BTreeMap, VecDeque};

use axum::Router;
use axum::body::Body;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

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
