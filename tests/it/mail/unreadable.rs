//! Mails that the server cannot give out, and mails that come back.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// The files of the mails in an inbox whose text holds a word.
fn files_with(servers: &Servers, user: &str, word: &str) -> Vec<PathBuf> {
    let folders = ["new", "cur"].map(|folder| servers.maildir(user).join(folder));
    folders
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(word))
        .collect()
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_mail_that_the_server_cannot_read_is_named_and_the_others_are_read() {
    let servers = Servers::find();
    let (able, simple) = (
        servers.account("unreadable"),
        servers.account("unreadable-simple"),
    );
    for (user, table) in [
        (&able, servers.imap_table(&able)),
        (&simple, servers.simple_table(&simple)),
    ] {
        let mut hand = Hand::at(&servers, user);
        for number in 1..=5 {
            let words = format!("the words of number {number}");
            hand.append("INBOX", &mail(&format!("m{number}"), "plan", &words));
        }
        let [file] = files_with(&servers, user, "number 2").try_into().unwrap();
        // As after a restored backup: it belongs to somebody else.
        let chown = Command::new("chown").arg("root").arg(&file).status();
        assert!(chown.unwrap().success());
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();

        let mut source = open(&table);
        let first = read(&mut source, None);
        assert_eq!(first.posted(), ["m1", "m3", "m4", "m5"], "{user}");
        let [skipped] = &first.skipped[..] else {
            panic!("{:?}", first.skipped);
        };
        assert!(
            skipped.contains("INBOX uid 2: the server does not give"),
            "{skipped}"
        );

        // What is new is read as ever; where lists are compared, the mail is, too, once it can be.
        hand.append("INBOX", &mail("m6", "plan", "one more"));
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        // The next process looks again.
        let second = read(&mut open(&table), first.cursor);
        let expected: &[&str] = if user == &able {
            &["m6"]
        } else {
            &["m2", "m6"]
        };
        assert_eq!(second.posted(), expected, "{user}");
        assert!(second.gone().is_empty());
    }
}

#[test]
#[ignore = "needs the servers of tests/mail/servers.sh"]
fn a_mark_of_deletion_that_is_taken_back_is_noticed_by_comparing_lists() {
    let servers = Servers::find();
    let user = servers.account("taken-back");
    let table = servers.simple_table(&user);
    let mut hand = Hand::at(&servers, &user);
    for number in 1..=3 {
        hand.append("INBOX", &mail(&format!("m{number}"), "plan", "words"));
    }
    let mut source = open(&table);
    let first = read(&mut source, None);
    hand.say("SELECT INBOX");
    hand.say("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    hand.append("INBOX", &mail("m4", "plan", "words"));
    let second = read(&mut source, first.cursor);
    assert_eq!(
        (second.posted(), second.gone()),
        (vec!["m4".to_owned()], vec!["m2".to_owned()])
    );
    hand.say("UID STORE 2 -FLAGS.SILENT (\\Deleted)");
    hand.append("INBOX", &mail("m5", "plan", "words"));
    let third = read(&mut source, second.cursor);
    assert_eq!(third.posted(), ["m2~2", "m5"]);
    // Nothing comes a second time.
    hand.append("INBOX", &mail("m6", "plan", "words"));
    assert_eq!(read(&mut source, third.cursor).posted(), ["m6"]);
}
