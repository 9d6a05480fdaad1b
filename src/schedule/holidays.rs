//! Public holidays by region: `DE`, `DE-BE`, `US-NY` …

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Result, bail};
use jiff::civil;

/// Returns the public holidays of a region in these years, with those of its country.
///
/// # Errors
/// When the region is unknown; the error lists near ones.
pub fn holidays(region: &str, years: RangeInclusive<i16>) -> Result<BTreeMap<civil::Date, String>> {
    let _ = years;
    bail!("unknown holiday region {region:?}")
}

/// Returns whether the data of a region hold for a year; lunar holidays are known for some years only.
///
/// # Errors
/// When the region is unknown.
pub fn covers(region: &str, year: i16) -> Result<bool> {
    let _ = year;
    bail!("unknown holiday region {region:?}")
}

/// Returns every known region, sorted.
pub fn regions() -> Vec<&'static str> {
    Vec::new()
}
