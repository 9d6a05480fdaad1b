//! A server with a model that is none: it does by rule what real ones do by chance. Tests, rehearsals and
//! `daybrief prompts test` put it under the stack in place of the network.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower::Service;

use super::tokens;
use crate::clock::Clock;
use crate::http::{Answer, Call, HeaderMap, Http, HttpError, Options};

mod minds;

pub use minds::Mind;

/// The name of the model that only rehearses.
pub const MODEL: &str = "rehearsal";

/// How a fake server behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It answers.
    #[default]
    Well,
    /// It answers 500 to `json_schema`, as llama-cpp-python does.
    NoSchema,
    /// It refuses every `response_format` with 400.
    NoFormat,
    /// There is nobody.
    Down,
    /// It takes this long.
    Slow(Duration),
    /// It wants fewer questions.
    Busy,
    /// It refuses the key.
    NoKey,
    /// It answers with a page of HTML and status 200.
    Html,
    /// It answers with words instead of JSON.
    Prose,
    /// It answers with JSON of another form.
    OtherForm,
    /// It cuts its answer after so many bytes.
    Cut(usize),
    /// It reads no more than so many tokens.
    Narrow(usize),
}

/// A fake server. Clones share what was asked.
#[derive(Clone, Debug)]
pub struct Fake {
    /// How it behaves.
    pub manner: Manner,
    /// What its model does.
    pub mind: Mind,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Fake {
    /// Returns a server.
    pub fn new(manner: Manner, mind: Mind) -> Fake {
        Fake {
            manner,
            mind,
            asked: Arc::default(),
        }
    }

    /// Returns the stack over this server.
    pub fn http(&self, options: Options, clock: Clock) -> Http {
        Http::over(self.clone(), options, clock)
    }

    /// Returns the bodies of the calls so far.
    pub fn asked(&self) -> Vec<Value> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn answer(&self, body: &Value) -> Result<(u16, String), HttpError> {
        let error = |status: u16, message: &str| {
            Ok((
                status,
                json!({ "error": { "message": message, "type": "invalid_request_error" } })
                    .to_string(),
            ))
        };
        let format = body["response_format"]["type"].as_str();
        let read: usize = body["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|turn| turn["content"].as_str())
            .map(|text| tokens::estimate(text) + tokens::TURN)
            .sum();
        match &self.manner {
            Manner::Down => {
                return Err(HttpError::Unreachable {
                    host: "model.invalid".into(),
                    reason: "connection refused".into(),
                });
            }
            Manner::Busy => return error(429, "Rate limit reached"),
            Manner::NoKey => return error(401, "Incorrect API key provided"),
            Manner::NoSchema if format == Some("json_schema") => {
                return error(
                    500,
                    "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or 'json_object'\"}]",
                );
            }
            Manner::NoFormat if format.is_some() => {
                return error(400, "response_format is not supported");
            }
            Manner::Narrow(limit) if read > *limit => {
                return error(
                    400,
                    "the request exceeds the available context size (exceed_context_size_error)",
                );
            }
            Manner::Html => return Ok((200, "<!doctype html><p>Welcome to nginx!</p>".into())),
            _ => {}
        }
        let mut words = match &self.manner {
            Manner::Prose => "Sure! Here is a summary of the thread: everything went well.".into(),
            Manner::OtherForm => r#"{"summary":"All good.","bullets":["one","two"]}"#.into(),
            _ => self.mind.words_for(body),
        };
        let mut ends = "stop";
        if let Manner::Cut(bytes) = self.manner
            && words.len() > bytes
        {
            while !words.is_char_boundary(bytes.min(words.len())) {
                words.pop();
            }
            words.truncate(bytes);
            ends = "length";
        }
        let usage = json!({ "prompt_tokens": read, "completion_tokens": tokens::estimate(&words), "total_tokens": read });
        let answer = json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage,
            "choices": [{ "index": 0, "finish_reason": ends, "message": { "role": "assistant", "content": words } }],
        });
        Ok((200, answer.to_string()))
    }
}

impl Service<Call> for Fake {
    type Response = Answer;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, HttpError>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            this.asked
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(body.clone());
            if let Manner::Slow(time) = this.manner {
                tokio::time::sleep(time).await;
            }
            let (status, text) = this.answer(&body)?;
            Ok(Answer {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                headers: HeaderMap::new(),
                body: text.into(),
            })
        })
    }
}
