//! Calendars as programs write them, and the days they take.

use super::*;

/// Returns the days an event with these lines takes in the years 2026 and 2027, as seen from Berlin.
fn days(event: &str) -> String {
    let events = event.lines().map(|line| format!("{}\r\n", line));
    let events: String = events.collect();
    all_days(&format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{events}END:VEVENT\r\nEND:VCALENDAR\r\n"
    ))
}

fn all_days(ics: &str) -> String {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let within = Away {
        from: civil::date(2026, 1, 1),
        to: civil::date(2027, 12, 31),
    };
    match busy_days(ics, &zone, within, |_| true) {
        Ok(days) => days
            .iter()
            .map(|(Away { from, to }, summary)| {
                format!("{from}..{to} {summary}")
                    .trim_end()
                    .replace("2026-", "")
            })
            .collect::<Vec<_>>()
            .join(", "),
        Err(error) => format!("{error:#}"),
    }
}

#[track_caller]
fn check(event: &str, expected: &str) {
    assert_eq!(days(event), expected);
}

#[test]
fn whole_days_end_before_their_end() {
    check(
        "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:Ana away",
        "12-24..12-26 Ana away",
    );
    check("DTSTART;VALUE=DATE:20261224", "12-24..12-24");
    check("DTSTART:20261224\nDTEND:20261224", "12-24..12-24");
    check("DTSTART;VALUE=DATE:20261224\nDURATION:P1W", "12-24..12-30");
}

#[test]
fn timed_events_take_the_days_whose_noon_they_cover() {
    for (start, end, expected, why) in [
        (
            ":20261116T080000Z",
            ":20261116T163000Z",
            "11-16..11-16",
            "a work day",
        ),
        (":20261116T090000", ":20261116T100000", "", "the dentist"),
        (
            ":20261116T000000",
            ":20261118T000000",
            "11-16..11-17",
            "midnight to midnight",
        ),
        (
            ";TZID=Europe/Berlin:20261116T090000",
            ":20261123T080000Z",
            "11-16..11-22",
            "a hand-over in the morning",
        ),
        (
            ":20261116T200000",
            ":20261117T080000",
            "11-16..11-16",
            "a night",
        ),
        (
            ";TZID=Pacific/Auckland:20261117T000000",
            ";TZID=Pacific/Auckland:20261118T000000",
            "11-16..11-16",
            "elsewhere",
        ),
        (
            ";TZID=New Zealand Standard Time:20261117T000000",
            ":20261117T110000Z",
            "11-16..11-16",
            "Outlook",
        ),
        (
            ";TZID=\"/mozilla.org/20050126_1/Europe/Berlin\":20261116T090000",
            ":20261116T170000",
            "11-16..11-16",
            "Mozilla",
        ),
        (
            ";TZID=Customized Time Zone:20261116T090000",
            ":20261116T170000",
            "11-16..11-16",
            "no such zone",
        ),
    ] {
        assert_eq!(
            days(&format!("DTSTART{start}\nDTEND{end}")),
            expected,
            "{why}"
        );
    }
    check("DTSTART:20261116T090000\nDURATION:PT8H", "11-16..11-16");
    check("DTSTART:20261116T090000", "");
}

#[test]
fn rules_repeat_an_event() {
    let day = |rule: &str| days(&format!("DTSTART:20261116\nRRULE:{rule}"));
    assert_eq!(day("FREQ=YEARLY"), "11-16..11-16, 2027-11-16..2027-11-16");
    assert_eq!(
        day("FREQ=WEEKLY;COUNT=3"),
        "11-16..11-16, 11-23..11-23, 11-30..11-30"
    );
    assert_eq!(
        day("FREQ=WEEKLY;INTERVAL=2;UNTIL=20261214"),
        "11-16..11-16, 11-30..11-30, 12-14..12-14"
    );
    assert_eq!(
        day("FREQ=WEEKLY;BYDAY=MO,FR;COUNT=3"),
        "11-16..11-16, 11-20..11-20, 11-23..11-23"
    );
    assert_eq!(
        day("FREQ=DAILY;UNTIL=20261118T230000Z"),
        "11-16..11-16, 11-17..11-17, 11-18..11-18"
    );
    assert_eq!(
        day("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2"),
        "11-27..11-27, 12-25..12-25"
    );
    assert_eq!(
        day("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2"),
        "11-30..11-30, 12-31..12-31"
    );
    assert_eq!(
        day("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
        "11-26..11-26, 2027-11-25..2027-11-25"
    );
    check(
        "DTSTART:20261116T090000\nDURATION:PT8H\nRRULE:FREQ=DAILY;UNTIL=20261117T090000",
        "11-16..11-16, 11-17..11-17",
    );
    check("DTSTART:20240229\nRRULE:FREQ=YEARLY", "");
    check(
        "DTSTART:20200101\nRRULE:FREQ=YEARLY;INTERVAL=3",
        "01-01..01-01",
    );
    let rotation = "DTSTART;TZID=Europe/Berlin:20260323T090000\nDTEND;TZID=Europe/Berlin:20260330T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2";
    check(rotation, "03-23..03-29, 04-06..04-12");
}

#[test]
fn what_is_called_off_or_moved_is_not_there() {
    check(
        "DTSTART:20261116\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20261123",
        "11-16..11-16, 11-30..11-30",
    );
    check(
        "DTSTART:20261116\nRDATE;VALUE=DATE:20261118,20261120\nEXDATE:20261118",
        "11-16..11-16, 11-20..11-20",
    );
    check("DTSTART:20261116\nSTATUS:CANCELLED", "");
    let ics = "BEGIN:VEVENT\nUID:1\nDTSTART:20261116\nRRULE:FREQ=WEEKLY;COUNT=2\nSUMMARY:Ana\nEND:VEVENT\n\
               BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;VALUE=DATE:20261123\nDTSTART:20261125\nSUMMARY:Bo\nEND:VEVENT\n";
    assert_eq!(all_days(ics), "11-16..11-16 Ana, 11-25..11-25 Bo");
}

#[test]
fn folded_and_escaped_text_is_made_plain_and_alarms_are_left_alone() {
    let ics = "\u{feff}BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=\r\n DATE:20261116\r\nSUMMARY;LANGUAGE=en:Ana\\, Bo\r\n\t \\; Cy\\nand \
               \\\\ more\r\nDESCRIPTION:lost\r\nfold DTSTART\r\nBEGIN:VALARM\r\nTRIGGER:-PT1H\r\nDURATION:PT99\r\nDTSTART:x\r\nEND:VALARM\r\nEND:VEVENT\r\n";
    assert_eq!(all_days(ics), "11-16..11-16 Ana, Bo ; Cy and \\ more");
}

#[test]
fn a_calendar_as_outlook_writes_it() {
    let ics = "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nVERSION:2.0\r\nX-WR-CALNAME:Duty\r\nBEGIN:VTIMEZONE\r\n\
               TZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\n\
               RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n\
               UID:040000008200E00074C5B7101A82E008\r\nDTSTART;TZID=W. Europe Standard Time:20261019T090000\r\n\
               DTEND;TZID=W. Europe Standard Time:20261026T090000\r\nRRULE:FREQ=WEEKLY;UNTIL=20261102T080000Z;INTERVAL=2;B\r\n YDAY=MO;WKST=MO\r\n\
               SUMMARY;LANGUAGE=de:ana\r\nTRANSP:TRANSPARENT\r\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    assert_eq!(all_days(ics), "10-19..10-25 ana, 11-02..11-08 ana");
}

#[test]
fn only_wanted_events_in_the_range_are_returned() {
    let event = |day: &str, name: &str| {
        format!("BEGIN:VEVENT\nDTSTART:{day}\nSUMMARY:{name}\nEND:VEVENT\n")
    };
    let ics = event("20261116", "Ana") + &event("20261117", "Bo") + &event("20281117", "Ana");
    let within = Away {
        from: civil::date(2026, 1, 1),
        to: civil::date(2026, 12, 31),
    };
    let found = busy_days(&ics, &TimeZone::UTC, within, |summary| {
        summary.starts_with("Ana")
    })
    .unwrap();
    let day = civil::date(2026, 11, 16);
    assert_eq!(found, [(Away { from: day, to: day }, "Ana".to_owned())]);
}

#[test]
fn an_error_names_its_line() {
    check(
        "DTSTART:2026-11-16",
        "line 3: DTSTART \"2026-11-16\" is no date",
    );
    check("SUMMARY:Ana", "line 2: the event has no DTSTART");
    check(
        "DTSTART:20261116\nDTEND:20261101",
        "line 2: the event ends before it starts",
    );
    check(
        "DTSTART:20261116\nRRULE:FREQ=HOURLY",
        "line 4: RRULE part \"FREQ=HOURLY\" is not understood",
    );
    check(
        "DTSTART:20261116\nRRULE:FREQ=YEARLY;BYSETPOS=1",
        "line 4: RRULE part \"BYSETPOS=1\" is not understood",
    );
    check(
        "DTSTART:20261116\nDURATION:long",
        "line 4: DURATION is no length of time",
    );
    assert_eq!(
        all_days("<html>"),
        "line 1: not a calendar, BEGIN:VCALENDAR is missing"
    );
    assert_eq!(
        all_days("BEGIN:VEVENT\nDTSTART:20261116\n"),
        "line 1: the event does not end; is the file cut off?"
    );
    assert_eq!(all_days("BEGIN:VCALENDAR\nEND:VCALENDAR\n"), "");
}

#[test]
fn no_broken_calendar_makes_it_panic_or_hang() {
    let sample = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260323T090000\nDTEND:20260330T090000Z\n\
                  RRULE:FREQ=MONTHLY;INTERVAL=2;COUNT=20;BYDAY=-1FR,MO;UNTIL=20271231\nEXDATE:20260323\nDURATION:P1W\n é\nEND:VEVENT\n";
    let words = [
        "99999999",
        "-1",
        "é",
        "\n ",
        ";",
        ":",
        "\"",
        "00010101",
        "99991231T235959Z",
        "P9999Y",
        "FREQ=DAILY",
        "=",
        "/",
        "\u{202e}",
    ];
    let mut state = 1u64;
    let mut roll = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut read = 0;
    for _ in 0..5_000 {
        let mut letters: Vec<char> = sample.chars().collect();
        for _ in 0..=roll(3) {
            let at = roll(letters.len());
            let upto = (at + roll(9)).min(letters.len());
            letters.splice(at..upto, words[roll(words.len())].chars());
        }
        read +=
            usize::from(!all_days(&letters.into_iter().collect::<String>()).starts_with("line"));
    }
    assert!(read > 500, "{read} were read");
}
