//! The network of a world: answers that were recorded, in the order in which they may be asked for.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use daybrief::http::{Answer, Call, HttpError};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

/// An answer to whoever asks for an address that contains these words; each is given once.
#[derive(Clone, Debug)]
struct Page {
    of: String,
    status: StatusCode,
    body: Value,
}

/// Recorded pages in place of the network. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pages(Arc<Mutex<Stand>>);

#[derive(Debug, Default)]
struct Stand {
    pages: VecDeque<Page>,
    unexpected: Vec<String>,
}

impl Pages {
    /// Adds an answer to the next request whose address, query or body contains the words.
    pub fn add(&self, of: &str, status: u16, body: Value) {
        let status = StatusCode::from_u16(status).unwrap();
        let of = of.to_owned();
        self.0
            .lock()
            .unwrap()
            .pages
            .push_back(Page { of, status, body });
    }

    /// Fails when a page was not asked for, or something was asked for that is no page.
    pub fn check(&self) {
        let stand = self.0.lock().unwrap();
        assert!(
            stand.unexpected.is_empty(),
            "unexpected requests: {:?}",
            stand.unexpected
        );
        let unused: Vec<&String> = stand.pages.iter().map(|page| &page.of).collect();
        assert!(unused.is_empty(), "nobody asked for {unused:?}");
    }
}

impl tower::Service<Call> for Pages {
    type Response = Answer;
    type Error = HttpError;
    type Future = Ready<Result<Answer, HttpError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut stand = self.0.lock().unwrap();
        let asked = format!(
            "{} {} {}",
            call.method,
            call.url,
            String::from_utf8_lossy(&call.body)
        );
        let found = stand.pages.iter().position(|page| asked.contains(&page.of));
        let Some(page) = found.and_then(|index| stand.pages.remove(index)) else {
            stand.unexpected.push(asked);
            return ready(Err(HttpError::Unreachable {
                host: call.host(),
                reason: "the test recorded no such page".into(),
            }));
        };
        ready(Ok(Answer {
            status: page.status,
            headers: HeaderMap::new(),
            body: page.body.to_string().into(),
        }))
    }
}
