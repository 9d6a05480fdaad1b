//! The recorded mailboxes of `tests/fixtures/mail`, as mbox and as Maildir: whole, broken and grown.

use std::fs;
use std::path::Path;

use crate::connectors::files::testing::{All, fixtures, open, read, read_new};
use crate::model::{Audience, Event};

const MBOX: &str =
    "type = \"mbox\"\npath = \"list.mbox\"\nurl = \"https://lists.example.org/m/{id}\"";
const MAILDIR: &str = "type = \"maildir\"\npath = \"maildir\"";

fn mail() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    for name in ["list.mbox", "odd.mbox"] {
        fs::copy(fixtures("mail").join(name), base.path().join(name)).unwrap();
    }
    let mut folders = vec![String::from("maildir")];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(base.path().join(&folder)).unwrap();
        for entry in fs::read_dir(fixtures("mail").join(&folder)).unwrap() {
            let inner = format!(
                "{folder}/{}",
                entry.as_ref().unwrap().file_name().to_str().unwrap()
            );
            if entry.unwrap().path().is_dir() {
                folders.push(inner);
            } else {
                fs::copy(fixtures("mail").join(&inner), base.path().join(&inner)).unwrap();
            }
        }
    }
    base
}

fn find<'a>(all: &'a All, id: &str) -> &'a Event {
    let found = all.page.events.iter().find(|event| *event.id.id == *id);
    found.unwrap_or_else(|| panic!("{id} is not in {:?}", all.ids()))
}

fn append(path: &Path, text: &str) {
    let mut whole = fs::read(path).unwrap();
    whole.extend_from_slice(text.as_bytes());
    fs::write(path, whole).unwrap();
}

fn letter(id: &str, more: &str, text: &str) -> String {
    format!(
        "\nFrom x@example.org Wed Oct 21 08:00:00 2026\nFrom: x@example.org\nDate: Wed, 21 Oct 2026 08:00:00 +0000\nMessage-ID: <{id}>\n{more}\n{text}\n"
    )
}

#[test]
fn a_mail_without_an_end_keeps_its_words() {
    let head = "From: a@x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n";
    let inner = "Content-Type: multipart/alternative; boundary=c\n\n--c\n";
    for raw in [
        format!("{head}Content-Type: text/plain\n\nhello\n"),
        format!("{head}{inner}Content-Type: text/plain\n\nhello\n"),
        format!(
            "{head}{inner}Content-Type: text/plain\n\nhello\n--c\nContent-Type: text/html\n\n<p>hel"
        ),
        format!(
            "{head}Content-Type: text/plain\n\nhello\n--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\nQUJD"
        ),
    ] {
        let closed = super::body::close_parts(raw.as_bytes());
        let words = super::body::words_of(&super::parse(&closed).unwrap());
        assert_eq!(words.text.trim(), "hello", "{raw}");
    }
}

#[test]
fn mails_become_events() {
    let base = mail();
    let all = read_new(MBOX, base.path());
    assert!(all.page.skipped.is_empty(), "{:?}", all.skipped());
    assert_eq!(
        all.ids(),
        [
            "<plan@example.org>",
            "<yes@example.org>",
            "<late@example.org>",
            "<cron1@example.org>"
        ]
    );

    let plan = find(&all, "<plan@example.org>");
    assert_eq!(
        plan.text.0,
        "Shall we cut on Friday? It is a naïve question.\nFrom what I see we can.\nFrom here on it is up to you.\n\nFrom time to time I wonder."
    );
    assert!(plan.aside.starts_with("--\nAna\n____") && plan.aside.ends_with("listinfo/dev"));
    assert_eq!(
        plan.author.as_ref().map(|author| &*author.id),
        Some("ana@example.org")
    );
    assert_eq!(plan.occurred_at.to_string(), "2026-10-19T08:00:00Z");
    assert_eq!(plan.url, "https://lists.example.org/m/plan@example.org");

    let yes = find(&all, "<yes@example.org>");
    assert_eq!(
        (&*yes.text.0, &*yes.aside),
        (
            "Yes.",
            "On Mon, Oct 19, 2026 Ana Duarte wrote:\n\n> Shall we cut on Friday?"
        )
    );
    for id in ["<yes@example.org>", "<late@example.org>"] {
        assert_eq!(&*find(&all, id).thread.id, "<plan@example.org>");
    }
    assert!(find(&all, "<cron1@example.org>").by_bot && !yes.by_bot);

    let thread = &all.page.threads[0];
    assert_eq!(
        (&*thread.title, thread.audience == Audience::Everyone),
        ("[dev] Release plan", true)
    );
    assert_eq!(
        thread.space.as_ref().map(|space| &*space.id),
        Some("dev.lists.example.org")
    );
    assert_eq!(
        all.page
            .spaces
            .iter()
            .map(|space| &*space.name)
            .collect::<Vec<_>>(),
        ["dev"]
    );
    let people: Vec<&str> = thread
        .participants
        .iter()
        .map(|handle| &*handle.id)
        .collect();
    assert_eq!(
        people,
        [
            "ana@example.org",
            "bo@example.org",
            "cy@example.org",
            "dev@lists.example.org"
        ]
    );
    let bo = all
        .page
        .people
        .iter()
        .find(|person| person.email.as_deref() == Some("bo@example.org"))
        .unwrap();
    assert_eq!(bo.name, "Bo Lindqvist");
}

#[test]
fn the_participants_of_a_mail_are_those_it_names() {
    let base = mail();
    let all = read_new(&format!("{MBOX}\naudience = \"participants\""), base.path());
    let only = |audience: &Audience| match audience {
        Audience::Only(handles) => handles
            .iter()
            .map(|handle| handle.id.to_string())
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let yes = find(&all, "<yes@example.org>");
    assert_eq!(
        only(yes.audience.as_ref().unwrap()),
        ["bo@example.org", "dev@lists.example.org"]
    );
    assert_eq!(only(&all.page.threads[0].audience).len(), 4);
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_loaded() {
    let base = mail();
    let table = MBOX.replace("list.mbox", "odd.mbox");
    let all = read_new(&table, base.path());
    assert_eq!(
        all.skipped(),
        [
            "odd.mbox:1: what stands here is no mail: no line `From …` and no headers",
            "odd.mbox:3: the mail has no date that can be right; the time of its delivery stands in",
            "odd.mbox:32: the mail stood further up already, under the same Message-ID; it was loaded once",
            "odd.mbox:41: another mail further up has this Message-ID; both were loaded, this one under an id of its own",
            "odd.mbox:49: the mail has no date that can be right; the time of its delivery stands in",
            "odd.mbox:57: some bytes are not of the character set the mail names; they were replaced",
        ]
    );
    assert_eq!(all.page.events.len(), 7);
    let made_up: Vec<&Event> = all
        .page
        .events
        .iter()
        .filter(|event| event.id.id.ends_with("@generated>"))
        .collect();
    assert_eq!(
        made_up
            .iter()
            .map(|event| &*event.text.0)
            .collect::<Vec<_>>(),
        ["b1", "b2", "d"]
    );
    assert_eq!(
        find(&all, "<nodate@example.org>").occurred_at.to_string(),
        "2026-10-19T08:00:00Z"
    );
    assert_eq!(
        find(&all, "<bytes@example.org>").text.0,
        "bad \u{fffd} byte"
    );
    // The same file gives the same made-up ids.
    assert_eq!(read_new(&table, base.path()).ids(), all.ids());
}

#[test]
fn a_grown_mailbox_brings_what_is_new_in_its_thread() {
    let base = mail();
    let path = base.path().join("list.mbox");
    let mut source = open(MBOX, base.path());
    let all = read(&mut source, None);
    append(
        &path,
        &letter(
            "more@example.org",
            "In-Reply-To: <late@example.org>\n",
            "more",
        ),
    );
    // The last mail of the first reading comes again, because it might have been incomplete.
    for source in [&mut source, &mut open(MBOX, base.path())] {
        let more = read(source, all.cursor.clone());
        assert_eq!(more.ids(), ["<cron1@example.org>", "<more@example.org>"]);
        assert_eq!(
            &*find(&more, "<more@example.org>").thread.id,
            "<plan@example.org>"
        );
        assert_eq!(more.page.threads[1].title, "[dev] Release plan");
    }
}

#[test]
fn a_mail_that_was_being_written_is_read_to_its_end() {
    let base = mail();
    let path = base.path().join("list.mbox");
    let whole = fs::read_to_string(&path).unwrap();
    let mut seen = Default::default();
    let mut cursor = None;
    for upto in [whole.len() - 7, whole.len() - 1, whole.len()] {
        fs::write(&path, &whole[..upto]).unwrap();
        let all = read(&mut open(MBOX, base.path()), cursor);
        assert!(all.page.skipped.is_empty(), "{:?}", all.skipped());
        seen = find(&all, "<cron1@example.org>").text.0.clone();
        cursor = all.cursor;
    }
    assert_eq!(seen, "0 errors");
}

#[test]
fn a_replaced_mailbox_is_read_whole() {
    let base = mail();
    let path = base.path().join("list.mbox");
    let mut source = open(MBOX, base.path());
    let all = read(&mut source, None);
    fs::write(&path, letter("other@example.org", "", "other")).unwrap();
    let other = read(&mut source, all.cursor);
    assert_eq!(other.ids(), ["<other@example.org>"]);
    fs::copy(fixtures("mail").join("list.mbox"), &path).unwrap();
    assert_eq!(read(&mut source, other.cursor).page.events.len(), 4);
}

#[test]
fn a_large_mailbox_comes_in_pages_and_one_huge_mail_is_cut() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("list.mbox");
    let mut text: String = (0..5_000)
        .map(|at| {
            letter(
                &format!("m{at}@x"),
                &format!("In-Reply-To: <m{}@x>\n", at / 100 * 100),
                &format!("text {at}"),
            )
        })
        .collect();
    text.push_str(&letter(
        "huge@x",
        "Subject: huge\n",
        &"words and words\n".repeat((50 << 20) / 16),
    ));
    text.push_str(&letter(
        "line@x",
        "Subject: one line\n",
        &"x".repeat(5 << 20),
    ));
    text.push_str(&letter("end@x", "Subject: end\n", "end"));
    fs::write(&path, text).unwrap();
    let all = read_new(MBOX, base.path());
    assert_eq!(all.page.events.len(), 5_003);
    assert!(all.pages >= 3);
    assert_eq!(&*find(&all, "<m4999@x>").thread.id, "<m4900@x>");
    assert!(find(&all, "<huge@x>").text.0.len() <= 256 << 10);
    let told: Vec<String> = all
        .skipped()
        .iter()
        .map(|told| told.split_once(": ").unwrap().1.to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "the mail's text is longer than 256 KB; the rest of it was left out",
            "the mail has more than 4 MB, or a line of more than 1 MB; the rest of that was left out",
            "the mail's text is longer than 256 KB; the rest of it was left out",
            "the mail has more than 4 MB, or a line of more than 1 MB; the rest of that was left out",
        ]
    );

    // A process that starts anew after each page reads the same.
    let mut anew = All::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    loop {
        use crate::connectors::Source as _;
        let page = runtime
            .block_on(open(MBOX, base.path()).fetch(anew.cursor.as_ref()))
            .unwrap();
        anew.page.events.extend(page.events);
        anew.cursor = page.next.or(anew.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(anew.page.events, all.page.events);
}

#[test]
fn a_folder_of_mailboxes_is_one_mailbox() {
    let base = mail();
    fs::create_dir(base.path().join("box")).unwrap();
    fs::rename(
        base.path().join("list.mbox"),
        base.path().join("box/2026-October.txt"),
    )
    .unwrap();
    fs::write(
        base.path().join("box/2026-November.txt"),
        letter("nov@x", "References: <plan@example.org>\n", "nov"),
    )
    .unwrap();
    let all = read_new(&MBOX.replace("list.mbox", "box"), base.path());
    assert_eq!(all.page.events.len(), 5);
    assert_eq!(&*find(&all, "<nov@x>").thread.id, "<plan@example.org>");
}

#[test]
fn a_maildir_is_read_with_its_folders() {
    let base = mail();
    let mut source = open(MAILDIR, base.path());
    let all = read(&mut source, None);
    assert!(all.page.skipped.is_empty(), "{:?}", all.skipped());
    assert_eq!(
        all.ids(),
        ["<m1@example.org>", "<m2@example.org>", "<m3@example.org>"]
    );
    assert_eq!(
        &*find(&all, "<m2@example.org>").thread.id,
        "<m1@example.org>"
    );
    assert!(read(&mut source, all.cursor.clone()).page.events.is_empty());

    // Read by somebody: another folder, other flags, the same mail.
    let folder = base.path().join("maildir");
    fs::rename(
        folder.join("new/1792400060.M2P1.host"),
        folder.join("cur/1792400060.M2P1.host:2,RS"),
    )
    .unwrap();
    assert!(read_new(MAILDIR, base.path()).page.events.len() == 3);
    assert!(
        read(&mut open(MAILDIR, base.path()), all.cursor.clone())
            .page
            .events
            .is_empty()
    );

    let text = letter(
        "m6@example.org",
        "References: <m1@example.org> <m2@example.org>\n",
        "Late",
    );
    fs::write(
        folder.join("new/1792500000.M6P1.host"),
        text.split_once("2026\n").unwrap().1,
    )
    .unwrap();
    for source in [&mut source, &mut open(MAILDIR, base.path())] {
        let more = read(source, all.cursor.clone());
        assert_eq!(more.ids(), ["<m6@example.org>"]);
        assert_eq!(&*more.page.events[0].thread.id, "<m1@example.org>");
    }
}
