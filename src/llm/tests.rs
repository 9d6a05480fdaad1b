//! A model behind servers that behave well, badly and in between.

use std::collections::BTreeMap;
use std::path::Path;

use super::fake::{Fake, MODEL, Manner, Mind};
use super::*;

mod requests;

fn config() -> LlmConfig {
    LlmConfig {
        base_url: "http://model.invalid/v1".into(),
        model: MODEL.into(),
        timeout_secs: 5,
        ..LlmConfig::default()
    }
}

fn question() -> Question {
    let source = json!({ "messages": [{ "n": 1, "who": "p1", "text": "The import of the old bookings is done since noon.", "new": true }] });
    let inputs = BTreeMap::from([
        ("source", source.to_string()),
        ("boundary", "-- 4f1c --".to_owned()),
        ("canary", "c-77".to_owned()),
    ]);
    let prompts = Prompts::built_in().unwrap();
    prompts.get("thread-delta").question(&inputs, 100).unwrap()
}

fn llm(fake: &Fake, config: &LlmConfig) -> Llm {
    let clock = Clock::simulated("2026-11-23T08:00:00Z".parse().unwrap());
    let http = fake.http(stack_options(config), clock.clone());
    Llm::over(http, config, Path::new("."), clock).unwrap()
}

fn ask_of(fake: &Fake) -> (Llm, Result<Reply, Failure>) {
    let llm = llm(fake, &config());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let answer = runtime.block_on(llm.ask(&question(), Duration::from_secs(30)));
    (llm, answer)
}

#[test]
fn a_server_that_refuses_a_form_is_asked_in_the_next_one_and_remembered() {
    for (manner, rung, calls) in [
        (Manner::Well, Rung::Schema, 1),
        (Manner::NoSchema, Rung::ObjectWithSchema, 2),
        (Manner::NoFormat, Rung::Plain, 4),
    ] {
        let fake = Fake::new(manner, Mind::Faithful);
        let (llm, answer) = ask_of(&fake);
        let items = salvage::list_in(&answer.unwrap().text, "items").unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!((llm.rung(), fake.asked().len()), (rung, calls));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(llm.ask(&question(), Duration::from_secs(30)))
            .unwrap();
        assert_eq!(fake.asked().len(), calls + 1, "it is remembered");
    }
}

#[test]
fn whatever_a_server_does_one_try_is_made_and_then_it_is_left_alone() {
    let cases = [
        (Manner::Down, "cannot be reached"),
        (Manner::Busy, "fewer questions"),
        (Manner::NoKey, "refuses the key"),
        (Manner::Html, "something else"),
        (Manner::Slow(Duration::from_secs(600)), "did not answer"),
    ];
    for (manner, expected) in cases {
        let fake = Fake::new(manner.clone(), Mind::Faithful);
        let (llm, answer) = ask_of(&fake);
        let failure = answer.unwrap_err();
        assert!(
            failure.to_string().contains(expected),
            "{manner:?}: {failure}"
        );
        assert!(llm.is_resting(), "{manner:?}");
        assert_eq!(fake.asked().len(), 1, "{manner:?}");
    }
}

#[test]
fn a_question_that_is_too_long_and_an_answer_that_is_cut_are_told_apart() {
    let (llm, answer) = ask_of(&Fake::new(Manner::Narrow(50), Mind::Faithful));
    assert_eq!(answer, Err(Failure::TooLong));
    assert!(!llm.is_resting(), "the server is well");
    let (_, answer) = ask_of(&Fake::new(Manner::Cut(40), Mind::Faithful));
    assert!(answer.unwrap().is_cut);
    let (_, answer) = ask_of(&Fake::new(Manner::OtherForm, Mind::Faithful));
    assert_eq!(salvage::list_in(&answer.unwrap().text, "items"), None);
}

#[test]
fn the_request_is_exactly_this() {
    let fake = Fake::new(Manner::Well, Mind::Faithful);
    ask_of(&fake).1.unwrap();
    let body = &fake.asked()[0];
    assert_eq!(
        body["messages"][1],
        json!({
            "role": "user",
            "content": "-- 4f1c --\n{\"messages\":[{\"n\":1,\"new\":true,\"text\":\"The import of the old bookings is done since noon.\",\"who\":\"p1\"}]}\n-- 4f1c --",
        })
    );
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "max_tokens",
            "messages",
            "model",
            "response_format",
            "stream",
            "temperature"
        ],
        "no tools, no store, no user"
    );
    assert_eq!(body["temperature"], 0);
}

#[test]
fn calls_run_side_by_side_up_to_the_limit() {
    let fake = Fake::new(Manner::Slow(Duration::from_secs(2)), Mind::Faithful);
    let llm = llm(
        &fake,
        &LlmConfig {
            concurrency: 2,
            timeout_secs: 60,
            ..config()
        },
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let begun = tokio::time::Instant::now();
        let question = question();
        let asked = (0..6).map(|_| llm.ask(&question, Duration::from_secs(60)));
        for answer in futures_util::future::join_all(asked).await {
            answer.unwrap();
        }
        assert_eq!(begun.elapsed().as_secs(), 6, "three rounds of two");
    });
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_one_question_after_the_other_is_slow_and_not_dead() {
    let slow = Manner::Slow(Duration::from_secs(20));
    let config = LlmConfig {
        concurrency: 1,
        timeout_secs: 30,
        ..config()
    };
    let llm = self::llm(&Fake::new(slow, Mind::Faithful), &config);
    let question = question();
    let ask = |within: u64| llm.ask(&question, Duration::from_secs(within));
    // The third one waits longer for its turn than the server may take.
    let (one, two, three) = tokio::join!(ask(300), ask(300), ask(300));
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{three:?}");
    // Whoever has less time than the server may take says nothing about the server.
    let (one, two) = tokio::join!(ask(25), ask(25));
    assert!(one.is_ok());
    assert_eq!(two, Err(Failure::NoTime));
    assert!(!llm.is_resting());
    // A server that is late in its own time is left alone.
    let late = Fake::new(Manner::Slow(Duration::from_secs(40)), Mind::Faithful);
    let llm = self::llm(&late, &config);
    let answer = llm.ask(&question, Duration::from_secs(300)).await;
    assert!(matches!(answer, Err(Failure::Unavailable(_))), "{answer:?}");
    assert!(llm.is_resting());
}
