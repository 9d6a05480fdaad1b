//! Words by a model: shared, held to the facts, and never needed.

use std::time::Duration;

use daybrief::brief::render;
use daybrief::config::LlmConfig;
use daybrief::llm::fake::{Fake, MODEL, Manner, Mind};
use daybrief::model::Briefing;
use serde_json::{Value, json};

use crate::world::{World, at};

/// Puts a fake server behind the daemon, as `[llm]` would.
fn serve(world: &mut World, fake: Fake) {
    let config = LlmConfig {
        base_url: "http://model.invalid/v1".into(),
        model: MODEL.into(),
        ..LlmConfig::default()
    };
    world.model = Some((fake, config));
    // The daemon of before has none.
    world.crash();
}

/// Ana and bo sleep while cy and dee talk; ana is asked something.
fn night() -> World {
    let mut world = World::new("2026-11-17T16:00:00Z");
    for name in ["ana", "bo", "cy", "dee"] {
        world.member(name, "UTC", "");
    }
    // History, so that what follows is news.
    world.chat(
        "field",
        "2026-11-16T10:00:00Z",
        "ana",
        "I keep an eye on the antenna of the upper hut this week.",
    );
    world.chat(
        "field",
        "2026-11-16T10:05:00Z",
        "bo",
        "And I keep an eye on the battery of the lower hut.",
    );
    world.run_until("2026-11-17T18:00:00Z");
    for (when, who, text) in [
        (
            "2026-11-17T20:00:00Z",
            "cy",
            "The antenna of the upper hut was reseated and has reported every 15 minutes since 19:40.",
        ),
        (
            "2026-11-17T20:10:00Z",
            "cy",
            "<@UANA> could you order two more batteries for the upper hut before the end of Thursday?",
        ),
        (
            "2026-11-17T20:12:00Z",
            "cy",
            "<@UBO> could you ask the guide for the spare key of the upper hut before tomorrow evening?",
        ),
    ] {
        world.chat("field", when, who, text);
    }
    world
}

fn morning(mut world: World) -> (World, Vec<Briefing>) {
    world.run_until("2026-11-18T09:30:00Z");
    let sent = world.sent();
    let sent = sent
        .into_iter()
        .filter(|(_, at, _)| at.to_string().starts_with("2026-11-18T09:0"))
        .map(|(.., briefing)| briefing)
        .collect();
    world.check();
    (world, sent)
}

fn worded(briefings: &[Briefing]) -> usize {
    let items = briefings.iter().flat_map(|briefing| &briefing.items);
    items.filter(|item| !item.summary.is_empty()).count()
}

/// Takes out what only says who wrote.
fn facts_of(briefings: &[Briefing]) -> Vec<Value> {
    briefings
        .iter()
        .map(|briefing| {
            let mut value = render::to_json(briefing);
            value["written_by"] = json!("");
            for item in value["items"].as_array_mut().unwrap() {
                item.as_object_mut().unwrap().remove("wording");
            }
            value
        })
        .collect()
}

#[test]
fn lines_are_worded_before_the_day_starts_and_readers_share_the_words() {
    let mut world = night();
    let fake = Fake::new(Manner::Well, Mind::Faithful);
    serve(&mut world, fake.clone());
    let (world, briefings) = morning(world);
    assert_eq!(briefings.len(), 4);
    assert!(worded(&briefings) >= 2, "{:#?}", facts_of(&briefings));
    // One thread, one audience: one call for all readers.
    assert_eq!(fake.asked().len(), 1);
    let ana = briefings
        .iter()
        .find(|briefing| briefing.member.as_str() == "ana")
        .unwrap();
    assert_eq!(ana.written_by, "rehearsal");
    let text = render::json_line(&render::to_json(ana));
    assert!(
        text.contains("order two more batteries"),
        "the question itself stays: {text}"
    );
    let spent: (i64, i64) = world
        .store()
        .read_now(|c| {
            Ok(c.query_row(
                "SELECT count(*), sum(state = 'done') FROM llm_calls",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?)
        })
        .unwrap();
    assert_eq!(spent, (1, 1), "the ledger has the call, settled");
}

#[test]
fn no_id_no_address_and_no_name_of_an_account_is_in_a_request() {
    let mut world = night();
    let fake = Fake::new(Manner::Well, Mind::Faithful);
    world.chat("field", "2026-11-17T20:20:00Z", "cy", "Prices are at <https://shop.example/b?id=9|the shop>, mail <mailto:kim@shop.example|kim@shop.example>, ask <@UBO>.");
    serve(&mut world, fake.clone());
    morning(world);
    let asked = json!(fake.asked()).to_string();
    assert!(asked.contains("reseated"), "{asked}");
    for secret in [
        "UANA", "UBO", "UCY", "https://", "?id=9", "kim@", "field:", "17949",
    ] {
        assert!(!asked.contains(secret), "{secret} in {asked}");
    }
}

#[test]
fn whatever_the_server_does_every_briefing_is_on_time_and_true() {
    let (_, without) = morning(night());
    let expected = facts_of(&without);
    assert_eq!(without.len(), 4);
    for manner in [
        Manner::Down,
        Manner::Busy,
        Manner::NoKey,
        Manner::Html,
        Manner::Prose,
        Manner::OtherForm,
        Manner::Cut(30),
        Manner::Narrow(20),
    ] {
        let mut world = night();
        serve(&mut world, Fake::new(manner.clone(), Mind::Faithful));
        let (_, briefings) = morning(world);
        assert_eq!(facts_of(&briefings), expected, "{manner:?}");
    }
    for mind in [Mind::Foreign, Mind::Silent, Mind::Parrot] {
        let mut world = night();
        serve(&mut world, Fake::new(Manner::Well, mind));
        let (_, briefings) = morning(world);
        assert_eq!(facts_of(&briefings), expected, "{mind:?}");
    }
}

#[test]
fn a_slow_server_holds_nobody_up() {
    let mut world = night();
    let slow = Fake::new(Manner::Slow(Duration::from_secs(3)), Mind::Faithful);
    serve(&mut world, slow);
    world.model.as_mut().unwrap().1.timeout_secs = 1;
    let (_, briefings) = morning(world);
    assert_eq!((briefings.len(), worded(&briefings)), (4, 0));
}

#[test]
fn servers_that_know_no_schema_are_asked_in_other_ways() {
    for (manner, format) in [
        (Manner::NoSchema, json!("json_object")),
        (Manner::NoFormat, Value::Null),
    ] {
        let mut world = night();
        let fake = Fake::new(manner.clone(), Mind::Faithful);
        serve(&mut world, fake.clone());
        let (_, briefings) = morning(world);
        assert!(worded(&briefings) >= 2, "{manner:?}");
        assert_eq!(
            fake.asked().last().unwrap()["response_format"]["type"],
            format,
            "{manner:?}"
        );
    }
}

#[test]
fn what_a_liar_writes_is_not_shown() {
    let mut world = night();
    let fake = Fake::new(Manner::Well, Mind::Liar);
    serve(&mut world, fake.clone());
    let (_, briefings) = morning(world);
    let text = json!(facts_of(&briefings)).to_string();
    for lie in ["4711", "9.9.9", "Quux", "12,345", "p77", "on fire"] {
        assert!(!text.contains(lie), "{lie}");
    }
    // One question and one repair, and then the quotes.
    assert_eq!(fake.asked().len(), 2);
    let repair = fake.asked()[1]["messages"].to_string();
    assert!(repair.contains("These failed"), "{repair}");
}

#[test]
fn an_edit_takes_the_words_away_and_a_limit_stops_the_asking() {
    let mut world = night();
    let fake = Fake::new(Manner::Well, Mind::Faithful);
    serve(&mut world, fake.clone());
    let (world, _) = morning(world);
    let kept = |world: &World| -> i64 {
        world
            .store()
            .read_now(|c| Ok(c.query_row("SELECT count(*) FROM words", [], |row| row.get(0))?))
            .unwrap()
    };
    assert!(kept(&world) >= 1);
    let edited = "UPDATE events SET text = text || ' Please.' WHERE id = 'field:1794946200.000000'";
    let changed = world.store().write_now(|c| Ok(c.execute(edited, [])?));
    assert_eq!(changed.unwrap(), 1);
    assert_eq!(
        kept(&world),
        0,
        "a message of the thread is another, and all words made of it are gone"
    );

    let mut world = night();
    let fake = Fake::new(Manner::Well, Mind::Faithful);
    serve(&mut world, fake.clone());
    world.model.as_mut().unwrap().1.tokens_per_day = 100;
    let (_, briefings) = morning(world);
    assert_eq!((fake.asked().len(), worded(&briefings)), (0, 0));
}

#[test]
fn a_reader_of_another_language_gets_the_original_and_a_translation_beside_it() {
    let german = "Der Import der 412 alten Buchungen ist seit heute Mittag fertig und wurde von mir noch einmal geprüft.";
    let world = |with_model: bool| {
        let mut world = World::new("2026-11-17T16:00:00Z");
        world.member("ana", "UTC", "languages = [\"en\"]");
        world.member("cy", "UTC", "languages = [\"de\", \"en\"]");
        world.chat(
            "field",
            "2026-11-16T10:00:00Z",
            "ana",
            "Who looks at the import of the old bookings?",
        );
        world.run_until("2026-11-17T18:00:00Z");
        world.chat(
            "field",
            "2026-11-17T20:00:00Z",
            "cy",
            &format!("<@UANA> {german}"),
        );
        if with_model {
            serve(&mut world, Fake::new(Manner::Well, Mind::Faithful));
        }
        let (_, briefings) = morning(world);
        briefings
            .into_iter()
            .find(|briefing| briefing.member.as_str() == "ana")
            .unwrap()
    };
    let without = world(false);
    let item = &without.items[0];
    assert!(item.facts.contains("in German"), "{:?}", item.facts);
    assert!(item.summary.is_empty());
    let with = world(true);
    let item = &with.items[0];
    // The fake turns the words around, which is all that a rule can tell from a translation.
    assert!(
        item.citations
            .iter()
            .any(|citation| german.starts_with(&citation.quote) && !citation.quote.is_empty())
    );
}

#[test]
fn a_headline_keeps_its_counts_and_gets_words_only_on_request_and_only_checked_ones() {
    // What notifications show, and what stands behind it once the reader opens it.
    let tops = |mind: Option<Mind>, is_wanted: bool| -> (Vec<String>, Vec<String>) {
        let mut world = night();
        if let Some(mind) = mind {
            serve(&mut world, Fake::new(Manner::Well, mind));
            world.model.as_mut().unwrap().1.headline = is_wanted;
        }
        let (_, briefings) = morning(world);
        let themes = briefings.iter().map(|briefing| briefing.theme.clone());
        let themes = themes.filter(|theme| !theme.is_empty()).collect();
        let headlines = briefings.into_iter().map(|briefing| briefing.headline);
        (headlines.collect(), themes)
    };
    let (computed, _) = tops(None, false);
    let nothing = (computed.clone(), Vec::new());
    assert_eq!(tops(Some(Mind::Faithful), false), nothing);
    let (headlines, themes) = tops(Some(Mind::Faithful), true);
    assert_eq!(headlines, computed);
    assert!(!themes.is_empty());
    for mind in [
        Mind::Liar,
        Mind::Obedient,
        Mind::Cunning,
        Mind::Silent,
        Mind::Parrot,
    ] {
        assert_eq!(tops(Some(mind), true), nothing, "{mind:?}");
    }
}

#[test]
fn words_are_forgotten_after_a_month_and_a_headline_goes_with_its_lines() {
    let mut world = night();
    serve(&mut world, Fake::new(Manner::Well, Mind::Faithful));
    let (mut world, _) = morning(world);
    let day = 86_400_000_000_i64;
    let now = at("2026-11-18T09:00:00Z").as_microsecond();
    let put = |world: &World, key: &str, prompt: &str, made_at: i64| {
        let row = format!(
            "INSERT INTO words VALUES ('{key}', 999999, 'm', '{prompt}@1', '{{}}', {made_at})"
        );
        world
            .store()
            .write_now(|c| Ok(c.execute(&row, [])?))
            .unwrap();
    };
    let kept = |world: &World| -> Vec<String> {
        let keys = "SELECT key FROM words WHERE topic = 999999 ORDER BY key";
        world
            .store()
            .read_now(|c| {
                let mut rows = c.prepare(keys)?;
                let keys = rows.query_map([], |row| row.get(0))?;
                Ok(keys.collect::<Result<_, _>>()?)
            })
            .unwrap()
    };
    put(&world, "old", "thread-delta", now - 31 * day);
    put(&world, "young", "thread-delta", now - 20 * day);
    world.run_until("2026-11-20T12:00:00Z");
    assert_eq!(kept(&world), ["young"]);
    put(&world, "above", "headline", now);
    let gone = "DELETE FROM words WHERE key = 'young'";
    world
        .store()
        .write_now(|c| Ok(c.execute(gone, [])?))
        .unwrap();
    assert!(
        kept(&world).is_empty(),
        "a headline does not outlive the words it was made of"
    );
}

#[test]
fn what_is_refused_says_by_which_checks() {
    let mut world = night();
    serve(&mut world, Fake::new(Manner::Well, Mind::Liar));
    let (world, briefings) = morning(world);
    let items = briefings.iter().flat_map(|briefing| &briefing.items);
    let wordings: Vec<_> = items.filter_map(|item| item.wording.as_ref()).collect();
    assert!(!wordings.is_empty());
    for wording in wordings {
        assert!(!wording.is_shown);
        assert!(
            wording.failed.iter().any(|check| check.starts_with('V')),
            "{wording:?}"
        );
    }
    let answers = world
        .store()
        .read_now(|c| daybrief::store::words::answers_since(c, MODEL, jiff::Timestamp::UNIX_EPOCH))
        .unwrap();
    let (tally, items) = daybrief::brief::words::Tally::beside(&answers[0].1);
    assert!(tally.written >= 4 && tally.passed == 0, "{tally:?}");
    assert_eq!(items, r#"{"items":[]}"#);
}
