//! The way to the server: encryption, the account, and what `check` says.

use super::*;

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
