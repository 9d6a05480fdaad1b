//! The whole way with the real binary: mail in from one server, briefings out through the other.

use super::*;

/// A daemon, which ends with its test, also where that fails.
pub struct Daemon(Option<Child>);

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.0.take() {
            let _ = daemon.kill();
        }
    }
}

/// An installation that reads one mailbox and sends to it.
pub struct Site {
    dir: tempfile::TempDir,
    user: String,
}

impl Site {
    pub fn new(servers: &Servers, user: &str, more: &str) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "[delivery]\nsink = \"mail\"\nsync_minutes = 600\n\
             [connectors.inbox]\n{}\
             [sinks.mail]\ntype = \"smtp\"\nhost = \"localhost\"\nport = {}\nca_file = {:?}\n\
             user = \"daybrief\"\npassword_file = {:?}\nfrom = \"Daybrief <daybrief@example.org>\"\n{more}\
             [members.ana]\nname = \"Ana\"\nemail = \"{user}\"\nday_start = \"00:00\"\nday_end = \"23:59\"\n\
             workdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\nhandles = {{ inbox = \"{user}\" }}\n",
            servers.imap_table(user),
            servers.env["smtps"],
            servers.env["ca"],
            servers.password_file()
        );
        std::fs::write(dir.path().join("daybrief.toml"), config).unwrap();
        Site {
            dir,
            user: user.to_owned(),
        }
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_daybrief"))
            .args(["--config", "daybrief.toml"])
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("DAYBRIEF_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.start(arguments).wait_with_output().unwrap()
    }

    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        format!("{said}{}", String::from_utf8_lossy(&output.stdout))
    }

    pub fn state(&self) -> State {
        let store = Store::open_read_only(&self.dir.path().join(".daybrief")).unwrap();
        let all = store.read_now(|c| deliveries::latest(c, None::<&MemberId>, 10));
        all.unwrap()[0].state
    }

    /// How many briefings lie in the mailbox.
    pub fn briefings(&self, servers: &Servers) -> usize {
        Hand::at(servers, &self.user).count("INBOX", "HEADER List-Id daybrief.example.org")
    }

    /// Changes the configuration at one place.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.dir.path().join("daybrief.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        assert!(config.contains(from), "{from} is not in {config}");
        std::fs::write(&path, config.replacen(from, to, 1)).unwrap();
    }

    /// Starts a daemon that briefs nobody and reads the sources every ten hours.
    pub fn start_unbriefed(&self) -> Daemon {
        let daemon = Command::new(env!("CARGO_BIN_EXE_daybrief"))
            .args(["--config", "daybrief.toml", "run"])
            .current_dir(self.dir.path())
            .env("DAYBRIEF__MEMBERS__ANA__BRIEF", "false")
            .stderr(Stdio::piped())
            .spawn();
        Daemon(Some(daemon.unwrap()))
    }

    /// Stops a daemon and returns what it logged.
    pub fn stop(&self, mut daemon: Daemon) -> String {
        let daemon = daemon.0.take().unwrap();
        let killed = Command::new("kill")
            .args(["-TERM", &daemon.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        let output = daemon.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && said.contains("Stopped"),
            "{said}"
        );
        said
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_mail_comes_in_by_idle_and_a_briefing_of_it_goes_out_once() {
    let servers = Servers::find();
    let site = Site::new(&servers, &servers.account("round"), "");
    let daemon = site.start_unbriefed();
    let found = |words: &str| site.says(&["search", "--as", "ana", words]);
    wait_until("the listener", || servers.logins(&site.user) >= 2);
    let sent = format!(
        "From: Bo <bo@example.org>\nTo: Ana <{}>\nMessage-ID: <ask@x>\nSubject: The parser\n\nAna, can you review the parser by Tuesday?\n",
        site.user
    );
    servers.post(
        &site.user,
        &format!(
            "Date: {}\n{sent}",
            jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z")
        ),
    );
    wait_until("the mail", || found("parser").contains("parser by Tuesday"));
    let said = site.stop(daemon);
    assert!(!said.contains("parser by Tuesday"), "{said}");

    assert!(site.says(&["brief", "ana", "--send"]).contains("is sent"));
    assert_eq!((site.briefings(&servers), site.state()), (1, State::Sent));
    assert!(
        site.says(&["brief", "ana", "--send"])
            .contains("was sent before")
    );
    assert_eq!(site.briefings(&servers), 1);

    let mut hand = Hand::at(&servers, &site.user);
    hand.say("EXAMINE INBOX");
    let raw = hand.say("UID FETCH 2 BODY.PEEK[]");
    for words in [
        "Subject: 1 needs you",
        "Auto-Submitted: auto-generated",
        "multipart/alternative",
        "text/html",
    ] {
        assert!(raw.contains(words), "{words} is missing in {raw}");
    }
    // A briefing is no news for the next one.
    site.says(&["sync"]);
    assert!(
        !found("Good morning").contains("daybrief@"),
        "{}",
        found("Good morning")
    );
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn mail_in_other_folders_is_heard_at_once_too() {
    let servers = Servers::find();
    let site = Site::new(&servers, &servers.account("heard"), "");
    let mut hand = Hand::at(&servers, &site.user);
    for folder in ["crew", "harbor", "lists", "more"] {
        hand.say(&format!("CREATE {folder}"));
    }
    let said = site.says(&["check"]);
    assert!(said.contains("in 1 more with the next reading"), "{said}");
    let before = servers.logins(&site.user);
    let daemon = site.start_unbriefed();
    wait_until("a reader and four listeners", || {
        servers.logins(&site.user) == before + 5
    });
    let found = |words: &str| site.says(&["search", "--as", "ana", words]).contains(words);
    // Each is heard before the next one comes, so none comes in with a reading that another folder asked for.
    for (folder, word) in [
        ("lists", "lighthouse"),
        ("crew", "marmalade"),
        ("INBOX", "timetable"),
    ] {
        hand.append(folder, &mail(word, "plan", &format!("the {word} is here")));
        wait_until(word, || found(word));
    }
    let said = site.stop(daemon);
    assert!(!said.contains("WARN"), "{said}");
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_mail_that_is_deleted_leaves_the_search_and_its_replies_stay() {
    let servers = Servers::find();
    let site = Site::new(&servers, &servers.account("gone"), "");
    let mut hand = Hand::at(&servers, &site.user);
    hand.append("INBOX", &mail("m1", "plan", "the harbor is closed"));
    hand.append(
        "INBOX",
        &mail(
            "m2",
            "Re: plan\r\nIn-Reply-To: <m1@x>",
            "the lighthouse too",
        ),
    );
    let finds = |words: &str| site.says(&["search", "--as", "ana", words]).contains(words);
    site.says(&["sync"]);
    assert!(finds("harbor") && finds("lighthouse"));
    // Each reading is a process of its own, which knows only what the cursor says.
    hand.expunge("INBOX", "1");
    site.says(&["sync"]);
    assert!(!finds("harbor") && finds("lighthouse"));
    hand.expunge("INBOX", "2");
    site.says(&["sync"]);
    assert!(!finds("harbor") && !finds("lighthouse"));
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_reply_that_is_lost_ends_with_one_mail() {
    let servers = Servers::find();
    let site = Site::new(&servers, &servers.account("lost"), "");
    Hand::at(&servers, &site.user).append("INBOX", &mail("m1", "s", "w"));
    site.says(&["sync"]);
    servers.ask_for("drop", &site.user);
    assert!(site.says(&["brief", "ana", "--send"]).contains("is sent"));
    assert_eq!((site.briefings(&servers), site.state()), (1, State::Sent));
    site.says(&["brief", "ana", "--send"]);
    assert_eq!(site.briefings(&servers), 1);
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_kill_between_taking_and_replying_ends_with_one_mail() {
    let servers = Servers::find();
    // With the reader's mailbox in sight the mail is found; without, it is not sent again, and a gap says so.
    let (seen, blind) = (servers.account("killed"), servers.account("blind"));
    for (user, can_look) in [(&seen, true), (&blind, false)] {
        let site = Site::new(&servers, user, "");
        if !can_look {
            let path = site.dir.path().join("daybrief.toml");
            let config = std::fs::read_to_string(&path).unwrap();
            let config = config.replacen(
                &format!("user = {user:?}"),
                "user = \"other@example.org\"",
                1,
            );
            std::fs::write(&path, config).unwrap();
        }
        site.says(&["sync"]);
        servers.ask_for("hang", user);
        let mut sending = site.start(&["brief", "ana", "--send"]);
        wait_until("the mail", || servers.fault("taken", user).exists());
        sending.kill().unwrap();
        sending.wait().unwrap();
        assert_eq!(
            (site.briefings(&servers), site.state()),
            (1, State::Sending)
        );
        std::fs::remove_file(servers.fault("hang", user)).unwrap();

        let again = site.run(&["brief", "ana", "--send"]);
        let said = String::from_utf8_lossy(&again.stderr);
        if can_look {
            assert!(again.status.success(), "{said}");
            assert_eq!(site.state(), State::Sent);
        } else {
            assert!(said.contains("cannot tell"), "{said}");
            assert_eq!(site.state(), State::Unknown);
        }
        assert_eq!(site.briefings(&servers), 1, "{user}");
        std::fs::remove_file(servers.fault("taken", user)).unwrap();
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_mail_that_is_refused_waits_for_another_try() {
    let servers = Servers::find();
    // Nobody can look into this mailbox, and nobody has to: the server said that it did not take it.
    for kind in ["defer", "reject"] {
        let user = servers.account(kind);
        let site = Site::new(&servers, &user, "");
        let path = site.dir.path().join("daybrief.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let config = config.replacen(
            &format!("user = {user:?}"),
            "user = \"other@example.org\"",
            1,
        );
        std::fs::write(&path, config).unwrap();
        site.says(&["sync"]);
        servers.ask_for(kind, &user);
        let refused = site.run(&["brief", "ana", "--send"]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("tries again at"), "{said}");
        assert_eq!((site.briefings(&servers), site.state()), (0, State::Failed));
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn check_asks_the_server_that_takes_mail() {
    let servers = Servers::find();
    let site = Site::new(&servers, &servers.account("sender"), "");
    let said = site.says(&["check"]);
    assert!(
        said.contains("sends as daybrief@example.org through localhost over TLS"),
        "{said}"
    );
    assert!(said.contains("mails name no way to stop them"), "{said}");
    let path = site.dir.path().join("daybrief.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let wrong = servers.dir.join("wrong-smtp");
    std::fs::write(&wrong, "geheim\n").unwrap();
    let password = format!(
        "user = \"daybrief\"\npassword_file = {:?}",
        servers.password_file()
    );
    assert!(config.contains(&password));
    let config = config.replace(
        &password,
        &format!("user = \"daybrief\"\npassword_file = {wrong:?}"),
    );
    std::fs::write(&path, config).unwrap();
    let output = site.run(&["check"]);
    let mut said = String::new();
    (&output.stdout[..]).read_to_string(&mut said).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("does not accept the account that [sinks.mail] names"),
        "{said}"
    );
    assert!(!said.contains("geheim"));
}
