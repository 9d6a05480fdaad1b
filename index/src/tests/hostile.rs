//! Questions and texts that mean no good.

use super::*;

fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        Just("from:".to_string()),
        Just("colour:".to_string()),
        Just("-".to_string()),
        Just("\"".to_string()),
        Just("“".to_string()),
        Just("before:9999-99-99 ".to_string()),
        Just("after:-1d ".to_string()),
        Just("*".to_string()),
        Just("\u{0}\u{7}\u{1b}[2J".to_string()),
        Just("\u{202e}\u{200b}\u{feff}".to_string()),
        Just("login ".to_string()),
        Just("e\u{301}\u{301}\u{301}".to_string()),
        "\\PC{0,12}",
        "[a-z]{1,4}:\"?[a-z,]{0,6}",
    ];
    (
        proptest::collection::vec(piece, 0..12),
        prop_oneof![9 => Just(1usize), 1 => Just(2_000)],
    )
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_questions_and_texts_get_a_calm_answer(typed in hostile(), written in hostile()) {
        let index = filled([passage("a1", &written), passage("b1", "the login page")]);
        let query = parse(&typed, &jiff::tz::TimeZone::UTC).query([AudienceId(1)].into(), 5);
        let page = index.search(&Query { explain: true, ..query }).unwrap();
        for hit in page.items {
            let text = &hit.snippet.text;
            proptest::prop_assert!(text.len() < 50_000 && !text.chars().any(char::is_control));
            proptest::prop_assert!(hit.snippet.highlights.iter().all(|r| text.get(r.clone()).is_some()));
            proptest::prop_assert!(hit.score.is_finite());
        }
    }
}
