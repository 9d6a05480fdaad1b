//! Mail in and out, against a real Dovecot and a real SMTP server that `tests/mail/servers.sh` starts.
//!
//! Each test has accounts of its own, so that they can run side by side.

mod round;
mod tokens;

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

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn new_mail_comes_once_and_mail_that_goes_is_told() {
    let servers = Servers::find();
    let (able, simple) = (servers.account("qresync"), servers.account("simple"));
    for (user, table) in [
        (&able, servers.imap_table(&able)),
        (&simple, servers.simple_table(&simple)),
    ] {
        let mut hand = Hand::at(&servers, user);
        for number in 1..=5 {
            hand.append("INBOX", &mail(&format!("m{number}"), "plan", "words"));
        }
        let mut source = open(&table);
        let first = read(&mut source, None);
        assert_eq!(first.posted(), ["m1", "m2", "m3", "m4", "m5"], "{user}");
        assert!(first.skipped.is_empty(), "{:?}", first.skipped);

        let nothing = read(&mut source, first.cursor.clone());
        assert!(nothing.events.is_empty() && nothing.cursor == first.cursor);

        hand.append("INBOX", &mail("m6", "Re: plan", "more words"));
        hand.expunge("INBOX", "2,4");
        let second = read(&mut source, first.cursor);
        assert_eq!(
            (second.posted(), second.history),
            (vec!["m6".to_owned()], 0)
        );
        assert_eq!(second.gone(), ["m2", "m4"], "{user}");

        // Another process finds it out as well, from the cursor alone.
        hand.expunge("INBOX", "5");
        let third = read(&mut open(&table), second.cursor);
        assert_eq!(
            (third.posted(), third.gone()),
            (vec![], vec!["m5".to_owned()])
        );

        // What is marked as deleted is gone already; what is a draft was never sent.
        hand.say("SELECT INBOX");
        hand.say("UID STORE 1 +FLAGS.SILENT (\\Deleted)");
        hand.append_as("INBOX", "(\\Draft)", &mail("m7", "draft", "not yet"));
        let fourth = read(&mut open(&table), third.cursor);
        assert_eq!(
            (fourth.posted(), fourth.gone()),
            (vec![], vec!["m1".to_owned()])
        );

        // Put back by its owner it is there again, under an id of its own.
        hand.say("UID STORE 1 -FLAGS.SILENT (\\Deleted)");
        let fifth = read(&mut open(&table), fourth.cursor);
        if user == &able {
            assert_eq!(fifth.posted(), ["m1~1"]);
        }
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_new_uidvalidity_doubles_nothing_and_loses_nothing() {
    let servers = Servers::find();
    let user = &servers.account("validity");
    let table = servers.imap_table(user);
    let mut hand = Hand::at(&servers, user);
    for number in 1..=4 {
        hand.append("INBOX", &mail(&format!("m{number}"), "plan", "words"));
    }
    let mut source = open(&table);
    let first = read(&mut source, None);
    let validity = |cursor: &Option<Cursor>| {
        let cursor: serde_json::Value = serde_json::from_str(&cursor.as_ref().unwrap().0).unwrap();
        cursor["folders"]["INBOX"]["validity"].as_u64().unwrap()
    };
    hand.expunge("INBOX", "3");
    drop(hand);
    // Nobody may hold the folder open meanwhile; our own connection is cut with the others.
    let doveadm = |command: &str| {
        let mut doveadm = Command::new("doveadm");
        doveadm.arg("-c").arg(servers.dir.join("dovecot.conf"));
        let output = doveadm.args([command, user]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    doveadm("kick");
    wait_until("the end of its connections", || {
        !doveadm("who").contains(user.as_str())
    });
    // The value is the second at which the folder was made.
    wait_until("another second", || {
        jiff::Timestamp::now().as_second() > validity(&first.cursor) as i64
    });
    // The server forgets what it knew, as after a restored backup.
    for entry in std::fs::read_dir(servers.maildir(user)).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("dovecot") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let mut hand = Hand::at(&servers, user);
    hand.append("INBOX", &mail("m5", "plan", "words"));
    for mut source in [source, open(&table)] {
        let second = read(&mut source, first.cursor.clone());
        assert_ne!(validity(&second.cursor), validity(&first.cursor));
        assert_eq!(second.gone(), ["m3"]);
        // A new process may read old mails again; they keep their ids, so that the log has each once, as history.
        let mut posted = second.posted();
        posted.retain(|id| !["m1", "m2", "m4"].contains(&id.as_str()));
        assert_eq!(posted, ["m5"]);
        assert!(read(&mut source, second.cursor).events.is_empty());
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn one_mail_in_two_folders_is_one_and_a_move_is_no_deletion() {
    let servers = Servers::find();
    let (able, simple) = (servers.account("folders"), servers.account("simplefolders"));
    for (user, table) in [
        (&able, servers.imap_table(&able)),
        (&simple, servers.simple_table(&simple)),
    ] {
        let mut hand = Hand::at(&servers, user);
        hand.say("CREATE Lists");
        hand.say("CREATE Lists/B&APw-ro");
        for number in 1..=3 {
            hand.append("INBOX", &mail(&format!("m{number}"), "plan", "words"));
        }
        hand.append("Lists/B&APw-ro", &mail("m2", "[buero] plan", "words"));
        hand.append("Trash", &mail("m9", "thrown away", "words"));
        let mut source = open(&table);
        let first = read(&mut source, None);
        assert_eq!(first.posted(), ["m1", "m2", "m3"], "{user}");

        hand.say("SELECT INBOX");
        hand.say("UID MOVE 1 Lists");
        hand.expunge("INBOX", "2");
        let second = read(&mut source, first.cursor);
        assert!(second.events.is_empty(), "{:?}", second.events);

        hand.expunge("Lists/B&APw-ro", "1");
        hand.say("SELECT INBOX");
        hand.say("UID MOVE 3 Trash");
        let third = read(&mut source, second.cursor);
        assert_eq!(
            (third.posted(), third.gone()),
            (vec![], vec!["m2".into(), "m3".into()])
        );

        // A folder that gets another name keeps its mails; one that is deleted takes them along.
        hand.say("CREATE Done");
        hand.say("SELECT Lists");
        hand.say("UID MOVE 1 Done");
        hand.say("CLOSE");
        hand.say("RENAME Done Finished");
        let fourth = read(&mut source, third.cursor);
        assert!(fourth.events.is_empty(), "{:?}", fourth.events);
        hand.say("DELETE Finished");
        let fifth = read(&mut source, fourth.cursor);
        assert_eq!(fifth.gone(), ["m1"]);
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn only_named_folders_are_read_and_the_history_has_an_end() {
    let servers = Servers::find();
    let user = &servers.account("history");
    let mut hand = Hand::at(&servers, user);
    hand.say("CREATE Lists");
    hand.append("Lists", &mail("m1", "list", "words"));
    hand.append("INBOX", &mail("m2", "inbox", "words"));
    hand.append_as(
        "INBOX",
        "\"01-Jan-2020 08:00:00 +0000\"",
        &mail("m3", "old", "words"),
    );
    hand.append_as("Trash", "()", &mail("m4", "trash", "words"));
    let table = servers.imap_table(user);
    assert_eq!(read(&mut open(&table), None).posted(), ["m1", "m2"]);
    let with = |more: &str| read(&mut open(&format!("{table}{more}\n")), None).posted();
    assert_eq!(with("folders = [\"Lists\"]"), ["m1"]);
    assert_eq!(with("folders = [\"!Lists\"]"), ["m2"]);
    assert_eq!(with("folders = [\"INBOX\", \"Trash\"]"), ["m2", "m4"]);
    assert_eq!(with("history_days = 20000"), ["m1", "m2", "m3"]);

    // A folder that is met later holds history, not news; so does what was delivered long ago and moved here now.
    let first = read(&mut open(&table), None);
    let mut source = open(&table);
    hand.say("CREATE Later");
    let long_ago = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 30))
        .strftime("\"%d-%b-%Y %H:%M:%S +0000\"")
        .to_string();
    hand.append_as("Later", &long_ago, &mail("m5", "later", "words"));
    hand.append_as("INBOX", &long_ago, &mail("m6", "moved", "words"));
    hand.append("INBOX", &mail("m7", "new", "words"));
    let second = read(&mut source, first.cursor);
    assert_eq!(second.posted(), ["m5", "m6", "m7"]);
    assert_eq!(second.history, 2);
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn odd_mails_are_read_or_named() {
    let servers = Servers::find();
    let user = &servers.account("odd");
    let mut hand = Hand::at(&servers, user);
    let head = |id: &str, more: &str| {
        format!(
            "From: bo@example.org\r\nTo: ana@example.org\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <{id}@x>\r\nMIME-Version: 1.0\r\n{more}\r\n"
        )
    };
    let mut add = |id: &str, more: &str, body: &[u8]| {
        let mut raw = head(id, more).into_bytes();
        raw.extend_from_slice(body);
        hand.append("INBOX", &raw);
    };
    add(
        "koi8",
        "Subject: =?koi8-r?B?8NLJ18XU?=\r\nContent-Type: text/plain; charset=koi8-r\r\n",
        b"\xf0\xd2\xc9\xd7\xc5\xd4\r\n",
    );
    add(
        "jis",
        "Content-Type: text/plain; charset=iso-2022-jp\r\n",
        b"\x1b$B$3$s$K$A$O\x1b(B\r\n",
    );
    add(
        "gb",
        "Content-Type: text/plain; charset=gb18030\r\nContent-Transfer-Encoding: base64\r\n",
        b"xOO6ww==\r\n",
    );
    add(
        "utf7",
        "Content-Type: text/plain; charset=utf-7\r\n",
        b"Hi Mom -+Jjo--!\r\n",
    );
    add(
        "none",
        "Content-Type: text/plain; charset=x-nobody-knows\r\n",
        b"caf\xe9\r\n",
    );
    add(
        "tower",
        "Content-Type: multipart/mixed; boundary=\r\n",
        b"--\r\n--\r\n--",
    );
    add(
        "open",
        "Content-Type: multipart/mixed; boundary=b\r\n",
        b"--b\r\nContent-Type: text/plain\r\n\r\nwords in a part without an end\r\n",
    );
    add("empty", "", b"");
    hand.append("INBOX", b"no header at all\r\n");
    hand.append(
        "INBOX",
        b"Subject: nobody sent this\r\n\r\nbut it is here\r\n",
    );

    // Fifty megabytes beside the words, and five megabytes of words.
    let zip = "QUJD\r\n".repeat(8_800_000);
    let attached = format!(
        "{}--b\r\nContent-Type: text/plain\r\n\r\nsee the attachment\r\n--b\r\nContent-Type: application/zip\r\nContent-Disposition: attachment; filename=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n{zip}--b--\r\n",
        head("attached", "Content-Type: multipart/mixed; boundary=b\r\n")
    );
    hand.append("INBOX", attached.as_bytes());
    let long = format!(
        "{}first words\r\n{}",
        head("long", ""),
        "more of it\r\n".repeat(450_000)
    );
    hand.append("INBOX", long.as_bytes());
    let middle = format!(
        "{}{}last words\r\n",
        head("middle", ""),
        "and then\r\n".repeat(20_000)
    );
    hand.append("INBOX", middle.as_bytes());

    let begun = Instant::now();
    let came = read(&mut open(&servers.imap_table(user)), None);
    assert!(begun.elapsed() < Duration::from_secs(60));
    for (id, words) in [
        ("koi8", "Привет"),
        ("jis", "こんにちは"),
        ("gb", "你好"),
        ("utf7", "☺"),
        ("none", "caf"),
        ("open", "words in a part without an end"),
        ("attached", "see the attachment"),
        ("long", "first words"),
        ("middle", "last words"),
    ] {
        assert!(
            came.text_of(id).contains(words),
            "{id}: {:?}",
            came.text_of(id)
        );
    }
    assert_eq!(
        came.posted().len(),
        12,
        "{:?} {:?}",
        came.posted(),
        came.skipped
    );
    let said = came.skipped.join("\n");
    let named = |uid: usize| {
        let place = format!("localhost INBOX uid {uid}: ");
        said.contains(&place)
    };
    assert!(named(9), "what is no mail is named: {said}");
    assert!(named(12), "the long one is cut, which is named: {said}");
    assert!(!named(11) && !named(13), "{said}");
    assert!(
        !said.contains("attachment") && !said.contains("words in"),
        "{said}"
    );
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn mail_is_read_by_those_it_names_and_its_owner_unless_the_table_says_more() {
    let servers = Servers::find();
    let user = &servers.account("Owner");
    let mut hand = Hand::at(&servers, user);
    // As a hidden copy, or by a list: the owner is not named.
    let raw = "From: bo@example.org\r\nTo: dev@lists.example.org\r\nBcc: secret@example.org\r\nMessage-ID: <m1@x>\r\nSubject: s\r\n\r\nw\r\n";
    hand.append("INBOX", raw.as_bytes());
    let table = servers.imap_table(user);
    let who = |more: &str| {
        let came = read(&mut open(&format!("{table}{more}\n")), None);
        let names = |audience: &Audience| match audience {
            Audience::Only(people) => people
                .iter()
                .map(|handle| handle.id.to_string())
                .collect::<Vec<_>>()
                .join(" "),
            other => format!("{other:?}"),
        };
        let event = came.events[0].audience.as_ref().map(names);
        (names(&came.audiences[0]), event)
    };
    let owner = user.to_lowercase();
    let people = format!("bo@example.org dev@lists.example.org {owner}");
    assert_eq!(who(""), (people.clone(), Some(people)));
    assert_eq!(who("audience = \"owner\""), (owner.clone(), Some(owner)));
    assert_eq!(
        who("audience = \"everyone\""),
        ("Everyone".to_owned(), None)
    );
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_dropped_reading_and_a_lost_connection_lose_nothing() {
    let servers = Servers::find();
    let user = &servers.account("dropped");
    let mut hand = Hand::at(&servers, user);
    for number in 1..=60 {
        hand.append(
            "INBOX",
            &mail(&format!("m{number:02}"), "plan", &"words ".repeat(2000)),
        );
    }
    let table = servers.imap_table(user);
    let mut source = open(&table);
    let runtime = runtime();
    let (mut cursor, mut seen) = (None::<Cursor>, Vec::new());
    // Dropped after ever longer times, as a daemon does whose reading takes too long.
    for micros in (0..).map(|step| step * 700) {
        let limit = Duration::from_micros(micros);
        let page = runtime
            .block_on(async { tokio::time::timeout(limit, source.fetch(cursor.as_ref())).await });
        let Ok(page) = page else { continue };
        let page = page.unwrap();
        seen.extend(page.events.iter().map(|event| bare(&event.id.id)));
        cursor = page.next.or(cursor);
        if !page.more {
            break;
        }
    }
    seen.sort();
    let all: Vec<String> = (1..=60).map(|number| format!("m{number:02}")).collect();
    assert_eq!(seen, all);
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn encryption_is_checked_and_a_wrong_password_is_said_plainly() {
    let servers = Servers::find();
    let user = &servers.account("tls");
    let table = servers.imap_table(user);
    Hand::at(&servers, user).append("INBOX", &mail("m1", "s", "w"));
    let error = |table: &str| format!("{:#}", try_read(&mut open(table), None).err().unwrap());

    let unknown = table.replace(&format!("ca_file = {:?}\n", servers.env["ca"]), "");
    assert!(error(&unknown).contains("ca_file"), "{}", error(&unknown));
    let wrong_name = table.replace("localhost", "127.0.0.2");
    assert!(error(&wrong_name).contains("TLS did not come about"));
    let clear = table.replace(&servers.env["imaps"], &servers.env["imap"]);
    assert!(error(&clear).contains("tls"), "{}", error(&clear));

    let starttls = format!("{clear}tls = \"starttls\"\n");
    assert_eq!(read(&mut open(&starttls), None).posted(), ["m1"]);

    let wrong = servers.dir.join("wrong");
    std::fs::write(&wrong, "geheim\n").unwrap();
    let refused = error(&table.replace(&servers.password_file(), wrong.to_str().unwrap()));
    assert!(
        refused.contains("check `user` and the password"),
        "{refused}"
    );
    assert!(!refused.contains("geheim"));
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn check_says_what_is_there_and_what_is_not() {
    let servers = Servers::find();
    let user = &servers.account("check");
    let mut hand = Hand::at(&servers, user);
    hand.say("CREATE Lists");
    hand.append("Lists", &mail("m1", "s", "w"));
    let facts = |table: &str| {
        let config: ConnectorConfig = toml::from_str(table).unwrap();
        let http = Http::new(Default::default(), Default::default());
        let id = "mail".into();
        let checked = runtime().block_on(config.check(&id, Path::new("/"), &http));
        let said = checked.unwrap().into_iter().map(|fact| match fact {
            Fact::Fine(says) => says,
            Fact::Note(says) => format!("! {says}"),
        });
        said.collect::<Vec<_>>().join("\n")
    };
    let said = facts(&servers.imap_table(user));
    for words in [
        "over TLS",
        "1 mail in INBOX (0), Lists (1)",
        "leaves out ",
        "Entwürfe",
        "QRESYNC",
        "IDLE",
        &format!("and {user}"),
    ] {
        assert!(said.contains(words), "{words} is missing in\n{said}");
    }
    let said = facts(&format!(
        "{}folders = [\"Lists\", \"Archive\"]\n",
        servers.simple_table(user)
    ));
    for words in [
        "in the clear",
        "! no folder is called \"Archive\"",
        "comparing lists",
        "! the server offers no IDLE",
    ] {
        assert!(said.contains(words), "{words} is missing in\n{said}");
    }
}
