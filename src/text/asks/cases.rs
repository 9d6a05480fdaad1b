//! Cases: who asks whom for what, what answers it, what is decided, what is stuck.

use super::*;
use crate::model::ThreadKind::{Conversation, Mail, Ticket};

/// Shows whom the `i`th line asks for what: `question @bo`, `request *`, or nothing; then who answers.
fn shown(kind: ThreadKind, lines: &[(&str, &str)], i: usize) -> String {
    let names: Vec<[&str; 1]> = lines.iter().map(|line| [line.0]).collect();
    let messages: Vec<Utterance<'_>> = lines
        .iter()
        .zip(&names)
        .map(|(&(author, text), names)| Utterance {
            author,
            names,
            text,
            ..Utterance::default()
        })
        .collect();
    let people = [Named {
        key: "cleo",
        names: &["Cleo Marsh"],
    }];
    let scene = Scene {
        kind,
        title: "",
        messages: &messages,
        opener: Some(0),
        owner: Some(lines[0].0),
        people: &people,
        between: None,
    };
    let Some(found) = ask_in(&scene, i) else {
        return String::from("-");
    };
    let what = match found.kind {
        AskKind::Question => "question",
        AskKind::Request => "request",
        AskKind::Review => "review",
    };
    let to = match &found.to {
        To::Persons(keys) => keys.iter().map(|key| format!(" @{key}")).collect(),
        To::Somebody(name) => format!(" ~{name}"),
        To::Group => String::from(" *"),
    };
    let by = closed_by(&scene, i, &found).map_or(String::new(), |n| format!(" <{n}"));
    format!("{what}{to}{by}")
}

#[test]
fn asks_are_told_from_talk() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            shown(Conversation, &[("ana", text)], 0),
            expected,
            "{text:?}"
        )
    };
    check("does anyone know why the staging login loops", "question *");
    check(
        "Could somebody restart the importer? It hangs again.",
        "request *",
    );
    check("Any thoughts on the new colors? :art:", "question *");
    check(
        "I'm wondering whether the cache survives a restart.",
        "request *",
    );
    check(
        "Help with the migration script would be much appreciated",
        "request *",
    );
    check(
        "cleo, please send me the invoice by Friday",
        "request @cleo",
    );
    check("@cleo have you seen the failing job", "question @cleo");
    check("Is this the right place? https://wiki.test/a", "question *");
    check("Weiß jemand, warum der Build rot ist?", "question *");
    check("alguien sabe cuándo sale la versión nueva", "request *");
    check("Alguém pode rever o meu texto?", "question *");
    check("Est-ce que quelqu'un a la clé du serveur ?", "question *");
    check("The importer is done, I moved on to the reports.", "-");
    check("You can restart it with `make up`, if you want.", "-");
    check("Let me know if you have any questions!", "-");
    check("Feel free to ping me.", "-");
    check("Who knows, it might work.", "-");
    check("She asked \"who broke the tests?\".", "-");
    check("Want me to have a look?", "-");
    check("The predicate is called `empty?`", "-");
    check("> Can you resend it?\nDone, it is in your inbox.", "-");
    check("Where is the runbook? Oh, never mind, found it.", "-");
    check("Thanks a lot for the quick answer!", "-");
}

#[test]
fn an_ask_goes_to_whom_it_is_said() {
    let check = |kind: ThreadKind, lines: &[(&str, &str)], i: usize, expected: &str| {
        assert_eq!(shown(kind, lines, i), expected, "{:?}", lines[i]);
    };
    let talk = [
        ("ana", "The parser drops comments since yesterday."),
        ("bo", "Which version do you run?"),
        ("ana", "3.2. Should I go back to 3.1?"),
    ];
    check(Conversation, &talk, 1, "question @ana <2");
    check(Conversation, &talk, 2, "question @bo");
    check(
        Conversation,
        &[
            ("ana", "I like it."),
            ("bo", "hey ana: could you push the branch?"),
        ],
        1,
        "request @ana",
    );
    check(
        Conversation,
        &[
            ("ana", "Lunch was good."),
            ("dee", "Hi all, is the VPN down for anyone else?"),
        ],
        1,
        "question *",
    );
    check(
        Conversation,
        &[
            ("bo", "@cleo the deploy is stuck."),
            ("bo", "Should I roll it back?"),
        ],
        1,
        "question @cleo",
    );
    check(
        Conversation,
        &[("bo", "As @ana said it is slow. Does anybody have numbers?")],
        0,
        "question *",
    );
    check(
        Mail,
        &[
            ("ana", "We ship on Monday."),
            ("bo", "Is the changelog ready?\n\nCheers,\nBo"),
        ],
        1,
        "question @ana",
    );
    check(
        Mail,
        &[
            ("ana", "The draft of the charter is out."),
            ("bo", "I read it all."),
            ("eve", "> The draft of the charter is out.\nWho signs it?"),
        ],
        2,
        "question @ana",
    );
    check(
        Mail,
        &[(
            "ana",
            "Hi Jonas,\n\nCould you check the numbers in table two?",
        )],
        0,
        "request ~Jonas",
    );
    check(
        Mail,
        &[(
            "ana",
            "On Tue, Cleo Marsh wrote:\n> the numbers are off\n\nWhich ones do you mean?",
        )],
        0,
        "question @cleo",
    );
    check(
        Ticket,
        &[("ana", "Adds a retry."), ("bot", "r? @cleo")],
        1,
        "review @cleo",
    );
    check(
        Ticket,
        &[
            ("ana", "Crash on save."),
            ("bo", "Can you attach the log?"),
            ("ana", "Here: https://p.test/1"),
        ],
        1,
        "request @ana <2",
    );
}

#[test]
fn answers_are_told_from_other_talk() {
    let check = |lines: &[(&str, &str)], expected: &str| {
        assert_eq!(shown(Conversation, lines, 0), expected, "{lines:?}")
    };
    let ask = ("ana", "Does anyone have the key of the store room?");
    check(&[ask], "question *");
    check(
        &[ask, ("ana", "It is rather urgent, the delivery is here.")],
        "question *",
    );
    check(&[ask, ("bo", "yes")], "question * <1");
    check(
        &[ask, ("bo", "hm"), ("ana", "found it, thanks")],
        "question * <2",
    );
    check(
        &[ask, ("bo", "Photos of Saturday's party are online")],
        "question *",
    );
    check(
        &[
            ask,
            ("bo", "Ana, it should be in the drawer below the printer."),
        ],
        "question * <1",
    );
    let ask = ("ana", "cleo, did the auditor call?");
    check(&[ask, ("cleo", "not today")], "question @cleo <1");
    check(
        &[ask, ("bo", "@dee lunch?"), ("cleo", "no")],
        "question @cleo <2",
    );
}

#[test]
fn decisions_need_a_settled_choice_and_no_objection() {
    let check = |kind: ThreadKind, lines: &[(&str, &str)], expected: bool| {
        let messages: Vec<Utterance<'_>> = lines
            .iter()
            .map(|&(author, text)| Utterance {
                author,
                text,
                ..Utterance::default()
            })
            .collect();
        let scene = Scene {
            kind,
            title: "",
            messages: &messages,
            opener: Some(0),
            owner: None,
            people: &[],
            between: None,
        };
        assert_eq!(decision_in(&scene, 0).is_some(), expected, "{lines:?}");
    };
    check(
        Conversation,
        &[("ana", "OK, we decided to keep the old logo.")],
        true,
    );
    check(
        Conversation,
        &[("ana", "Let's go with option B then.")],
        true,
    );
    check(
        Conversation,
        &[
            ("ana", "Let's go with option B then."),
            ("bo", "Wait, B has no export."),
        ],
        false,
    );
    check(
        Conversation,
        &[("ana", "Should we go with option B?")],
        false,
    );
    check(
        Conversation,
        &[("ana", "Maybe we should keep the old logo.")],
        false,
    );
    check(Conversation, &[("ana", "We have not decided yet.")], false);
    check(
        Ticket,
        &[("ana", "Closing as duplicate of the other report.")],
        true,
    );
    check(Ticket, &[("ana", "r+")], true);
    check(
        Ticket,
        &[("ana", "It still needs an r+ from somebody.")],
        false,
    );
    check(Mail, &[("ana", "No objections from my side.")], true);
    check(
        Mail,
        &[("ana", "I'll make the change in section two.")],
        true,
    );
}

#[test]
fn blockers_say_that_work_is_stuck() {
    let check = |text: &str, expected: bool| {
        let messages = [Utterance {
            author: "ana",
            text,
            ..Utterance::default()
        }];
        let scene = Scene {
            kind: Ticket,
            title: "",
            messages: &messages,
            opener: None,
            owner: None,
            people: &[],
            between: None,
        };
        assert_eq!(blocker_in(&scene, 0).is_some(), expected, "{text:?}");
    };
    check("The release is blocked by the license check.", true);
    check("CI is down since this morning.", true);
    check("All tests fail on the new runner.", true);
    check("We can't merge until the schema is frozen.", true);
    check("The tests pass again.", false);
    check("It might break if the mirror is down.", false);
}
