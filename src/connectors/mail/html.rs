//! The text of an HTML mail that its reader saw: nothing hidden, no comments, nothing in the color of the ground.

use html2text::{Element, Handle, config};

/// Wide enough that no line is broken where its author did not break it.
const WIDTH: usize = 100_000;
/// Deeper trees are not written by people, and parsing one takes time that grows with the square of its depth.
const MAX_DEPTH: usize = 1_000;
/// Depth times tags: what is open may be opened anew in each paragraph.
const MAX_WORK: usize = 4_000_000;

/// Returns the visible text; nothing for a tower of tags that only serves to keep its reader busy.
pub fn visible_text(html: &str) -> Option<String> {
    let (depth, tags) = depth_of(html);
    if depth > MAX_DEPTH || depth * tags > MAX_WORK {
        return None;
    }
    let rules = config::plain_no_decorate()
        .no_table_borders()
        .raw_mode(true)
        .link_footnotes(false);
    let rendered = rules.parse_html(html.as_bytes()).and_then(|dom| {
        keep_visible(&dom.document, None, 0);
        let tree = rules.dom_to_render_tree(&dom)?;
        rules.render_to_string(tree, WIDTH)
    });
    let text = rendered.unwrap_or_default();
    let text: String = text
        .chars()
        .filter(|c| {
            !matches!(
                c,
                '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{34f}'
            )
        })
        .collect();
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !(line.trim().is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(if line.trim().is_empty() { "" } else { line });
        }
    }
    Some(lines.join("\n").trim_end().to_owned())
}

/// Returns how many tags are open at once, at most, of those that need an end, and how many there are in all.
fn depth_of(html: &str) -> (usize, usize) {
    const ENDLESS: [&str; 20] = [
        "p", "br", "img", "hr", "li", "td", "tr", "th", "dt", "dd", "meta", "link", "input", "col",
        "option", "tbody", "area", "base", "wbr", "source",
    ];
    let (mut depth, mut deepest, mut tags) = (0_usize, 0, 0);
    for tag in html.split('<').skip(1) {
        tags += 1;
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
            continue;
        }
        let end = tag
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(tag.len());
        let name = tag[..end].to_ascii_lowercase();
        if !name.is_empty() && !ENDLESS.contains(&name.as_str()) {
            depth += 1;
            deepest = deepest.max(depth);
        }
    }
    (deepest, tags)
}

/// Takes what is hidden out of a node's children.
fn keep_visible(node: &Handle, ground: Option<u32>, depth: usize) {
    let mut children = node.children.borrow_mut();
    if depth > MAX_DEPTH {
        children.clear();
        return;
    }
    children.retain(|child| {
        !matches!(child.data, html2text::Comment { .. }) && !is_hidden(child, ground)
    });
    for child in children.iter() {
        if let Element { name, attrs, .. } = &child.data
            && &*name.local == "a"
        {
            // A link is its words here; what a mail links to is not for us to carry on.
            attrs
                .borrow_mut()
                .retain(|attribute| &*attribute.name.local != "href");
        }
        let own = look_of(child).ground.or(ground);
        keep_visible(child, own, depth + 1);
    }
}

/// How an element looks, as far as it says so itself.
#[derive(Debug, Default, PartialEq)]
struct Look {
    is_hidden: bool,
    ink: Option<u32>,
    ground: Option<u32>,
}

fn is_hidden(node: &Handle, ground: Option<u32>) -> bool {
    const WHITE: u32 = 0x00ff_ffff;
    let look = look_of(node);
    // Nobody can read what differs by a shade; without a color of its own the ground is white.
    let is_blank = look
        .ink
        .is_some_and(|ink| is_near(ink, look.ground.or(ground).unwrap_or(WHITE)));
    look.is_hidden || is_blank
}

fn look_of(node: &Handle) -> Look {
    let mut look = Look::default();
    let Element { name, attrs, .. } = &node.data else {
        return look;
    };
    let tag = name.local.to_string();
    look.is_hidden = matches!(
        tag.as_str(),
        "img"
            | "script"
            | "style"
            | "head"
            | "template"
            | "noscript"
            | "title"
            | "object"
            | "svg"
            | "input"
    );
    for attribute in attrs.borrow().iter() {
        let value = attribute.value.trim().to_lowercase();
        match &*attribute.name.local.to_string() {
            "hidden" => look.is_hidden = true,
            "aria-hidden" => {}
            "bgcolor" => look.ground = color(&value).or(look.ground),
            "color" => look.ink = color(&value).or(look.ink),
            "size" if tag == "font" => {
                look.is_hidden |= value.parse::<i32>().is_ok_and(|size| size <= 0)
            }
            "style" => styled(&value, &mut look),
            _ => {}
        }
    }
    look
}

fn styled(style: &str, look: &mut Look) {
    let mut has_no_height = false;
    let mut hides_overflow = false;
    for rule in style.split(';') {
        let Some((property, value)) = rule.split_once(':') else {
            continue;
        };
        let value = value.trim().trim_end_matches("!important").trim();
        match property.trim() {
            "display" => look.is_hidden |= value == "none",
            "visibility" => look.is_hidden |= matches!(value, "hidden" | "collapse"),
            "mso-hide" => look.is_hidden |= value == "all",
            "opacity" => look.is_hidden |= number(value).is_some_and(|opacity| opacity <= 0.05),
            "font-size" => look.is_hidden |= is_tiny(value),
            "max-height" | "height" | "max-width" => {
                has_no_height |=
                    number(value).is_some_and(|size| size <= 1.0) && !value.ends_with('%')
            }
            "overflow" => hides_overflow |= value == "hidden",
            "text-indent" | "left" | "top" | "margin-left" => {
                look.is_hidden |= number(value).is_some_and(|size| size <= -500.0)
            }
            "color" => look.ink = color(value).or(look.ink),
            "background" | "background-color" => {
                look.ground = value.split_whitespace().find_map(color).or(look.ground)
            }
            _ => {}
        }
    }
    look.is_hidden |= has_no_height && hides_overflow;
}

/// Returns the number a value begins with.
fn number(value: &str) -> Option<f32> {
    let end = value
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-')))
        .unwrap_or(value.len());
    value[..end].parse().ok()
}

fn is_tiny(value: &str) -> bool {
    let Some(size) = number(value) else {
        return false;
    };
    match value.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-')) {
        "em" | "rem" => size <= 0.1,
        "%" => size <= 10.0,
        _ => size <= 1.0,
    }
}

/// Returns a color as `0xrrggbb`; one that lets the ground shine through fully counts as white.
fn color(value: &str) -> Option<u32> {
    let value = value.trim();
    if let Some(hex) = value.strip_prefix('#') {
        let digits = u32::from_str_radix(hex.get(..hex.len().min(6))?, 16).ok()?;
        return match hex.len() {
            3 => Some(
                ((digits >> 8) & 0xf) * 0x11_0000
                    + ((digits >> 4) & 0xf) * 0x1100
                    + (digits & 0xf) * 0x11,
            ),
            6 | 8 => Some(digits),
            _ => None,
        };
    }
    if let Some(parts) = value.strip_prefix("rgb(").or(value.strip_prefix("rgba(")) {
        let parts: Vec<f32> = parts
            .trim_end_matches(')')
            .split([',', ' ', '/'])
            .filter_map(number)
            .collect();
        let [red, green, blue, alpha @ ..] = parts.as_slice() else {
            return None;
        };
        if alpha.first().is_some_and(|alpha| *alpha <= 0.05) {
            return Some(0x00ff_ffff);
        }
        let byte = |part: f32| part.clamp(0.0, 255.0) as u32;
        return Some(byte(*red) << 16 | byte(*green) << 8 | byte(*blue));
    }
    match value {
        "white" | "transparent" => Some(0x00ff_ffff),
        "snow" => Some(0x00ff_fafa),
        "ivory" => Some(0x00ff_fff0),
        "whitesmoke" => Some(0x00f5_f5f5),
        "ghostwhite" => Some(0x00f8_f8ff),
        "black" => Some(0),
        "red" => Some(0x00ff_0000),
        "blue" => Some(0x0000_00ff),
        "navy" => Some(0x0000_0080),
        "green" => Some(0x0000_8000),
        "gray" | "grey" => Some(0x0080_8080),
        _ => None,
    }
}

fn is_near(a: u32, b: u32) -> bool {
    const SHADE: u32 = 16;
    [16, 8, 0]
        .into_iter()
        .all(|shift| ((a >> shift) & 0xff).abs_diff((b >> shift) & 0xff) <= SHADE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_seen_is_text() {
        for (html, expected) in [
            ("<p>Hello <b>Ana</b></p><p>Bye</p>", "Hello Ana\n\nBye"),
            (
                "a<!-- secret -->b<script>x()</script><style>p{}</style>",
                "ab",
            ),
            (
                "a<span style='display: none'>no</span><div hidden>no</div>b",
                "ab",
            ),
            ("a<span style=\"DISPLAY:NONE !important\">no</span>b", "ab"),
            (
                "a<i style='font-size:1px'>no</i><i style='font-size:0'>no</i><i style='font-size:10px'>b</i>",
                "ab",
            ),
            (
                "a<font color=white>no</font><font color='#fefefe'>no</font><i style='color:rgb(255,255,255)'>no</i>b",
                "ab",
            ),
            (
                "<table bgcolor=navy><tr><td><font color=white>yes</font><font color='#000080'>no</font></td></tr></table>",
                "yes",
            ),
            ("<div style='background:#fff;color:#fff'>no</div>yes", "yes"),
            (
                "a<i style='opacity:0'>no</i><i style='visibility:hidden'>no</i><i style='text-indent:-9999px'>no</i>b",
                "ab",
            ),
            ("a<div style='max-height:0;overflow:hidden'>no</div>b", "ab"),
            ("<blockquote>old</blockquote>new", "> old\n\nnew"),
            ("<a href='https://x.example'>here</a>", "here"),
            ("zero\u{200b}width", "zerowidth"),
            ("", ""),
        ] {
            assert_eq!(visible_text(html).as_deref(), Some(expected), "{html}");
        }
    }

    #[test]
    fn a_tower_of_tags_does_no_harm() {
        let tower = "<div>".repeat(50_000) + "x";
        assert_eq!(visible_text(&tower), None);
        let list = "<ul>".to_owned() + &"<li>one<p>two<br>".repeat(5_000);
        assert!(visible_text(&list).is_some());
    }
}
