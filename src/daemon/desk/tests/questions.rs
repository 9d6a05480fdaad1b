//! Questions in the conversation with us: who is answered, from what, and how often.

use super::*;
use crate::ask::Answering;
use crate::model::EventId;

/// The workspace with something private of Bo's in it, all of it in an index.
struct Asked {
    here: Here,
    desk: Desk,
    everybody: watch::Sender<Arc<Roster>>,
    _dir: tempfile::TempDir,
}

impl Asked {
    async fn new() -> Asked {
        let mut here = Here::new(true).await;
        here.fake.channel("G1", "board");
        {
            let mut workspace = here.fake.get();
            workspace.scopes = "channels:read,channels:history,groups:read,groups:history,users:read,users:read.email,chat:write,im:write,im:history";
            workspace.page_size = 100;
            let channel = workspace.channels.get_mut("G1").unwrap();
            channel.is_private = true;
            channel.members = vec!["UBO".into(), "UDAYBRIEF".into()];
        }
        here.fake.post(
            "G1",
            &ts("2026-11-21T10:00:00Z"),
            "UBO",
            "The ferry contract ends in March, the harbor office was told.",
        );
        here.sync().await;
        let dir = tempfile::tempdir().unwrap();
        let uuid = here.store.log_uuid().unwrap();
        let index = Index::open(dir.path(), &uuid, daybrief_index::Options::default()).unwrap();
        ingest::follow::follow(&here.store, &index, &here.roster, |_, _| {}).unwrap();
        let (office, accounts) = (ConnectorId::new("office"), Accounts::default());
        for member in &here.roster.members {
            match &here.sinks[member.id.as_str()] {
                Sink::Slack(dm) => accounts.seat(&office, member, dm),
                other => panic!("{other:?}"),
            }
        }
        let everybody = watch::Sender::new(Arc::new(here.roster.clone()));
        let desk = Desk::new(
            here.store.clone(),
            here.clock.clone(),
            here.hints.clone(),
            office,
            accounts,
            (everybody.subscribe(), BTreeMap::new()),
        )
        .with_answers(Answering {
            index: Arc::new(index),
            roster: everybody.subscribe(),
            llm: None,
        });
        let asked = Asked {
            here,
            desk,
            everybody,
            _dir: dir,
        };
        for user in ["UANA", "UBO"] {
            asked.addressed(user).await;
        }
        asked
    }

    async fn addressed(&self, user: &str) {
        let user = user.to_owned();
        self.desk.take(Push::Addressed { user }).await.unwrap();
    }

    async fn asks(&self, user: &str, at: &str, text: &str) {
        let channel = format!("D{user}");
        self.here.fake.post(&channel, &ts(at), user, text);
        self.addressed(user).await;
    }

    /// What we said in the conversation with an account, oldest first.
    fn said_to(&self, user: &str) -> Vec<String> {
        let messages = self.here.messages(&format!("D{user}"));
        let ours = messages
            .iter()
            .filter(|message| message["bot_id"] == "BDAYBRIEF");
        ours.map(|message| message["blocks"].to_string()).collect()
    }
}

#[tokio::test]
async fn a_question_to_us_is_answered_once_and_a_remark_is_not() {
    let asked = Asked::new().await;
    let mut answers = 0;
    let cases = [
        ("11:00", "Thanks for the new timetable.", None),
        (
            "11:10",
            "Where is the new timetable?",
            Some("“The new timetable is on staging."),
        ),
        (
            "11:20",
            "What is the capital of Mongolia?",
            Some("Not found in your sources."),
        ),
        (
            "11:30",
            "ask where the new timetable is, &amp; <@UBO> knows",
            Some("“The new timetable is on staging."),
        ),
    ];
    for (time, text, expected) in cases {
        asked
            .asks("UANA", &format!("2026-11-22T{time}:00Z"), text)
            .await;
        asked.addressed("UANA").await;
        answers += usize::from(expected.is_some());
        let said = asked.said_to("UANA");
        assert_eq!(said.len(), answers, "{text}");
        if let Some(expected) = expected {
            assert!(
                said.iter().filter(|said| said.contains(expected)).count() >= 1,
                "{text}: {said:?}"
            );
        }
    }
    assert_eq!(asked.said_to("UBO"), [] as [&str; 0]);
}

#[tokio::test]
async fn whoever_asks_is_answered_from_what_they_may_read_and_in_their_own_conversation() {
    let asked = Asked::new().await;
    const QUESTION: &str = "When does the ferry contract end?";
    asked.asks("UANA", "2026-11-22T11:00:00Z", QUESTION).await;
    asked.asks("UBO", "2026-11-22T11:00:00Z", QUESTION).await;
    let (ana, bo) = (asked.said_to("UANA"), asked.said_to("UBO"));
    assert!(
        ana.len() == 1 && ana[0].contains("Not found in your sources."),
        "{ana:?}"
    );
    assert!(bo.len() == 1 && bo[0].contains("ends in March"), "{bo:?}");
    let posts: Vec<String> = asked
        .here
        .fake
        .get()
        .calls
        .iter()
        .filter(|(method, _)| method == "chat.postMessage")
        .map(|(_, body)| body["channel"].clone())
        .collect();
    assert_eq!(posts, ["DUANA", "DUBO"]);
}

#[tokio::test]
async fn nobody_is_answered_who_is_no_member_or_no_member_any_more() {
    let asked = Asked::new().await;
    asked.addressed("UCY").await;
    let mut roster = asked.here.roster.clone();
    for member in &mut roster.members {
        member.is_briefed &= member.id.as_str() != "ana";
    }
    asked.everybody.send_replace(Arc::new(roster));
    asked
        .asks(
            "UANA",
            "2026-11-22T11:00:00Z",
            "Where is the new timetable?",
        )
        .await;
    assert_eq!(asked.said_to("UANA"), [] as [&str; 0]);
    assert_eq!(asked.here.fake.calls_of("chat.postMessage"), 0);
}

#[tokio::test]
async fn questions_without_end_are_not_answered_without_end() {
    let asked = Asked::new().await;
    for minute in 0..32 {
        let at = format!("2026-11-22T11:{minute:02}:00Z");
        asked.asks("UANA", &at, "Where is the new timetable?").await;
    }
    let said = asked.said_to("UANA");
    let answered = said.iter().filter(|said| said.contains("staging")).count();
    let refused = said.iter().filter(|said| said.contains("too many")).count();
    assert_eq!((answered, refused), (30, 2));
    asked
        .here
        .clock
        .move_to("2026-11-22T13:00:00Z".parse().unwrap());
    asked
        .asks(
            "UANA",
            "2026-11-22T12:59:00Z",
            "Where is the new timetable?",
        )
        .await;
    let said = asked.said_to("UANA");
    assert_eq!(
        said.iter().filter(|said| said.contains("staging")).count(),
        31
    );
}

#[test]
fn a_quote_stands_while_its_message_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let asked = Asked::new().await;
        let office = ConnectorId::new("office");
        let id = EventId::new(&office, format!("C1:{}", ts("2026-11-20T10:00:00Z")));
        let stands = || {
            let ana = asked.here.roster.member(&MemberId::new("ana")).unwrap();
            let quoted = [(id.clone(), "The new timetable is on staging.".to_owned())];
            asked
                .here
                .store
                .read_now(|c| crate::ask::stands(c, &quoted, Some(ana)))
                .unwrap()
        };
        assert!(stands());
        let gone = "UPDATE events SET removed = 1 WHERE text LIKE '%timetable%'";
        asked
            .here
            .store
            .write_now(|c| Ok(c.execute(gone, [])?))
            .unwrap();
        assert!(!stands());
    });
}
