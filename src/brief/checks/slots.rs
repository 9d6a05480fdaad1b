//! `{p1}` and `{t1}` in a text: where they stand, and the text without them.

/// Returns the text before the next slot, the slot without its braces, and the text after it.
pub fn next_slot(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let inner = &text[open + 1..];
        if let Some(close) = inner.find('}') {
            let slot = &inner[..close];
            let is_slot = slot.starts_with(['p', 't'])
                && (2..=4).contains(&slot.len())
                && slot[1..].bytes().all(|byte| byte.is_ascii_digit());
            if is_slot {
                return Some((&text[..open], slot, &inner[close + 1..]));
            }
        }
        from = open + 1;
    }
    None
}

pub fn slots_in(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((_, slot, after)) = next_slot(rest) {
        found.push(slot);
        rest = after;
    }
    found
}

/// Returns the text with a plain word in place of each slot, so that what stands around them is looked at as it will be.
pub fn without_slots(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, slot, after)) = next_slot(rest) {
        out.push_str(before);
        out.push_str(if slot.starts_with('p') {
            "somebody"
        } else {
            "it"
        });
        rest = after;
    }
    out + rest
}
