//! What comes, moves and goes in folders, whatever the server can do.

use super::*;

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
