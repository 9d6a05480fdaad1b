//! Tokens from a server of our own; mail's real servers stand in `tests/it/mail/tokens.rs`, Jira's part in `jira/tests/oauth.rs`.

use std::sync::{Arc, Mutex};
use std::task::{self, Poll};

use tower::Service;

use super::*;
use crate::clock::Clock;
use crate::http::{Answer, HeaderMap, StatusCode};

/// Gives a token a question, and remembers what was asked.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<Vec<String>>>,
    lasts: i64,
}

impl Service<Call> for Server {
    type Response = Answer;
    type Error = HttpError;
    type Future = std::future::Ready<Result<Answer, HttpError>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut asked = self.asked.lock().unwrap();
        asked.push(String::from_utf8(call.body.to_vec()).unwrap());
        let number = asked.len();
        let body = serde_json::json!({
            "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"), "expires_in": self.lasts,
        });
        std::future::ready(Ok(Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        }))
    }
}

const START: &str = "2026-11-23T08:00:00Z";

fn opened(more: &str, base: &Path, lasts: i64) -> Result<(Arc<OAuth>, Server, Clock)> {
    let clock = Clock::simulated(START.parse()?);
    let server = Server {
        lasts,
        ..Server::default()
    };
    let http = Http::over(server.clone(), Default::default(), clock.clone());
    let table =
        format!("token_url = \"https://mail.example.org/token\"\nclient_id = \"app\"\n{more}");
    let config: OAuthConfig = toml::from_str(&table)?;
    let app = config.open("inbox", "connectors.inbox", base, &http)?;
    Ok((Arc::new(app), server, clock))
}

async fn token(app: &Arc<OAuth>) -> String {
    app.token(None).await.unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_refresh_token_that_comes_is_kept_though_whoever_waited_for_it_went() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("refresh"), "first\n").unwrap();
    let (app, server, _) = opened("refresh_token_file = \"refresh\"", base.path(), 3600).unwrap();
    // Cut off at the first moment at which it waits.
    let waiting = app.token(None);
    assert!(futures_util::FutureExt::now_or_never(waiting).is_none());
    let kept = || std::fs::read_to_string(base.path().join("refresh")).unwrap();
    for _ in 0..10_000 {
        if kept().contains("access-1") {
            break;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    assert!(kept().contains("access-1"), "{}", kept());
    assert_eq!(token(&app).await, "access-1");
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_form_asks_for_a_token_and_the_next_refresh_token_is_kept() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("refresh"), "first\n").unwrap();
    let more = "refresh_token_file = \"refresh\"\nscope = \"mail offline\"";
    let (app, server, _) = opened(more, base.path(), 3600).unwrap();
    assert_eq!(token(&app).await, "access-1");
    let refused = SecretString::from("access-1");
    let next = app.token(Some(&refused)).await.unwrap();
    assert_eq!(next.expose_secret(), "access-2");
    assert_eq!(
        *server.asked.lock().unwrap(),
        [
            "grant_type=refresh_token&client_id=app&refresh_token=first&scope=mail+offline",
            "grant_type=refresh_token&client_id=app&refresh_token=refresh-1&scope=mail+offline",
        ]
    );
    // A process of its own finds both.
    let (other, server, _) = opened(more, base.path(), 3600).unwrap();
    assert_eq!(token(&other).await, "access-2");
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let base = tempfile::tempdir().unwrap();
    for (lasts, good_secs) in [(3600, 3300), (120, 60), (0, 3300)] {
        std::fs::write(base.path().join("refresh"), "first").unwrap();
        let more = "refresh_token_file = \"refresh\"";
        let (app, _, clock) = opened(more, base.path(), lasts).unwrap();
        let start: Timestamp = START.parse().unwrap();
        assert_eq!(token(&app).await, "access-1");
        clock.move_to(start + SignedDuration::from_secs(good_secs - 1));
        assert_eq!(token(&app).await, "access-1", "{lasts}");
        clock.move_to(start + SignedDuration::from_secs(good_secs + 1));
        assert_eq!(token(&app).await, "access-2", "{lasts}");
    }
}

#[tokio::test]
async fn without_a_file_the_next_refresh_token_lasts_as_long_as_the_process() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("refresh"), "first").unwrap();
    let (mut app, server, clock) =
        opened("refresh_token_file = \"refresh\"", base.path(), 600).unwrap();
    // A file that is only read stands for a variable, which a test must not set.
    Arc::get_mut(&mut app).unwrap().grant = Grant::Env(Named {
        table: app.table.clone(),
        keys: ("refresh_token_env", "refresh_token_file"),
        env: None,
        file: Some("refresh".into()),
        base: base.path().to_path_buf(),
    });
    assert_eq!(token(&app).await, "access-1");
    clock.move_to("2026-11-23T09:00:00Z".parse().unwrap());
    assert_eq!(token(&app).await, "access-2");
    let asked = server.asked.lock().unwrap();
    assert!(asked[0].contains("refresh_token=first") && asked[1].contains("=refresh-1"));
    let kept = std::fs::read_to_string(base.path().join("refresh")).unwrap();
    assert_eq!(kept, "first");
}

#[test]
fn a_table_that_cannot_be_right_says_why() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("refresh"), "geheim").unwrap();
    let named = "refresh_token_file = \"refresh\"";
    for (more, expected) in [
        ("", "names no token: set refresh_token_env"),
        (
            "refresh_token_env = \"NO_SUCH_TOKEN\"",
            "NO_SUCH_TOKEN is not set",
        ),
        (
            "refresh_token_env = \"A\"\nrefresh_token_file = \"refresh\"",
            "keep one",
        ),
        (
            "refresh_token_file = \"refresh\"\nclient_secret_file = \"none\"",
            "cannot read",
        ),
    ] {
        let error = format!("{:#}", opened(more, base.path(), 1).err().unwrap());
        assert!(error.contains(expected), "{error}");
        assert!(
            error.contains("connectors.inbox.oauth") && !error.contains("geheim"),
            "{error}"
        );
    }
    let http = Http::new(Default::default(), Default::default());
    for (url, expected) in [
        ("http://mail.example.org/token", "must be an https"),
        ("here", "is no address"),
    ] {
        let table = format!("token_url = {url:?}\nclient_id = \"app\"\n{named}");
        let config: OAuthConfig = toml::from_str(&table).unwrap();
        let error = config.open("inbox", "connectors.inbox", base.path(), &http);
        assert!(error.err().unwrap().to_string().contains(expected));
    }
}
