//! Once, to the right people, whatever fails.

use crate::world::{Mood, World};

/// Ana in Lisbon, Bo in Berlin, Cy in New York; Bo asks Ana something overnight.
fn world() -> World {
    let mut world = World::new("2026-11-19T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Berlin", "");
    world.member("cy", "America/New_York", "");
    world.chat(
        "general",
        "2026-11-18T10:00:00Z",
        "ana",
        "I put the new timetable on staging for everybody to look at.",
    );
    world.chat(
        "general",
        "2026-11-19T19:00:00Z",
        "bo",
        "<@UANA> could you send me the list of harbors before noon?",
    );
    world
}

#[test]
fn a_briefing_comes_once_at_the_local_start_and_holds_the_ask() {
    let mut world = world();
    world.run_until("2026-11-20T12:00:00Z");
    let sent = world.sent();
    let ana: Vec<_> = sent
        .iter()
        .filter(|(key, ..)| key == "ana-2026-11-20")
        .collect();
    assert_eq!(ana.len(), 1);
    assert_eq!(
        ana[0].1.strftime("%F %H:%M").to_string(),
        "2026-11-20 09:00"
    );
    let item = &ana[0].2.items[0];
    assert_eq!(
        item.citations[0].quote,
        "could you send me the list of harbors before noon?"
    );
    world.check();
}

#[test]
fn a_lost_answer_ends_with_exactly_one_message() {
    let mut world = world();
    world.run_until("2026-11-20T08:59:00Z");
    world.mood(Mood::AnswerLost);
    world.run_until("2026-11-20T09:00:00Z");
    world.mood(Mood::Well);
    world.run_until("2026-11-20T12:00:00Z");
    assert_eq!(
        world.sent_to("ana").len(),
        2,
        "one on the 19th, one on the 20th"
    );
    assert_eq!(world.state_of("ana", "2026-11-20"), Some("sent"));
    world.check();
}

#[test]
fn a_sink_that_is_down_for_two_hours_gets_the_briefing_afterwards() {
    let mut world = world();
    world.run_until("2026-11-20T08:59:00Z");
    world.mood(Mood::Down);
    world.run_until("2026-11-20T11:00:00Z");
    let unknown_yet = Some("sending");
    assert_eq!(world.state_of("ana", "2026-11-20"), unknown_yet);
    world.mood(Mood::Well);
    world.run_until("2026-11-20T12:00:00Z");
    assert_eq!(world.state_of("ana", "2026-11-20"), Some("sent"));
    world.check();
}

#[test]
fn what_a_sink_surely_has_not_taken_is_tried_again_even_where_nobody_can_look() {
    let mut world = world();
    world.sink.0.lock().unwrap().cannot_look = true;
    world.run_until("2026-11-20T08:59:00Z");
    world.mood(Mood::Refuses);
    world.run_until("2026-11-20T09:10:00Z");
    assert_eq!(world.state_of("ana", "2026-11-20"), Some("failed"));
    world.crash();
    world.mood(Mood::Well);
    world.run_until("2026-11-20T12:00:00Z");
    assert_eq!(world.state_of("ana", "2026-11-20"), Some("sent"));
    assert_eq!(world.sent_to("ana").len(), 2);
    world.check();
}

#[test]
fn after_a_crash_while_sending_the_sink_is_asked_first() {
    for (arrived, cannot_look, state, messages) in [
        (true, false, "sent", 2),
        (false, false, "sent", 2),
        (true, true, "unknown", 2),
    ] {
        let mut world = world();
        world.run_until("2026-11-20T08:59:00Z");
        if arrived {
            world.run_until("2026-11-20T09:00:00Z");
        } else {
            world.mood(Mood::Down);
            world.run_until("2026-11-20T09:00:00Z");
            world.mood(Mood::Well);
        }
        world.crash();
        // As if we had died between handing it over and hearing back.
        let sql = "UPDATE deliveries SET state = 'sending', next_try_at = NULL WHERE member = 'ana' AND date = '2026-11-20'";
        world
            .store()
            .write_now(|c| Ok(c.execute(sql, [])?))
            .unwrap();
        world.sink.0.lock().unwrap().cannot_look = cannot_look;
        world.run_until("2026-11-20T12:00:00Z");
        assert_eq!(world.state_of("ana", "2026-11-20"), Some(state));
        assert_eq!(world.sent_to("ana").len(), messages);
        world.check();
    }
}

#[test]
fn what_is_deleted_before_a_second_try_does_not_come_back() {
    let mut world = world();
    let id = world.chat(
        "general",
        "2026-11-19T20:00:00Z",
        "cy",
        "<@UANA> can you tell me the code of the safe, 4711?",
    );
    world.run_until("2026-11-20T08:59:00Z");
    world.mood(Mood::Down);
    world.run_until("2026-11-20T09:10:00Z");
    world.delete(&id);
    world.mood(Mood::Well);
    world.run_until("2026-11-20T12:00:00Z");
    let all = format!("{:?}", world.sent_to("ana"));
    assert!(
        all.contains("list of harbors") && !all.contains("4711"),
        "{all}"
    );
    world.check();
}

#[test]
fn a_private_channel_reaches_its_members_only() {
    let mut world = world();
    world.chat(
        "~hiring",
        "2026-11-19T18:30:00Z",
        "cy",
        "<@UBO> <@UANA> do we offer her the senior position?",
    );
    world.run_until("2026-11-20T12:00:00Z");
    assert!(format!("{:?}", world.sent_to("ana")).contains("senior position"));
    assert!(!format!("{:?}", world.sent_to("bo")).contains("senior position"));
    world.check();
}

#[test]
fn a_source_that_breaks_is_a_named_gap_and_the_rest_goes_on() {
    let mut world = world();
    world.run_until("2026-11-20T08:00:00Z");
    let mut config = std::fs::read_to_string(world.path("daybrief.toml")).unwrap();
    config = config.replace("tickets.jsonl", "gone/tickets.jsonl");
    world.set_config(config);
    world.crash();
    world.run_until("2026-11-20T12:00:00Z");
    let ana = world.sent_to("ana").pop().unwrap();
    assert!(
        ana.gaps.iter().any(|gap| gap.of == "tracker"),
        "{:?}",
        ana.gaps
    );
    assert!(!ana.items.is_empty());
    world.check();
}

#[test]
fn with_nothing_to_say_and_no_quiet_line_nothing_is_sent() {
    let mut world = World::new("2026-11-19T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.quiet_line = false;
    world.run_until("2026-11-20T12:00:00Z");
    assert!(world.sent().is_empty());
    assert_eq!(world.state_of("ana", "2026-11-20"), Some("quiet"));
    world.check();
}

#[test]
fn an_own_ticket_that_is_due_needs_its_owner() {
    let mut world = world();
    world.ticket(serde_json::json!({
        "id": "TIDE-7", "created_at": "2026-11-10T10:00:00Z", "title": "Print the winter tables", "body": "All twelve.",
        "reporter": "bo", "assignee": "ana", "status": "open", "due": "2026-11-20"
    }));
    world.run_until("2026-11-20T12:00:00Z");
    let ana = world.sent_to("ana").pop().unwrap();
    let line = ana
        .items
        .iter()
        .find(|item| item.threads[0].label == "TIDE-7")
        .expect("a line for the ticket");
    assert!(line.facts.contains("due today") && line.carried, "{line:?}");
    world.check();
}

#[test]
fn a_hint_brings_the_reading_of_its_source_forward_and_of_no_other() {
    let mut world = world();
    world.run_until("2026-11-19T20:00:00Z");
    let id = world.chat(
        "general",
        "2026-11-19T20:01:00Z",
        "bo",
        "one more thing about the harbors",
    );
    let event = daybrief::model::EventId::new(&"chat".into(), id);
    let is_there = |world: &World| {
        let event = event.clone();
        let found = world
            .store()
            .read_now(|c| daybrief::store::events::present(c, &event));
        found.unwrap().is_some()
    };
    world.hint("tracker", "2026-11-19T20:02:00Z");
    assert!(!is_there(&world), "another source said something");
    world.hint("chat", "2026-11-19T20:03:00Z");
    assert!(is_there(&world));
    world.run_until("2026-11-20T12:00:00Z");
    world.check();
}

#[test]
fn a_mention_in_a_talk_with_the_readers_last_word_is_named_by_its_message() {
    let mut world = World::new("2026-11-18T09:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "America/New_York", "");
    let root = world.chat(
        "general",
        "2026-11-19T19:00:00Z",
        "bo",
        "the harbor list is done",
    );
    let named = world.reply(
        &root,
        "2026-11-19T19:10:00Z",
        "bo",
        "<@UANA> it is in your folder now",
    );
    world.reply(
        &root,
        "2026-11-19T19:20:00Z",
        "ana",
        "thanks, I have read it and it is fine",
    );
    world.run_until("2026-11-20T12:00:00Z");
    let ana = world.sent_to("ana").pop().unwrap();
    let also: Vec<&str> = ana.also.iter().map(|thread| &*thread.id.id).collect();
    assert_eq!(also, [named]);
    world.check();
}

#[test]
fn however_many_asks_are_from_before_the_line_cites_what_is_new() {
    let mut world = World::new("2026-11-16T09:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "America/New_York", "");
    let root = world.chat(
        "general",
        "2026-11-16T10:00:00Z",
        "bo",
        "the tide tables of next year",
    );
    for (day, ask) in [
        (16, "<@UANA> can you check the tide table of May?"),
        (17, "<@UANA> could you also send me the map of the harbor?"),
        (18, "<@UANA> would you look at the page about lights?"),
    ] {
        world.reply(&root, &format!("2026-11-{day}T11:00:00Z"), "bo", ask);
    }
    let new = world.reply(
        &root,
        "2026-11-19T19:00:00Z",
        "bo",
        "the printer called, they begin on Monday",
    );
    world.run_until("2026-11-20T12:00:00Z");
    let ana = world.sent_to("ana").pop().unwrap();
    let line = ana
        .items
        .iter()
        .find(|item| item.threads.iter().any(|thread| *thread.id.id == *root));
    let line = line.unwrap_or_else(|| panic!("the talk is gone: {ana:?}"));
    assert!(!line.carried && line.citations.len() == 3, "{line:?}");
    assert!(
        line.citations
            .iter()
            .any(|citation| *citation.event.id == *new),
        "{line:?}"
    );
    assert!(ana.gaps.is_empty(), "{:?}", ana.gaps);
    world.check();
}

#[test]
fn what_the_reader_wrote_in_is_theirs_however_close_the_others_are() {
    let mut world = World::new("2026-11-09T09:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "America/New_York", "");
    // Ana and Bo work together all the time …
    for day in 9..13 {
        let root = world.chat(
            "general",
            &format!("2026-11-{day:02}T12:00:00Z"),
            "bo",
            "the list of today is up",
        );
        world.reply(
            &root,
            &format!("2026-11-{day:02}T12:30:00Z"),
            "ana",
            "I have read the list, all fine",
        );
    }
    // … and she wrote once, long ago, in a talk that went on without her.
    let root = world.chat(
        "general",
        "2026-11-13T12:00:00Z",
        "cy",
        "new ropes for the pier",
    );
    world.reply(
        &root,
        "2026-11-13T12:10:00Z",
        "ana",
        "the blue ones lasted longest last time",
    );
    for (minute, who) in [(20, "cy"), (30, "bo"), (40, "cy"), (50, "bo"), (55, "cy")] {
        world.reply(
            &root,
            &format!("2026-11-13T12:{minute}:00Z"),
            who,
            "these cost more this year",
        );
    }
    world.reply(
        &root,
        "2026-11-19T19:00:00Z",
        "bo",
        "the ropes have come, they lie in the shed",
    );
    world.run_until("2026-11-20T12:00:00Z");
    let ana = world.sent_to("ana").pop().unwrap();
    let line = ana
        .items
        .iter()
        .find(|item| item.threads.iter().any(|thread| *thread.id.id == *root));
    assert_eq!(
        line.unwrap().section,
        daybrief::model::Section::ChangedOnYours
    );
}

#[test]
fn what_is_past_its_time_leaves_store_and_index_and_is_no_news() {
    let mut world = World::new("2026-11-19T12:00:00Z");
    world.set_config(
        "[connectors.chat]\ntype = \"slack-export\"\npath = \"chat\"\n[connectors.tracker]\ntype = \"tickets\"\npath = \"tickets.jsonl\"\n[retention.connectors]\nchat = 30\n".into(),
    );
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Berlin", "");
    let old = world.chat(
        "general",
        "2026-10-01T10:00:00Z",
        "bo",
        "the marmalade password is on the shelf",
    );
    let young = world.chat(
        "general",
        "2026-11-18T10:00:00Z",
        "bo",
        "the timetable is on the shelf",
    );
    world.run_until("2026-11-20T12:00:00Z");
    let event = |id: &str| daybrief::model::EventId::new(&"chat".into(), id);
    let is_there = |id: &str| {
        let event = event(id);
        let found = world
            .store()
            .read_now(|c| daybrief::store::events::present(c, &event));
        found.unwrap().is_some()
    };
    assert!(!is_there(&old), "50 days old");
    assert!(is_there(&young));
    let words: u64 = world
        .store()
        .read_now(|c| {
            let sql = "SELECT count(*) FROM events WHERE text LIKE '%marmalade%'";
            Ok(c.query_row(sql, [], |row| row.get(0))?)
        })
        .unwrap();
    assert_eq!(words, 0);
    assert_eq!(world.found("marmalade"), 0, "the index let go of it too");
    assert_eq!(world.found("timetable"), 1);
    world.check();
}

#[test]
fn what_is_deleted_at_its_source_leaves_the_briefings_that_quoted_it() {
    let mut world = World::new("2026-11-19T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Berlin", "");
    let ask = world.chat(
        "general",
        "2026-11-19T20:00:00Z",
        "bo",
        "<@UANA> could you put the marmalade back on the shelf?",
    );
    world.run_until("2026-11-20T12:00:00Z");
    let stored = |world: &World, word: &str| -> u64 {
        let sql = "SELECT count(*) FROM deliveries WHERE body LIKE '%' || ?1 || '%'";
        let count = world
            .store()
            .read_now(|c| Ok(c.query_row(sql, [word], |row| row.get(0))?));
        count.unwrap()
    };
    assert_eq!(stored(&world, "marmalade"), 1);
    world.check();
    world.delete(&ask);
    world.run_until("2026-11-20T18:00:00Z");
    assert_eq!(stored(&world, "marmalade"), 0);
    assert_eq!(stored(&world, "removed at its source"), 1);
    let ana = world
        .store()
        .read_now(|c| daybrief::store::deliveries::latest(c, Some(&"ana".into()), 1));
    let ana = daybrief::brief::deliver::body_of(&ana.unwrap()[0]).unwrap();
    assert_eq!(*ana.items[0].citations[0].event.id, *ask, "the line stays");
}

#[test]
fn who_joins_the_space_is_briefed_and_who_leaves_is_not_and_the_admin_is_told() {
    let mut world = World::new("2026-11-17T05:00:00Z");
    world.set_config(
        "[connectors.chat]\ntype = \"slack-export\"\npath = \"chat\"\n[connectors.tracker]\ntype = \"tickets\"\npath = \"tickets.jsonl\"\n[roster]\nfrom = \"chat\"\nspace = \"#crew\"\nadmin = \"ana\"\n".into(),
    );
    for (name, zone) in [
        ("ana", "Europe/Lisbon"),
        ("bo", "Europe/Berlin"),
        ("cy", "UTC"),
    ] {
        world.member(name, zone, "");
    }
    world.chat(
        "~crew",
        "2026-11-17T04:00:00Z",
        "ana",
        "hello to the crew of the boat",
    );
    world.run_until("2026-11-17T12:00:00Z");
    assert_eq!(world.sent_to("cy").len(), 1, "in the channel");
    assert_eq!(world.sent_to("bo").len(), 0, "not in it");
    let told = |world: &World| {
        let last = world.sent_to("ana").pop().unwrap();
        let gap = last.gaps.iter().find(|gap| gap.of == "#crew");
        gap.map(|gap| gap.reason.clone())
    };
    assert_eq!(told(&world).as_deref(), Some("bo left"));
    world.run_until("2026-11-18T12:00:00Z");
    assert_eq!(told(&world), None, "once");
    world.check();
}

#[test]
fn who_does_not_want_to_be_quoted_is_named_without_their_words() {
    let mut world = World::new("2026-11-19T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Berlin", "quote = false");
    let words = "could you send me the list of harbors before noon?";
    world.chat(
        "general",
        "2026-11-19T19:00:00Z",
        "bo",
        &format!("<@UANA> {words}"),
    );
    world.run_until("2026-11-20T12:00:00Z");
    let briefing = world.sent_to("ana").pop().unwrap();
    let item = &briefing.items[0];
    assert_eq!(item.citations[0].author.as_deref(), Some("bo"));
    assert!(
        item.citations
            .iter()
            .all(|citation| citation.quote.is_empty())
    );
    world.check();
}
