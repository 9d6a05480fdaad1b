//! Accounts that an app is let in for: access tokens that end, and refresh tokens that are used once.

use daybrief::clock::Clock;
use jiff::{SignedDuration, Timestamp};

use super::round::Site;
use super::*;

/// An app that an account lets in.
struct App<'a> {
    servers: &'a Servers,
    dir: tempfile::TempDir,
    user: String,
}

impl<'a> App<'a> {
    fn new(servers: &'a Servers, user: String) -> App<'a> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "geheim-app\n").unwrap();
        let first = format!("refresh-0-{user}\n");
        std::fs::write(dir.path().join("refresh"), first).unwrap();
        App { servers, dir, user }
    }

    /// Returns the keys of an `oauth` table.
    fn keys(&self) -> String {
        format!(
            "token_url = \"http://127.0.0.1:{}/token\"\nclient_id = \"daybrief\"\nclient_secret_file = {:?}\nrefresh_token_file = {:?}\n",
            self.servers.env["tokens"],
            self.dir.path().join("secret"),
            self.dir.path().join("refresh")
        )
    }

    fn table(&self) -> String {
        let with_password = self.servers.imap_table(&self.user);
        let lines = with_password.lines();
        let lines = lines.filter(|line| !line.starts_with("password"));
        let keys: Vec<&str> = lines.collect();
        format!("{}\n[oauth]\n{}", keys.join("\n"), self.keys())
    }

    fn kept(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("refresh")).unwrap()
    }

    /// How often a refresh token was used.
    fn uses(&self) -> usize {
        let (kept, mut uses) = (self.kept(), 0);
        while !kept.contains(&format!("refresh-{uses}-{}", self.user)) {
            uses += 1;
            assert!(uses < 100, "no refresh token of {} is kept", self.user);
        }
        uses
    }

    /// Ends all access tokens of the account before their time, and its connections.
    fn revoke(&self) {
        self.servers.ask_for("revoked", &self.user);
        // Where there is no connection, doveadm says so by its status.
        let kicked = Command::new("doveadm")
            .arg("-c")
            .arg(self.servers.dir.join("dovecot.conf"))
            .args(["kick", &self.user])
            .output();
        kicked.unwrap();
    }
}

fn open_at(table: &str, clock: Clock) -> AnySource {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config: ConnectorConfig = toml::from_str(table).unwrap();
    let http = Http::new(Default::default(), clock);
    config.open(&"mail".into(), Path::new("/"), &http).unwrap()
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn an_access_token_that_ends_is_replaced_and_the_next_refresh_token_is_kept() {
    let servers = Servers::find();
    let app = App::new(&servers, servers.account("app"));
    let mut hand = Hand::at(&servers, &app.user);
    hand.append("INBOX", &mail("m1", "plan", "words"));
    let mut source = open(&app.table());
    let first = read(&mut source, None);
    assert_eq!((first.posted(), app.uses()), (vec!["m1".to_owned()], 1));

    // Another process finds the token that is still good.
    let again = read(&mut open(&app.table()), None);
    assert_eq!((again.posted(), app.uses()), (vec!["m1".to_owned()], 1));

    // It ends in the middle of a session, an hour before anybody expected.
    app.revoke();
    Hand::at(&servers, &app.user).append("INBOX", &mail("m2", "Re: plan", "words"));
    let second = read(&mut source, first.cursor);
    assert_eq!((second.posted(), app.uses()), (vec!["m2".to_owned()], 2));

    // And when its hour is over, nobody tries it any more.
    let later = Timestamp::now() + SignedDuration::from_mins(56);
    let mut source = open_at(&app.table(), Clock::simulated(later));
    let third = read(&mut source, second.cursor);
    assert_eq!((third.posted(), app.uses()), (Vec::<String>::new(), 3));
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_refused_token_is_told_with_the_next_step() {
    let servers = Servers::find();
    let app = App::new(&servers, servers.account("ended"));
    servers.ask_for("ended", &app.user);
    let error = try_read(&mut open(&app.table()), None).err().unwrap();
    let said = format!("{error:#}");
    for words in [
        "127.0.0.1 does not accept the refresh token of [connectors.mail.oauth] (invalid_grant)",
        "let the app in again, and put the new refresh token into",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(
        !said.contains("geheim") && !said.contains("refresh-0"),
        "{said}"
    );

    // A token of somebody else's account, fresh as it may be.
    std::fs::remove_file(servers.fault("ended", &app.user)).unwrap();
    let other = servers.account("other");
    let table = app.table().replace(&app.user, &other);
    let error = try_read(&mut open(&table), None).err().unwrap();
    let said = format!("{error:#}");
    assert!(
        said.contains("does not accept the account that [connectors.mail] names")
            && said.contains("even with a new access token"),
        "{said}"
    );
    assert_eq!(app.uses(), 2, "one for the login, one for the second try");

    // A token that somebody else keeps fresh, and does not.
    let stored: serde_json::Value = serde_json::from_str(&app.kept()).unwrap();
    let file = app.dir.path().join("access");
    std::fs::write(&file, stored["access_token"].as_str().unwrap()).unwrap();
    let table = format!(
        "{}auth = \"xoauth2\"\n",
        servers
            .imap_table(&app.user)
            .replace(&servers.password_file(), file.to_str().unwrap())
    );
    assert!(read(&mut open(&table), None).events.is_empty());
    app.revoke();
    let said = format!("{:#}", try_read(&mut open(&table), None).err().unwrap());
    assert!(said.contains("the access token has run out"), "{said}");
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_briefing_is_sent_by_an_app_and_check_names_a_refused_one() {
    let servers = Servers::find();
    let user = servers.account("sent-by-app");
    let reads = App::new(&servers, user.clone());
    let sends = App::new(&servers, servers.account("sender"));
    let site = Site::new(&servers, &user, "");
    let password = format!("password_file = {:?}\n", servers.password_file());
    site.edit(
        &format!("user = \"daybrief\"\n{password}"),
        &format!("user = {:?}\n", sends.user),
    );
    site.edit(&password, "");
    site.edit(
        "[sinks.mail]",
        &format!("[connectors.inbox.oauth]\n{}[sinks.mail]", reads.keys()),
    );
    site.edit(
        "[members.ana]",
        &format!("[sinks.mail.oauth]\n{}[members.ana]", sends.keys()),
    );

    Hand::at(&servers, &user).append("INBOX", &mail("m1", "s", "w"));
    site.says(&["sync"]);
    assert!(site.says(&["brief", "ana", "--send"]).contains("is sent"));
    assert_eq!((site.briefings(&servers), sends.uses()), (1, 1));

    sends.revoke();
    let said = site.says(&["check"]);
    assert!(said.contains("sends as daybrief@example.org"), "{said}");
    assert_eq!((reads.uses(), sends.uses()), (1, 2));

    for app in [&reads, &sends] {
        servers.ask_for("ended", &app.user);
        app.revoke();
    }
    let output = site.run(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    for table in ["connectors.inbox.oauth", "sinks.mail.oauth"] {
        let words = format!("does not accept the refresh token of [{table}] (invalid_grant)");
        assert!(said.contains(&words), "{said}");
    }
    assert!(
        !said.contains("geheim") && !said.contains("refresh-"),
        "{said}"
    );
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn listening_goes_on_with_a_new_token() {
    let servers = Servers::find();
    let user = servers.account("listens");
    let app = App::new(&servers, user.clone());
    let site = Site::new(&servers, &user, "");
    let password = format!("password_file = {:?}\n", servers.password_file());
    site.edit(&password, "");
    site.edit(
        "[sinks.mail]",
        &format!("[connectors.inbox.oauth]\n{}[sinks.mail]", app.keys()),
    );
    let daemon = site.start_unbriefed();
    let logins = || servers.logins(&user);
    wait_until("the listener", || logins() >= 2);
    app.revoke();
    wait_until("the new token", || app.uses() == 2);
    let sent = format!(
        "From: Bo <bo@example.org>\nTo: Ana <{user}>\nDate: {}\nMessage-ID: <ask@x>\nSubject: The parser\n\nthe harbor is closed\n",
        jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z")
    );
    servers.post(&user, &sent);
    wait_until("the mail", || {
        site.says(&["search", "--as", "ana", "harbor"])
            .contains("harbor is closed")
    });
    let said = site.stop(daemon);
    assert!(
        !said.contains("Nobody listens") && !said.contains("WARN"),
        "{said}"
    );
}
