//! The stack as a whole: over a scripted transport on paused time, and over the network on loopback.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap as Headers, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower::service_fn;

use super::*;

const QUICK: Pace = Pace {
    every: Duration::ZERO,
    burst: 1,
    at_once: 9,
};

/// What the scripted transport does with one attempt.
enum Turn {
    Say(u16, &'static [(&'static str, &'static str)]),
    /// 429 for half a minute, for Jira's reason.
    Limited(&'static str),
    Break,
    Hang,
}
use Turn::{Break, Hang, Say};

/// When each attempt came, in milliseconds.
type Attempts = Arc<Mutex<Vec<u128>>>;

fn scripted(turns: Vec<Turn>, options: Options) -> (Http, Attempts) {
    let script = Arc::new(Mutex::new(VecDeque::from(turns)));
    let (attempts, begun) = (Attempts::default(), Instant::now());
    let seen = attempts.clone();
    let transport = service_fn(move |_: Call| {
        seen.lock().unwrap().push(begun.elapsed().as_millis());
        let turn = script.lock().unwrap().pop_front();
        async move {
            match turn.expect("no attempt comes after the script's end") {
                Say(status, pairs) => Ok(Answer {
                    status: StatusCode::from_u16(status).unwrap(),
                    headers: pairs
                        .iter()
                        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                        .collect(),
                    body: Bytes::new(),
                }),
                Turn::Limited(reason) => Ok(Answer {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    headers: [("retry-after", "30"), ("ratelimit-reason", reason)]
                        .into_iter()
                        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                        .collect(),
                    body: Bytes::new(),
                }),
                Break => Err(HttpError::Unreachable {
                    host: "api.example".into(),
                    reason: "reset".into(),
                }),
                Hang => std::future::pending().await,
            }
        }
    });
    let clock = Clock::simulated("2026-11-23T08:00:00Z".parse().unwrap());
    (Http::over(transport, options, clock), attempts)
}

fn call(effect: Effect) -> Call {
    let url = Url::parse("https://api.example/things?token=geheim").unwrap();
    Call::get("office", "things.list", Scope::new("office", QUICK), url).effect(effect)
}

async fn check(turns: Vec<Turn>, effect: Effect, expected: Result<u16, &str>, attempts: usize) {
    let count = turns.len();
    let (http, seen) = scripted(turns, Options::default());
    let answer = http.send(call(effect)).await;
    let answer = answer
        .map(|answer| answer.status.as_u16())
        .map_err(|error| error.to_string());
    assert_eq!(
        answer.as_ref().map_err(String::as_str),
        expected.as_ref().map_err(|text| *text)
    );
    assert_eq!(seen.lock().unwrap().len(), attempts, "of {count}");
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_and_a_write_only_when_it_was_refused_or_has_a_key() {
    use Effect::{KeyedWrite, Read, Write};
    let reset = Err("api.example cannot be reached: reset");
    for (effect, attempts) in [(Read, 3), (KeyedWrite, 3)] {
        check(
            vec![Say(500, &[]), Break, Say(200, &[])],
            effect,
            Ok(200),
            attempts,
        )
        .await;
        check(vec![Hang, Say(503, &[]), Say(204, &[])], effect, Ok(204), 3).await;
    }
    check(vec![Say(500, &[])], Write, Ok(500), 1).await;
    check(vec![Break], Write, reset, 1).await;
    check(
        vec![Hang],
        Write,
        Err("api.example did not answer within 20 s"),
        1,
    )
    .await;
    check(vec![Say(429, &[]), Say(200, &[])], Write, Ok(200), 2).await;
    for status in [200, 304, 400, 401, 404, 422] {
        check(vec![Say(status, &[])], Read, Ok(status), 1).await;
    }
    let down = || (0..5).map(|_| Say(502, &[])).collect();
    check(down(), Read, Ok(502), 5).await;
    check((0..5).map(|_| Break).collect(), Read, reset, 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_kept_by_every_call_of_the_scope_and_by_no_other() {
    let turns = vec![
        Say(429, &[("retry-after", "30")]),
        Say(200, &[]),
        Say(200, &[]),
        Say(200, &[]),
    ];
    let (http, seen) = scripted(turns, Options::default());
    let mut elsewhere = call(Effect::Read);
    elsewhere.scope.name = "office/other".into();
    let first = http.send(call(Effect::Read));
    let others = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        tokio::join!(http.send(call(Effect::Read)), http.send(elsewhere))
    };
    let (first, (second, third)) = tokio::join!(first, others);
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert_eq!(*seen.lock().unwrap(), [0, 1_000, 30_000, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn points_of_an_hour_that_are_used_up_pause_every_scope_of_the_connector_and_a_burst_does_not()
 {
    for (reason, is_shared) in [
        ("jira-quota-global-based", true),
        ("jira-quota-tenant-based", true),
        ("jira-burst-based", false),
        ("jira-per-issue-on-write", false),
    ] {
        let turns = vec![
            Turn::Limited(reason),
            Say(200, &[]),
            Say(200, &[]),
            Say(200, &[]),
        ];
        let (http, seen) = scripted(turns, Options::default());
        let (mut elsewhere, mut another) = (call(Effect::Read), call(Effect::Read));
        elsewhere.scope.name = "office/other".into();
        another.scope.name = "hall".into();
        another.connector = "hall".into();
        let others = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tokio::join!(http.send(elsewhere), http.send(another))
        };
        let (first, (second, third)) = tokio::join!(http.send(call(Effect::Read)), others);
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        let begun = seen.lock().unwrap().clone();
        let expected = match is_shared {
            true => [0, 1_000, 30_000, 30_000],
            false => [0, 1_000, 1_000, 30_000],
        };
        assert_eq!(begun, expected, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_used_up_stops_the_next_call_before_it_is_sent() {
    let used: &[(&str, &str)] = &[
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795422600"),
    ];
    let (http, seen) = scripted(vec![Say(200, used), Say(200, &[])], Options::default());
    assert_eq!(http.send(call(Effect::Read)).await.unwrap().status, 200);
    let reset: Timestamp = Timestamp::from_second(1_795_422_600).unwrap();
    let wait = reset.duration_since(http.clock().now()).as_secs();
    assert!((600..3_600).contains(&wait), "{wait}");
    let paused = http.send(call(Effect::Read)).await.unwrap_err();
    assert_eq!(
        paused,
        HttpError::Paused {
            host: "api.example".into(),
            until: reset
        }
    );
    assert_eq!(seen.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_secs(wait as u64)).await;
    assert!(http.send(call(Effect::Read)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_patience_is_an_error_with_the_time() {
    let (http, seen) = scripted(
        vec![Say(429, &[("retry-after", "600")])],
        Options::default(),
    );
    let error = http.send(call(Effect::Read)).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "api.example allows no further calls before 2026-11-23T08:10:00Z"
    );
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn back_off_stays_below_its_bounds_and_within_the_patience() {
    for _ in 0..20 {
        let (http, seen) = scripted((0..5).map(|_| Say(503, &[])).collect(), Options::default());
        http.send(call(Effect::Read)).await.unwrap();
        let seen = seen.lock().unwrap().clone();
        for (number, pair) in seen.windows(2).enumerate() {
            let bound = 500 << number;
            assert!(pair[1] - pair[0] <= bound + 1, "{seen:?}");
        }
    }
    let short = Options {
        patience: Duration::from_secs(45),
        ..Options::default()
    };
    let (http, seen) = scripted((0..5).map(|_| Hang).collect(), short);
    assert!(http.send(call(Effect::Read)).await.is_err());
    assert!(seen.lock().unwrap().len() <= 4, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn no_minute_holds_more_calls_than_its_limit() {
    for limit in [1, 3, 20, 50, 100] {
        let (http, seen) = scripted(
            (0..limit * 3).map(|_| Say(200, &[])).collect(),
            Options::default(),
        );
        let paced = || {
            let mut paced = call(Effect::Read);
            paced.scope.pace = Pace::per_minute(limit);
            paced
        };
        let all = (0..limit * 3).map(|_| http.send(paced()));
        for answer in futures_util::future::join_all(all).await {
            answer.unwrap();
        }
        let seen = seen.lock().unwrap().clone();
        for from in &seen {
            let within = seen
                .iter()
                .filter(|at| **at >= *from && **at < from + 60_000);
            assert!(
                within.count() <= limit as usize,
                "{limit} a minute: {seen:?}"
            );
        }
        let minutes = seen.last().unwrap() / 60_000;
        assert!(minutes <= 4, "{limit} a minute took {minutes} min");
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_calls_of_a_scope_are_on_their_way() {
    let on_their_way = Arc::new(Mutex::new((0, 0)));
    let counted = on_their_way.clone();
    let transport = service_fn(move |_: Call| {
        let counted = counted.clone();
        async move {
            {
                let mut count = counted.lock().unwrap();
                count.0 += 1;
                count.1 = count.1.max(count.0);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            counted.lock().unwrap().0 -= 1;
            Ok(Answer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            })
        }
    });
    let http = Http::over(transport, Options::default(), Clock::System);
    let mut three = call(Effect::Read);
    three.scope.pace = QUICK.at_once(3);
    let all = (0..10).map(|_| http.send(three.clone()));
    futures_util::future::join_all(all).await;
    assert_eq!(on_their_way.lock().unwrap().1, 3);
}

#[test]
fn a_call_shows_no_secret() {
    let call = call(Effect::Read)
        .credentials("Bearer xoxb-geheim")
        .unwrap()
        .form(&[("token", "geheim & more")]);
    assert_eq!(call.body, "token=geheim+%26+more");
    assert_eq!(call.url.query(), Some("token=geheim"));
    let shown = format!("{call:?} {:?}", call.headers);
    assert!(!shown.contains("geheim"), "{shown}");
    let error = call.credentials("Bearer geheim\n").unwrap_err();
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[test]
fn a_refusal_carries_the_servers_own_words_and_a_broken_answer_none_of_the_text() {
    let answer = |status: u16, body: &'static str| Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    };
    let refused = answer(404, r#"{"message":"Not Found"}"#).accepted("issues.list");
    assert_eq!(
        refused.unwrap_err().to_string(),
        "issues.list was refused with 404 Not Found: Not Found"
    );
    assert_eq!(
        answer(502, "<html>").accepted("x").unwrap_err().to_string(),
        "x was refused with 502 Bad Gateway"
    );
    for body in [r#"{"secret"#, r#"["secret"]"#, "secret"] {
        let error = answer(200, body).json::<Vec<u8>>("x").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

/// Starts a server on loopback and returns its address.
async fn serve(routes: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Url::parse(&format!("http://{address}")).unwrap()
}

fn network() -> Http {
    let options = Options {
        attempt_timeout: Duration::from_millis(1_500),
        attempts: 3,
        back_off: Duration::from_millis(5),
        max_bytes: 1_000,
        ..Options::default()
    };
    Http::new(options, Clock::System)
}

fn to(base: &Url, path: &str) -> Call {
    let url = base.join(path).unwrap();
    Call::get("office", path, Scope::new("office", QUICK), url)
        .credentials("Bearer geheim")
        .unwrap()
}

#[tokio::test]
async fn credentials_follow_a_redirect_only_on_the_same_host() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    let elsewhere = serve(Router::new().fallback(any(move |headers: Headers| {
        note.lock().unwrap().push(headers);
        ready("caught")
    })))
    .await;
    let away = elsewhere.clone();
    let here = serve(
        Router::new()
            .route("/moved", get(|| ready(Redirect::permanent("/new?a=b"))))
            .route(
                "/new",
                get(|uri: Uri, headers: Headers| {
                    ready(format!("{uri} {:?}", headers["authorization"]))
                }),
            )
            .route(
                "/away",
                any(move || ready(Redirect::temporary(away.as_str()))),
            )
            .route("/round", get(|| ready(Redirect::temporary("/round")))),
    )
    .await;
    let http = network();
    let answer = http.send(to(&here, "/moved")).await.unwrap();
    assert_eq!(answer.body, "/new?a=b \"Bearer geheim\"");
    let port = elsewhere.port().unwrap();
    for call in [
        to(&here, "/away"),
        to(&here, "/away").form(&[("token", "geheim")]),
    ] {
        let error = http.send(call).await.unwrap_err();
        let HttpError::Redirected { to, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*to, format!("127.0.0.1:{port}"));
    }
    assert!(http.send(to(&here, "/round")).await.is_err());
    assert!(
        seen.lock().unwrap().is_empty(),
        "the other host heard nothing"
    );
}

#[tokio::test]
async fn an_answer_may_not_be_larger_than_the_limit_however_it_is_packed() {
    fn zeros(packed: bool) -> Response {
        let zeros = vec![b'0'; 5_000];
        if !packed {
            let pieces = zeros
                .chunks(500)
                .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
            let pieces: Vec<_> = pieces.collect();
            return Body::from_stream(futures_util::stream::iter(pieces)).into_response();
        }
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&zeros).unwrap();
        let body = gzip.finish().unwrap();
        assert!(body.len() < 1_000);
        ([("content-encoding", "gzip")], body).into_response()
    }
    let here = serve(
        Router::new()
            .route("/told", get(|| ready("0".repeat(5_000))))
            .route("/untold", get(|| ready(zeros(false))))
            .route("/packed", get(|| ready(zeros(true))))
            .route("/small", get(|| ready("0".repeat(1_000)))),
    )
    .await;
    let http = network();
    for path in ["/told", "/untold", "/packed"] {
        let error = http.send(to(&here, path)).await.unwrap_err();
        assert!(
            matches!(error, HttpError::TooLarge { limit: 1_000, .. }),
            "{path}: {error}"
        );
    }
    let small = http.send(to(&here, "/small")).await.unwrap();
    assert_eq!(small.body.len(), 1_000);
}

#[tokio::test]
async fn a_body_that_is_cut_or_slow_is_asked_for_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut hanging = Vec::new();
        for (number, body) in ["hel", "hel", "hello"].into_iter().enumerate() {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let _ = socket.read(&mut request).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n";
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(body.as_bytes()).await.unwrap();
            if number == 1 {
                hanging.push(socket);
            }
        }
    });
    let base = Url::parse(&format!("http://{address}")).unwrap();
    let answer = network().send(to(&base, "/x")).await.unwrap();
    assert_eq!(answer.body, "hello");
    server.await.unwrap();
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named_without_the_query() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let base = Url::parse(&format!("http://{address}")).unwrap();
    let call = to(&base, "/x").query("token", "geheim");
    let error = network().send(call).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains(&address.to_string()) && !shown.contains("geheim"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_model_client_goes_through_the_stack() {
    use async_openai::Client;
    use async_openai::config::OpenAIConfig;
    use async_openai::types::chat::CreateChatCompletionRequestArgs;

    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = asked.clone();
    let server = serve(Router::new().route(
        "/v1/chat/completions",
        any(move |headers: Headers, body: String| {
            let mut asked = note.lock().unwrap();
            asked.push((headers["authorization"].clone(), body));
            ready(match asked.len() {
                1 => StatusCode::BAD_GATEWAY.into_response(),
                _ => r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hello"}}]}"#.into_response(),
            })
        }),
    ))
    .await;
    let config = OpenAIConfig::new()
        .with_api_base(format!("{server}v1"))
        .with_api_key("geheim");
    let scope = Scope::new("llm", QUICK);
    let client = Client::with_config(config).with_http_service(openai::Through::new(
        network(),
        "llm",
        scope,
    ));
    let request = CreateChatCompletionRequestArgs::default()
        .model("m")
        .messages([])
        .build()
        .unwrap();
    let answer = client.chat().create(request).await.unwrap();
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("hello"));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "the first answer was a 502");
    assert_eq!(asked[0].0, "Bearer geheim");
    assert_eq!(asked[0].1, asked[1].1);
}
