//! What a briefing in Slack looks like, and that nothing from outside becomes more than text.

use proptest::prelude::*;

use super::super::{hostile, sample};
use super::fit::chars_of;
use super::*;
use crate::model::Gap;

fn written(briefing: &Briefing) -> Vec<Post> {
    slack(briefing, &sample::member(), sample::now(), false)
}

/// Returns the lines of a message that have buttons.
fn rows_of(message: &Post) -> Vec<usize> {
    let ids = message
        .blocks
        .iter()
        .filter_map(|block| block["block_id"].as_str());
    ids.filter_map(line_of_id).collect()
}

/// Returns the messages as a reader sees them: links as `[words](address)`.
fn seen(messages: &[Post]) -> String {
    fn see(element: &Value, out: &mut String) {
        let text = element["text"].as_str().unwrap_or_default();
        match element["type"].as_str().unwrap() {
            "link" => out.push_str(&format!("[{text}]({})", element["url"].as_str().unwrap())),
            "text" if element["style"]["bold"] == true => out.push_str(&format!("*{text}*")),
            "text" => out.push_str(text),
            kind => {
                for inner in element["elements"].as_array().unwrap() {
                    out.push_str(if kind == "rich_text_list" {
                        "\n  • "
                    } else {
                        ""
                    });
                    see(inner, out);
                }
            }
        }
    }
    let mut out = String::new();
    for message in messages {
        for block in &message.blocks {
            see(block, &mut out);
            out.push('\n');
        }
        out.push_str("────\n");
    }
    out
}

#[test]
fn a_briefing_reads_well_in_slack() {
    insta::assert_snapshot!(seen(&written(&sample::full())), @r"
    *Good morning Becki* · Mon 16 Nov, 09:00 Berlin · since Fri 17:30*
    2 need you · 1 blocker · 1 of yours moved*
    *Needs you*
    1. [CORE-123](https://tracker.example/issue/CORE-123) Ana asks you · Serve the nightly archives over https only · 6 comments by 3 — assigned
      • *answer by 11:30, then Ana waits until tomorrow 09:00*
      • Ana, [yesterday 20:09](https://tracker.example/e/11-15T1909): “Can you pick one of the two certificates before we cut the branch on Tuesday?”
      • Ruut, [today 08:12](https://tracker.example/e/11-16T0712): “The cheaper one needs a dedicated address…”
    2. [CORE-98](https://tracker.example/issue/CORE-98) Bo asks you for a review · Retry on 503 · open since Thu 12 Nov
    *Blockers*
    3. [#build](https://chat.example/build) blocked · the mirror is read-only — blocks work
    *Changed on yours*
    4. [CORE-94](https://tracker.example/issue/CORE-94) closed by Dov Fri 21:16 · Remove the special treatment of boxes in the borrow checker — reported by you
    *Worth knowing*
    5. *#clojure* decided — decided in your area
      • Alyson, [Sat 01:13](https://tracker.example/e/11-14T0013): “We go with [link: clojure.org].”
    *You wait for*
      • [CORE-7](https://tracker.example/issue/CORE-7) Bo since [Thu 14:10](https://tracker.example/e/11-12T1310) · 9 work hours · “Could you look at the flaky test?”
    also moved: [CORE-64](https://tracker.example/issue/CORE-64), [#clojure](https://chat.example/clojure/1) ×2; 3 more
    missing: office – it has not answered since 04:10
    covered 189 messages, 51 mails, 28 new and 14 closed tickets · lines quoted: 2 · model text: 0 · daybrief explain 1
    ────
    ");
    assert_eq!(
        written(&sample::full())[0].text,
        "2 need you · 1 blocker · 1 of yours moved"
    );
}

#[test]
fn a_quiet_morning_is_one_line_and_the_first_message_says_what_it_is() {
    let mut quiet = sample::quiet();
    assert_eq!(
        seen(&written(&quiet)),
        "Quiet weekend: 145 messages, none yours.\n────\n"
    );
    quiet.gaps.push(Gap {
        of: "list".into(),
        reason: "could not be read since Fri 21:00".into(),
    });
    assert!(seen(&written(&quiet)).contains("missing: list – could not be read since Fri 21:00"));
    let first = slack(&quiet, &sample::member(), sample::now(), true);
    let first = seen(&first);
    for part in [
        "This is daybrief",
        "Only you see this message",
        "To stop it",
        "Quiet weekend",
    ] {
        assert!(first.contains(part), "{first}");
    }
}

#[test]
fn what_is_too_long_goes_on_in_further_messages_and_nothing_is_lost() {
    let mut long = sample::full();
    let item = long.items[0].clone();
    long.items = (0..120)
        .map(|at| {
            let mut item = item.clone();
            item.headline = format!("item {at} {}", "word ".repeat(60));
            item
        })
        .collect();
    let messages = written(&long);
    assert!(messages.len() > 2);
    for message in &messages {
        assert!(message.blocks.len() <= MAX_BLOCKS);
        let chars: usize = message.blocks.iter().map(chars_of).sum();
        assert!(chars <= MAX_CHARS, "{chars}");
        assert!(!message.text.is_empty());
    }
    let seen = seen(&messages);
    assert!(
        (0..120).all(|at| seen.contains(&format!("item {at} "))),
        "every item is there"
    );
}

#[test]
fn buttons_stand_below_their_lines_and_within_the_limits() {
    let with_buttons = |briefing: &Briefing| {
        slack_with_buttons(
            briefing,
            &sample::member(),
            sample::now(),
            true,
            Some("becki-2026-11-16"),
            &[],
        )
    };
    let full = sample::full();
    let messages = with_buttons(&full);
    assert_eq!(messages.len(), 1);
    assert_eq!(rows_of(&messages[0]), [1, 2, 3, 4, 5]);
    for pair in messages[0]
        .blocks
        .windows(2)
        .filter(|pair| pair[1]["type"] == "actions")
    {
        assert_eq!(pair[0]["type"], "rich_text");
    }
    let mut long = full.clone();
    long.items = (0..120).map(|at| full.items[at % 5].clone()).collect();
    let messages = with_buttons(&long);
    let rows = messages.iter().map(|message| rows_of(message).len());
    assert_eq!(rows.sum::<usize>(), 120);
    for message in &messages {
        let chars: usize = message.blocks.iter().map(chars_of).sum();
        assert!(
            message.blocks.len() <= MAX_BLOCKS && chars <= MAX_CHARS,
            "{chars}"
        );
    }
}

/// As long as text from outside can be, everywhere, with everything there is to press; and the same after all of it was
/// pressed.
#[test]
fn the_longest_briefing_stays_within_the_limits_whatever_is_pressed() {
    let endless = "endless ".repeat(5_000);
    let mut long = sample::full();
    let mut item = long.items[0].clone();
    (item.headline, item.summary) = (endless.clone(), endless.clone());
    item.threads = vec![item.threads[0].clone(); 3];
    for thread in &mut item.threads {
        thread.label.clone_from(&endless);
    }
    for citation in &mut item.citations {
        (citation.quote, citation.author) = (endless.clone(), Some(endless.clone()));
    }
    let short = sample::full().items[4].clone();
    long.items = (0..40)
        .map(|at| if at % 8 == 0 { &item } else { &short })
        .cloned()
        .collect();
    let mut member = sample::member();
    member.name.clone_from(&endless);
    let offer = |line: usize, number: usize, told: bool| Offer {
        at: (line, number),
        label: endless.clone(),
        told: told.then(|| endless.clone()),
        may_take: true,
        give_to: Some(("bo".into(), endless.clone())),
        may_decline: true,
    };
    let offers = |told: bool| -> Vec<Offer> {
        let places = (1..=40).flat_map(|line| (0..3).map(move |number| (line, number)));
        places
            .map(|(line, number)| offer(line, number, told))
            .collect()
    };
    let key = "becki-2026-11-16";
    let messages = slack_with_buttons(
        &long,
        &member,
        sample::now(),
        true,
        Some(key),
        &offers(false),
    );
    let said = Said {
        end: Some(crate::model::Verdict::Later),
        is_muted: true,
        vote: Some(crate::model::Verdict::Down),
    };
    let pressed = Standing {
        said: (1..=40).map(|line| (line, said)).collect(),
        offers: offers(true),
    };
    let mut seen = Vec::new();
    for message in messages {
        let first = message.blocks[0]["block_id"].as_str();
        assert_eq!(first, None, "no row stands without its line");
        let before = json!({ "ts": "1.0", "blocks": message.blocks });
        let after = as_it_stands(before.clone(), key, &pressed);
        for shown in [before, after] {
            let blocks = shown["blocks"].as_array().unwrap();
            let chars: usize = blocks.iter().map(chars_of).sum();
            assert!(
                blocks.len() <= 50 && chars <= 13_000,
                "{} {chars}",
                blocks.len()
            );
            let mut ids: Vec<&str> = blocks
                .iter()
                .filter_map(|one| one["block_id"].as_str())
                .collect();
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count, "each id once");
            for button in blocks
                .iter()
                .filter_map(|one| one["elements"].as_array())
                .flatten()
            {
                let label = button["text"]["text"].as_str().unwrap_or_default();
                assert!(label.chars().count() <= 75, "{label}");
            }
        }
        seen.extend(rows_of(&message));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(1..=40), "every line has its row");
}

#[test]
fn the_first_message_says_four_things_in_three_lines() {
    let first = slack(&sample::quiet(), &sample::member(), sample::now(), true);
    let introduction = &first[0].blocks[0]["elements"][0];
    let lines = introduction["elements"].as_array().unwrap();
    assert_eq!(
        (lines.len(), &introduction["type"]),
        (3, &json!("rich_text_list"))
    );
    for (line, parts) in lines.iter().zip([
        &["one short message"][..],
        &["It reads", "Only you see"],
        &["stop", "start"],
    ]) {
        assert!(
            parts.iter().all(|part| line.to_string().contains(part)),
            "{line}"
        );
    }
}

/// Calls a check with every element.
fn walk(element: &Value, check: &mut impl FnMut(&Value)) {
    check(element);
    for inner in element["elements"].as_array().into_iter().flatten() {
        walk(inner, check);
    }
}

proptest! {
    #[test]
    fn text_from_outside_makes_nothing_but_text(text in hostile::text(), url in hostile::text()) {
        let mut briefing = sample::full();
        for item in &mut briefing.items {
            (item.headline, item.summary, item.facts) = (text.clone(), text.clone(), text.clone());
            for thread in &mut item.threads {
                (thread.label, thread.url) = (text.clone(), url.clone());
            }
            for citation in &mut item.citations {
                (citation.quote, citation.author, citation.url) = (text.clone(), Some(text.clone()), url.clone());
            }
        }
        (briefing.headline, briefing.theme) = (text.clone(), text.clone());
        let own: Vec<String> = briefing.also.iter().map(|thread| thread.url.clone())
            .chain(briefing.waiting.iter().flat_map(|waiting| [waiting.thread.url.clone(), waiting.citation.url.clone()]))
            .chain(web_address(&url)).collect();
        for message in written(&briefing) {
            prop_assert!(!message.text.contains('<') && !message.text.is_empty());
            for block in &message.blocks {
                walk(block, &mut |element| {
                    let kind = element["type"].as_str().unwrap();
                    assert!(["rich_text", "rich_text_section", "rich_text_list", "text", "link"].contains(&kind));
                    if kind == "text" || kind == "link" {
                        let text = element["text"].as_str().unwrap();
                        assert!(!text.is_empty() && !text.contains("https://evil"), "{text}");
                    }
                    if kind == "link" {
                        assert!(own.iter().any(|own| element["url"] == *own), "{element}");
                    }
                });
            }
        }
    }
}
