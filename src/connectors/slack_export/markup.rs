//! Slack's markup as Markdown, with the accounts it names.

use super::lists::Lists;
use crate::model::{ConnectorId, Handle};

/// Returns a text with names in place of ids, entities decoded, and the accounts named in it, each once.
pub fn to_markdown(text: &str, lists: &Lists, id: &ConnectorId) -> (String, Vec<Handle>) {
    let mut markdown = String::with_capacity(text.len());
    let mut mentions: Vec<Handle> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        push_decoded(&mut markdown, &rest[..start]);
        let inner_end = rest[start + 1..]
            .find(['>', '<', '\n'])
            .map(|end| start + 1 + end);
        let inner = inner_end
            .filter(|&end| rest[end..].starts_with('>'))
            .map(|end| &rest[start + 1..end]);
        match inner.and_then(|inner| part(inner, lists)) {
            Some(Part { text, mention }) => {
                push_decoded(&mut markdown, &text);
                let mention = mention.map(|user| Handle::new(id, user));
                if let Some(mention) = mention.filter(|mention| !mentions.contains(mention)) {
                    mentions.push(mention);
                }
                rest = &rest[start + inner.map_or(0, str::len) + 2..];
            }
            // A bracket that is no markup; Slack escapes them, other programs that write exports do not.
            None => {
                markdown.push('<');
                rest = &rest[start + 1..];
            }
        }
    }
    push_decoded(&mut markdown, rest);
    (markdown, mentions)
}

/// What one `<…>` stands for.
struct Part<'a> {
    text: String,
    mention: Option<&'a str>,
}

fn part<'a>(inner: &'a str, lists: &Lists) -> Option<Part<'a>> {
    let (target, label) = match inner.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inner, None),
    };
    let plain = |text: String| {
        Some(Part {
            text,
            mention: None,
        })
    };
    let mut chars = target.chars();
    match chars.next()? {
        '@' => {
            let user = chars.as_str();
            is_id(user).then(|| {
                let name = if lists.users.contains_key(user) {
                    lists.short_name(user)
                } else {
                    label.unwrap_or(user)
                };
                Part {
                    text: format!("@{}", name.trim_start_matches('@')),
                    mention: Some(user),
                }
            })
        }
        '#' => {
            let channel = chars.as_str();
            let name = label
                .or(lists.names.get(channel).map(String::as_str))
                .unwrap_or(channel);
            if is_id(channel) {
                plain(format!("#{name}"))
            } else {
                None
            }
        }
        '!' => {
            let command = chars.as_str();
            let name = command.split('^').next().filter(|name| !name.is_empty())?;
            if !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return None;
            }
            match (name, label) {
                ("here" | "channel" | "everyone" | "group", _) => plain(format!("@{name}")),
                ("subteam", Some(label)) => plain(format!("@{}", label.trim_start_matches('@'))),
                (_, Some(label)) => plain(label.to_owned()),
                (_, None) => plain(command.to_owned()),
            }
        }
        _ => {
            let (scheme, address) = target.split_once(':')?;
            let is_scheme =
                !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase());
            if !is_scheme || address.is_empty() || target.contains(char::is_whitespace) {
                return None;
            }
            match (scheme, label) {
                ("mailto" | "tel", label) => plain(label.unwrap_or(address).to_owned()),
                // Slack puts a label on every bare `example.org` as well.
                (_, Some(label)) if !target.ends_with(label) => {
                    plain(format!("[{}]({target})", label.replace(['[', ']'], "")))
                }
                _ => plain(target.to_owned()),
            }
        }
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn push_decoded(markdown: &mut String, text: &str) {
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        markdown.push_str(&rest[..start]);
        let known = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
        match known
            .iter()
            .find(|(entity, _)| rest[start..].starts_with(entity))
        {
            Some((entity, decoded)) => {
                markdown.push(*decoded);
                rest = &rest[start + entity.len()..];
            }
            None => {
                markdown.push('&');
                rest = &rest[start + 1..];
            }
        }
    }
    markdown.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::super::lists::User;
    use super::*;

    #[test]
    fn markup_becomes_markdown() {
        let mut lists = Lists::default();
        let ana = User {
            id: "U1".into(),
            name: Some("ana".into()),
            ..User::default()
        };
        lists.users.insert("U1".into(), ana);
        lists.names.insert("C1".into(), "parser".into());
        for (text, expected, named) in [
            ("hi <@U1>, see <@U1|a>", "hi @ana, see @ana", vec!["U1"]),
            ("<@U9> <@U8|bo>", "@U9 @bo", vec!["U9", "U8"]),
            (
                "in <#C1> or <#C2|ops> or <#C3>",
                "in #parser or #ops or #C3",
                vec![],
            ),
            (
                "<https://a.b/c?d&amp;e|the *page*>",
                "[the *page*](https://a.b/c?d&e)",
                vec![],
            ),
            (
                "<https://a.b> <http://a.b|a.b>",
                "https://a.b http://a.b",
                vec![],
            ),
            ("<mailto:ana@b.c|ana@b.c> <tel:+1|+1>", "ana@b.c +1", vec![]),
            (
                "<!here> <!channel|x> <!subteam^S1|@devs>",
                "@here @channel @devs",
                vec![],
            ),
            (
                "<!date^1^{date}|5 May> <!subteam^S1>",
                "5 May subteam^S1",
                vec![],
            ),
            (
                "1 &lt; 2 &amp;&amp; &amp;lt; &nbsp;",
                "1 < 2 && &lt; &nbsp;",
                vec![],
            ),
            ("&lt;@U1&gt;", "<@U1>", vec![]),
            (
                "<b>x</b> a<b, c>d <3 < <",
                "<b>x</b> a<b, c>d <3 < <",
                vec![],
            ),
            ("<<@U1>", "<@ana", vec!["U1"]),
            ("", "", vec![]),
        ] {
            let (markdown, mentions) = to_markdown(text, &lists, &"chat".into());
            assert_eq!(markdown, expected, "{text}");
            let mentions: Vec<&str> = mentions.iter().map(|handle| &*handle.id).collect();
            assert_eq!(mentions, named, "{text}");
        }
    }
}
