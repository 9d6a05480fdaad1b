//! What a single line looks like: a quotation, a header, furniture, a log, code, a list item.

use super::{Kind, LINK};

/// Returns whether the line quotes somebody: `> text`, `AB> text`.
pub(super) fn is_quote(line: &str) -> bool {
    let initials =
        |at: usize| at > 0 && at <= 3 && line[..at].bytes().all(|b| b.is_ascii_uppercase());
    line.starts_with('>')
        || line.starts_with("&gt;")
        || line.starts_with("|>")
        || line.find('>').is_some_and(initials)
}

/// Returns whether the line says who wrote the quotation that follows.
pub(super) fn is_attribution(line: &str) -> bool {
    const VERBS: [&str; 9] = [
        "wrote:",
        "writes:",
        "wrote",
        "said:",
        "schrieb:",
        "escribió:",
        "escreveu:",
        "écrit :",
        "scritto:",
    ];
    let dated = ["On ", "At ", "Am ", "Le ", "El ", "Em "]
        .iter()
        .any(|start| line.starts_with(start));
    line.len() < 160
        && VERBS.iter().any(|verb| line.ends_with(verb))
        && (dated || line.ends_with(':') && line.split_whitespace().count() <= 8)
}

/// Returns whether the line is a mail header in the body.
pub(super) fn is_header(line: &str) -> bool {
    const FIELDS: [&str; 15] = [
        "from",
        "sent",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "in-reply-to",
        "reply-to",
        "tel",
        "phone",
        "fax",
        "mobile",
        "organization",
    ];
    let Some((field, rest)) = line.split_once(':') else {
        return false;
    };
    !rest.is_empty()
        && !rest.ends_with('?')
        && line.starts_with(|c: char| c.is_uppercase() || line.contains('@'))
        && FIELDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(field.trim_end()))
}

/// Returns whether the line is a heading, a rule, a table row, a check box or a lone tag.
pub(super) fn is_furniture(line: &str) -> bool {
    let hashes = line.bytes().take_while(|&b| b == b'#').count();
    let heading = (1..=6).contains(&hashes) && line[hashes..].starts_with(' ');
    let rule = line.len() >= 3
        && line
            .chars()
            .all(|c| matches!(c, '-' | '=' | '_' | '*' | '~' | ' ' | '+' | '#' | '|' | ':'));
    let table = line.starts_with('|') && line[1..].contains('|');
    let body = line.trim_start_matches(['-', '*', '+', ' ']);
    let check = body.len() < line.len()
        && ["[ ]", "[x]", "[X]"]
            .iter()
            .any(|mark| body.starts_with(mark));
    let tag = line.starts_with('<')
        && line.ends_with('>')
        && !line.starts_with("<@")
        && !line.contains(LINK)
        && !line[1..line.len() - 1].contains(['<', '>']);
    heading || rule || table || check || tag
}

/// Returns whether a program printed the line; `raw` still has its links and code.
pub(super) fn is_log(raw: &str, line: &str) -> bool {
    const STARTS: [&str; 17] = [
        "File \"",
        "Traceback ",
        "Caused by:",
        "error[",
        "error:",
        "warning:",
        "note:",
        "thread '",
        "stack backtrace",
        "$ ",
        "==",
        "#0",
        "E   ",
        "npm ERR",
        "Exception in ",
        "fatal:",
        "panic:",
    ];
    if line.starts_with("at ") {
        return line.contains('(') && line.contains([':', '.']);
    }
    let leads = |at: usize| {
        at < 40 && line[..at].bytes().any(|b| b.is_ascii_digit()) && line[..at].contains([':', '['])
    };
    let level = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE", "FATAL"]
        .iter()
        .any(|level| line.find(level).is_some_and(leads));
    let bytes = raw.as_bytes();
    let clock = bytes.len() > 19
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[..19].iter().filter(|&&b| b == b':').count() == 2;
    let first = line.split_whitespace().next().unwrap_or("");
    let position = first.matches(':').count() >= 2
        && first.bytes().any(|b| b.is_ascii_digit())
        && !first.starts_with('@');
    STARTS.iter().any(|start| line.starts_with(start)) || level || clock || position
}

/// Returns whether the line is code outside a fence.
pub(super) fn is_code(raw: &str, line: &str, before: &[Kind]) -> bool {
    const SIGNS: &str = "{}()[];=<>\\/_$&|#%^~";
    let visible = line.chars().filter(|c| !c.is_whitespace()).count();
    let signs = line.chars().filter(|&c| SIGNS.contains(c)).count();
    let is_indented = (raw.starts_with("    ") || raw.starts_with('\t'))
        && before
            .last()
            .is_none_or(|kind| matches!(kind, Kind::Blank | Kind::Skipped));
    if is_indented && (signs * 12 >= visible || !line.ends_with(['.', '?', '!', ':', ','])) {
        return true;
    }
    let dense = visible >= 8 && signs * 5 >= visible && !line.starts_with("<@");
    let closes = line.ends_with([';', '{', '}']) && signs >= 2 && !line.ends_with(";)");
    dense || closes || matches!(line, "}" | "{" | ")" | "};" | "});" | "end")
}

/// Returns the length of the list marker with its indentation.
pub(super) fn list_marker(line: &str) -> Option<usize> {
    let body = line.trim_start();
    let indent = line.len() - body.len();
    let bullet = ["- ", "* ", "+ ", "• ", "– "]
        .iter()
        .find(|bullet| body.starts_with(**bullet));
    if let Some(bullet) = bullet {
        return Some(indent + bullet.len());
    }
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &body[digits..];
    if (1..=2).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") ")) {
        return Some(indent + digits + 2);
    }
    let bytes = body.as_bytes();
    let lettered =
        bytes.len() > 3 && bytes[0] == b'(' && bytes[1].is_ascii_alphanumeric() && bytes[2] == b')';
    lettered.then_some(indent + 3)
}
