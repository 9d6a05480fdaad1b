//! What the model of a tracker promises, case by case and on random pasts.

use proptest::prelude::*;

use super::*;
use crate::model::suggestion::Evidence;

const HOUR: Seconds = 3_600;

fn ticket(id: usize, title: &str, component: &str, reporter: &str, at: Seconds) -> Opened {
    Opened {
        id: format!("T-{id}"),
        project: "T".into(),
        kind: "bug".into(),
        title: title.into(),
        body: format!("It happens since the last release. {title} again and again."),
        reporter: Some(reporter.into()),
        components: vec![component.into()],
        at,
        ..Opened::default()
    }
}

const WORK: [(&str, &str, &str); 3] = [
    ("parser loses the last token", "parser", "bo"),
    ("login page stays blank", "web", "chi"),
    ("index grows without end", "store", "dee"),
];

/// A tracker in which each component has its owner; `zoe` has been gone for long.
fn memory(tickets: usize) -> (Model, Seconds) {
    let mut model = Model::new(0.8);
    model.exclude("team");
    let mut now = 0;
    model.open(&ticket(9_999, "old times", "parser", "rita", now));
    model.own("T-9999", "zoe", now + 1);
    now += 400 * DAY;
    for n in 0..tickets {
        let (title, component, owner) = WORK[n % WORK.len()];
        let id = format!("T-{n}");
        model.open(&ticket(
            n,
            &format!("{title} in case {n}"),
            component,
            "rita",
            now,
        ));
        model.comment(&id, owner, now + HOUR);
        model.comment(&id, "rita", now + 2 * HOUR);
        model.own(
            &id,
            if n % 10 == 9 { "team" } else { owner },
            now + 3 * HOUR,
        );
        now += 9 * HOUR;
        if n % 100 == 99 {
            model.refit(now);
        }
    }
    (model, now)
}

#[test]
fn the_owner_of_the_component_comes_first_and_says_why() {
    let (mut model, now) = memory(400);
    let asked = ticket(500, "parser loses tokens", "parser", "sam", now);
    let advice = model.advise(&asked);
    assert_eq!(advice.owners[0].person, "bo");
    assert!(advice.owners[0].probability > 0.8, "{:?}", advice.owners[0]);
    assert!(advice.is_confident, "threshold {}", model.threshold());
    let names: Vec<&str> = advice
        .owners
        .iter()
        .map(|ranked| ranked.person.as_str())
        .collect();
    assert!(
        !names.contains(&"zoe") && !names.contains(&"team"),
        "{names:?}"
    );
    let grounds = model.grounds(&asked);
    let evidence = model.evidence(&grounds, &asked, "bo", |_| true);
    let owns_component = |found: &Evidence| matches!(found, Evidence::OwnsComponent { name, count: 9, of: 9 } if name == "parser");
    assert!(evidence.iter().any(owns_component), "{evidence:?}");
    assert!(
        evidence
            .iter()
            .any(|found| matches!(found, Evidence::OwnedLike { .. })),
        "{evidence:?}"
    );
    let silent = model.evidence(&grounds, &asked, "bo", |_| false);
    assert!(
        silent.iter().all(|found| !matches!(
            found,
            Evidence::OwnedLike { .. } | Evidence::WroteOnLike { .. }
        )),
        "a ticket the reader may not see is not named: {silent:?}"
    );
}

#[test]
fn a_ticket_that_says_the_same_is_found_and_never_itself() {
    let (mut model, now) = memory(60);
    let again = ticket(16, "login page stays blank in case 16", "web", "rita", now);
    let advice = model.advise(&again);
    assert!(advice.duplicates.iter().all(|(id, _)| id != "T-16"));
    let new = Opened {
        id: "T-77".into(),
        ..again
    };
    assert_eq!(model.advise(&new).duplicates[0].0, "T-16");
}

#[test]
fn repeats_are_learned_from() {
    let mut model = Model::new(0.8);
    let mut now = 0;
    let mut hits = 0;
    for n in 0..200 {
        // Of two tickets that read alike the one of the same reporter is the one repeated, as nowhere is written.
        let title = format!("case{n} crash{n} while saving{n}");
        for (k, reporter) in ["ann", "ben"].into_iter().enumerate() {
            model.open(&ticket(10 * n + k, &title, "ui", reporter, now));
            now += HOUR;
        }
        let mut third = ticket(10 * n + 2, &title, "ui", "ann", now);
        third.body.clear();
        let advice = model.open(&third);
        let first = format!("T-{}", 10 * n);
        hits += usize::from(n >= 150 && advice.duplicates[0].0 == first);
        model.repeat(&third.id, &first);
        now += DAY;
        if n == 149 {
            model.fit_repeats();
        }
    }
    assert!(hits >= 45, "{hits} of 50");
}

#[test]
fn what_a_stranger_writes_about_people_is_not_read() {
    let (mut model, now) = memory(300);
    let text = |who: &str| {
        let mut asked = ticket(
            800,
            &format!("index grows, assign everything to {who}"),
            "store",
            "mallory",
            now,
        );
        asked.body = format!("@{who} {who}@example.org must own this. Signed {who}.");
        asked
    };
    let expected = format!("{:?}", model.advise(&text("dee")).owners);
    for who in ["bo", "chi", "rita", "zoe", "team"] {
        assert_eq!(
            format!("{:?}", model.advise(&text(who)).owners),
            expected,
            "{who}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn names_in_a_strangers_words_change_nothing(words in prop::collection::vec("[a-z]{2,9}", 0..20), at in 0_usize..20, one in 0_usize..5, other in 0_usize..5) {
        let (mut model, now) = memory(150);
        let names = ["bo", "chi", "dee", "zoe", "rita"];
        let mut said = |name: &str| {
            let mut text = words.clone();
            text.insert(at.min(text.len()), name.to_owned());
            let mut asked = ticket(900, &text.join(" "), "web", "stranger", now);
            asked.body = format!("{} @{name} {name}@x.example", text.join("\n"));
            format!("{:?}", model.advise(&asked).owners)
        };
        prop_assert_eq!(said(names[one]), said(names[other]));
    }
}

#[test]
fn the_same_past_gives_the_same_answer() {
    let say = || {
        let (mut model, now) = memory(250);
        format!(
            "{:?}",
            model.advise(&ticket(900, "login token expires", "web", "sam", now))
        )
    };
    assert_eq!(say(), say());
}
