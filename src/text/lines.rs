//! Which lines of a message are its author's prose, and which are code, quotes, tables, signatures or logs.

use std::ops::Range;

/// Stands for every byte of a link in the buffer; no prose holds it.
pub(super) const LINK: char = '\u{1a}';

/// A message with everything blanked that is not its author's prose.
pub(super) struct Flat {
    /// As long as the text; blanked bytes are line feeds.
    pub buffer: String,
    pub attributions: Vec<Range<usize>>,
    pub quotes: Vec<Range<usize>>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prose,
    /// A list item with a marker of so many bytes, indentation included.
    Item(usize),
    Blank,
    Quote,
    /// "On Monday Ana wrote:".
    Attribution,
    /// Code, logs, tables, headings, rules, checklists, contact lines.
    Skipped,
    /// "Hi Ana,".
    Greeting,
    /// From here on nothing is the author's prose.
    End,
}

/// Returns the message's prose, in place.
pub(super) fn flatten(text: &str) -> Flat {
    let mut bytes = text.as_bytes().to_vec();
    blank_blocks(&mut bytes);
    mask_inline(&mut bytes);
    let masked = String::from_utf8(bytes).expect("whole spans are overwritten with ASCII");
    let lines = line_ranges(&masked);
    let kinds = classify(text, &masked, &lines);
    let mut out = masked.clone().into_bytes();
    let (mut attributions, mut quotes) = (Vec::new(), Vec::new());
    let mut ended = false;
    for (n, (line, &kind)) in lines.iter().zip(&kinds).enumerate() {
        ended |= kind == Kind::End;
        let kind = if ended { Kind::End } else { kind };
        match kind {
            Kind::Prose | Kind::Greeting | Kind::Blank => {}
            Kind::Item(marker) => out[line.start..line.start + marker].fill(b'\n'),
            Kind::Attribution => attributions.push(line.clone()),
            Kind::Quote => {
                quotes.push(line.clone());
                if is_attribution(masked[line.clone()].trim_start_matches(['>', ' '])) {
                    attributions.push(line.clone());
                }
            }
            Kind::Skipped | Kind::End => {}
        }
        if matches!(
            kind,
            Kind::Quote | Kind::Attribution | Kind::Skipped | Kind::End
        ) {
            out[line.clone()].fill(b'\n');
        }
        // A soft line break becomes a space.
        let wraps = !ended
            && matches!(kind, Kind::Prose | Kind::Item(_))
            && kinds.get(n + 1) == Some(&Kind::Prose)
            && is_wrapped(&masked[line.clone()], &masked[lines[n + 1].clone()]);
        if wraps {
            out[line.end] = b' ';
        }
    }
    for byte in &mut out {
        if matches!(*byte, b'\r' | b'\t') {
            *byte = b' ';
        }
    }
    Flat {
        buffer: String::from_utf8(out).expect("whole lines are overwritten with ASCII"),
        attributions,
        quotes,
    }
}

/// Overwrites fenced code and HTML comments with line feeds, which end a sentence.
fn blank_blocks(bytes: &mut [u8]) {
    for (open, close) in [("```", "```"), ("~~~", "~~~"), ("<!--", "-->")] {
        let mut from = 0;
        while let Some(start) = find(bytes, open.as_bytes(), from) {
            let inner = start + open.len();
            let at_line_start = bytes[..start]
                .iter()
                .rev()
                .take_while(|&&b| b != b'\n')
                .all(u8::is_ascii_whitespace);
            let end = match find(bytes, close.as_bytes(), inner) {
                Some(end) => end + close.len(),
                // An unclosed fence runs to the next empty line; a stray mark inside a line is only a mark.
                None if at_line_start => find(bytes, b"\n\n", inner).unwrap_or(bytes.len()),
                None => break,
            };
            if open != "~~~" || at_line_start {
                bytes[start..end].fill(b'\n');
            }
            from = end;
        }
    }
}

/// Returns where the needle stands at or after `from`.
fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|at| at + from)
}

/// Masks inline code and links, so that their punctuation ends no sentence.
fn mask_inline(bytes: &mut [u8]) {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'`' {
            let ticks = bytes[at..].iter().take_while(|&&b| b == b'`').count();
            let inner = at + ticks;
            if let Some(end) = find(bytes, &b"``"[..ticks.min(2)], inner)
                && end - inner < 400
                && find(&bytes[inner..end], b"\n\n", 0).is_none()
            {
                bytes[inner..end]
                    .iter_mut()
                    .filter(|b| !b.is_ascii_whitespace())
                    .for_each(|b| *b = b'x');
                at = end + ticks.min(2);
                continue;
            }
            at = inner;
        } else if starts_link(&bytes[at..]) {
            let mut end = at
                + bytes[at..]
                    .iter()
                    .take_while(|&&b| !b.is_ascii_whitespace() && !matches!(b, b'>' | b'|' | b'"'))
                    .count();
            while end > at
                && matches!(
                    bytes[end - 1],
                    b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b'\'' | b']' | b'*'
                )
            {
                end -= 1;
            }
            bytes[at..end].fill(LINK as u8);
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
}

/// Returns whether a link begins here.
fn starts_link(rest: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 6] = [
        b"http://",
        b"https://",
        b"ftp://",
        b"mailto:",
        b"file://",
        b"www.",
    ];
    matches!(
        rest.first(),
        Some(b'h' | b'f' | b'm' | b'w' | b'H' | b'F' | b'M' | b'W')
    ) && SCHEMES.iter().any(|scheme| {
        rest.len() > scheme.len() && rest[..scheme.len()].eq_ignore_ascii_case(scheme)
    })
}

/// Returns the lines' ranges, without their line feeds.
fn line_ranges(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        out.push(start..start + line.len());
        start += line.len() + 1;
    }
    out
}

/// Returns what each line is; `raw` has its code and links, `masked` has not.
fn classify(raw: &str, masked: &str, lines: &[Range<usize>]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::with_capacity(lines.len());
    for (n, range) in lines.iter().enumerate() {
        let next = lines.get(n + 1).map_or("", |next| &masked[next.clone()]);
        let kind = kind_of(
            raw.get(range.clone()).unwrap_or_default(),
            &masked[range.clone()],
            next,
            &kinds,
        );
        kinds.push(kind);
    }
    for n in 0..kinds.len() {
        let line = masked[lines[n].clone()].trim();
        match kinds[n] {
            // The tail of a quoted line that a mail program wrapped.
            Kind::Prose
                if n > 0
                    && kinds[n - 1] == Kind::Quote
                    && kinds.get(n + 1) == Some(&Kind::Quote)
                    && line.split_whitespace().count() <= 3
                    && !line.ends_with(['.', '!', '?']) =>
            {
                kinds[n] = Kind::Quote;
            }
            Kind::Prose if ends_message(line, masked, &lines[n + 1..], n > 0) => {
                kinds[n] = Kind::End
            }
            _ => {}
        }
        if kinds[n] == Kind::End {
            break;
        }
    }
    kinds
}

/// Returns what a line is by itself and after its forerunners.
fn kind_of(raw: &str, masked: &str, next: &str, before: &[Kind]) -> Kind {
    let line = masked.trim();
    if line.is_empty() {
        return Kind::Blank;
    }
    if is_quote(line) {
        return Kind::Quote;
    }
    if is_attribution(line)
        || (line.starts_with("On ") && line.len() < 90 && is_attribution(next.trim()))
    {
        return Kind::Attribution;
    }
    if line.contains("Original Message---")
        || line.starts_with("---------- Forwarded message")
        || line.starts_with("Begin forwarded message")
    {
        return Kind::End;
    }
    if matches!(masked.trim_end(), "--" | "—" | "-- ") {
        return Kind::End;
    }
    if is_furniture(line)
        || is_header(line)
        || is_log(raw.trim(), line)
        || is_code(raw, line, before)
    {
        return Kind::Skipped;
    }
    if is_greeting(line, line.split_whitespace().count()) {
        return Kind::Greeting;
    }
    match list_marker(masked) {
        Some(marker) if line.len() > 2 => Kind::Item(marker),
        _ => Kind::Prose,
    }
}

/// Returns whether the line quotes somebody: `> text`, `Ana> text`.
fn is_quote(line: &str) -> bool {
    line.starts_with('>')
        || line.starts_with("&gt;")
        || line.starts_with("|>")
        || line.find('>').is_some_and(|at| {
            at <= 3 && at > 0 && line[..at].chars().all(|c| c.is_ascii_uppercase())
        })
}

/// Returns whether the line says who wrote the quotation that follows.
fn is_attribution(line: &str) -> bool {
    const VERBS: [&str; 10] = [
        "wrote:",
        "writes:",
        "wrote",
        "said:",
        "schrieb:",
        "escribió:",
        "escreveu:",
        "écrit :",
        "a écrit:",
        "ha scritto:",
    ];
    line.len() < 160
        && VERBS.iter().any(|verb| line.ends_with(verb))
        && (line.starts_with("On ")
            || line.starts_with("At ")
            || line.starts_with("Am ")
            || line.starts_with("Le ")
            || line.split_whitespace().count() <= 8)
        && (line.ends_with(':') || line.starts_with("On ") || line.starts_with("At "))
}

/// Returns whether the line is a mail header in the body.
fn is_header(line: &str) -> bool {
    const FIELDS: [&str; 14] = [
        "From:",
        "Sent:",
        "To:",
        "Cc:",
        "CC:",
        "Bcc:",
        "Subject:",
        "Date:",
        "Message-ID:",
        "Reply-To:",
        "Tel:",
        "Phone:",
        "Fax:",
        "Organization:",
    ];
    FIELDS
        .iter()
        .any(|field| line.len() > field.len() && line.starts_with(field))
        && !line.ends_with('?')
}

/// Returns whether the line is a heading, a rule, a table row, a check box or a lone tag.
fn is_furniture(line: &str) -> bool {
    let hashes = line.bytes().take_while(|&b| b == b'#').count();
    let heading = (1..=6).contains(&hashes) && line[hashes..].starts_with(' ');
    let rule = line.len() >= 3
        && line
            .chars()
            .all(|c| matches!(c, '-' | '=' | '_' | '*' | '~' | ' ' | '+' | '#' | '|' | ':'));
    let table = line.starts_with('|') && line[1..].contains('|');
    let body = line.trim_start_matches(['-', '*', '+', ' ']);
    let check = body.len() < line.len()
        && (body.starts_with("[ ]") || body.starts_with("[x]") || body.starts_with("[X]"));
    let tag = line.starts_with('<')
        && line.ends_with('>')
        && !line.starts_with("<@")
        && !line.contains(LINK)
        && !line[1..line.len() - 1].contains(['<', '>']);
    heading || rule || table || check || tag
}

/// Returns whether the line was printed by a program.
fn is_log(raw: &str, line: &str) -> bool {
    const STARTS: [&str; 17] = [
        "at ",
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
    ];
    let starts = STARTS.iter().any(|start| line.starts_with(start));
    let frame = line.starts_with("at ") && line.contains('(') && line.contains([':', '.']);
    let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE", "FATAL"]
        .iter()
        .any(|level| {
            line.find(level).is_some_and(|at| {
                at < 40
                    && line[..at].bytes().any(|b| b.is_ascii_digit())
                    && line[..at].contains([':', '['])
            })
        });
    let clock = raw.len() > 19
        && raw.as_bytes()[..4].iter().all(u8::is_ascii_digit)
        && raw.as_bytes()[4] == b'-'
        && raw[..19.min(raw.len())].matches(':').count() == 2;
    let position = line.split_whitespace().next().is_some_and(|token| {
        token.matches(':').count() >= 2 && token.bytes().any(|b| b.is_ascii_digit())
    });
    if line.starts_with("at ") {
        return frame;
    }
    starts || levels || clock || (position && !line.starts_with('@'))
}

/// Returns whether the line is code outside a fence.
fn is_code(raw: &str, line: &str, before: &[Kind]) -> bool {
    let indented = raw.starts_with("    ") || raw.starts_with('\t');
    let may_indent = before
        .last()
        .is_none_or(|kind| matches!(kind, Kind::Blank | Kind::Skipped));
    let visible = line.chars().filter(|c| !c.is_whitespace()).count();
    let signs = line
        .chars()
        .filter(|c| {
            matches!(
                c,
                '{' | '}'
                    | '('
                    | ')'
                    | '['
                    | ']'
                    | ';'
                    | '='
                    | '<'
                    | '>'
                    | '\\'
                    | '/'
                    | '_'
                    | '$'
                    | '&'
                    | '|'
                    | '#'
                    | '%'
                    | '^'
                    | '~'
            )
        })
        .count();
    let dense = visible >= 4 && signs * 5 >= visible;
    if indented
        && may_indent
        && (signs * 12 >= visible || !line.ends_with(['.', '?', '!', ':', ',']))
    {
        return true;
    }
    let closes = line.ends_with([';', '{', '}']) && signs >= 2 && !line.ends_with(";)");
    (dense && visible >= 8 && !line.starts_with("<@"))
        || closes
        || matches!(line, "}" | "{" | ")" | "};" | "});" | "end")
}

/// Returns the length of the list marker with its indentation.
fn list_marker(line: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let body = &line[indent..];
    for bullet in ["- ", "* ", "+ ", "• ", "– ", "o "] {
        if body.starts_with(bullet) && (bullet != "o " || indent > 0) {
            return Some(indent + bullet.len());
        }
    }
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &body[digits..];
    let numbered = (1..=2).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "));
    let lettered = body.len() > 3
        && body.as_bytes()[0] == b'('
        && body.as_bytes()[2] == b')'
        && body.as_bytes()[1].is_ascii_alphanumeric();
    if numbered {
        Some(indent + digits + 2)
    } else if lettered {
        Some(indent + 3)
    } else {
        None
    }
}

/// Returns whether a sentence goes on in the next line.
fn is_wrapped(line: &str, next: &str) -> bool {
    let (line, next) = (line.trim_end(), next.trim_start());
    let last = line
        .trim_end_matches(['"', '\'', ')', '*', '_', '”'])
        .chars()
        .next_back()
        .unwrap_or(' ');
    let first = next.chars().next().unwrap_or(' ');
    if matches!(last, '?' | '!' | '。' | '？' | '！') {
        return first.is_lowercase() && line.len() >= 40;
    }
    if matches!(last, '.' | ':' | '…') {
        return first.is_lowercase() && line.len() >= 40 && last != ':';
    }
    line.chars().count() >= 40 || first.is_lowercase() || last == ','
}

/// Returns whether the author says good-bye here, so that what follows is a signature or an old mail.
fn ends_message(line: &str, masked: &str, rest: &[Range<usize>], has_text_before: bool) -> bool {
    const CLOSINGS: [&str; 26] = [
        "cheers",
        "regards",
        "best regards",
        "kind regards",
        "warm regards",
        "best wishes",
        "best",
        "yours",
        "sincerely",
        "yours sincerely",
        "yours truly",
        "all the best",
        "thanks",
        "thanks in advance",
        "thank you",
        "many thanks",
        "thx",
        "ciao",
        "viele grüße",
        "mfg",
        "beste grüße",
        "saludos",
        "abraços",
        "cordialement",
        "mit freundlichen grüßen",
        "take care",
    ];
    if !has_text_before || line.len() > 60 {
        return false;
    }
    if let Some(name) = line.strip_prefix("--").or_else(|| line.strip_prefix('—')) {
        return name.split_whitespace().count() <= 3
            && name.trim().chars().next().is_some_and(char::is_alphabetic);
    }
    let (head, tail) = line.split_once([',', '!', '.']).unwrap_or((line, ""));
    let head = head.trim().to_lowercase();
    if !CLOSINGS.contains(&head.as_str())
        || !is_name(tail.trim_matches([' ', ',', '.', '!'])) && !tail.trim().is_empty()
    {
        return false;
    }
    // What follows must look like a name, or be nothing.
    let mut after = rest
        .iter()
        .map(|range| masked[range.clone()].trim())
        .filter(|next| !next.is_empty());
    after.next().is_none_or(|next| {
        is_quote(next) || is_name(next.trim_start_matches(['-', ' '])) || is_furniture(next)
    }) && (!tail.trim().is_empty()
        || !head.starts_with("thank")
        || line.ends_with([',', '!', '.'])
        || rest.len() <= 3)
}

/// Returns whether the text could be nothing but a person's name.
fn is_name(text: &str) -> bool {
    let words = text.split_whitespace().count();
    (1..=4).contains(&words)
        && !text.ends_with(['.', '?', '!', ':'])
        && text.split_whitespace().all(|word| {
            word.trim_start_matches('(')
                .chars()
                .next()
                .is_some_and(|c| c.is_uppercase() || c == '-')
        })
}

/// Returns whether the text only says hello.
pub(super) fn is_greeting(text: &str, words: usize) -> bool {
    const HELLOS: [&str; 22] = [
        "hi",
        "hello",
        "hey",
        "hiya",
        "howdy",
        "dear",
        "greetings",
        "morning",
        "hallo",
        "moin",
        "servus",
        "hola",
        "olá",
        "oi",
        "bonjour",
        "salut",
        "salutations",
        "good",
        "guten",
        "buenos",
        "buenas",
        "bom",
    ];
    if words > 5 || text.ends_with(['?', '？']) {
        return false;
    }
    let mut tokens = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '!' | '.'))
        .filter(|token| !token.is_empty());
    let first = tokens.next().unwrap_or("");
    if !HELLOS.iter().any(|hello| hello.eq_ignore_ascii_case(first)) {
        return false;
    }
    let second = tokens.next().unwrap_or("");
    match first.to_ascii_lowercase().as_str() {
        "good" => ["morning", "afternoon", "evening", "day"]
            .iter()
            .any(|part| part.eq_ignore_ascii_case(second)),
        "dear" | "guten" | "buenos" | "buenas" | "bom" | "morning" => true,
        _ => words <= 3 || text.ends_with([',', '!', '-', ':']),
    }
}

/// Returns whether the text only confirms or thanks.
pub(super) fn is_acknowledgement(text: &str, words: usize) -> bool {
    const WORDS: [&str; 40] = [
        "thanks", "thank", "thx", "ty", "cheers", "ok", "okay", "k", "cool", "great", "nice",
        "awesome", "perfect", "sure", "yes", "yep", "yeah", "yup", "no", "nope", "right", "lgtm",
        "agreed", "ack", "done", "congrats", "welcome", "sorry", "oh", "ah", "haha", "lol",
        "danke", "gracias", "merci", "obrigado", "obrigada", "gern", "genau", "vale",
    ];
    let mut tokens = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '+')
        .filter(|token| !token.is_empty());
    let first = tokens.next().unwrap_or("");
    let known =
        WORDS.iter().any(|word| word.eq_ignore_ascii_case(first)) || matches!(first, "+1" | "1");
    let thanks = matches!(
        first.to_ascii_lowercase().as_str(),
        "thanks" | "thank" | "thx" | "danke" | "gracias" | "merci"
    );
    let welcome = text.len() < 40
        && [
            "you're welcome",
            "no problem",
            "no worries",
            "sounds good",
            "will do",
            "makes sense",
            "good point",
            "fair enough",
        ]
        .iter()
        .any(|stock| {
            text.get(..stock.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(stock))
        });
    (known && words < 5) || (thanks && words < 10) || (welcome && words < 6)
}
