//! Lets an `async-openai` client go through the stack.
//!
//! ```no_run
//! # use daybrief::{clock::Clock, http::{Http, Options, Pace, Scope, openai::Through}};
//! # use async_openai::{Client, config::OpenAIConfig};
//! let http = Http::new(Options::default(), Clock::System);
//! let scope = Scope::new("llm", Pace::per_minute(60));
//! let client = Client::with_config(OpenAIConfig::new()).with_http_service(Through::new(http, "llm", scope));
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use tower::{BoxError, Service};

use super::{Call, Effect, Http, HttpError, Scope, header};

/// The stack as `Client::with_http_service` wants it. Answers are read to their end, so nothing is streamed.
///
/// A question to a model counts as a read: it may be asked again. An [`HttpError`] comes out as `OpenAIError::Boxed`.
#[derive(Clone, Debug)]
pub struct Through {
    http: Http,
    connector: String,
    scope: Scope,
}

impl Through {
    /// Returns the stack for a client; `connector` is its name in logs, `scope` what it shares a limit with.
    pub fn new(http: Http, connector: &str, scope: Scope) -> Through {
        Through {
            http,
            connector: connector.to_owned(),
            scope,
        }
    }

    async fn ask(self, factory: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
        let mut request = factory.build().await?;
        let path = request.url().path();
        // `…/v1/chat/completions` is called `chat/completions`.
        let operation = path.rsplit_once("/v1/").map_or(path, |(_, name)| name);
        let mut call = Call::get(
            &self.connector,
            operation,
            self.scope.clone(),
            request.url().clone(),
        );
        call.effect = Effect::Read;
        call.method = request.method().clone();
        call.headers = std::mem::take(request.headers_mut());
        if let Some(value) = call.headers.get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        if let Some(body) = request.body() {
            let bytes = body.as_bytes().ok_or_else(|| {
                OpenAIError::InvalidArgument("a body that is streamed cannot be sent again".into())
            })?;
            call.body = bytes.to_vec().into();
        }
        let answer = self.http.send(call).await.map_err(boxed)?;
        let mut response = http::Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response.into())
    }
}

/// Returns why there is no answer, without a word of the server's: what it says may be a key, or a book. `what` is asked for.
pub fn reason_of(error: &OpenAIError, what: &str) -> String {
    let status = match error {
        OpenAIError::ApiError(api) => Some(api.status_code.as_u16()),
        _ => None,
    };
    match (error, status) {
        (_, Some(401 | 403)) => format!("{what}'s server refuses the key"),
        (_, Some(404)) => format!("{what}'s server knows no such model or address"),
        (_, Some(429)) => format!("{what}'s server wants fewer questions"),
        (_, Some(status)) => format!("{what}'s server answers with status {status}"),
        (OpenAIError::Boxed(error), _) => match error.downcast_ref::<HttpError>() {
            Some(error) => error.to_string(),
            None => format!("{what} cannot be reached"),
        },
        (OpenAIError::JSONDeserialize(..), _) => {
            format!("{what}'s server answers with something else")
        }
        _ => format!("{what} cannot be reached"),
    }
}

fn boxed(error: HttpError) -> OpenAIError {
    OpenAIError::Boxed(BoxError::from(error))
}

impl Service<HttpRequestFactory> for Through {
    type Response = reqwest::Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<reqwest::Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        Box::pin(self.clone().ask(factory))
    }
}
