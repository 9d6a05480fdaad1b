//! What a reader says of a line is obeyed the next morning.

use std::process::{Command, Output};

use daybrief::model::{Briefing, BriefingItem, Heard, Reason, Verdict, Word};
use jiff::SignedDuration;

use crate::world::World;

const ASK: &str = "could you send me the list of harbors before noon?";
const NEWS: &str = "The night ferry is missing on it.";

/// Ana began a thread; Bo asks her something and answers in the thread, both in the night to Friday the 20th.
fn world() -> (World, String) {
    let mut world = World::new("2026-11-19T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Berlin", "");
    let root = world.chat(
        "general",
        "2026-11-18T10:00:00Z",
        "ana",
        "I put the new timetable on staging for everybody to look at.",
    );
    world.chat(
        "general",
        "2026-11-18T10:30:00Z",
        "bo",
        "Lunch is at one today.",
    );
    world.reply(&root, "2026-11-19T20:00:00Z", "bo", NEWS);
    world.chat(
        "general",
        "2026-11-19T23:00:00Z",
        "bo",
        &format!("<@UANA> {ASK}"),
    );
    world.run_until("2026-11-20T12:00:00Z");
    (world, root)
}

fn last(world: &World) -> Briefing {
    world.sent_to("ana").pop().unwrap()
}

/// Returns the number of the line that quotes a text, and the line.
fn line_with(briefing: &Briefing, text: &str) -> Option<(usize, BriefingItem)> {
    let quotes =
        |item: &&BriefingItem| item.citations.iter().any(|citation| citation.quote == text);
    let at = briefing.items.iter().position(|item| quotes(&item))?;
    Some((at + 1, briefing.items[at].clone()))
}

fn is_in_thread(briefing: &Briefing, thread: &str) -> bool {
    let threads = briefing
        .items
        .iter()
        .flat_map(|item| &item.threads)
        .chain(&briefing.also);
    threads.into_iter().any(|of| *of.id.id == *thread)
}

#[test]
fn an_ask_is_carried_until_it_is_answered_or_done() {
    for verdict in [None, Some(Verdict::Up), Some(Verdict::Done)] {
        let (mut world, _) = world();
        let (line, _) = line_with(&last(&world), ASK).unwrap();
        if let Some(verdict) = verdict {
            world.say("ana", "2026-11-20", line, verdict);
        }
        world.run_until("2026-11-23T12:00:00Z");
        assert_eq!(last(&world).date.to_string(), "2026-11-23");
        let is_carried = last(&world)
            .items
            .iter()
            .any(|item| item.reasons.contains(&Reason::AsksYou));
        assert_eq!(is_carried, verdict != Some(Verdict::Done), "{verdict:?}");
        world.check();
    }
}

#[test]
fn what_is_asked_again_after_done_is_shown_again() {
    let (mut world, _) = world();
    let (line, _) = line_with(&last(&world), ASK).unwrap();
    world.say("ana", "2026-11-20", line, Verdict::Done);
    let again = "could you also send me the list of lighthouses?";
    world.chat(
        "general",
        "2026-11-22T20:00:00Z",
        "bo",
        &format!("<@UANA> {again}"),
    );
    world.run_until("2026-11-23T12:00:00Z");
    assert!(
        line_with(&last(&world), again).is_some(),
        "{:#?}",
        last(&world).items
    );
    world.check();
}

#[test]
fn what_is_put_off_comes_again_the_next_morning_and_only_then() {
    for verdict in [None, Some(Verdict::Later)] {
        let (mut world, root) = world();
        let (line, item) = line_with(&last(&world), NEWS).unwrap();
        assert!(!item.carried);
        if let Some(verdict) = verdict {
            world.say("ana", "2026-11-20", line, verdict);
        }
        world.run_until("2026-11-23T12:00:00Z");
        let monday = last(&world);
        let again = monday
            .items
            .iter()
            .find(|item| item.reasons.contains(&Reason::PutOff));
        assert_eq!(again.is_some(), verdict.is_some());
        assert_eq!(is_in_thread(&monday, &root), verdict.is_some());
        if let Some(again) = again {
            assert!(
                again.carried
                    && again
                        .citations
                        .iter()
                        .any(|citation| citation.quote == NEWS),
                "{again:#?}"
            );
        }
        world.run_until("2026-11-24T12:00:00Z");
        assert!(!is_in_thread(&last(&world), &root), "once");
        world.check();
    }
}

#[test]
fn a_muted_thread_has_no_line_and_is_not_named_until_it_is_unmuted() {
    for (verdicts, is_shown) in [
        (&[][..], true),
        (&[Verdict::Mute][..], false),
        (&[Verdict::Mute, Verdict::Unmute][..], true),
    ] {
        let (mut world, root) = world();
        let (line, _) = line_with(&last(&world), NEWS).unwrap();
        for verdict in verdicts {
            world.say("ana", "2026-11-20", line, *verdict);
            let now = world.clock.now();
            world.clock.move_to(now + SignedDuration::from_secs(1));
        }
        world.reply(
            &root,
            "2026-11-22T20:00:00Z",
            "bo",
            "And the early one, too.",
        );
        world.run_until("2026-11-23T12:00:00Z");
        assert_eq!(is_in_thread(&last(&world), &root), is_shown, "{verdicts:?}");
        world.check();
    }
}

#[test]
fn votes_move_lines_of_the_same_sort_within_bounds() {
    let score_after = |verdict: Option<Verdict>| {
        let (mut world, root) = world();
        let (line, _) = line_with(&last(&world), NEWS).unwrap();
        if let Some(verdict) = verdict {
            world.say("ana", "2026-11-20", line, verdict);
        }
        let early = "And the early one is missing, too.";
        world.reply(&root, "2026-11-22T20:00:00Z", "bo", early);
        world.run_until("2026-11-23T12:00:00Z");
        let (_, item) = line_with(&last(&world), early).unwrap();
        world.check();
        item.score
    };
    let (plain, up, down) = (
        score_after(None),
        score_after(Some(Verdict::Up)),
        score_after(Some(Verdict::Down)),
    );
    assert!(down < plain && plain < up, "{down} {plain} {up}");
    assert!(
        down >= plain * 0.8 && up <= plain * 1.2,
        "{down} {plain} {up}"
    );
}

#[test]
fn who_says_stop_is_not_briefed_until_they_say_start() {
    let (mut world, _) = world();
    let before = world.sent().len();
    let say = |world: &World, word: Word, mark: &str| {
        world.sink.0.lock().unwrap().heard = Heard {
            questions: Vec::new(),
            word: Some(word),
            votes: Vec::new(),
            upto: mark.into(),
        };
    };
    say(&world, Word::Stop, "1");
    world.run_until("2026-11-23T12:00:00Z");
    assert_eq!(world.sent().len(), before);
    world.crash();
    world.run_until("2026-11-23T13:00:00Z");
    assert_eq!(world.sent().len(), before, "a new process knows it too");
    say(&world, Word::Start, "2");
    world.run_until("2026-11-24T12:00:00Z");
    assert_eq!(world.sent().len(), before + 2, "ana and bo");
    let answers = world.sink.0.lock().unwrap().answers.clone();
    assert_eq!(
        answers,
        ["word-1", "word-1", "word-2", "word-2"],
        "once each"
    );
    world.check();
}

#[test]
fn what_nothing_pushes_is_heard_with_the_next_reading() {
    let (mut world, _) = world();
    let (before, key) = (world.sent().len(), "ana-2026-11-20".to_owned());
    {
        let mut sink = world.sink.0.lock().unwrap();
        sink.is_to_be_asked = true;
        sink.heard = Heard {
            questions: Vec::new(),
            word: Some(Word::Stop),
            votes: vec![(key, Some(Verdict::Up))],
            upto: "1".into(),
        };
    }
    world.run_until("2026-11-20T12:40:00Z");
    let answers = world.sink.0.lock().unwrap().answers.clone();
    assert_eq!(answers, ["word-1", "word-1"], "ana and bo, the same noon");
    let votes = world.store().read_now(|c| {
        Ok(
            c.query_row("SELECT member || ' ' || verdict FROM steering", [], |row| {
                row.get::<_, String>(0)
            })?,
        )
    });
    assert_eq!(votes.unwrap(), "ana up");
    world.run_until("2026-11-23T12:00:00Z");
    assert_eq!(world.sent().len(), before);
    world.sink.0.lock().unwrap().heard = Heard {
        questions: Vec::new(),
        word: Some(Word::Start),
        votes: Vec::new(),
        upto: "2".into(),
    };
    world.run_until("2026-11-24T12:00:00Z");
    assert_eq!(world.sent().len(), before + 2);
    world.check();
}

#[test]
fn feedback_is_given_shown_and_forgotten_on_the_command_line() {
    let (mut world, root) = world();
    let secret = world.chat(
        "~secret",
        "2026-11-20T12:10:00Z",
        "ana",
        "Between us: it is the harbor.",
    );
    world.run_until("2026-11-20T13:00:00Z");
    world.check();
    let (config, data) = (world.path("daybrief.toml"), world.path("data"));
    let daybrief = |args: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daybrief"));
        command
            .arg("--config")
            .arg(&config)
            .arg("--data-dir")
            .arg(&data)
            .args(args);
        command.env_remove("DAYBRIEF_CONFIG").output().unwrap()
    };
    let says = |args: &[&str], code: i32, expected: &str| {
        let output = daybrief(args);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    let secret = format!("chat/{secret}");
    for (args, code, expected) in [
        (
            &["feedback", "ana"][..],
            0,
            "ana has said nothing of any line yet",
        ),
        (
            &["feedback", "ana", "done", "1"],
            0,
            "done of line 1 of 2026-11-20",
        ),
        (&["feedback", "ana", "up", "1"], 0, "up of line 1"),
        (
            &["feedback", "ana", "mute", &format!("chat/{root}")],
            0,
            "the next briefing obeys",
        ),
        (
            &["feedback", "ana", "mute", &secret],
            0,
            "the next briefing obeys",
        ),
        (&["feedback", "bo", "mute", &secret], 1, "no thread"),
        (&["feedback", "ana", "done", "99"], 1, "has no line 99"),
        (
            &["feedback", "nobody", "done", "1"],
            1,
            "there is no member \"nobody\"; known: ana, bo",
        ),
        (&["feedback", "ana", "done"], 2, "LINE|THREAD"),
        (&["feedback", "ana", "hush", "1"], 2, "hush"),
        (&["feedback", "ana"], 0, "votes move them by +"),
        (&["--json", "feedback", "ana"], 0, "\"verdict\":\"mute\""),
        (&["feedback", "ana", "--reset"], 0, "forgot 4 things"),
        (
            &["feedback", "ana"],
            0,
            "ana has said nothing of any line yet",
        ),
    ] {
        says(args, code, expected);
    }
}
