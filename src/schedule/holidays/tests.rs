//! Known holidays of known years.

use super::rules::When;
use super::*;

/// Compares the days of a region in a month of a year with `25 Christmas Day, 26 …`.
#[track_caller]
fn check(region: &str, month: &str, expected: &str) {
    let first: Date = format!("{month}-01").parse().unwrap();
    let days = holidays(region, first.year()..=first.year()).unwrap();
    let days = days.range(first..=first.last_of_month());
    let found: Vec<_> = days
        .map(|(date, name)| format!("{} {name}", date.day()))
        .collect();
    assert_eq!(found.join(", "), expected, "{region} {month}");
    assert!(covers(region, first.year()).unwrap(), "{region} {month}");
}

#[test]
fn every_file_reads_and_its_tables_name_each_covered_year() {
    assert!(COUNTRIES.len() >= 30);
    for (code, text) in COUNTRIES {
        let calendar = rules::parse(code, text).unwrap();
        assert!(!calendar.names.is_empty(), "{code} has no name");
        for section in &calendar.sections {
            assert!(
                section
                    .regions
                    .iter()
                    .all(|region| region.split('-').next() == Some(*code)),
                "{code}: {section:?}"
            );
            for rule in &section.rules {
                assert!(!rule.name.is_empty(), "{code}: {rule:?}");
                let When::Table(dates) = &rule.when else {
                    continue;
                };
                let missing = section
                    .covers
                    .clone()
                    .find(|year| !dates.iter().any(|date| date.year() == *year));
                assert_eq!(missing, None, "{code}: {}", rule.name);
            }
        }
    }
}

#[test]
fn a_broken_line_is_named() {
    for (line, expected) in [
        ("jan 1 New Year", "expected WHEN: NAME"),
        ("jam 1: New Year", "unknown month \"jam\""),
        ("1st mooday of may: May Day", "unknown weekday \"mooday\""),
        ("jan 1 someday: New Year", "unknown word \"someday\""),
    ] {
        let text = format!("names X\n{line}\n");
        let error = format!("{:#}", rules::parse("XX", &text).unwrap_err());
        assert_eq!(error, format!("holidays/XX.txt:2: {line}: {expected}"));
    }
}

#[test]
fn german_states_have_their_own_days_beside_the_common_ones() {
    check(
        "DE",
        "2026-05",
        "1 Labour Day, 14 Ascension Day, 25 Whit Monday",
    );
    check("DE", "2025-04", "18 Good Friday, 21 Easter Monday");
    check("DE-BE", "2026-03", "8 International Women's Day");
    check("DE-BE", "2018-03", "30 Good Friday");
    check("DE-BY", "2027-11", "1 All Saints' Day");
    check("DE-SN", "2026-11", "18 Repentance Day");
    check("DE-SN", "2027-11", "17 Repentance Day");
    check("DE-BE", "2026-10", "3 German Unity Day");
    check("DE-HH", "2026-10", "3 German Unity Day, 31 Reformation Day");
}

#[test]
fn american_days_on_a_weekend_are_kept_on_the_nearest_work_day() {
    check(
        "US",
        "2026-07",
        "3 Independence Day (observed), 4 Independence Day",
    );
    check(
        "US",
        "2027-12",
        "24 Christmas Day (observed), 25 Christmas Day, 31 New Year's Day (observed)",
    );
    check("US", "2026-11", "11 Veterans Day, 26 Thanksgiving");
    check(
        "US-NY",
        "2026-11",
        "3 Election Day, 11 Veterans Day, 26 Thanksgiving",
    );
    check("US", "2027-06", "18 Juneteenth (observed), 19 Juneteenth");
    check("CA-ON", "2026-05", "18 Victoria Day");
    check(
        "CA-ON",
        "2027-12",
        "25 Christmas Day, 26 Boxing Day, 27 Christmas Day (observed), 28 Boxing Day (observed)",
    );
    check("MX", "2026-11", "16 Revolution Day");
    check("BR", "2026-02", "16 Carnival Monday, 17 Carnival Tuesday");
}

#[test]
fn british_substitute_days_go_past_each_other() {
    let (saturday, sunday) = ("2027-12", "2022-12");
    check(
        "GB",
        saturday,
        "25 Christmas Day, 26 Boxing Day, 27 Christmas Day (observed), 28 Boxing Day (observed)",
    );
    check(
        "GB",
        sunday,
        "25 Christmas Day, 26 Boxing Day, 27 Christmas Day (observed)",
    );
    check(
        "GB-SCT",
        "2028-01",
        "1 New Year's Day, 2 2nd January, 3 New Year's Day (observed), 4 2nd January (observed)",
    );
    check("GB-SCT", "2026-04", "3 Good Friday");
    check("GB", "2026-04", "3 Good Friday, 6 Easter Monday");
    check("GB", "2026-08", "31 Summer bank holiday");
    check("GB-SCT", "2026-08", "3 Summer bank holiday");
    check("IE", "2026-02", "2 St. Brigid's Day");
}

#[test]
fn the_southern_calendars_are_right() {
    check("AU", "2026-01", "1 New Year's Day, 26 Australia Day");
    check("AU-NSW", "2026-06", "8 King's Birthday");
    check("AU-VIC", "2026-11", "3 Melbourne Cup Day");
    check("NZ", "2026-07", "10 Matariki");
    check(
        "NZ-AUK",
        "2027-02",
        "1 Auckland Anniversary Day, 6 Waitangi Day, 8 Waitangi Day (observed)",
    );
    check(
        "NZ-AUK",
        "2026-04",
        "3 Good Friday, 6 Easter Monday, 25 Anzac Day, 27 Anzac Day (observed)",
    );
    check(
        "ZA",
        "2026-08",
        "9 National Women's Day, 10 National Women's Day (observed)",
    );
}

#[test]
fn asian_calendars_follow_the_moon_and_the_sun() {
    check(
        "JP",
        "2026-05",
        "3 Constitution Day, 4 Greenery Day, 5 Children's Day, 6 Constitution Day (observed)",
    );
    check(
        "JP",
        "2026-09",
        "21 Respect for the Aged Day, 22 Citizens' Holiday, 23 Autumnal Equinox Day",
    );
    check(
        "JP",
        "2024-09",
        "16 Respect for the Aged Day, 22 Autumnal Equinox Day, 23 Autumnal Equinox Day (observed)",
    );
    check("SG", "2026-11", "8 Deepavali, 9 Deepavali (observed)");
    check(
        "SG",
        "2027-02",
        "6 Chinese New Year, 7 Second Day of Chinese New Year, 8 Second Day of Chinese New Year (observed)",
    );
    check("IN", "2026-11", "8 Diwali, 24 Guru Nanak Jayanti");
    check(
        "IN-KA",
        "2026-11",
        "1 Kannada Rajyotsava, 10 Balipadyami, Deepavali, 27 Kanakadasa Jayanti",
    );
}

#[test]
fn european_calendars_are_right() {
    check("PT", "2026-06", "4 Corpus Christi, 10 Portugal Day");
    check("NL", "2025-04", "21 Easter Monday, 26 King's Day");
    check("NL", "2026-04", "6 Easter Monday, 27 King's Day");
    check(
        "PL",
        "2024-12",
        "25 Christmas Day, 26 Second Day of Christmas",
    );
    check(
        "PL",
        "2026-12",
        "24 Christmas Eve, 25 Christmas Day, 26 Second Day of Christmas",
    );
    check("IT", "2026-10", "4 St. Francis of Assisi");
    check("IT", "2025-10", "");
    check(
        "SE",
        "2026-06",
        "6 National Day, 19 Midsummer Eve, 20 Midsummer Day",
    );
    check("DK", "2024-04", "1 Easter Monday");
    check("GR", "2026-04", "10 Good Friday, 13 Easter Monday");
    check("CH-GE", "2026-09", "10 Geneva Fast");
    check(
        "CH-ZH",
        "2026-05",
        "1 Labour Day, 14 Ascension Day, 25 Whit Monday",
    );
    check(
        "ES-MD",
        "2026-11",
        "1 All Saints' Day, 2 All Saints' Day (observed)",
    );
    check("FR", "2028-06", "5 Whit Monday");
    check("AT", "2026-10", "26 National Day");
}

#[test]
fn a_year_outside_the_tables_is_told() {
    assert!(covers("DE-BE", 2040).unwrap());
    assert!(covers("SG", 2027).unwrap() && !covers("SG", 2028).unwrap());
    assert!(covers("IN", 2027).unwrap() && !covers("IN-KA", 2027).unwrap());
    assert!(!covers("JP", 2031).unwrap());
}

#[test]
fn an_unknown_region_gets_near_names() {
    let error = |region: &str| holidays(region, 2026..=2026).unwrap_err().to_string();
    insta::assert_snapshot!(error("NZ-AKL"), @r#"unknown holiday region "NZ-AKL": did you mean NZ, NZ-AUK, NZ-HKB, NZ-NTL, NZ-TKI, NZ-CAN, NZ-NSN, NZ-OTA? For any other place, give an ICS file"#);
    insta::assert_snapshot!(error("uk"), @r#"unknown holiday region "uk": did you mean GB? For any other place, give an ICS file"#);
    insta::assert_snapshot!(error("germany"), @r#"unknown holiday region "germany": did you mean DE? For any other place, give an ICS file"#);
    insta::assert_snapshot!(error("DX-BE"), @r#"unknown holiday region "DX-BE": did you mean DE, DK, MX? For any other place, give an ICS file"#);
    assert_eq!(
        holidays("de_be", 2026..=2026).unwrap(),
        holidays("DE-BE", 2026..=2026).unwrap()
    );
}
