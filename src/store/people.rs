//! Accounts, and the places they are members of.

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::model::{ConnectorId, Handle, Person, Space};

/// Stores or renews what a source says about an account; an empty field leaves the stored one.
pub fn put_person(c: &Connection, person: &Person) -> Result<()> {
    let Some(handle) = &person.handle else {
        return Ok(());
    };
    c.prepare_cached(
        "INSERT INTO people (connector, handle, name, aliases, email, time_zone, is_bot, is_gone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (connector, handle) DO UPDATE SET
           name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END,
           aliases = CASE WHEN excluded.aliases = '[]' THEN aliases ELSE excluded.aliases END,
           email = coalesce(excluded.email, email), time_zone = coalesce(excluded.time_zone, time_zone),
           is_bot = excluded.is_bot, is_gone = excluded.is_gone",
    )?
    .execute(params![
        handle.connector.as_str(),
        &*handle.id,
        person.name,
        serde_json::to_string(&person.aliases)?,
        person.email,
        person.time_zone,
        person.is_bot,
        person.is_gone
    ])?;
    Ok(())
}

/// Stores a place, and its members where the page names them.
pub fn put_space(c: &Connection, space: &Space) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO spaces (connector, id, name) VALUES (?1, ?2, ?3)
         ON CONFLICT (connector, id) DO UPDATE SET name = excluded.name",
    )?
    .execute(params![
        space.id.connector.as_str(),
        &*space.id.id,
        space.name
    ])?;
    let Some(members) = &space.members else {
        return Ok(());
    };
    c.prepare_cached("DELETE FROM space_members WHERE connector = ?1 AND space = ?2")?
        .execute(params![space.id.connector.as_str(), &*space.id.id])?;
    let mut insert = c.prepare_cached(
        "INSERT OR IGNORE INTO space_members (connector, space, handle) VALUES (?1, ?2, ?3)",
    )?;
    for handle in members {
        insert.execute(params![
            space.id.connector.as_str(),
            &*space.id.id,
            &*handle.id
        ])?;
    }
    Ok(())
}

/// Returns everybody the sources know, or only one connector's.
pub fn people(c: &Connection, connector: Option<&ConnectorId>) -> Result<Vec<Person>> {
    let mut statement = c.prepare_cached(
        "SELECT connector, handle, name, aliases, email, time_zone, is_bot, is_gone FROM people
         WHERE ?1 IS NULL OR connector = ?1 ORDER BY connector, handle",
    )?;
    let rows = statement.query_map([connector.map(ConnectorId::as_str)], |row| {
        let connector = ConnectorId::new(row.get::<_, String>(0)?);
        Ok(Person {
            handle: Some(Handle::new(&connector, row.get::<_, String>(1)?)),
            name: row.get(2)?,
            aliases: serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default(),
            email: row.get(4)?,
            time_zone: row.get(5)?,
            is_bot: row.get(6)?,
            is_gone: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the names of the places, by connector and id.
pub fn spaces(c: &Connection) -> Result<Vec<Space>> {
    let mut statement =
        c.prepare_cached("SELECT connector, id, name FROM spaces ORDER BY connector, id")?;
    let rows = statement.query_map([], |row| {
        let connector = ConnectorId::new(row.get::<_, String>(0)?);
        Ok(Space {
            id: crate::model::SpaceId::new(&connector, row.get::<_, String>(1)?),
            name: row.get(2)?,
            members: None,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
