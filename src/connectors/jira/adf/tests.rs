//! There and back again.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn text(text: &str, marks: &[&str]) -> Value {
    let mut node = json!({ "type": "text", "text": text });
    if !marks.is_empty() {
        let marks = marks.iter().map(|mark| json!({ "type": mark }));
        node["marks"] = marks.collect();
    }
    node
}

fn doc(content: Value) -> Value {
    json!({ "type": "doc", "version": 1, "content": content })
}

fn paragraph(content: Value) -> Value {
    json!({ "type": "paragraph", "content": content })
}

#[test]
fn what_people_write_in_jira_reads_as_markdown() {
    let said = |content: Value| to_markdown(&doc(content)).text;
    let item = |content: Value| json!({ "type": "listItem", "content": content });
    for (content, expected) in [
        (
            json!([paragraph(json!([
                text("plain", &[]),
                text(" and bold ", &["strong"]),
                text("x", &["code"])
            ]))]),
            "plain **and bold** `x`",
        ),
        (
            json!([paragraph(json!([text(
                "2 * 3, a_b, *no*, Vec<T> & co",
                &[]
            )]))]),
            "2 * 3, a_b, \\*no\\*, Vec\\<T> & co",
        ),
        (
            json!([paragraph(
                json!([text("- no list", &[]), { "type": "hardBreak" }, text("1. none", &[])])
            )]),
            "\\- no list\n1\\. none",
        ),
        (
            json!([{ "type": "heading", "attrs": { "level": 2 }, "content": [text("Plan", &[])] }, { "type": "rule" }]),
            "## Plan\n\n---",
        ),
        (
            json!([{ "type": "codeBlock", "attrs": { "language": "rust" }, "content": [text("let a = \"```\";", &[])] }]),
            "````rust\nlet a = \"```\";\n````",
        ),
        (
            json!([{ "type": "blockquote", "content": [paragraph(json!([text("a", &[])])), paragraph(json!([text("b", &[])]))] }]),
            "> a\n>\n> b",
        ),
        (
            json!([{ "type": "bulletList", "content": [
            item(json!([paragraph(json!([text("one", &[])])), { "type": "orderedList", "attrs": { "order": 3 }, "content": [item(json!([paragraph(json!([text("two", &[])]))]))] }])),
            item(json!([paragraph(json!([text("three", &[])]))])),
        ] }]),
            "- one\n  3. two\n- three",
        ),
        (
            json!([{ "type": "taskList", "content": [
            { "type": "taskItem", "attrs": { "state": "DONE" }, "content": [text("did", &[])] },
            { "type": "taskItem", "attrs": { "state": "TODO" }, "content": [text("to do", &[])] },
        ] }]),
            "- [x] did\n- [ ] to do",
        ),
        (
            json!([{ "type": "panel", "attrs": { "panelType": "info" }, "content": [paragraph(json!([text("mind", &[])]))] }]),
            "mind",
        ),
        (
            json!([{ "type": "somethingNew", "content": [paragraph(json!([text("still", &[])]))] }]),
            "still",
        ),
        (
            json!([{ "type": "mediaSingle", "content": [{ "type": "media", "attrs": { "id": "x" } }] }]),
            "",
        ),
        (
            json!([paragraph(json!([
                { "type": "text", "text": "https://x.org/a", "marks": [{ "type": "link", "attrs": { "href": "https://x.org/a" } }] }, text(" ", &[]),
                { "type": "text", "text": "here", "marks": [{ "type": "link", "attrs": { "href": "https://x.org/(b)" } }] }, text(" ", &[]),
                { "type": "inlineCard", "attrs": { "url": "https://x.org/c" } }, text(" ", &[]),
                { "type": "date", "attrs": { "timestamp": "1795651200000" } }, text(" ", &[]),
                { "type": "status", "attrs": { "text": "LATE", "color": "red" } }, text(" ", &[]),
                { "type": "emoji", "attrs": { "shortName": ":tada:", "text": "🎉" } },
            ]))]),
            "<https://x.org/a> [here](<https://x.org/(b)>) <https://x.org/c> 2026-11-26 LATE 🎉",
        ),
        (
            json!([{ "type": "table", "content": [
            { "type": "tableRow", "content": [{ "type": "tableHeader", "content": [paragraph(json!([text("k", &[])]))] }, { "type": "tableHeader", "content": [paragraph(json!([text("v", &[])]))] }] },
            { "type": "tableRow", "content": [{ "type": "tableCell", "content": [paragraph(json!([text("a|b", &[])]))] }, { "type": "tableCell", "content": [] }] },
        ] }]),
            "| k | v |\n| --- | --- |\n| a\\|b |  |",
        ),
        (json!([]), ""),
    ] {
        assert_eq!(said(content), expected);
    }
    assert_eq!(to_markdown(&Value::Null), Words::default());
    assert_eq!(to_markdown(&json!("old *text*")).text, "old *text*");
    let words = to_markdown(&doc(json!([paragraph(
        json!([text("hi ", &[]), { "type": "mention", "attrs": { "id": "5b10", "text": "@Ana Real" } }])
    )])));
    assert_eq!(
        (words.text.as_str(), words.mentions),
        ("hi @Ana Real", vec!["5b10".to_owned()])
    );
}

#[test]
fn what_we_write_is_a_document_that_jira_takes() {
    let document = from_markdown(
        "# Who\n\n**Ana** knows <b>this</b>:\nsee [CORE-1](https://x.org/1)\n\n- one\n- two\n\n<https://x.org>",
    );
    let kinds: Vec<&str> = children(&document).iter().map(kind_of).collect();
    assert_eq!(kinds, ["heading", "paragraph", "bulletList", "paragraph"]);
    assert_eq!(document["version"], 1);
    assert_eq!(
        children(&document)[1]["content"],
        json!([
            { "type": "text", "text": "Ana", "marks": [{ "type": "strong" }] },
            { "type": "text", "text": " knows <b>this</b>:" },
            { "type": "hardBreak" },
            { "type": "text", "text": "see " },
            { "type": "text", "text": "CORE-1", "marks": [{ "type": "link", "attrs": { "href": "https://x.org/1" } }] },
        ])
    );
    assert_eq!(children(&children(&document)[2]).len(), 2);
    assert_eq!(
        children(&from_markdown("")).len(),
        1,
        "a document is never empty"
    );
    let nested = from_markdown("- # no heading in a list\n\n> ## nor in a quote");
    assert!(!nested.to_string().contains("\"heading\""), "{nested}");
}

fn any_words() -> impl Strategy<Value = String> {
    // Letters, and every sign that Markdown could take for something else.
    "[a-zé9][-a-z0-9 *_`<>&;!#.+=~|\\\\\\[\\]()/:é]{0,20}[a-z9é.]"
        .prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn any_line() -> impl Strategy<Value = Vec<Value>> {
    let mark = prop::sample::subsequence(vec!["strong", "em", "strike"], 0..=3);
    let marked = (any_words(), mark).prop_map(|(words, marks)| vec![text(&words, &marks)]);
    let code = "[a-z*_<\\\\`]{1,6}[a-z]".prop_map(|code| vec![text(&code, &["code"])]);
    let link = any_words().prop_map(|words| {
        vec![json!({ "type": "text", "text": words, "marks": [{ "type": "link", "attrs": { "href": "https://x.org/a_(b)" } }] })]
    });
    let line_break = Just(vec![json!({ "type": "hardBreak" })]);
    let piece = prop_oneof![4 => marked, 1 => code, 1 => link, 1 => line_break];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| {
        // Marks side by side have no clear meaning in Markdown, so plain words stand between them.
        let mut line = vec![text("a", &[])];
        for piece in pieces.into_iter().flatten() {
            if kind_of(&piece) == "hardBreak" {
                line.extend([piece, text("b", &[])]);
            } else if piece["marks"].is_null() {
                let last = line.last_mut().unwrap();
                let joined = format!("{} {}", text_of(last), text_of(&piece));
                last["text"] = json!(joined);
            } else {
                let last = line.last_mut().unwrap();
                let joined = format!("{} ", text_of(last));
                last["text"] = json!(joined);
                line.extend([piece, text(" c", &[])]);
            }
        }
        line
    })
}

fn any_block() -> impl Strategy<Value = Value> {
    let plain = any_line().prop_map(|line| paragraph(json!(line)));
    let heading = (1..=6_u8, any_words()).prop_map(|(level, words)| json!({ "type": "heading", "attrs": { "level": level }, "content": [text(&words, &[])] }));
    let code =
        ("[a-z]{0,4}", "[a-z`~#*\\\\ ]{1,8}(\n[a-z`# ]{1,5}){0,2}").prop_map(|(language, code)| {
            let mut block = json!({ "type": "codeBlock", "content": [text(&code, &[])] });
            if !language.is_empty() {
                block["attrs"] = json!({ "language": language });
            }
            block
        });
    let quote = prop::collection::vec(any_line().prop_map(|line| paragraph(json!(line))), 1..3)
        .prop_map(|content| json!({ "type": "blockquote", "content": content }));
    let leaf = any_line()
        .prop_map(|line| json!({ "type": "listItem", "content": [paragraph(json!(line))] }));
    let list = (prop::option::of(1..1_000_u32), prop::collection::vec((leaf, prop::option::of(any_line())), 1..4)).prop_map(|(first, items)| {
        let items: Vec<Value> = items.into_iter().map(|(mut item, nested)| {
            if let Some(line) = nested {
                let nested = json!({ "type": "bulletList", "content": [{ "type": "listItem", "content": [paragraph(json!(line))] }] });
                item["content"].as_array_mut().unwrap().push(nested);
            }
            item
        }).collect();
        match first {
            Some(first) => json!({ "type": "orderedList", "attrs": { "order": first }, "content": items }),
            None => json!({ "type": "bulletList", "content": items }),
        }
    });
    prop_oneof![
        plain,
        heading,
        code,
        quote,
        list,
        Just(json!({ "type": "rule" }))
    ]
}

proptest! {
    #[test]
    fn a_document_comes_back_through_markdown_as_it_was(blocks in prop::collection::vec(any_block(), 1..5)) {
        // Two lists in a row would be one list; a paragraph stands between any two blocks.
        let mut content = Vec::new();
        for block in blocks {
            content.push(paragraph(json!([text("p", &[])])));
            content.push(block);
        }
        let document = doc(json!(content));
        let markdown = to_markdown(&document).text;
        prop_assert_eq!(from_markdown(&markdown), document, "{}", markdown);
    }

    #[test]
    fn any_text_becomes_a_document_that_says_the_same_again(text in "(\\PC|\n|\\*|_|`|> |- |# ){0,60}") {
        let once = to_markdown(&from_markdown(&text)).text;
        let _ = to_markdown(&json!(text));
        prop_assert!(once.len() <= 4 * text.len() + 8);
    }
}
