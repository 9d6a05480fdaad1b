//! Where a link may lead.

use super::plain::is_hidden;

/// Longer addresses are not linked.
const MAX_ADDRESS: usize = 2000;

/// Returns the address if a person may follow it: http or https, a plain host, no password; made of characters that no surface
/// reads as markup.
pub fn web_address(url: &str) -> Option<String> {
    const MARKUP: &str = "@<>()[]{}\"'`\\|^";
    let (scheme, rest) = url.trim().split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let is_host = authority.starts_with(|c: char| c.is_ascii_alphanumeric())
        && authority
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    let is_clean =
        rest.len() <= MAX_ADDRESS && !rest.chars().any(|c| c.is_whitespace() || is_hidden(c));
    if !(is_web && is_host && is_clean) {
        return None;
    }
    let mut address = format!("{}://", scheme.to_ascii_lowercase());
    for c in rest.chars() {
        if c.is_ascii() && !MARKUP.contains(c) {
            address.push(c);
        } else {
            let mut bytes = [0; 4];
            address.extend(
                c.encode_utf8(&mut bytes)
                    .bytes()
                    .map(|byte| format!("%{byte:02X}")),
            );
        }
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        let cases = [
            (
                "https://a.example/x?y=1#z",
                Some("https://a.example/x?y=1#z"),
            ),
            (
                "HTTP://a.example:80/(x) ",
                Some("http://a.example:80/%28x%29"),
            ),
            (
                "https://a.example/é\"><b>",
                Some("https://a.example/%C3%A9%22%3E%3Cb%3E"),
            ),
            ("javascript:alert(1)", None),
            ("vscode://open", None),
            ("https://user:pass@a.example", None),
            ("https://a.example/x\u{1b}\\y", None),
            ("https://a.example/x y", None),
            ("https://", None),
            ("", None),
        ];
        for (url, expected) in cases {
            assert_eq!(web_address(url).as_deref(), expected, "{url:?}");
        }
    }
}
