//! Which lines of a mail its author wrote, and which are quotes, signatures and footers.

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
    // Old programs begin a reply with some of its headers.
    let mut is_top = true;
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
        } else if is_machine_line(lines[at]) || (is_top && is_header_line(lines[at])) {
            marks[at] = true;
            continue;
        }
        is_top &= marks[at];
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
    const ANNOUNCED: [&str; 13] = [
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
        "start of forwarded message",
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

/// Returns whether a signature begins here: `-- ` on a line of its own, a name behind it, a rule above an address, or
/// what telephones add.
fn is_signature(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    let rest = lines.len() - at;
    if line == "--" || line == "—" {
        return rest <= 40;
    }
    const LONGEST: usize = 20;
    if rest > LONGEST || !line.starts_with(['-', '_', '=', '*', '~', '#']) {
        return is_added(line, rest);
    }
    let below: Vec<&str> = lines[at + 1..]
        .iter()
        .copied()
        .filter(|line| !line.is_empty())
        .collect();
    let is_short =
        |line: &&str| line.chars().count() <= 40 && !line.ends_with(['.', '?', '!', ':']);
    if is_rule(line, 4) && at > 0 {
        let signs = ["@", "http", "www.", "tel", "phone", "fax"];
        let has_address = below
            .iter()
            .any(|line| signs.iter().any(|sign| line.to_lowercase().contains(sign)));
        let is_block = below.len() <= 9
            && below
                .iter()
                .all(|line| line.len() <= 76 && !line.ends_with('?'));
        return is_block && (has_address || (below.len() <= 3 && below.iter().all(is_short)));
    }
    if let Some(name) = line
        .strip_prefix("--")
        .filter(|name| !name.starts_with('-'))
    {
        return below.len() <= 2
            && name.split_whitespace().count() <= 3
            && is_short(&line.trim_end_matches('.'));
    }
    false
}

/// Returns whether a telephone or a web page wrote the line.
fn is_added(line: &str, rest: usize) -> bool {
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
    if is_rule(line, 10) {
        return speaks_of_list.iter().any(|words| lower.contains(words));
    }
    let own = line.to_lowercase();
    own.starts_with("you received this message because you are subscribed")
        || own.starts_with("to unsubscribe from this")
        || own.starts_with("to unsubscribe, ")
}

/// Returns whether a line is drawn across the page.
fn is_rule(line: &str, least: usize) -> bool {
    line.len() >= least
        && line
            .bytes()
            .all(|byte| matches!(byte, b'_' | b'-' | b'=' | b'*' | b'~' | b'#'))
}

/// Returns whether a line at the top of a text is one of the mail's own headers.
fn is_header_line(line: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else {
        return line.trim().starts_with('<') && line.trim().ends_with('>') && line.contains('@');
    };
    let name = name.to_lowercase();
    name == "in-reply-to"
        || (matches!(name.as_str(), "cc" | "to" | "from" | "reply-to") && value.contains('@'))
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
        check(
            "a\n----------\nand this is b.",
            "a\n----------\nand this is b.",
            "",
        );
        check("new\n--Bo", "new", "--Bo");
        check(
            "new\n-- as I said before, it works",
            "new\n-- as I said before, it works",
            "",
        );
        check(
            "new\n________\nAna Berg\nhttps://x.org",
            "new",
            "________\nAna Berg\nhttps://x.org",
        );
        check(
            "cc: Bo <bo@x.org>\nnew\nto: me",
            "new\nto: me",
            "cc: Bo <bo@x.org>",
        );
        check(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nnew\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----",
            "new",
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----",
        );
    }
}
