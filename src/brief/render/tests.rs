//! What people see.

use super::*;

fn text(briefing: &Briefing, screen: Screen) -> String {
    terminal(briefing, &sample::member(), sample::now(), &screen)
}

fn wide(links: Links) -> Screen {
    Screen {
        links,
        ..Screen::default()
    }
}

/// Returns the text with escape characters made visible.
fn shown(text: &str) -> String {
    text.replace("\u{1b}\\", "␛\\").replace('\u{1b}', "␛")
}

#[test]
fn a_full_briefing_as_text() {
    insta::assert_snapshot!(text(&sample::full(), wide(Links::Listed)), @"
    Good morning Becki · Mon 16 Nov, 09:00 Berlin · since Fri 17:30
    2 need you · 1 blocker · 1 of yours moved

    NEEDS YOU
     1 CORE-123  Ana asks you · Serve the nightly archives over https only
                                                          assigned · 6 comments by 3
         answer by 11:30, then Ana waits until tomorrow 09:00
         Ana, yesterday 20:09: “Can you pick one of the two certificates before we
           cut the branch on Tuesday?”
         Ruut, today 08:12: “The cheaper one needs a dedicated address…”
     2 CORE-98   Bo asks you for a review · Retry on 503       open since Thu 12 Nov

    BLOCKERS
     3 #build    blocked · the mirror is read-only                       blocks work

    CHANGED ON YOURS
     4 CORE-94   closed by Dov Fri 21:16 · Remove the special treatment of boxes in
                 the borrow checker                                  reported by you

    WORTH KNOWING
     5 #clojure  decided                                        decided in your area
         Alyson, Sat 01:13: “We go with [link: clojure.org].”

    YOU WAIT FOR
       CORE-7    Bo since Thu 14:10 · 9 work hours

    also moved: CORE-64, #clojure ×2; 3 more
    missing: office – it has not answered since 04:10
    covered 189 messages, 51 mails, 28 new and 14 closed tickets
    lines quoted: 2 · model text: 0 · daybrief explain 1

    [1]: https://tracker.example/issue/CORE-123
    [2]: https://tracker.example/issue/CORE-98
    [3]: https://chat.example/build
    [4]: https://tracker.example/issue/CORE-94
    ");
}

#[test]
fn a_full_briefing_on_a_narrow_screen() {
    insta::assert_snapshot!(text(&sample::full(), Screen { width: 44, ..wide(Links::Hidden) }), @"
    Good morning Becki · Mon 16 Nov, 09:00
      Berlin · since Fri 17:30
    2 need you · 1 blocker · 1 of yours moved

    NEEDS YOU
     1 CORE-123  Ana asks you · Serve the
                 nightly archives over https
                 only
                      assigned · 6 comments by 3
         answer by 11:30, then Ana waits until
           tomorrow 09:00
         Ana, yesterday 20:09: “Can you pick one
           of the two certificates before we cut
           the branch on Tuesday?”
         Ruut, today 08:12: “The cheaper one
           needs a dedicated address…”
     2 CORE-98   Bo asks you for a review ·
                 Retry on 503
                           open since Thu 12 Nov

    BLOCKERS
     3 #build    blocked · the mirror is
                 read-only           blocks work

    CHANGED ON YOURS
     4 CORE-94   closed by Dov Fri 21:16 ·
                 Remove the special treatment of
                 boxes in the borrow checker
                                 reported by you

    WORTH KNOWING
     5 #clojure  decided    decided in your area
         Alyson, Sat 01:13: “We go with [link:
           clojure.org].”

    YOU WAIT FOR
       CORE-7    Bo since Thu 14:10 · 9 work
                 hours

    also moved: CORE-64, #clojure ×2; 3 more
    missing: office – it has not answered since
      04:10
    covered 189 messages, 51 mails, 28 new and
      14 closed tickets
    lines quoted: 2 · model text: 0 · daybrief
      explain 1
    ");
}

#[test]
fn a_full_briefing_as_html() {
    let text = html(&sample::full(), &sample::member(), sample::now());
    assert!(text.len() < 8_000, "{} bytes", text.len());
    insta::assert_snapshot!(text);
}

#[test]
fn a_quiet_morning_as_html_is_one_line() {
    let text = html(&sample::quiet(), &sample::member(), sample::now());
    assert_eq!(
        text.matches("<div").count(),
        2 + sample::quiet().gaps.len(),
        "{text}"
    );
    assert!(text.contains("Quiet"));
}

#[test]
fn a_full_briefing_as_markdown() {
    insta::assert_snapshot!(markdown(&sample::full(), &sample::member(), sample::now()), @r##"
    # Good morning Becki

    Mon 16 Nov, 09:00 Berlin · since Fri 17:30

    **2 need you · 1 blocker · 1 of yours moved**

    ## Needs you

    1. **[CORE-123](https://tracker.example/issue/CORE-123)** Ana asks you · Serve the nightly archives over https only · 6 comments by 3 — *assigned*
       - **answer by 11:30, then Ana waits until tomorrow 09:00**
       - Ana, [yesterday 20:09](https://tracker.example/e/11-15T1909): “Can you pick one of the two certificates before we cut the branch on Tuesday?”
       - Ruut, [today 08:12](https://tracker.example/e/11-16T0712): “The cheaper one needs a dedicated address…”
    2. **[CORE-98](https://tracker.example/issue/CORE-98)** Bo asks you for a review · Retry on 503 · open since Thu 12 Nov

    ## Blockers

    3. **[#build](https://chat.example/build)** blocked · the mirror is read-only — *blocks work*

    ## Changed on yours

    4. **[CORE-94](https://tracker.example/issue/CORE-94)** closed by Dov Fri 21:16 · Remove the special treatment of boxes in the borrow checker — *reported by you*

    ## Worth knowing

    5. **\#clojure** decided — *decided in your area*
       - Alyson, [Sat 01:13](https://tracker.example/e/11-14T0013): “We go with \[link: clojure.org\].”

    ## You wait for

    - **[CORE-7](https://tracker.example/issue/CORE-7)** Bo since [Thu 14:10](https://tracker.example/e/11-12T1310) · 9 work hours · “Could you look at the flaky test?”

    ---

    also moved: [CORE-64](https://tracker.example/issue/CORE-64), [#clojure](https://chat.example/clojure/1) ×2; 3 more

    missing: office – it has not answered since 04:10

    covered 189 messages, 51 mails, 28 new and 14 closed tickets

    lines quoted: 2 · model text: 0 · daybrief explain 1
    "##);
}

#[test]
fn a_catch_up_with_a_shared_line_and_an_old_quote() {
    insta::assert_snapshot!(text(&sample::catch_up(), wide(Links::Hidden)), @"
    Welcome back Becki · Mon 16 Nov, 09:00 Berlin · since 30 Oct
    1 needs you · 4 of yours moved

    NEEDS YOU
     1 CORE-5  overdue since 2026-11-02 · Renew the signing key
                                                         no movement for 6 work days
         Ana, 17 Oct: “The key ends in November.”

    CHANGED ON YOURS
     2 4 more of your tickets moved                   assigned · handled without you
         CORE-11 closed · CORE-12 +3 · CORE-13 new owner · CORE-14

    covered 145 messages
    lines quoted: 1 · model text: 0 · daybrief explain 1
    ");
    insta::assert_snapshot!(markdown(&sample::catch_up(), &sample::member(), sample::now()), @"
    # Welcome back Becki

    Mon 16 Nov, 09:00 Berlin · since 30 Oct

    **1 needs you · 4 of yours moved**

    ## Needs you

    1. **[CORE-5](https://tracker.example/issue/CORE-5)** overdue since 2026-11-02 · Renew the signing key — *no movement for 6 work days*
       - Ana, [17 Oct](https://tracker.example/e/10-17T0900): “The key ends in November.”

    ## Changed on yours

    2. 4 more of your tickets moved · [CORE-11](https://tracker.example/issue/CORE-11) closed · [CORE-12](https://tracker.example/issue/CORE-12) +3 · [CORE-13](https://tracker.example/issue/CORE-13) new owner · [CORE-14](https://tracker.example/issue/CORE-14) — *assigned · handled without you*

    ---

    covered 145 messages

    lines quoted: 1 · model text: 0 · daybrief explain 1
    ");
}

#[test]
fn a_catch_up_as_json() {
    insta::assert_json_snapshot!(to_json(&sample::catch_up()), @r##"
    {
      "also": [],
      "catch_up": true,
      "covered": {
        "closed": 0,
        "mails": 0,
        "messages": 145,
        "opened": 0
      },
      "date": "2026-11-16",
      "gaps": [],
      "headline": "1 needs you · 4 of yours moved",
      "items": [
        {
          "carried": true,
          "citations": [
            {
              "at": "2026-10-17T09:00:00Z",
              "author": "Ana",
              "connector": "tracker",
              "cut": false,
              "id": "e-2026-10-17T09:00:00Z",
              "quote": "The key ends in November.",
              "url": "https://tracker.example/e/10-17T0900"
            }
          ],
          "facts": "overdue since 2026-11-02",
          "headline": "Renew the signing key",
          "kind": "due",
          "no_movement_work_days": 6,
          "reasons": [
            "overdue",
            "no_movement"
          ],
          "score": 0.7,
          "section": "needs_you",
          "summary": "overdue since 2026-11-02",
          "threads": [
            {
              "connector": "tracker",
              "id": "CORE-5",
              "label": "CORE-5",
              "url": "https://tracker.example/issue/CORE-5"
            }
          ]
        },
        {
          "carried": false,
          "citations": [
            {
              "at": "2026-11-13T20:16:00Z",
              "author": "Dov",
              "connector": "tracker",
              "cut": false,
              "id": "e-2026-11-13T20:16:00Z",
              "quote": "",
              "url": "https://tracker.example/e/11-13T2016"
            }
          ],
          "facts": "CORE-11 closed · CORE-12 +3 · CORE-13 new owner",
          "headline": "4 more of your tickets moved",
          "kind": "status_change",
          "reasons": [
            "assigned_to_you",
            "handled_without_you"
          ],
          "score": 0.7,
          "section": "changed_on_yours",
          "summary": "CORE-11 closed · CORE-12 +3 · CORE-13 new owner",
          "threads": [
            {
              "connector": "tracker",
              "id": "CORE-11",
              "label": "CORE-11",
              "url": "https://tracker.example/issue/CORE-11"
            },
            {
              "connector": "tracker",
              "id": "CORE-12",
              "label": "CORE-12",
              "url": "https://tracker.example/issue/CORE-12"
            },
            {
              "connector": "tracker",
              "id": "CORE-13",
              "label": "CORE-13",
              "url": "https://tracker.example/issue/CORE-13"
            },
            {
              "connector": "tracker",
              "id": "CORE-14",
              "label": "CORE-14",
              "url": "https://tracker.example/issue/CORE-14"
            }
          ]
        }
      ],
      "member": "becki",
      "omitted": 0,
      "quiet": false,
      "waiting": [],
      "window": {
        "from": "2026-10-30T16:30:00Z",
        "to": "2026-11-16T08:00:00Z",
        "upto_seq": 4711
      },
      "written_by": "extractive"
    }
    "##);
}

#[test]
fn names_in_other_scripts_wrap_by_width() {
    insta::assert_snapshot!(text(&sample::scripts(), Screen { width: 60, ..wide(Links::Hidden) }), @"
    Good morning Becki · Mon 16 Nov, 09:00 Berlin · since Fri
      17:30
    1 needs you

    NEEDS YOU
     1 #開発-日本語  דנה לוי names you · 明日のリリースの前に署
                     名の鍵を更新してください、それから全員に知
                     らせてください               you wrote here
         דנה לוי, yesterday 20:09: “אפשר לבדוק את זה היום?”
         山田 花子 🌸, yesterday 21:09: “ありがとう 👍🏽👍🏽 été 🇩🇪
           よろしくお願いいたします。明日の朝までに返事をくださ
           い、お願いします。”

    covered 145 messages
    lines quoted: 1 · model text: 0 · daybrief explain 1
    ");
    insta::assert_snapshot!(markdown(&sample::scripts(), &sample::member(), sample::now()), @"
    # Good morning Becki

    Mon 16 Nov, 09:00 Berlin · since Fri 17:30

    **1 needs you**

    ## Needs you

    1. **[#開発-日本語](https://chat.example/dev)** דנה לוי names you · 明日のリリースの前に署名の鍵を更新してください、それから全員に知らせてください — *you wrote here*
       - דנה לוי, [yesterday 20:09](https://tracker.example/e/11-15T1909): “אפשר לבדוק את זה היום?”
       - 山田 花子 🌸, [yesterday 21:09](https://tracker.example/e/11-15T2009): “ありがとう 👍🏽👍🏽 été 🇩🇪 よろしくお願いいたします。明日の朝までに返事をください、お願いします。”

    ---

    covered 145 messages

    lines quoted: 1 · model text: 0 · daybrief explain 1
    ");
}

#[test]
fn colours_and_links_come_only_when_told_to() {
    let screen = Screen {
        color: true,
        ..wide(Links::Inline)
    };
    let mut briefing = sample::full();
    briefing.items.truncate(1);
    briefing.waiting.clear();
    insta::assert_snapshot!(shown(&text(&briefing, screen)), @r##"
    ␛[1mGood morning Becki␛[0m · Mon 16 Nov, 09:00 Berlin · since Fri 17:30
    ␛[1m2 need you · 1 blocker · 1 of yours moved␛[0m

    ␛[1m␛[36mNEEDS YOU␛[0m
    ␛[2m 1 ␛[0m␛]8;;https://tracker.example/issue/CORE-123␛\␛[1m␛[34mCORE-123␛[0m␛]8;;␛\  Ana asks you · Serve the nightly archives over https only
                                                          ␛[2massigned · 6 comments by 3␛[0m
         ␛[1m␛[33manswer by 11:30, then Ana waits until tomorrow 09:00␛[0m
         Ana, ␛]8;;https://tracker.example/e/11-15T1909␛\␛[2myesterday 20:09␛[0m␛]8;;␛\: “Can you pick one of the two certificates before we
           cut the branch on Tuesday?”
         Ruut, ␛]8;;https://tracker.example/e/11-16T0712␛\␛[2mtoday 08:12␛[0m␛]8;;␛\: “The cheaper one needs a dedicated address…”

    also moved: ␛]8;;https://tracker.example/issue/CORE-64␛\␛[1m␛[34mCORE-64␛[0m␛]8;;␛\, ␛]8;;https://chat.example/clojure/1␛\␛[1m␛[34m#clojure␛[0m␛]8;;␛\ ×2; 3 more
    ␛[1m␛[33mmissing: office – it has not answered since 04:10␛[0m
    ␛[2mcovered 189 messages, 51 mails, 28 new and 14 closed tickets␛[0m
    ␛[2mlines quoted: 1 · model text: 0 · daybrief explain 1␛[0m
    "##);
    assert!(!text(&briefing, wide(Links::Hidden)).contains('\u{1b}'));
    assert!(!text(&briefing, wide(Links::Hidden)).contains("://"));
}

#[test]
fn a_quiet_briefing_is_one_line() {
    let line = "Quiet weekend: 145 messages, none yours.\n";
    assert_eq!(text(&sample::quiet(), wide(Links::Hidden)), line);
    assert_eq!(
        markdown(&sample::quiet(), &sample::member(), sample::now()),
        line
    );
    let mut briefing = sample::quiet();
    briefing.covered = Default::default();
    briefing.window.after.0 = sample::at("2026-11-15T16:30:00Z");
    briefing.gaps = sample::full().gaps;
    let expected =
        "Quiet night: nothing happened.\nmissing: office – it has not answered since 04:10\n";
    assert_eq!(text(&briefing, wide(Links::Hidden)), expected);
}

#[test]
fn words_are_counted_as_the_scorer_counts() {
    let mut briefing = sample::full();
    briefing.items.truncate(1);
    let (headline, facts, quotes) = (11, 4, 15 + 7);
    assert_eq!(words(&briefing), headline + facts + quotes);
    // A quote that the summary holds is read once.
    briefing.items[0].summary = "Ruut: “The cheaper one needs a dedicated address”".into();
    assert_eq!(words(&briefing), headline + facts + 1 + 8 + 15);
    assert!(!text(&briefing, wide(Links::Hidden)).contains("Ruut, today"));
}

#[test]
fn json_reads_back_as_the_same_briefing() {
    for briefing in [
        sample::full(),
        sample::quiet(),
        sample::catch_up(),
        sample::scripts(),
    ] {
        let value = to_json(&briefing);
        assert_eq!(from_json(&value).unwrap(), briefing);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json_line(&value)).unwrap(),
            value
        );
    }
    let mut value = to_json(&sample::full());
    value["items"][1]["kind"] = "gossip".into();
    insta::assert_snapshot!(format!("{:#}", from_json(&value).unwrap_err()), @r#"in line 2 of the briefing: unknown kind "gossip""#);
}
