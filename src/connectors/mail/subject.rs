//! Subjects without the marks that replies and lists put before them.

/// Returns the subject without reply and forward marks and list tags, and whether a reply mark was there.
pub fn base(subject: &str) -> (String, bool) {
    let mut rest = subject.trim();
    let mut is_reply = false;
    loop {
        if let Some((mark, after)) = mark_at(rest) {
            is_reply |= mark == Mark::Reply;
            rest = after.trim_start();
            continue;
        }
        // `[list]` stands before or behind the mark; a subject that is nothing but a tag keeps it.
        match rest
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'))
        {
            Some((tag, after))
                if !tag.is_empty() && tag.len() <= 40 && !after.trim().is_empty() =>
            {
                rest = after.trim_start()
            }
            _ => break,
        }
    }
    let rest = rest.strip_suffix("(fwd)").unwrap_or(rest).trim();
    (
        rest.split_whitespace().collect::<Vec<_>>().join(" "),
        is_reply,
    )
}

/// Returns a subject fit to be a title: without reply marks, with the list's tag.
pub fn title(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some((_, after)) = mark_at(rest) {
        rest = after.trim_start();
    }
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Reply,
    Forward,
}

fn mark_at(text: &str) -> Option<(Mark, &str)> {
    const REPLIES: [&str; 17] = [
        "re", "aw", "sv", "vs", "antw", "antwort", "ref", "rif", "r", "odp", "ynt", "res", "bls",
        "atb", "回复", "答复", "回覆",
    ];
    const FORWARDS: [&str; 10] = [
        "fwd", "fw", "wg", "vl", "tr", "rv", "enc", "i", "转发", "轉寄",
    ];
    let end = text.find([':', '：'])?;
    let head = text[..end].trim_end();
    // `Re[2]:` and `Re (3):` count the replies.
    let word = head
        .trim_end_matches(|c: char| {
            c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | ' ' | '*')
        })
        .to_lowercase();
    let mark = if REPLIES.contains(&word.as_str()) {
        Mark::Reply
    } else if FORWARDS.contains(&word.as_str()) {
        Mark::Forward
    } else {
        return None;
    };
    let colon = text[end..].chars().next().map_or(1, char::len_utf8);
    Some((mark, &text[end + colon..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_many_languages_are_taken_off() {
        for (subject, expected, is_reply) in [
            ("Printing", "Printing", false),
            ("Re: Printing", "Printing", true),
            ("RE: AW: Fwd: Printing (fwd)", "Printing", true),
            ("Fwd: Printing", "Printing", false),
            ("[dev] Re: [dev] Printing  now", "Printing now", true),
            ("Re[2]: Printing", "Printing", true),
            ("回复：Printing", "Printing", true),
            ("Antw: SV: x", "x", true),
            ("Release: done", "Release: done", false),
            ("[RFC]", "[RFC]", false),
            ("Re:", "", true),
            ("", "", false),
        ] {
            assert_eq!(base(subject), (expected.to_owned(), is_reply), "{subject}");
        }
        assert_eq!(title("Re: [dev] Printing"), "[dev] Printing");
    }
}
