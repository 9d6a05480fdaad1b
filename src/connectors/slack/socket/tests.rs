//! Sockets, against a server on loopback that hands them out, takes them back and breaks them.

use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

use super::super::SlackConfig;
use super::super::fake::{APP_TOKEN, Fake, Fault};
use super::*;
use crate::clock::Clock;
use crate::http::{Http, Options};

type Peer = WebSocketStream<TcpStream>;

/// A workspace whose sockets the test serves, and a daybrief that listens to it.
struct Here {
    fake: Fake,
    is_open: Arc<AtomicBool>,
    listener: TcpListener,
    pushes: mpsc::UnboundedReceiver<Push>,
    /// The presses that were kept; `None` once nothing can be kept any more.
    kept: Arc<Mutex<Option<Vec<String>>>>,
    token: CancellationToken,
    listening: tokio::task::JoinHandle<()>,
}

const SOON: Duration = Duration::from_secs(20);

impl Here {
    async fn new(faults: &[Fault]) -> Here {
        let fake = Fake::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        fake.get().socket_url = format!("ws://{}", listener.local_addr().unwrap());
        for fault in faults {
            fake.fail("apps.connections.open", *fault);
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app"), APP_TOKEN).unwrap();
        let config: SlackConfig = toml::from_str(&format!(
            "app_token_file = \"app\"\napi_url = \"{}\"",
            fake.url
        ))
        .unwrap();
        let options = Options {
            is_paced: false,
            attempts: 1,
            ..Options::default()
        };
        let http = Http::new(options, Clock::System);
        let client = config
            .app_client(&"office".into(), dir.path(), &http)
            .unwrap()
            .unwrap();
        let (push, pushes) = mpsc::unbounded_channel();
        let kept = Arc::new(Mutex::new(Some(Vec::new())));
        let keeping = kept.clone();
        let keeper: Keeper = Arc::new(move |click: &Click| {
            let (keeping, id) = (keeping.clone(), click.id.clone());
            Box::pin(async move {
                let mut kept = keeping.lock().unwrap();
                kept.as_mut().context("the disk is full")?.push(id);
                Ok(())
            })
        });
        let (token, is_open) = (CancellationToken::new(), Arc::<AtomicBool>::default());
        let back_off = BackOff {
            first: Duration::from_millis(5),
            longest: Duration::from_millis(20),
        };
        let listening = tokio::spawn(listen(
            client,
            back_off,
            (keeper, push),
            is_open.clone(),
            token.clone(),
        ));
        Here {
            fake,
            is_open,
            listener,
            pushes,
            kept,
            token,
            listening,
        }
    }

    /// Serves the next socket that is opened; it has not said hello yet.
    async fn accept(&self) -> Peer {
        let (stream, _) = timeout(SOON, self.listener.accept())
            .await
            .expect("a socket is opened")
            .unwrap();
        accept_async(stream).await.unwrap()
    }

    async fn next(&mut self) -> Push {
        timeout(SOON, self.pushes.recv())
            .await
            .expect("something is pushed")
            .unwrap()
    }
}

async fn tell(peer: &mut Peer, envelope: Value) {
    peer.send(Message::text(envelope.to_string()))
        .await
        .unwrap();
}

async fn hello(peer: &mut Peer) {
    tell(peer, json!({ "type": "hello", "num_connections": 1 })).await;
}

/// Sends an event about a channel.
async fn event(peer: &mut Peer, envelope: &str, event: &str, channel: &str) {
    let payload = json!({ "event_id": event, "event": { "type": "message", "channel": channel, "ts": "5.0" } });
    tell(peer, json!({ "type": "events_api", "envelope_id": envelope, "payload": payload, "accepts_response_payload": false })).await;
}

/// Returns the id of the envelope that is acknowledged next.
async fn ack(peer: &mut Peer) -> String {
    loop {
        let frame = timeout(SOON, peer.next())
            .await
            .expect("an envelope is acknowledged")
            .unwrap()
            .unwrap();
        if let Message::Text(text) = frame {
            let ack: Value = serde_json::from_str(&text).unwrap();
            return ack["envelope_id"].as_str().unwrap().to_owned();
        }
    }
}

fn happened(channel: &str) -> Push {
    Push::Happened(Some(channel.into()))
}

#[tokio::test]
async fn each_envelope_is_acknowledged_and_each_event_counts_once() {
    let mut here = Here::new(&[]).await;
    let mut peer = here.accept().await;
    hello(&mut peer).await;
    assert_eq!(
        here.next().await,
        Push::Happened(None),
        "what was before is read"
    );
    for (envelope, id, channel) in [
        ("e1", "Ev1", "C1"),
        ("e2", "Ev1", "C1"),
        ("e3", "Ev2", "C2"),
    ] {
        event(&mut peer, envelope, id, channel).await;
        assert_eq!(ack(&mut peer).await, envelope);
    }
    tell(
        &mut peer,
        json!({ "type": "surprise", "envelope_id": "e4", "payload": 7 }),
    )
    .await;
    assert_eq!(
        ack(&mut peer).await,
        "e4",
        "what is not understood is not sent again and again"
    );
    assert_eq!(here.next().await, happened("C1"));
    assert_eq!(here.next().await, happened("C2"));
    here.token.cancel();
    timeout(SOON, here.listening)
        .await
        .expect("it stops")
        .unwrap();
}

#[tokio::test]
async fn the_next_socket_is_up_before_the_old_one_is_left_and_both_are_heard() {
    let mut here = Here::new(&[]).await;
    let mut old = here.accept().await;
    hello(&mut old).await;
    assert_eq!(here.next().await, Push::Happened(None));
    tell(
        &mut old,
        json!({ "type": "disconnect", "reason": "refresh_requested" }),
    )
    .await;
    let mut new = here.accept().await;
    // The new one has not said hello: the old one is still the only one.
    event(&mut old, "e1", "Ev1", "C1").await;
    assert_eq!(ack(&mut old).await, "e1");
    assert_eq!(here.next().await, happened("C1"));
    hello(&mut new).await;
    assert_eq!(
        here.next().await,
        Push::Happened(None),
        "what fell between the two is read"
    );
    // What was on its way to the old one, and came by the new one too.
    event(&mut old, "e2", "Ev2", "C2").await;
    assert_eq!(ack(&mut old).await, "e2");
    event(&mut new, "e3", "Ev2", "C2").await;
    assert_eq!(ack(&mut new).await, "e3");
    event(&mut new, "e4", "Ev3", "C3").await;
    assert_eq!(ack(&mut new).await, "e4");
    assert_eq!(here.next().await, happened("C2"));
    assert_eq!(here.next().await, happened("C3"));
    assert_eq!(here.fake.get().sockets_opened, 2);
}

#[tokio::test]
async fn a_socket_that_cannot_be_opened_or_breaks_is_opened_again() {
    let refused = Fault::Refusal("internal_error");
    let mut here = Here::new(&[refused, Fault::Status(500, ""), refused]).await;
    let mut first = here.accept().await;
    assert!(!here.is_open.load(Ordering::SeqCst));
    // One that says something else than hello is none.
    tell(&mut first, json!({ "type": "goodbye" })).await;
    let mut second = here.accept().await;
    hello(&mut second).await;
    assert_eq!(here.next().await, Push::Happened(None));
    assert!(
        here.is_open.load(Ordering::SeqCst),
        "now there may be buttons"
    );
    drop(second);
    let mut third = here.accept().await;
    hello(&mut third).await;
    assert_eq!(here.next().await, Push::Happened(None));
    event(&mut third, "e1", "Ev1", "C1").await;
    assert_eq!(ack(&mut third).await, "e1");
    assert_eq!(here.next().await, happened("C1"));
    tell(
        &mut third,
        json!({ "type": "disconnect", "reason": "link_disabled" }),
    )
    .await;
    let mut fourth = here.accept().await;
    hello(&mut fourth).await;
    assert_eq!(here.next().await, Push::Happened(None));
}

/// Presses a button.
async fn press(peer: &mut Peer, envelope: &str, id: &str) {
    let button = json!({ "type": "button", "action_id": "done", "block_id": "line-1", "value": "k", "action_ts": id });
    let payload = json!({ "type": "block_actions", "user": { "id": "UANA" }, "trigger_id": id, "actions": [button] });
    tell(
        peer,
        json!({ "type": "interactive", "envelope_id": envelope, "payload": payload }),
    )
    .await;
}

#[tokio::test]
async fn a_press_is_kept_before_it_is_acknowledged_and_one_that_is_not_kept_never_is() {
    let mut here = Here::new(&[]).await;
    let mut peer = here.accept().await;
    hello(&mut peer).await;
    here.next().await;
    press(&mut peer, "e1", "1.1").await;
    assert_eq!(ack(&mut peer).await, "e1");
    assert_eq!(*here.kept.lock().unwrap(), Some(vec!["1.1".to_owned()]));
    assert!(matches!(here.next().await, Push::Clicked(click) if click.id == "1.1"));

    *here.kept.lock().unwrap() = None;
    press(&mut peer, "e2", "1.2").await;
    event(&mut peer, "e3", "Ev3", "C1").await;
    assert_eq!(ack(&mut peer).await, "e3", "what follows is heard");
    assert_eq!(here.next().await, happened("C1"));

    // Slack sends it again, and there is room by now.
    *here.kept.lock().unwrap() = Some(Vec::new());
    press(&mut peer, "e2", "1.2").await;
    assert_eq!(ack(&mut peer).await, "e2");
    assert!(matches!(here.next().await, Push::Clicked(click) if click.id == "1.2"));
    here.token.cancel();
}

#[test]
fn waits_grow_up_to_their_bound() {
    let back_off = BackOff::default();
    for (failures, longest) in [(1, 1), (2, 2), (5, 16), (20, 300), (90, 300)] {
        let wait = back_off.wait(failures);
        let longest = Duration::from_secs(longest);
        assert!(
            wait <= longest && wait >= longest / 2,
            "{failures}: {wait:?}"
        );
    }
}

#[test]
fn an_event_is_remembered_among_many() {
    let seen = Seen::default();
    assert!(seen.is_new("a") && !seen.is_new("a"));
    for id in 0..REMEMBERED {
        assert!(seen.is_new(&id.to_string()));
    }
    assert!(seen.is_new("a"), "and forgotten in the end");
    assert!(!seen.is_new(&(REMEMBERED - 1).to_string()));
}
