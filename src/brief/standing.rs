//! What a message with a briefing is to show at this moment: what its reader said of each line, and what there is to press.

use anyhow::Result;
use jiff::civil;
use rusqlite::Connection;

use super::deliver::body_of;
use super::offers::{Reader, offers_of};
use super::steer::{self, Said};
use crate::model::suggestion::Offer;
use crate::store::deliveries;

/// What a message shows besides its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// By the number of a line, what its reader said of it.
    pub said: Vec<(usize, Said)>,
    /// What there is to press for its tickets, or what became of them.
    pub offers: Vec<Offer>,
}

/// Returns what the messages of a member's briefing are to show now.
///
/// # Errors
/// When the store cannot be read or holds a damaged briefing.
pub fn standing(c: &Connection, date: civil::Date, reader: Reader<'_>) -> Result<Standing> {
    let id = &reader.member.id;
    let delivery = deliveries::delivery(c, id, date)?;
    let Some(delivery) = delivery.filter(|delivery| !delivery.body.is_empty()) else {
        return Ok(Standing::default());
    };
    let items = body_of(&delivery)?.items;
    let said = (1..=items.len()).map(|line| Ok((line, steer::said_of(c, id, date, line)?)));
    Ok(Standing {
        said: said.collect::<Result<_>>()?,
        offers: offers_of(c, &items, reader)?,
    })
}
