//! Each check by what it lets through and what it holds back, and what no draft whatever can make a reader see.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::reader::{ForReader, for_reader};
use super::*;
use crate::brief::digest::tests::Build;
use crate::model::{AudienceId, EventId};

fn item(text: &str, citations: &[u32]) -> DraftItem {
    DraftItem {
        kind: DraftKind::Fyi,
        text: text.to_owned(),
        citations: citations.to_vec(),
        quote: String::new(),
        people: Vec::new(),
        tickets: Vec::new(),
        confidence: Confidence::High,
    }
}

/// Ana (p1) opens, Bo (p2) answers, Zed (p3) from outside chimes in, David (p4) settles it.
fn import() -> Digest {
    Build::ticket("The nightly import times out")
        .said(
            "ana",
            "The import of 1,200 rows times out after 30 seconds. Can you look at it, Bo?",
        )
        .says(
            "bo.lind",
            "It is the new mirror, not the import itself. We could set max_wait to 90 seconds.",
        )
        .says(
            "zed",
            "Same here since version 2.4.1, on both machines, see https://evil.test/x",
        )
        .says(
            "dito",
            "We have decided to go with 90 seconds. I will change it on Thursday, 19 November.",
        )
        .moves("bo.lind", "in review")
        .digest()
}

fn outcome(digest: &Digest, item: &DraftItem) -> Checked {
    Checker::new(digest).check(item)
}

#[test]
fn what_the_source_says_passes_and_what_it_does_not_say_fails() {
    let digest = import();
    let check = |text: &str, citations: &[u32], failing: &[Check]| {
        let checked = outcome(&digest, &item(text, citations));
        let failed: Vec<Check> = checked
            .report
            .failed_hard()
            .map(|outcome| outcome.check)
            .collect();
        assert_eq!(failed, failing, "{text:?}: {:?}", checked.report);
        assert_eq!(checked.worded.is_some(), failing.is_empty());
    };
    check(
        "{p2} blames the new mirror and would wait for 90 seconds.",
        &[2],
        &[],
    );
    check("{p4} agrees and changes it on Thursday.", &[4], &[]);
    check(
        "Rows: 1200 of them time out after 30 seconds, says {p1}.",
        &[1],
        &[],
    );
    check("Bo would set max_wait to 90 seconds.", &[2], &[]);
    check("Dave agrees to 90 seconds.", &[4], &[]);
    // V4
    check("{p2} would wait for 95 seconds.", &[2], &[Check::V4]);
    check("{p4} changes it on Friday.", &[4], &[Check::V4]);
    check("{p4} changes it on 20 November.", &[4], &[Check::V4]);
    check("{p3} sees it since version 2.4.2.", &[3], &[Check::V4]);
    check("{p2} would set min_wait to 90 seconds.", &[2], &[Check::V4]);
    check("It is the same as CORE-99, says {p2}.", &[2], &[Check::V4]);
    // V5
    check("{p9} agrees to 90 seconds.", &[4], &[Check::V5]);
    check("Marlene agrees to 90 seconds.", &[4], &[Check::V5]);
    // V6
    check("It was merged after {p4} agreed.", &[4], &[Check::V6]);
    check("{t1} was closed after {p4} agreed.", &[4], &[Check::V6]);
    check(
        "{t1} is in review, and {p4} agrees to 90 seconds.",
        &[4],
        &[],
    );
    // V7
    check(
        "{p2} blames the mirror, see evil.test for more.",
        &[2],
        &[Check::V7],
    );
    check("{p2} blames the new mirror @here.", &[2], &[Check::V7]);
    check("**{p2}** blames the new mirror.", &[2], &[Check::V7]);
}

#[test]
fn a_wrong_citation_is_found_again_and_a_wrong_sentence_is_not() {
    let digest = import();
    let found = outcome(
        &digest,
        &item(
            "{p4} agrees to 90 seconds and changes it on Thursday.",
            &[1],
        ),
    );
    assert!(found.report.holds(), "{:?}", found.report);
    assert!(found.item.citations.contains(&4));
    assert!(
        found
            .report
            .failed_soft()
            .any(|outcome| outcome.check == Check::V2b)
    );

    let foreign = outcome(
        &digest,
        &item(
            "{p4} agrees to 90 seconds and changes it on Thursday.",
            &[77],
        ),
    );
    assert!(foreign.report.holds() && foreign.item.citations.contains(&4));

    let invented = outcome(
        &digest,
        &item(
            "{p4} agrees to 120 seconds and changes it on Thursday.",
            &[1],
        ),
    );
    assert!(!invented.report.holds());
}

#[test]
fn a_speaker_is_the_author_of_a_cited_message() {
    // Two people, one message each, nothing else to find.
    let digest = Build::ticket("t")
        .says("ana", "I prefer the old table.")
        .says("bo.lind", "Ana, I prefer the new table for reports.")
        .digest();
    let said =
        |text: &str, citations: &[u32]| outcome(&digest, &item(text, citations)).report.holds();
    assert!(said("{p2} prefers the new table for reports.", &[2]));
    assert!(said(
        "{p2} tells {p1} about the new table for reports.",
        &[2]
    ));
    let zed = Build::ticket("t")
        .says("bo.lind", "Ana, I prefer the new table for reports.")
        .said("ana", "ok")
        .digest();
    let wrong = outcome(
        &zed,
        &item(
            "{p2} says that the new table is preferred for reports.",
            &[1],
        ),
    );
    assert!(!wrong.report.holds() || wrong.item.citations.contains(&2));
}

#[test]
fn a_quote_stands_word_for_word_and_is_shown_as_written() {
    let digest = import();
    let check = |quote: &str, citations: &[u32], expected: Option<&str>| {
        let quoted = DraftItem {
            quote: quote.to_owned(),
            ..item("{p2} blames the new mirror.", citations)
        };
        let checked = outcome(&digest, &quoted);
        let shown = checked
            .worded
            .and_then(|worded| worded.quote)
            .map(|(_, words)| words);
        assert_eq!(shown.as_deref(), expected, "{quote:?}");
    };
    check(
        "IT IS the new mirror,  not the import",
        &[2],
        Some("It is the new mirror, not the import"),
    );
    check("it is the old mirror", &[2], None);
    // Of a message that was not cited.
    check(
        "decided to go with 90 seconds",
        &[2],
        Some("decided to go with 90 seconds."),
    );
}

#[test]
fn a_kind_needs_its_cue() {
    let digest = import();
    let check = |kind: DraftKind, text: &str, citations: &[u32], expected: DraftKind| {
        let checked = outcome(
            &digest,
            &DraftItem {
                kind,
                ..item(text, citations)
            },
        );
        assert_eq!(checked.item.kind, expected, "{text:?} {:?}", checked.report);
    };
    check(
        DraftKind::Decision,
        "{p4}: 90 seconds it is.",
        &[4],
        DraftKind::Decision,
    );
    check(
        DraftKind::Decision,
        "{p3} has the same on both machines.",
        &[3],
        DraftKind::Fyi,
    );
    check(
        DraftKind::Blocker,
        "{p3} has the same on both machines.",
        &[3],
        DraftKind::Fyi,
    );
    check(
        DraftKind::StatusChange,
        "{t1} is in review now.",
        &[4],
        DraftKind::StatusChange,
    );
    check(
        DraftKind::NewTicket,
        "{t1} is in review now.",
        &[4],
        DraftKind::Fyi,
    );

    let reverted = Build::ticket("t")
        .says("dito", "We have decided to go with 90 seconds.")
        .says("ana", "Wait, the proxy cuts at 60 seconds.")
        .digest();
    let decision = DraftItem {
        kind: DraftKind::Decision,
        ..item("{p1} goes with 90 seconds.", &[1])
    };
    assert_eq!(outcome(&reverted, &decision).item.kind, DraftKind::Fyi);
}

#[test]
fn old_news_is_no_news_and_a_dropped_not_shows_the_quote() {
    let digest = Build::ticket("t")
        .said("ana", "Can you raise the limit to 50 rows, Bo?")
        .says(
            "bo.lind",
            "We will not raise the limit to 50 rows this week.",
        )
        .digest();
    let asked = DraftItem {
        kind: DraftKind::QuestionForYou,
        ..item("{p1} asks to raise the limit to 50 rows.", &[1])
    };
    let checked = outcome(&digest, &asked);
    assert!(
        checked
            .report
            .failed_hard()
            .any(|outcome| outcome.check == Check::V11),
        "{:?}",
        checked.report
    );

    let flipped = outcome(
        &digest,
        &item("{p2} will raise the limit to 50 rows this week.", &[2]),
    )
    .worded
    .unwrap();
    assert!(flipped.needs_quote);
    assert_eq!(
        flipped.quote.unwrap().1,
        "We will not raise the limit to 50 rows this week."
    );

    let other = outcome(
        &digest,
        &item("Somebody cooks soup with plenty of salt.", &[2]),
    );
    assert_eq!(other.worded.unwrap().confidence, Confidence::Low);
}

#[test]
fn one_reader_gets_only_what_is_theirs() {
    let digest = import();
    let asks = DraftItem {
        kind: DraftKind::QuestionForYou,
        ..item("{p1} asks {p2} to look at the import.", &[1, 2])
    };
    let worded = outcome(&digest, &asks).worded.unwrap();
    let event = digest.message(1).unwrap().event.clone();
    let new: BTreeSet<_> = digest.messages.iter().map(|message| message.seq).collect();
    let (readable, nothing) = (BTreeSet::from([AudienceId(1)]), BTreeSet::new());
    let asked: BTreeSet<EventId> = BTreeSet::from([event]);
    let none: BTreeSet<EventId> = BTreeSet::new();
    let for_one = |readable, asks| {
        for_reader(
            &worded,
            &digest,
            &ForReader {
                readable,
                new: &new,
                asks,
                mentions: &none,
            },
        )
    };
    assert_eq!(
        for_one(&readable, &asked).unwrap().kind,
        DraftKind::QuestionForYou
    );
    assert_eq!(for_one(&readable, &none).unwrap().kind, DraftKind::Fyi);
    assert_eq!(for_one(&nothing, &asked), None);
}

/// Pieces that make up hostile texts: everything a surface could obey, whole and in parts.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[a-zA-Z0-9 ]{1,12}",
        1 => Just("{p1}".to_owned()), 1 => Just("{t1}".to_owned()), 1 => Just("{p77}".to_owned()),
        3 => prop::sample::select(vec![
            "https://evil.test/x", "evil.test", "evil", ".com", ".", "。", "．", "․", ":", "//", "/", "@", "＠", "@here", "<!channel>", "<@U024>", "<", ">", "＜",
            "#general", "#", "*", "_", "~", "`", "|", "[", "](", ")", "!", "\\", "&lt;", "&", "#64", ";", "mailto", "javascript", "\u{1b}", "]8;;", "\u{7}",
            "\u{202e}", "\u{200b}", "\u{e0041}", "\u{feff}", "\n", "\r", "\t", "{", "}", "%40", "www", "xn--", "𝐞", "ⓔ", "🙂", "\u{301}", "- ", "1. ", "> ", "=== ", "ftp",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(|c| c.to_string()),
    ];
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_draft_makes_a_reader_see_a_link_a_mention_markup_or_a_hidden_character(
        text in hostile_text(), quote in hostile_text(), citations in prop::collection::vec(0u32..7, 0..5), kind in 0usize..7
    ) {
        let digest = import();
        let kind = DraftKind::ALL[kind].0;
        let checked = outcome(&digest, &DraftItem { kind, quote, ..item(&format!("{{p2}} blames the new mirror {text}"), &citations) });
        let Some(worded) = checked.worded else { return Ok(()) };
        let shown = &worded.text;
        prop_assert!(!shown.chars().any(|c| is_hidden(c) || c.is_control()), "{:?}", shown);
        prop_assert!(!shown.contains(['@', '`', '*', '~', '|', '[', ']', '{', '}', '\\', '＠', '＜', '．', '🙂']), "{:?}", shown);
        prop_assert!(!shown.contains("://") && !shown.contains("//") && !shown.contains("www"), "{:?}", shown);
        let visible = crate::brief::render::plain(shown);
        prop_assert_eq!(&*visible, shown.as_str(), "no address is left to neutralize");
        let parsed: Vec<_> = pulldown_cmark::Parser::new_ext(shown, pulldown_cmark::Options::all() - pulldown_cmark::Options::ENABLE_SMART_PUNCTUATION).collect();
        for event in parsed {
            use pulldown_cmark::{Event, Tag, TagEnd};
            prop_assert!(matches!(event, Event::Text(_) | Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)), "{:?} in {:?}", event, shown);
        }
        for event in &worded.citations {
            prop_assert!(digest.messages.iter().any(|message| message.event == *event));
        }
        if let Some((event, words)) = &worded.quote {
            let message = digest.messages.iter().find(|message| message.event == *event).unwrap();
            prop_assert!(crate::text::stands_in(words, &message.source), "{:?}", words);
        }
    }
}

#[test]
#[ignore = "a figure; run with --release"]
fn checking_an_item_takes_less_than_a_fifth_of_a_millisecond() {
    let mut build = Build::ticket("The nightly import times out");
    for n in 0..60 {
        let author = ["ana", "bo.lind", "zed", "dito"][n % 4];
        build = build.says(author, &format!("Run {n} of the import took {} seconds on mirror {}, so we could raise max_wait before Thursday.", 30 + n, n % 7));
    }
    let digest = build.digest();
    let checker = Checker::new(&digest);
    let items: Vec<DraftItem> = (0..60)
        .map(|n| {
            item(
                &format!(
                    "{{p{}}} reports that run {n} took {} seconds on mirror {}.",
                    n % 4 + 1,
                    30 + n,
                    n % 7
                ),
                &[n as u32 + 1, 3],
            )
        })
        .collect();
    // The best of some rounds: what else runs on the machine only adds.
    let mut each = f64::MAX;
    for _ in 0..30 {
        let begun = std::time::Instant::now();
        let passed = items
            .iter()
            .filter(|item| checker.check(item).report.holds())
            .count();
        each = each.min(begun.elapsed().as_secs_f64() * 1e3 / items.len() as f64);
        assert_eq!(passed, items.len());
    }
    println!("checking an item: {each:.3} ms");
    assert!(each <= 0.2, "{each:.3} ms");
}
