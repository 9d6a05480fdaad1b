//! How many tokens a text takes, without the model's own table: an estimate that means to be too high rather than too low.
//!
//! Byte-pair tables keep common short words whole, split long ones about every five letters, numbers about every two
//! digits, and give a mark of punctuation one token; letters outside of ASCII take about one each in small tables.

/// What the frame of one turn takes.
pub const TURN: usize = 8;

/// Returns about how many tokens a text takes.
pub fn estimate(text: &str) -> usize {
    let (mut total, mut letters, mut digits) = (0, 0_usize, 0_usize);
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            letters += 1;
            total += digits.div_ceil(2);
            digits = 0;
            continue;
        }
        total += of_word(letters);
        letters = 0;
        if c.is_ascii_digit() {
            digits += 1;
            continue;
        }
        total += digits.div_ceil(2);
        digits = 0;
        // A space belongs to the word after it.
        total += usize::from(c != ' ');
    }
    total + of_word(letters) + digits.div_ceil(2)
}

fn of_word(letters: usize) -> usize {
    match letters {
        0 => 0,
        1..=7 => 1,
        more => more.div_ceil(5),
    }
}

/// Returns the index from which texts are kept so that they fit: the newest are kept, and nothing is cut in the middle.
///
/// `costs` are in order, oldest first. One text that is too long alone is kept: whoever cuts it does so by its sentences.
pub fn newest_that_fit(costs: &[usize], room: usize) -> usize {
    let mut left = room;
    for (index, cost) in costs.iter().enumerate().rev() {
        if *cost > left {
            return (index + 1).min(costs.len().saturating_sub(1));
        }
        left -= cost;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_stays_near_what_is_guessed() {
        // Guesses of what byte-pair tables make of these, not counts of a tokenizer: an estimate that leaves their
        // neighbourhood has changed for the worse, and no more than that is claimed.
        for (text, guessed) in [
            ("The nightly build is broken since Friday.", 8),
            ("Could you look at CORE-117 before noon?", 11),
            ("https://example.org/a/b?c=d", 10),
            ("Die Freigabe ist verschoben.", 8),
            ("", 0),
        ] {
            let estimated = estimate(text);
            assert!(
                estimated + 2 >= guessed && estimated <= guessed * 2 + 2,
                "{text:?}: {estimated} for {guessed}"
            );
        }
        assert!(estimate("山田さん、確認お願いします") >= 10);
    }

    #[test]
    fn the_newest_are_kept_and_none_is_cut() {
        assert_eq!(newest_that_fit(&[5, 5, 5], 100), 0);
        assert_eq!(newest_that_fit(&[5, 5, 5], 10), 1);
        assert_eq!(newest_that_fit(&[5, 5, 5], 9), 2);
        assert_eq!(newest_that_fit(&[5, 50], 9), 1);
        assert_eq!(newest_that_fit(&[], 9), 0);
    }
}
