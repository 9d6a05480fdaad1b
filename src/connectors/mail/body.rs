//! What a mail's author wrote, apart from what they quoted and from signatures and footers.

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::html::visible_text;

/// A mail's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The author's own.
    pub text: String,
    /// Everything else: quotes, signatures, footers.
    pub aside: String,
    /// Whether bytes had to be replaced that are not of the named character set.
    pub is_lossy: bool,
    /// Whether there was HTML that nobody could have written to be read.
    pub is_refused: bool,
}

/// Returns the words of a mail.
pub fn words_of(message: &Message<'_>) -> Words {
    let mut whole = String::new();
    let (mut is_lossy, mut is_refused) = (false, false);
    for part in message.text_bodies() {
        let text = match &part.body {
            PartType::Text(text) if is_flowed(part) => unflowed(text, deletes_space(part)),
            PartType::Text(text) => text.to_string(),
            PartType::Html(html) => visible_text(html).unwrap_or_else(|| {
                is_refused = true;
                String::new()
            }),
            _ => continue,
        };
        is_lossy |= part.is_encoding_problem || text.contains('\u{fffd}');
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        whole.push_str(text.trim_end());
    }
    let (text, aside) = split(&whole);
    Words {
        text,
        aside,
        is_lossy,
        is_refused,
    }
}

fn is_flowed(part: &MessagePart<'_>) -> bool {
    let format = part
        .content_type()
        .and_then(|kind| kind.attribute("format"));
    format.is_some_and(|format| format.eq_ignore_ascii_case("flowed"))
}

fn deletes_space(part: &MessagePart<'_>) -> bool {
    let option = part.content_type().and_then(|kind| kind.attribute("delsp"));
    option.is_some_and(|option| option.eq_ignore_ascii_case("yes"))
}

/// Joins the lines that a mail program broke (RFC 3676).
fn unflowed(text: &str, deletes_space: bool) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|&byte| byte == b'>').count();
        let words = &line[depth..];
        let words = words.strip_prefix(' ').unwrap_or(words);
        if open != Some(depth) {
            if !joined.is_empty() {
                joined.push('\n');
            }
            if depth > 0 {
                joined.push_str(&">".repeat(depth));
                joined.push(' ');
            }
        }
        let is_soft = words.ends_with(' ') && words != "-- ";
        joined.push_str(if is_soft && deletes_space {
            &words[..words.len() - 1]
        } else {
            words
        });
        open = is_soft.then_some(depth);
    }
    joined
}

/// Splits a text into the author's own and the rest.
pub fn split(whole: &str) -> (String, String) {
    let lines: Vec<&str> = whole.lines().map(str::trim_end).collect();
    let is_aside = marks(&lines);
    let pick = |wanted: bool| {
        let mut text = String::new();
        for (line, _) in lines
            .iter()
            .zip(&is_aside)
            .filter(|(_, is_aside)| **is_aside == wanted)
        {
            // One blank line at most, where something was taken out between two.
            if !(line.is_empty() && (text.is_empty() || text.ends_with("\n\n"))) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text.trim_end().to_owned()
    };
    (pick(false), pick(true))
}

/// Returns for each line whether it is not the author's own.
fn marks(lines: &[&str]) -> Vec<bool> {
    let mut marks = vec![false; lines.len()];
    for (at, line) in lines.iter().enumerate() {
        marks[at] = is_quote(line);
    }
    let next_words = |from: usize| {
        lines[from..]
            .iter()
            .position(|line| !line.is_empty())
            .map(|skip| from + skip)
    };
    for at in 0..lines.len() {
        if marks[at] || lines[at].is_empty() {
            continue;
        }
        let before = |upto: usize| next_words(upto + 1);
        if let Some(end) = attribution_end(lines, at) {
            // Only above a quote, or at the end, are the words certain not to be the author's.
            let is_above_quote = before(end).is_none_or(|next| marks[next]);
            if is_above_quote || is_dated(&lines[at..=end]) {
                marks[at..=end].fill(true);
            }
        } else if is_rest_quoted(lines, at) {
            // Some programs put the original below such a line and still mark its lines.
            if before(at).is_none_or(|next| !marks[next]) {
                marks[at..].fill(true);
                break;
            }
            marks[at] = true;
        } else if is_signature(lines, at) || is_footer(lines, at) {
            marks[at..].fill(true);
            break;
        } else if is_machine_line(lines[at]) {
            marks[at] = true;
        }
    }
    mark_signed(lines, &mut marks);
    // A blank line between two that are not the author's belongs to them.
    let mut blank = None;
    let mut is_after_aside = false;
    for at in 0..lines.len() {
        if lines[at].is_empty() {
            blank.get_or_insert(at);
            continue;
        }
        if let Some(from) = blank.take()
            && is_after_aside
            && marks[at]
        {
            marks[from..at].fill(true);
        }
        is_after_aside = marks[at];
    }
    marks
}

fn is_quote(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('>') {
        return true;
    }
    // `AB> text`, as some programs mark whom they quote.
    let initials = line.bytes().take_while(u8::is_ascii_uppercase).count();
    (1..=4).contains(&initials) && line[initials..].starts_with("> ")
}

/// Returns the last line of an attribution such as `On 1 May, Ana wrote:` that begins here; it may take three lines.
fn attribution_end(lines: &[&str], at: usize) -> Option<usize> {
    const ENDS: [&str; 22] = [
        "wrote:",
        "writes:",
        "wrote :",
        "said:",
        "schrieb:",
        "a écrit :",
        "a écrit:",
        "escribió:",
        "escreveu:",
        "ha scritto:",
        "skrev:",
        "schreef:",
        "napisał:",
        "napisał(a):",
        "написал:",
        "написала:",
        "пише:",
        "kirjoitti:",
        "写道：",
        "写道:",
        "のメール:",
        "wrote...",
    ];
    const STARTS: [&str; 19] = [
        "on ",
        "am ",
        "le ",
        "el ",
        "em ",
        "il ",
        "den ",
        "op ",
        "w dniu ",
        "at ",
        "in ",
        "> ",
        "\"",
        "in article",
        "at\u{a0}",
        "on\u{a0}",
        "le\u{a0}",
        "vào ",
        "dne ",
    ];
    for end in at..lines.len().min(at + 3) {
        let line = lines[end].trim();
        if line.is_empty() {
            return None;
        }
        let lower = line.to_lowercase();
        let schrieb =
            lower.starts_with("am ") && lower.contains(" schrieb ") && lower.ends_with(':');
        if ENDS.iter().any(|mark| lower.ends_with(mark)) || schrieb {
            let first = lines[at].trim().to_lowercase();
            let is_start = at == end || STARTS.iter().any(|start| first.starts_with(start));
            return is_start.then_some(end);
        }
    }
    None
}

/// Returns whether an attribution names a day or an address, so that it is one even above unmarked words.
fn is_dated(lines: &[&str]) -> bool {
    let text = lines.join(" ").to_lowercase();
    let has_number = text.bytes().filter(u8::is_ascii_digit).count() >= 3;
    (text.starts_with("on ") || text.starts_with("am ") || text.starts_with("le "))
        && (has_number || text.contains('@'))
}

/// Returns whether the lines from here on are another mail: Outlook's block of headers, or a line that announces one.
fn is_rest_quoted(lines: &[&str], at: usize) -> bool {
    const ANNOUNCED: [&str; 12] = [
        "original message",
        "original appointment",
        "ursprüngliche nachricht",
        "originalnachricht",
        "message d'origine",
        "message original",
        "mensaje original",
        "mensagem original",
        "messaggio originale",
        "forwarded message",
        "weitergeleitete nachricht",
        "message transféré",
    ];
    let line = lines[at].trim();
    let inner = line.trim_matches(['-', '_', '*', ' ']).to_lowercase();
    if line.starts_with("--")
        && ANNOUNCED
            .iter()
            .any(|words| inner == *words || inner.starts_with(&format!("{words} ")))
    {
        return true;
    }
    if inner == "begin forwarded message:" || inner == "begin forwarded message" {
        return true;
    }
    const FIELDS: [&str; 30] = [
        "from",
        "sent",
        "to",
        "cc",
        "subject",
        "date",
        "importance",
        "von",
        "gesendet",
        "an",
        "betreff",
        "datum",
        "de",
        "envoyé",
        "à",
        "objet",
        "enviado",
        "para",
        "asunto",
        "assunto",
        "da",
        "inviato",
        "a",
        "oggetto",
        "från",
        "skickat",
        "till",
        "ämne",
        "van",
        "verzonden",
    ];
    let is_field = |line: &&str| {
        let name = line
            .trim_start_matches(['*', ' '])
            .split_once(':')
            .map(|(name, _)| name.trim_matches(['*', ' ']).to_lowercase());
        name.is_some_and(|name| FIELDS.contains(&name.as_str()))
    };
    let from = ["from", "von", "de", "da", "från", "van"];
    let first = line
        .trim_start_matches('*')
        .split_once(':')
        .map(|(name, _)| name.trim_matches(['*', ' ']).to_lowercase());
    let begins = first.is_some_and(|first| from.contains(&first.as_str()));
    begins && lines[at..].iter().take_while(|line| is_field(line)).count() >= 3
}

/// Returns whether a signature begins here: `-- ` on a line of its own, or what telephones add.
fn is_signature(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    let rest = lines.len() - at;
    if line == "--" || line == "—" {
        return rest <= 40;
    }
    let lower = line.to_lowercase();
    let added = [
        "sent from my ",
        "get outlook for ",
        "von meinem iphone",
        "gesendet von ",
        "envoyé de mon ",
        "enviado desde mi ",
    ];
    rest <= 6 && line.len() <= 80 && added.iter().any(|words| lower.starts_with(words))
}

/// Returns whether the footer of a list begins here.
fn is_footer(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    let rest = &lines[at..];
    if rest.len() > 20 {
        return false;
    }
    let is_rule = line.len() >= 10
        && line
            .bytes()
            .all(|byte| matches!(byte, b'_' | b'-' | b'=' | b'*' | b'~' | b'#'));
    let lower = rest
        .iter()
        .take(8)
        .map(|line| line.to_lowercase())
        .collect::<Vec<_>>()
        .join("\n");
    let speaks_of_list = [
        "unsubscribe",
        "mailing list",
        "listinfo",
        "list archive",
        "to post to this",
        "subscribed to",
    ];
    if is_rule {
        return speaks_of_list.iter().any(|words| lower.contains(words));
    }
    let own = line.to_lowercase();
    own.starts_with("you received this message because you are subscribed")
        || own.starts_with("to unsubscribe from this")
        || own.starts_with("to unsubscribe, ")
}

/// Returns whether a line was added by a mail program.
fn is_machine_line(line: &str) -> bool {
    let line = line.trim();
    line == "-----BEGIN PGP SIGNED MESSAGE-----"
        || (line.starts_with("Hash: SHA") && line.len() < 24)
}

/// Marks the blocks of cryptographic signatures.
fn mark_signed(lines: &[&str], marks: &mut [bool]) {
    let mut is_inside = false;
    for (line, mark) in lines.iter().zip(marks) {
        is_inside |= line.trim() == "-----BEGIN PGP SIGNATURE-----";
        *mark |= is_inside;
        is_inside &= line.trim() != "-----END PGP SIGNATURE-----";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(whole: &str, own: &str, rest: &str) {
        assert_eq!(split(whole), (own.to_owned(), rest.to_owned()), "{whole}");
    }

    #[test]
    fn own_words_stand_apart_from_quotes() {
        check(
            "hello\n\n> old\n> older\n\nanswer",
            "hello\n\nanswer",
            "> old\n> older",
        );
        check(
            "On Mon, 9 Nov 2026, Ana wrote:\n> old\nnew",
            "new",
            "On Mon, 9 Nov 2026, Ana wrote:\n> old",
        );
        check(
            "new\n\nOn Mon, Nov 9, 2026 at 1:50 PM Ana Berg\n<ana@x.org>\nwrote:\n\n> old",
            "new",
            "On Mon, Nov 9, 2026 at 1:50 PM Ana Berg\n<ana@x.org>\nwrote:\n\n> old",
        );
        check(
            "Am 9.11.26 um 12:00 schrieb Ana:\n> alt\nneu",
            "neu",
            "Am 9.11.26 um 12:00 schrieb Ana:\n> alt",
        );
        check("AB> old\nnew", "new", "AB> old");
        check(
            "I saw what Ana wrote:\nit works",
            "I saw what Ana wrote:\nit works",
            "",
        );
        check("a -> b and c>d", "a -> b and c>d", "");
        check("> only", "", "> only");
        check("", "", "");
    }

    #[test]
    fn the_rest_of_another_mail_is_aside() {
        check(
            "new\n\n-----Original Message-----\nFrom: Ana\nold",
            "new",
            "-----Original Message-----\nFrom: Ana\nold",
        );
        check(
            "new\n\nFrom: Ana\nSent: Monday\nTo: Bo\nSubject: x\n\nold",
            "new",
            "From: Ana\nSent: Monday\nTo: Bo\nSubject: x\n\nold",
        );
        check(
            "neu\n\nVon: Ana\nGesendet: Montag\nAn: Bo\n\nalt",
            "neu",
            "Von: Ana\nGesendet: Montag\nAn: Bo\n\nalt",
        );
        check(
            "-----Original Message-----\n> old\nnew",
            "new",
            "-----Original Message-----\n> old",
        );
        check("From: here on it is easy", "From: here on it is easy", "");
    }

    #[test]
    fn signatures_and_footers_are_aside() {
        check("new\n-- \nAna\nBerlin", "new", "--\nAna\nBerlin");
        check("new\n\nSent from my phone", "new", "Sent from my phone");
        check(
            "new\n_______________________________________________\ndev mailing list\nhttps://x.org/listinfo/dev",
            "new",
            "_______________________________________________\ndev mailing list\nhttps://x.org/listinfo/dev",
        );
        check("a\n----------\nb", "a\n----------\nb", "");
        check(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nnew\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----",
            "new",
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----",
        );
    }

    #[test]
    fn flowed_lines_are_joined() {
        assert_eq!(
            unflowed("one \ntwo\n>old \n>er\n-- \nAna", false),
            "one two\n> old er\n-- \nAna"
        );
        assert_eq!(unflowed("one \ntwo", true), "onetwo");
    }
}
