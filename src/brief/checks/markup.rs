//! V7: no link, mention, markup or command in a model's words.
//!
//! The gate lets through what prose needs and nothing else: letters, digits, spaces and the marks of the list below, and
//! of those only where they cannot begin a link, a mention or markup. What looks like one of these marks in another
//! script or width counts as it.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Marks that prose needs; what each may stand next to is looked at besides.
const MARKS: &str = ".,;:!?'’‘\"“”„«»‹›()-–—−…/%+=&$€£¥°§×±≤≥≈→←·¿¡、。「」『』・،؛؟<>_#½¼¾²³™®";

/// Endings of file names that are no part of any address.
const FILE_ENDINGS: &[&str] = &[
    "toml", "json", "yaml", "yml", "txt", "xml", "html", "htm", "css", "js", "ts", "tsx", "jsx",
    "cpp", "hpp", "csv", "sql", "conf", "cfg", "ini", "log", "exe", "dll", "pdf", "png", "jpg",
    "jpeg", "gif", "svg", "docx", "xlsx", "pptx", "ics", "xsl", "xsd", "dtd", "tex", "rst", "vtt",
    "srt", "eml",
];

/// Abbreviations with a full stop inside.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "a.m", "p.m", "u.s", "u.k", "z.b", "d.h", "u.a", "p.ej", "ph.d", "n.b", "u.s.a",
    "o.k", "w.r.t", "a.k.a",
];

/// Returns what in the text, slots aside, is no prose; nothing when all is.
pub fn forbidden_in(text: &str) -> Option<&'static str> {
    // Fullwidth, mathematical and enclosed forms are read as what they stand for.
    let plain: Vec<char> = text.nfkc().collect();
    let at = |n: usize| plain.get(n).copied().unwrap_or(' ');
    let before = |n: usize| n.checked_sub(1).map_or(' ', at);
    let mut marks = 0;
    for (n, &c) in plain.iter().enumerate() {
        let (left, right) = (before(n), at(n + 1));
        if is_combining_mark(c) {
            marks += 1;
            if marks > 2
                || matches!(c as u32, 0x488..=0x489 | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xE0100..=0xE01EF)
            {
                return Some("marks piled on a letter");
            }
            continue;
        }
        marks = 0;
        if c == ' ' || c.is_alphanumeric() {
            continue;
        }
        if matches!(c, '@') {
            return Some("an @");
        }
        if !MARKS.contains(c) {
            return Some(match c {
                '`' | '*' | '~' | '|' | '[' | ']' | '\\' | '^' => "markup",
                '{' | '}' => "a brace that is no slot",
                _ => "a sign that is no prose",
            });
        }
        let found = match c {
            // "<5 ms" and "a -> b" are prose; nothing that a tag or a token begins with is.
            '<' if right.is_alphabetic()
                || matches!(right, '!' | '?' | '/' | '#' | '&' | '<' | '-') =>
            {
                Some("a tag")
            }
            '>' if n == 0 => Some("a quote mark"),
            '_' if !(left.is_alphanumeric() && right.is_alphanumeric()) => Some("markup"),
            '#' if right.is_alphabetic() || right == '#' || n == 0 => Some("a #channel"),
            '&' if right == '#'
                || right.is_lowercase()
                || right.is_alphanumeric() && entity(&plain[n + 1..]) =>
            {
                Some("an entity")
            }
            '%' if !left.is_ascii_digit()
                && right.is_ascii_hexdigit()
                && at(n + 2).is_ascii_hexdigit() =>
            {
                Some("an escaped character")
            }
            '/' if left == '/' || right == '/' || left == ':' => Some("a link"),
            ':' if !colon_is_prose(left, right) => Some("a link or a command"),
            '-' | '+' | '=' if n == 0 => Some("a list mark"),
            '-' | '=' if left == c && right == c => Some("a rule"),
            '.' | '。' if looks_like_host(&plain, n) => Some("an address"),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    // "1. First" would begin a list.
    let digits = plain.iter().take_while(|c| c.is_ascii_digit()).count();
    if digits > 0 && matches!(at(digits), '.' | ')') && at(digits + 1) == ' ' {
        return Some("a list mark");
    }
    let lower: String = plain.iter().flat_map(|c| c.to_lowercase()).collect();
    let is_ip = lower
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .any(|run| {
            let parts: Vec<&str> = run.trim_matches('.').split('.').collect();
            parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok())
        });
    if is_ip
        || lower
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| word == "www")
    {
        return Some("an address");
    }
    None
}

/// Returns whether a colon stands as prose has it: before a space, at the end, in a time or a ratio.
fn colon_is_prose(left: char, right: char) -> bool {
    match right {
        ' ' => left != ':',
        _ => left.is_ascii_digit() && right.is_ascii_digit(),
    }
}

/// Returns whether a word and a semicolon follow.
fn entity(rest: &[char]) -> bool {
    let word = rest.iter().take_while(|c| c.is_alphanumeric()).count();
    rest.get(word) == Some(&';')
}

/// Returns whether a dot joins two labels of which the last could be a top-level domain.
fn looks_like_host(plain: &[char], dot: usize) -> bool {
    let is_label =
        |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_') || is_combining_mark(*c);
    let is_dot = |c: &char| matches!(c, '.' | '。');
    let Some(next) = plain.get(dot + 1) else {
        return false;
    };
    if dot == 0 || !is_label(next) || !is_label(&plain[dot - 1]) {
        return false;
    }
    // Two sentences in a script without spaces are no host; a host of such letters has a Latin dot.
    if plain[dot] == '。'
        && !(next.is_ascii_alphanumeric() && plain[dot - 1].is_ascii_alphanumeric())
    {
        return false;
    }
    let start = plain[..dot]
        .iter()
        .rposition(|c| !is_label(c) && !is_dot(c))
        .map_or(0, |at| at + 1);
    let end = plain[dot..]
        .iter()
        .position(|c| !is_label(c) && !is_dot(c))
        .map_or(plain.len(), |at| dot + at);
    let run: String = plain[start..end]
        .iter()
        .flat_map(|c| c.to_lowercase())
        .collect();
    let run = run.trim_matches(['.', '。', '-']);
    if ABBREVIATIONS.contains(&run) || ABBREVIATIONS.contains(&run.trim_end_matches("s")) {
        return false;
    }
    let labels: Vec<&str> = run.split(['.', '。']).collect();
    let last = labels.last().copied().unwrap_or("");
    // A version, an amount, a time: digits only behind the last dot. Single letters are initials.
    if labels.len() < 2
        || last.chars().all(|c| c.is_ascii_digit())
        || labels.iter().all(|label| label.chars().count() == 1)
    {
        return false;
    }
    if last.chars().count() < 2 {
        return false;
    }
    // "1.5x", "2.0beta", "10.5ms": a number with its unit.
    if last.starts_with(|c: char| c.is_ascii_digit())
        && labels[..labels.len() - 1].iter().all(|label| {
            label
                .trim_start_matches('v')
                .bytes()
                .all(|b| b.is_ascii_digit())
        })
    {
        return false;
    }
    !(labels.len() == 2 && FILE_ENDINGS.contains(&last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_passes() {
        for text in [
            "Ana will move the import to 14:30 on Monday, e.g. after lunch.",
            "The limit goes from 1,000 to 2.5k (50 %), said Bo: it’s “fine”.",
            "Version 1.2.3 is out; R&D and Q&A agree, and/or AT&T.",
            "Is config.toml read before the snake_case names?",
            "J. Park asks for < 5 ms, and it went open → closed.",
            "¿Quién lo revisa? «Nadie», dice Ana.",
            "今日のリリースは明日に延期します。ご確認をお願いします。",
            "Der U.S. release is ready… or not!",
            "naïve café, Ünlü, हिन्दी में लिखा",
        ] {
            assert_eq!(forbidden_in(text), None, "{text}");
        }
    }

    #[test]
    fn no_link_mention_or_markup_passes() {
        for text in [
            "see https://evil.test/x",
            "see HTTPS://EVIL",
            "see hxxp://evil",
            "see //evil",
            "go to evil.com",
            "go to evil.com.",
            "evil.co.uk/x",
            "xn--80ak6aa92e.com",
            "go to ｅｖｉｌ．ｃｏｍ",
            "evil。com",
            "evil｡com",
            "evil․com",
            "𝐞𝐯𝐢𝐥.𝐜𝐨𝐦",
            "пример.рф",
            "www evil",
            "1.2.3.4",
            "evil.rs",
            "README.md",
            "mailto:a",
            "tel:+123",
            "javascript:alert(1)",
            "data:text",
            "slack://x",
            "vscode:open",
            "ping @here",
            "ping ＠ana",
            "a@b",
            "<!channel>",
            "<@U024>",
            "<b>x</b>",
            "</b",
            "<!-- x",
            "< b",
            "#general",
            "＃general",
            "## x",
            "`rm`",
            "``` x",
            "*bold*",
            "_it_",
            "~~x~~",
            "a | b",
            "[x](y)",
            "![x",
            "\\x",
            "x^2",
            "&lt;b",
            "&#64;here",
            "&amp;",
            "&AMP;",
            "%40here",
            "> quoted",
            "- item",
            "+ item",
            "1. item",
            "---",
            "===",
            ":tada:",
            "a::b",
            "{p99",
            "{{x}}",
            "a\u{20dd}",
            "x\u{300}\u{301}\u{302}",
            "☎ call",
            "🙂",
            "\u{7}",
            "\u{202e}x",
            "a\nb",
            "a\tb",
            "evil.com?x=1",
            "evil.museum:8080",
            "user.evil.io",
        ] {
            // "< b" is a comparison.
            assert_eq!(forbidden_in(text).is_some(), text != "< b", "{text}");
        }
    }
}
