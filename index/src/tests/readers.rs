//! What may be read: no draw of members, audiences and questions finds a foreign passage.

use super::*;

/// Draws members, memberships and questions; audiences and passages change all the time.
fn nobody_reads_foreign_passages(draws: u64) {
    let mut dice = Dice(20_261_122);
    let index = Index::in_memory(Options::default());
    let mut audience_of: HashMap<String, u64> = HashMap::new();
    let mut members: Vec<std::collections::BTreeSet<AudienceId>> = (0..50)
        .map(|_| {
            (0..dice.roll(6))
                .map(|_| AudienceId(dice.roll(40)))
                .collect()
        })
        .collect();
    let mut found = 0;
    for draw in 0..draws {
        if draw % 2_000 == 0 {
            let ops = (0..200).map(|_| {
                let id = format!("p{}", dice.roll(3_000));
                if dice.roll(10) == 0 {
                    audience_of.remove(&id);
                    return Op::DeletePassage(id);
                }
                let audience = dice.roll(40);
                audience_of.insert(id.clone(), audience);
                let text = words(&mut dice, 8);
                Op::Put(Passage {
                    audience: AudienceId(audience),
                    ..passage(&id, &text)
                })
            });
            let ops: Vec<Op> = ops.collect();
            index.apply(&ops, Seq(draw + 1)).unwrap();
        }
        let member = dice.roll(50) as usize;
        if dice.roll(4) == 0 {
            let audience = AudienceId(dice.roll(40));
            if !members[member].remove(&audience) {
                members[member].insert(audience);
            }
        }
        let typed = match dice.roll(6) {
            0 => format!("\"{}\"", words(&mut dice, 1)),
            1 => format!("{} -{}", words(&mut dice, 2), words(&mut dice, 1)),
            2 => format!(
                "{}*",
                &words(&mut dice, 1).chars().take(3).collect::<String>()
            ),
            3 => "from:ana".to_string(),
            n => words(&mut dice, n - 3),
        };
        let mut query = parse(&typed, &jiff::tz::TimeZone::UTC).query(members[member].clone(), 5);
        query.group_by_thread = dice.roll(3) == 0;
        for hit in index.search(&query).unwrap().items {
            let audience = audience_of.get(&hit.passage.id).copied();
            assert_eq!(
                audience,
                Some(hit.passage.audience.0),
                "an old passage was found by {typed}"
            );
            assert!(
                members[member].contains(&hit.passage.audience),
                "a foreign passage was found by {typed}"
            );
            found += 1;
        }
    }
    assert!(found > draws / 2, "the draws prove nothing: {found} hits");
}

#[test]
fn random_members_never_read_foreign_passages() {
    nobody_reads_foreign_passages(3_000);
}

#[test]
#[ignore = "a million draws: cargo test --release -p daybrief-index -- --ignored a_million"]
fn a_million_draws_never_read_a_foreign_passage() {
    nobody_reads_foreign_passages(1_000_000);
}
