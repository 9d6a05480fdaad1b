//! Briefings as direct messages: sent once, and looked for before any second try.
//!
//! Slack takes no idempotency key. So each message carries the key in its metadata, nothing below sends a message again by
//! itself, and whoever is unsure asks [`Dm::find`] first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::api::{Client, History, SlackError};
use super::stand::Ts;
use crate::connectors::slack_export::lists::Lists;
use crate::connectors::slack_export::markup::to_markdown;
use crate::model::{ConnectorId, Heard, Inquiry, Verdict, Word};

/// Returns where a message is, for [`Dm::revise`]: `D…:ts`, and the root of the thread that it stands in.
pub fn place_of(channel: &str, message: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (ts, root) = (text(&message["ts"]), text(&message["thread_ts"]));
    match root.is_empty() || root == ts {
        true => format!("{channel}:{ts}"),
        false => format!("{channel}:{ts}:{root}"),
    }
}

/// The type of our metadata, by which our messages are told from others in the conversation.
const EVENT_TYPE: &str = "daybrief_briefing";
/// The type of what we say besides briefings.
const ANSWER_TYPE: &str = "daybrief_answer";
/// How far back a message is looked for; no briefing is tried for longer than a day.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(72);
/// What Slack says of a message that is not there any more, or not ours to edit.
const GONE: [&str; 5] = [
    "message_not_found",
    "thread_not_found",
    "channel_not_found",
    "cant_update_message",
    "edit_window_closed",
];
/// How many messages are looked through.
const LOOKED_AT: &str = "100";

/// The conversation of the app with one person.
#[derive(Clone, Debug)]
pub struct Dm {
    client: Client,
    user: String,
    has_buttons: Arc<AtomicBool>,
    /// The conversation's id, which never changes.
    channel: Arc<OnceCell<String>>,
}

/// One message to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// What a notification shows, in Slack's markup.
    pub text: String,
    /// The blocks.
    pub blocks: Vec<Value>,
}

/// Where a message goes.
#[derive(Clone, Copy)]
struct To<'a> {
    channel: &'a str,
    /// The message whose thread it goes into; empty for none.
    root: &'a str,
    kind: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Opened {
    channel: Place,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    ts: String,
}

impl Dm {
    /// Returns the conversation with an account; nothing is opened yet.
    pub fn new(client: Client, user: &str) -> Dm {
        Dm {
            client,
            user: user.to_owned(),
            has_buttons: Arc::default(),
            channel: Arc::default(),
        }
    }

    /// Returns the conversation with another account of the same person.
    #[must_use]
    pub fn with_account(&self, user: &str) -> Dm {
        Dm {
            user: user.to_owned(),
            channel: Arc::default(),
            ..self.clone()
        }
    }

    /// Returns the conversation with or without buttons: they are of use only where somebody hears them pressed.
    #[must_use]
    pub fn with_buttons(self, has_buttons: bool) -> Dm {
        self.while_open(Arc::new(AtomicBool::new(has_buttons)))
    }

    /// Returns the conversation with buttons for as long as a socket is open that hears them pressed.
    #[must_use]
    pub fn while_open(self, is_open: Arc<AtomicBool>) -> Dm {
        Dm {
            has_buttons: is_open,
            ..self
        }
    }

    /// Returns whether briefings here have buttons.
    pub fn has_buttons(&self) -> bool {
        self.has_buttons.load(Ordering::SeqCst)
    }

    /// Returns the workspace.
    pub fn connector(&self) -> &ConnectorId {
        self.client.connector()
    }

    /// Returns the account.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns what the person has said here since a mark: stop or start, what they ask, and how they vote on our last
    /// messages.
    ///
    /// # Errors
    /// When Slack cannot be asked.
    pub async fn hear(&self, after: &str) -> Result<Heard, SlackError> {
        let channel = self.open().await?;
        let recent = self.recent(&channel).await?;
        Ok(heard_in(
            &recent.messages,
            &self.user,
            &Ts(after.to_owned()),
        ))
    }

    /// Says something of our own, once a key.
    ///
    /// # Errors
    /// As [`Dm::send`].
    pub async fn say(&self, key: &str, post: &Post) -> Result<(), SlackError> {
        if self.find(key).await?.is_none() {
            self.send_as(key, std::slice::from_ref(post), ANSWER_TYPE)
                .await?;
        }
        Ok(())
    }

    /// Answers in the thread of a message, once a key.
    ///
    /// # Errors
    /// As [`Dm::send`].
    pub async fn answer(
        &self,
        channel: &str,
        root: &str,
        key: &str,
        post: &Post,
    ) -> Result<(), SlackError> {
        if self.has_part(channel, key, 0, root).await? {
            return Ok(());
        }
        let to = To {
            channel,
            root,
            kind: ANSWER_TYPE,
        };
        self.post(to, key, (0, 1), post).await?;
        Ok(())
    }

    /// Puts a message as it is to stand now in the place of the one that is there.
    ///
    /// # Errors
    /// When Slack cannot be reached or refuses.
    pub async fn update(&self, channel: &str, message: &Value) -> Result<(), SlackError> {
        let mut body = json!({ "channel": channel, "ts": message["ts"], "text": message["text"], "blocks": message["blocks"] });
        // By its metadata it is known as ours.
        if message["metadata"].is_object() {
            body["metadata"] = message["metadata"].clone();
        }
        let _: Sent = self.client.repeat("chat.update", &body).await?;
        Ok(())
    }

    /// Edits a message of ours that was sent earlier, from what it is at this moment; one that is gone is left alone.
    ///
    /// # Errors
    /// When Slack cannot be reached or refuses.
    pub async fn revise(
        &self,
        place: &str,
        revised: impl FnOnce(Value) -> Value + Send,
    ) -> Result<(), SlackError> {
        let mut parts = place.splitn(3, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (channel, ts, root) = (next(), next(), next());
        let done = async {
            let Some(message) = self.message_at(channel, ts, root).await? else {
                return Ok(());
            };
            let now = revised(message.clone());
            if now == message {
                return Ok(());
            }
            self.update(channel, &now).await
        };
        match done.await {
            Err(error) if GONE.contains(&error.word()) => Ok(()),
            other => other,
        }
    }

    /// Returns a message of the conversation, or of a thread in it.
    async fn message_at(
        &self,
        channel: &str,
        ts: &str,
        root: &str,
    ) -> Result<Option<Value>, SlackError> {
        let mut parameters = vec![
            ("channel", channel),
            ("oldest", ts),
            ("latest", ts),
            ("inclusive", "true"),
            ("limit", "10"),
            ("include_all_metadata", "true"),
        ];
        let method = if root.is_empty() {
            "conversations.history"
        } else {
            parameters.push(("ts", root));
            "conversations.replies"
        };
        let history: History = self.client.read(method, &parameters).await?;
        let mut messages = history.messages.into_iter();
        Ok(messages.find(|message| message["ts"] == ts))
    }

    /// Returns whether the person never had a briefing here.
    ///
    /// # Errors
    /// When Slack cannot be asked.
    pub async fn is_new(&self) -> Result<bool, SlackError> {
        let channel = self.open().await?;
        let parameters = [
            ("channel", channel.as_str()),
            ("limit", LOOKED_AT),
            ("include_all_metadata", "true"),
        ];
        let history: History = self
            .client
            .read("conversations.history", &parameters)
            .await?;
        let is_ours = |message: &Value| message["metadata"]["event_type"] == EVENT_TYPE;
        Ok(!history.messages.iter().any(is_ours))
    }

    /// Returns where the message with this key is, if it arrived: `D…:ts`.
    ///
    /// # Errors
    /// When Slack cannot be asked.
    pub async fn find(&self, key: &str) -> Result<Option<String>, SlackError> {
        let channel = self.open().await?;
        let found = self.recent(&channel).await?;
        let found = found
            .messages
            .iter()
            .find(|message| is_part(message, key, 0));
        Ok(
            found
                .map(|message| format!("{channel}:{}", message["ts"].as_str().unwrap_or_default())),
        )
    }

    /// Sends a briefing: the first message into the conversation, the others into its thread. Returns where it is.
    ///
    /// # Errors
    /// When the first message was refused, or nobody can say whether it arrived; [`Dm::find`] tells.
    pub async fn send(&self, key: &str, posts: &[Post]) -> Result<String, SlackError> {
        self.send_as(key, posts, EVENT_TYPE).await
    }

    async fn send_as(
        &self,
        key: &str,
        posts: &[Post],
        kind: &'static str,
    ) -> Result<String, SlackError> {
        let channel = self.open().await?;
        let mut root = String::new();
        for (part, post) in posts.iter().enumerate() {
            let to = To {
                channel: &channel,
                root: &root,
                kind,
            };
            let parts = (part, posts.len());
            if part == 0 {
                root = self.post(to, key, parts, post).await?;
                continue;
            }
            let first = self.post(to, key, parts, post).await;
            // The briefing as such is there, so what is left of it is worth a second try.
            if first.is_err() && !self.has_part(&channel, key, part, &root).await? {
                self.post(to, key, parts, post).await?;
            }
        }
        Ok(format!("{channel}:{root}"))
    }

    /// Returns the last messages of the conversation.
    async fn recent(&self, channel: &str) -> Result<History, SlackError> {
        let oldest = Ts::at(self.client.now()).before(LOOK_BACK);
        let parameters = [
            ("channel", channel),
            ("limit", LOOKED_AT),
            ("oldest", &oldest.0),
            ("include_all_metadata", "true"),
        ];
        self.client.read("conversations.history", &parameters).await
    }

    /// Opens the conversation, or finds the one that is open.
    async fn open(&self) -> Result<String, SlackError> {
        let opened = self.channel.get_or_try_init(async || {
            let body = json!({ "users": self.user });
            let opened: Opened = self.client.repeat("conversations.open", &body).await?;
            Ok::<_, SlackError>(opened.channel.id)
        });
        Ok(opened.await?.clone())
    }

    async fn post(
        &self,
        to: To<'_>,
        key: &str,
        (part, parts): (usize, usize),
        post: &Post,
    ) -> Result<String, SlackError> {
        let To {
            channel,
            root,
            kind,
        } = to;
        let mut body = json!({
            "channel": channel,
            "text": post.text,
            "blocks": post.blocks,
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": {
                "event_type": kind,
                "event_payload": { "key": key, "part": part, "parts": parts },
            },
        });
        if !root.is_empty() {
            body["thread_ts"] = json!(root);
        }
        let scope = format!("chat.postMessage/{channel}");
        let sent: Sent = self.client.write("chat.postMessage", &scope, &body).await?;
        Ok(sent.ts)
    }

    async fn has_part(
        &self,
        channel: &str,
        key: &str,
        part: usize,
        root: &str,
    ) -> Result<bool, SlackError> {
        let parameters = [
            ("channel", channel),
            ("ts", root),
            ("limit", LOOKED_AT),
            ("include_all_metadata", "true"),
        ];
        let history: History = self
            .client
            .read("conversations.replies", &parameters)
            .await?;
        Ok(history
            .messages
            .iter()
            .any(|message| is_part(message, key, part)))
    }
}

fn is_part(message: &Value, key: &str, part: usize) -> bool {
    let metadata = &message["metadata"];
    let payload = &metadata["event_payload"];
    let is_ours = metadata["event_type"] == EVENT_TYPE || metadata["event_type"] == ANSWER_TYPE;
    is_ours && payload["key"] == key && payload["part"] == part
}

/// Returns what a message asks: it ends with a question mark, or begins with "ask".
fn question_in(text: &str) -> Option<String> {
    // Names are of no use to a search that knows accounts by others; entities and brackets only disturb it.
    let (text, _) = to_markdown(text, &Lists::default(), &ConnectorId::new(""));
    let text = text.trim();
    let asked = text
        .get(..4)
        .filter(|word| word.eq_ignore_ascii_case("ask "));
    match asked {
        Some(word) => Some(text[word.len()..].trim().to_owned()).filter(|asked| !asked.is_empty()),
        None => text.ends_with(['?', '？', '؟']).then(|| text.to_owned()),
    }
}

/// Returns what a person says in the messages of their conversation with us, newest first as Slack lists them.
fn heard_in(messages: &[Value], user: &str, after: &Ts) -> Heard {
    let mut heard = Heard::default();
    for message in messages {
        let metadata = &message["metadata"];
        let key = metadata["event_payload"]["key"].as_str();
        if metadata["event_type"] == EVENT_TYPE
            && let Some(key) = key
        {
            heard.votes.push((key.to_owned(), vote_in(message, user)));
        }
        let ts = Ts(message["ts"].as_str().unwrap_or_default().to_owned());
        let is_theirs =
            message["user"] == user && message["bot_id"].is_null() && message["subtype"].is_null();
        if !is_theirs || ts <= *after {
            continue;
        }
        let text = question_in(message["text"].as_str().unwrap_or_default());
        heard.questions.extend(text.map(|text| Inquiry {
            at: ts.moment(),
            mark: ts.0.clone(),
            text,
        }));
        if heard.upto.is_empty() {
            heard.upto = ts.0;
        }
        heard.word = heard.word.or_else(|| Word::of(message["text"].as_str()?));
    }
    heard.questions.reverse();
    heard
}

/// Returns a person's vote on a message: their thumbs, in any color; both of them are none.
fn vote_in(message: &Value, user: &str) -> Option<Verdict> {
    let reactions = message["reactions"].as_array().into_iter().flatten();
    let theirs = reactions.filter(|reaction| {
        let mut users = reaction["users"].as_array().into_iter().flatten();
        users.any(|by| by == user)
    });
    let (mut up, mut down) = (false, false);
    for name in theirs.filter_map(|reaction| reaction["name"].as_str()) {
        match name.split("::").next().unwrap_or(name) {
            "+1" | "thumbsup" => up = true,
            "-1" | "thumbsdown" => down = true,
            _ => {}
        }
    }
    match (up, down) {
        (true, false) => Some(Verdict::Up),
        (false, true) => Some(Verdict::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use jiff::Timestamp;

    use super::super::fake::{Fake, Fault, TOKEN};
    use super::*;
    use crate::brief::Style;
    use crate::brief::deliver::{Delivering, Outcome, deliver};
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::http::{Http, Options};
    use crate::model::Member;
    use crate::roster::Roster;
    use crate::sinks::Sink;
    use crate::store::Store;

    struct Here {
        fake: Fake,
        _dir: tempfile::TempDir,
        store: Store,
        roster: Roster,
        sinks: BTreeMap<String, Sink>,
    }

    const MORNING: &str = "2026-11-23T08:00:00Z";

    impl Here {
        async fn new() -> Here {
            let fake = Fake::start().await;
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("token"), TOKEN).unwrap();
            let text = format!(
                "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n\
                 [connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napi_url = \"{}\"\n\
                 [members.ana]\nday_start = \"08:00\"\nhandles = {{ office = \"UANA\" }}\n",
                fake.url
            );
            let path = dir.path().join("daybrief.toml");
            std::fs::write(&path, text).unwrap();
            let config = Config::load(&path).unwrap();
            let now = at(MORNING);
            let options = Options {
                is_paced: false,
                back_off: std::time::Duration::from_millis(1),
                ..Options::default()
            };
            let http = Http::new(options, Clock::simulated(now));
            let members = config.members(now).unwrap();
            let sinks = members.iter().map(|member| {
                (
                    member.id.to_string(),
                    Sink::of(&config, &http, member).unwrap(),
                )
            });
            Here {
                fake,
                _dir: dir,
                store: Store::in_memory().unwrap(),
                sinks: sinks.collect(),
                roster: Roster::new(members, Vec::new(), Vec::new(), Vec::new()),
            }
        }

        fn dm(&self) -> Dm {
            match &self.sinks["ana"] {
                Sink::Slack(dm) => dm.clone(),
                other => panic!("{other:?}"),
            }
        }

        /// Delivers ana's briefing of the morning, this many minutes later.
        async fn deliver(&self, minutes: i64) -> Outcome {
            let style = Style::default();
            let with = Delivering {
                store: &self.store,
                roster: &self.roster,
                style: &style,
                quiet_line: true,
                gaps: &[],
                llm: None,
                taps: &Default::default(),
            };
            let member: &Member = &self.roster.members[0];
            let now = at(MORNING) + SignedDuration::from_mins(minutes);
            deliver(&with, member, &self.sinks["ana"], now)
                .await
                .unwrap()
        }

        fn messages(&self) -> Vec<Value> {
            let workspace = self.fake.get();
            let channel = workspace.channels.get("DUANA");
            channel
                .map(|channel| channel.messages.values().cloned().collect())
                .unwrap_or_default()
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn post(text: &str) -> Post {
        Post {
            text: text.into(),
            blocks: vec![json!({ "type": "rich_text", "elements": [] })],
        }
    }

    #[tokio::test]
    async fn a_briefing_is_one_message_with_its_key_and_without_previews() {
        let here = Here::new().await;
        assert_eq!(here.deliver(0).await, Outcome::Sent);
        assert_eq!(here.deliver(1).await, Outcome::Sent);
        let messages = here.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(
            messages[0]["metadata"]["event_payload"]["key"],
            "ana-2026-11-23"
        );
        assert!(
            messages[0]["blocks"]
                .to_string()
                .contains("This is daybrief"),
            "the first one says what it is"
        );
        let call = here
            .fake
            .get()
            .calls
            .iter()
            .find(|(method, _)| method == "chat.postMessage")
            .cloned();
        let (_, parameters) = call.unwrap();
        assert_eq!(
            (
                parameters["unfurl_links"].as_str(),
                parameters["unfurl_media"].as_str()
            ),
            ("false", "false")
        );

        let found = here.dm().find("ana-2026-11-23").await.unwrap();
        assert_eq!(
            found,
            Some(format!("DUANA:{}", messages[0]["ts"].as_str().unwrap()))
        );
        assert_eq!(here.dm().find("ana-2026-11-24").await.unwrap(), None);
        assert_eq!(here.deliver(24 * 60).await, Outcome::Sent);
        let next = here.messages()[1]["blocks"].to_string();
        assert!(!next.contains("This is daybrief"), "it says so only once");
    }

    #[tokio::test]
    async fn whatever_is_lost_on_the_way_there_is_exactly_one_message() {
        use Fault::{AnswerLost, Cut, Refusal, Status};
        let cases: &[&[(&'static str, Fault)]] = &[
            &[("chat.postMessage", AnswerLost)],
            &[("chat.postMessage", Status(500, ""))],
            &[("chat.postMessage", Cut)],
            &[("chat.postMessage", Status(429, "0.01"))],
            &[("chat.postMessage", Refusal("internal_error"))],
            &[("conversations.open", Status(503, "0"))],
            &[("conversations.open", Refusal("user_disabled"))],
        ];
        for faults in cases {
            let here = Here::new().await;
            for (method, fault) in *faults {
                here.fake.fail(method, *fault);
            }
            let mut outcome = here.deliver(0).await;
            let mut minutes = 0;
            while let Outcome::TryAgain(_) = outcome {
                minutes += 31;
                assert!(minutes < 300, "{faults:?}");
                outcome = here.deliver(minutes).await;
            }
            assert_eq!(outcome, Outcome::Sent, "{faults:?}");
            assert_eq!(here.messages().len(), 1, "{faults:?}");
        }
    }

    #[tokio::test]
    async fn a_message_that_nobody_could_look_for_at_first_is_found_later() {
        let here = Here::new().await;
        here.fake.fail("chat.postMessage", Fault::AnswerLost);
        // The conversation is looked at once before the message; the look after it fails.
        here.fake
            .fail_after("conversations.history", 1, Fault::Refusal("internal_error"));
        assert!(matches!(here.deliver(0).await, Outcome::TryAgain(_)));
        assert_eq!(here.deliver(31).await, Outcome::Sent);
        assert_eq!(here.messages().len(), 1);
        assert_eq!(here.fake.calls_of("chat.postMessage"), 1);
    }

    #[tokio::test]
    async fn what_is_too_long_goes_into_the_thread_once() {
        let here = Here::new().await;
        here.fake
            .fail_after("chat.postMessage", 1, Fault::AnswerLost);
        here.fake
            .fail_after("chat.postMessage", 2, Fault::Status(500, ""));
        let receipt = here
            .dm()
            .send("k", &[post("one"), post("two"), post("three")])
            .await
            .unwrap();
        let messages = here.messages();
        let texts: Vec<&str> = messages
            .iter()
            .map(|message| message["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["one", "two", "three"]);
        assert!(receipt.ends_with(messages[0]["ts"].as_str().unwrap()));
        for message in &messages[1..] {
            assert_eq!(message["thread_ts"], messages[0]["ts"]);
        }
    }

    #[test]
    fn a_sink_that_cannot_reach_a_member_is_named_when_the_config_is_read() {
        let base =
            "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n";
        let office = "[connectors.office]\ntype = \"slack\"\n";
        for (more, expected) in [
            (String::new(), "[sinks.dm]: there is no [connectors.office]"),
            (
                "[connectors.office]\ntype = \"mbox\"\n".into(),
                "must name a connector of type slack",
            ),
            (
                format!("{office}[members.ana]\n"),
                "members.ana has no handle at office",
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("daybrief.toml");
            std::fs::write(&path, format!("{base}{more}")).unwrap();
            let error = format!("{:#}", Config::load(Path::new(&path)).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
