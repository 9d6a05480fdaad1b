//! What mails hold, and who may read them.

use super::*;

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
