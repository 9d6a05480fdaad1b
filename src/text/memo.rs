//! What was made of a text, kept while the text is likely to come again.
//!
//! On a team's morning every reader's briefing looks at the same messages. What a message says does not depend on who
//! reads it, so a thread of the program takes each of them apart once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::thread::LocalKey;

/// How many bytes of text a memo holds before it starts anew.
const MOST_BYTES: usize = 2 << 20;

/// The last texts and what was made of them.
pub(super) struct Memo<V> {
    made: HashMap<String, V>,
    bytes: usize,
}

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Memo {
            made: HashMap::new(),
            bytes: 0,
        }
    }
}

/// Returns what `make` makes of a text, made once while the memo holds it. `make` must depend on nothing but the text.
pub(super) fn remembered<V: Clone + 'static>(
    memo: &'static LocalKey<RefCell<Memo<V>>>,
    text: &str,
    make: impl FnOnce(&str) -> V,
) -> V {
    if let Some(known) = memo.with_borrow(|memo| memo.made.get(text).cloned()) {
        return known;
    }
    let made = make(text);
    if text.len() > MOST_BYTES / 8 {
        return made;
    }
    memo.with_borrow_mut(|memo| {
        if memo.bytes + text.len() > MOST_BYTES {
            *memo = Memo::default();
        }
        memo.bytes += text.len();
        memo.made.insert(text.to_owned(), made.clone());
    });
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static LENGTHS: RefCell<Memo<usize>> = RefCell::default();
    }

    #[test]
    fn a_text_is_made_once_and_the_memory_stays_bounded() {
        let mut made = 0;
        for _ in 0..3 {
            let length = remembered(&LENGTHS, "one", |text| {
                made += 1;
                text.len()
            });
            assert_eq!(length, 3);
        }
        assert_eq!(made, 1);
        for n in 0..200 {
            let long = format!("{n:0>60000}");
            assert_eq!(remembered(&LENGTHS, &long, str::len), long.len());
            LENGTHS.with_borrow(|memo| assert!(memo.bytes <= MOST_BYTES));
        }
    }
}
