//! Hellos, good-byes, thanks and names: what frames a message and says nothing of its own.

use super::super::words::one_of;

/// First words of a greeting.
const HELLOS: &str = "hi hello hey hiya howdy dear greetings morning hallo moin servus hola olá oi bonjour salut salutations good guten \
    buenos buenas bom";

/// First words of a confirmation.
const CONFIRMATIONS: &str = "thanks thank thx ty cheers ok okay k cool great nice awesome perfect sure yes yep yeah yup no nope right lgtm \
    agreed ack done congrats welcome sorry oh ah haha lol rebased updated fixed danke gracias merci obrigado obrigada gern genau vale";

/// Confirmations of several words.
const STOCK: [&str; 8] = [
    "you're welcome",
    "no problem",
    "no worries",
    "sounds good",
    "will do",
    "makes sense",
    "good point",
    "fair enough",
];

/// Lines before a signature.
const GOODBYES: [&str; 25] = [
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
];

/// Returns whether the text only says hello, or calls a name before the first line.
pub fn is_greeting(text: &str, words: usize) -> bool {
    if words > 5 || text.ends_with(['?', '？']) {
        return false;
    }
    let mut tokens = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '!' | '.'))
        .filter(|token| !token.is_empty());
    let first = tokens.next().unwrap_or("").to_lowercase();
    if !one_of(HELLOS, &first) {
        return false;
    }
    let second = tokens.next().unwrap_or("").to_lowercase();
    match first.as_str() {
        "good" => one_of("morning afternoon evening day", &second),
        "dear" | "guten" | "buenos" | "buenas" | "bom" | "morning" => true,
        _ => words <= 3 || text.ends_with([',', '!', '-', ':']),
    }
}

/// Returns whether the text is one or two names and a comma or colon: "Ana,".
pub fn is_call(text: &str) -> bool {
    text.len() < 30
        && text.strip_suffix([',', ':']).is_some_and(|name| {
            is_name(name)
                && name.split_whitespace().count() <= 2
                && name
                    .chars()
                    .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '.'))
        })
}

/// Returns whether the text only confirms or thanks.
pub fn is_acknowledgement(text: &str, words: usize) -> bool {
    let first = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '+')
        .find(|token| !token.is_empty())
        .unwrap_or("")
        .to_lowercase();
    let known = one_of(CONFIRMATIONS, &first) || matches!(first.as_str(), "+1" | "1");
    let thanks = one_of(
        "thanks thank thx danke gracias merci obrigado obrigada",
        &first,
    );
    let starts = |stock: &str| {
        text.get(..stock.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(stock))
    };
    (known && words < 5)
        || (thanks && words < 10)
        || (words < 6 && text.len() < 40 && STOCK.iter().any(|stock| starts(stock)))
}

/// Returns whether the text could be nothing but a person's name.
pub fn is_name(text: &str) -> bool {
    (1..=4).contains(&text.split_whitespace().count())
        && !text.ends_with(['.', '?', '!', ':'])
        && text.split_whitespace().all(|word| {
            word.trim_start_matches('(')
                .starts_with(|c: char| c.is_uppercase() || c == '-')
        })
}

/// Returns whether the line says good-bye; `after` is the next line with words, if any.
pub fn is_goodbye(line: &str, after: Option<&str>, is_last: bool) -> bool {
    if line.len() > 60 {
        return false;
    }
    if let Some(name) = line.strip_prefix("--").or_else(|| line.strip_prefix('—')) {
        return name.split_whitespace().count() <= 3
            && name.trim().starts_with(char::is_alphabetic);
    }
    let (head, tail) = line.split_once([',', '!', '.']).unwrap_or((line, ""));
    let (head, tail) = (
        head.trim().to_lowercase(),
        tail.trim_matches([' ', ',', '.', '!']),
    );
    if !GOODBYES.contains(&head.as_str()) || !tail.is_empty() && !is_name(tail) {
        return false;
    }
    // What follows must look like a name, or be nothing.
    let signs = after
        .is_none_or(|next| next.starts_with('>') || is_name(next.trim_start_matches(['-', ' '])));
    signs
        && (!tail.is_empty()
            || !head.starts_with("thank")
            || line.ends_with([',', '!', '.'])
            || is_last)
}
