//! Mail in and out, against a real Dovecot and a real SMTP server that `tests/mail/servers.sh` starts.
//!
//! Each test has accounts of its own, so that they can run side by side.

mod contents;
mod door;
mod folders;
mod round;
mod tokens;
mod unreadable;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use daybrief::connectors::{AnySource, ConnectorConfig, Cursor, Fact, Source};
use daybrief::http::Http;
use daybrief::model::{Audience, Event, EventKind, MemberId};
use daybrief::store::Store;
use daybrief::store::deliveries::{self, State};

/// The servers.
struct Servers {
    dir: PathBuf,
    env: BTreeMap<String, String>,
}

impl Servers {
    /// Finds them; a test that needs them fails without them.
    fn find() -> Servers {
        let dir = std::env::var("DAYBRIEF_MAIL_SERVERS").expect(
            "DAYBRIEF_MAIL_SERVERS names the folder that `tests/mail/servers.sh start` was given",
        );
        let dir = PathBuf::from(dir);
        let env = std::fs::read_to_string(dir.join("env")).expect("the servers are running");
        let pairs = env.lines().filter_map(|line| line.split_once('='));
        let env: BTreeMap<String, String> = pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Servers {
            dir: PathBuf::from(&env["work"]),
            env,
        }
    }

    /// Returns an account that no other test and no other run has.
    fn account(&self, name: &str) -> String {
        format!("{name}-{}@example.org", std::process::id())
    }

    fn port(&self, name: &str) -> u16 {
        self.env[name].parse().unwrap()
    }

    /// Returns the keys of a table for an account: over TLS, with the test authority.
    fn imap_table(&self, user: &str) -> String {
        format!(
            "type = \"imap\"\nhost = \"localhost\"\nport = {}\nca_file = {:?}\nuser = \"{user}\"\npassword_file = {:?}\n",
            self.env["imaps"],
            self.env["ca"],
            self.password_file()
        )
    }

    /// The same at the address where the server can do nothing but IMAP4rev1, in the clear.
    fn simple_table(&self, user: &str) -> String {
        format!(
            "type = \"imap\"\nhost = \"127.0.0.2\"\ntls = \"none\"\nport = {}\nuser = \"{user}\"\npassword_file = {:?}\n",
            self.env["imap"],
            self.password_file()
        )
    }

    fn password_file(&self) -> String {
        self.dir.join("password").to_str().unwrap().to_owned()
    }

    /// How often an account has logged in.
    fn logins(&self, user: &str) -> usize {
        let log = std::fs::read_to_string(self.dir.join("dovecot.log")).unwrap_or_default();
        log.matches(&format!("Login: user=<{user}>")).count()
    }

    fn maildir(&self, user: &str) -> PathBuf {
        self.dir.join("mail").join(user).join("Maildir")
    }

    fn fault(&self, kind: &str, user: &str) -> PathBuf {
        self.dir.join("faults").join(format!("{kind}-{user}"))
    }

    /// Makes the SMTP server break, once.
    fn ask_for(&self, kind: &str, user: &str) {
        let path = self.fault(kind, user);
        std::fs::write(&path, "").unwrap();
        // The server has no rights to spare, and takes the file away when it has obeyed.
        let opened = Command::new("chmod").arg("666").arg(&path).status();
        assert!(opened.unwrap().success());
    }

    /// Sends a mail by SMTP, as anybody could.
    fn post(&self, to: &str, raw: &str) {
        let stream = TcpStream::connect(("127.0.0.1", self.port("smtp"))).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        let mut expect = |code: &str| {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{line}");
        };
        expect("220");
        let body = raw.replace('\n', "\r\n").replace("\r\n.", "\r\n..");
        for (say, code) in [
            ("HELO test\r\n".to_owned(), "250"),
            ("MAIL FROM:<sender@example.org>\r\n".to_owned(), "250"),
            (format!("RCPT TO:<{to}>\r\n"), "250"),
            ("DATA\r\n".to_owned(), "354"),
            (format!("{body}\r\n.\r\n"), "250"),
            ("QUIT\r\n".to_owned(), "221"),
        ] {
            stream.write_all(say.as_bytes()).unwrap();
            expect(code);
        }
    }
}

/// A mail program that does what a person does.
struct Hand {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    number: usize,
}

impl Hand {
    fn at(servers: &Servers, user: &str) -> Hand {
        let stream = TcpStream::connect(("127.0.0.1", servers.port("imap"))).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        let mut hand = Hand {
            stream,
            reader,
            number: 0,
        };
        hand.line();
        hand.say(&format!("LOGIN {user} secret"));
        hand
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Says a command and returns what came before the OK.
    fn say(&mut self, command: &str) -> String {
        self.number += 1;
        let tag = format!("t{}", self.number);
        self.stream
            .write_all(format!("{tag} {command}\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        loop {
            let line = self.line();
            if let Some(rest) = line.strip_prefix(&format!("{tag} ")) {
                assert!(rest.starts_with("OK"), "{command}: {rest}");
                return answer;
            }
            answer.push_str(&line);
        }
    }

    fn append(&mut self, folder: &str, raw: &[u8]) {
        self.append_as(folder, "", raw);
    }

    /// Puts a mail into a folder, with flags and a date as given: `(\Seen) "12-Nov-2026 08:00:00 +0000"`.
    fn append_as(&mut self, folder: &str, how: &str, raw: &[u8]) {
        self.number += 1;
        let tag = format!("t{}", self.number);
        let head = format!("{tag} APPEND {folder} {how} {{{}}}\r\n", raw.len());
        self.stream.write_all(head.as_bytes()).unwrap();
        let go_on = self.line();
        assert!(go_on.starts_with('+'), "{go_on}");
        self.stream.write_all(raw).unwrap();
        self.stream.write_all(b"\r\n").unwrap();
        while !self.line().starts_with(&format!("{tag} OK")) {}
    }

    fn count(&mut self, folder: &str, search: &str) -> usize {
        self.say(&format!("EXAMINE {folder}"));
        let answer = self.say(&format!("UID SEARCH {search}"));
        let line = answer.lines().find(|line| line.starts_with("* SEARCH"));
        line.map_or(0, |line| line.split_whitespace().count() - 2)
    }

    fn expunge(&mut self, folder: &str, uids: &str) {
        self.say(&format!("SELECT {folder}"));
        self.say(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"));
        self.say("EXPUNGE");
        self.say("CLOSE");
    }
}

fn mail(id: &str, subject: &str, words: &str) -> Vec<u8> {
    format!(
        "From: Bo <bo@example.org>\r\nTo: ana@example.org\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <{id}@x>\r\nSubject: {subject}\r\n\r\n{words}\r\n"
    )
    .into_bytes()
}

/// Everything that came after a cursor.
#[derive(Default)]
struct Came {
    events: Vec<Event>,
    audiences: Vec<Audience>,
    skipped: Vec<String>,
    cursor: Option<Cursor>,
    history: usize,
    pages: usize,
}

impl Came {
    /// The ids of the mails that were posted, without brackets and host.
    fn posted(&self) -> Vec<String> {
        self.ids(|event| event.kind == EventKind::Posted)
    }

    fn gone(&self) -> Vec<String> {
        let of = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Deleted { of } => Some(bare(&of.id)),
            _ => None,
        });
        of.collect()
    }

    fn ids(&self, is_wanted: impl Fn(&Event) -> bool) -> Vec<String> {
        let wanted = self.events.iter().filter(|event| is_wanted(event));
        let mut ids: Vec<String> = wanted.map(|event| bare(&event.id.id)).collect();
        ids.sort();
        ids
    }

    fn text_of(&self, id: &str) -> &str {
        let event = self.events.iter().find(|event| bare(&event.id.id) == id);
        &event.unwrap_or_else(|| panic!("{id} did not come")).text.0
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{what} never came"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn bare(id: &str) -> String {
    id.trim_matches(['<', '>']).replace("@x", "")
}

fn open(table: &str) -> AnySource {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config: ConnectorConfig = toml::from_str(table).unwrap();
    let http = Http::new(Default::default(), Default::default());
    config.open(&"mail".into(), Path::new("/"), &http).unwrap()
}

/// One for all: a connection lives as long as the runtime that it was made in.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    &RUNTIME
}

fn read(source: &mut AnySource, after: Option<Cursor>) -> Came {
    try_read(source, after).unwrap()
}

fn try_read(source: &mut AnySource, after: Option<Cursor>) -> anyhow::Result<Came> {
    let mut came = Came {
        cursor: after,
        ..Came::default()
    };
    runtime().block_on(async {
        loop {
            let page = source.fetch(came.cursor.as_ref()).await?;
            came.pages += 1;
            assert!(came.pages < 100, "a reading that never ends");
            if page.history_before.is_some() {
                came.history += page.events.len();
            }
            came.events.extend(page.events);
            let audiences = page.threads.into_iter().map(|thread| thread.audience);
            came.audiences.extend(audiences);
            let skipped = page.skipped.into_iter();
            came.skipped
                .extend(skipped.map(|skipped| format!("{}: {}", skipped.at, skipped.reason)));
            came.cursor = page.next.or(came.cursor.take());
            if !page.more {
                return Ok(came);
            }
        }
    })
}
