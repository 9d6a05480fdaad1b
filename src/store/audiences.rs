//! Audiences, interned: every distinct one has a number, and a reader's numbers are what every query filters by.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use crate::model::{Audience, AudienceId, ConnectorId, Handle, Member, SpaceId};

/// Returns the number of an audience, a new one if it was never seen.
pub fn intern(c: &Connection, audience: &Audience) -> Result<AudienceId> {
    let body = to_body(audience).to_string();
    let found = c
        .prepare_cached("SELECT id FROM audiences WHERE body = ?1")?
        .query_row([&body], |row| row.get::<_, u64>(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(AudienceId(id));
    }
    c.prepare_cached("INSERT INTO audiences (body) VALUES (?1)")?
        .execute([&body])?;
    Ok(AudienceId(c.last_insert_rowid().unsigned_abs()))
}

/// Returns the audience of a number.
///
/// # Errors
/// When the number was never given out.
pub fn audience_of(c: &Connection, id: AudienceId) -> Result<Audience> {
    let body: String = c
        .prepare_cached("SELECT body FROM audiences WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .with_context(|| format!("audience {} is unknown to the store", id.0))?;
    from_body(&body)
}

/// Returns every audience that a member may read, from the store's present membership of spaces.
/// Without a member: what everyone may read.
pub fn readable_by(c: &Connection, member: Option<&Member>) -> Result<BTreeSet<AudienceId>> {
    let mut spaces: HashMap<SpaceId, bool> = HashMap::new();
    let mut readable = BTreeSet::new();
    let mut statement = c.prepare_cached("SELECT id, body FROM audiences")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, body): (u64, String) = (row.get(0)?, row.get(1)?);
        let may_read = match (from_body(&body)?, member) {
            (Audience::Everyone, _) => true,
            (_, None) => false,
            (Audience::Only(handles), Some(member)) => {
                handles.iter().any(|handle| member.owns(handle))
            }
            (Audience::Space(space), Some(member)) => match spaces.get(&space) {
                Some(known) => *known,
                None => {
                    let is_in = is_in_space(c, member, &space)?;
                    spaces.insert(space, is_in);
                    is_in
                }
            },
        };
        if may_read {
            readable.insert(AudienceId(id));
        }
    }
    Ok(readable)
}

fn is_in_space(c: &Connection, member: &Member, space: &SpaceId) -> Result<bool> {
    let mut statement = c.prepare_cached(
        "SELECT 1 FROM space_members WHERE connector = ?1 AND space = ?2 AND handle = ?3",
    )?;
    for handle in member.handles.get(&space.connector).into_iter().flatten() {
        if statement.exists(params![space.connector.as_str(), &*space.id, &*handle.id])? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn to_body(audience: &Audience) -> Value {
    match audience {
        Audience::Everyone => json!(["everyone"]),
        Audience::Space(space) => json!(["space", space.connector.as_str(), &*space.id]),
        Audience::Only(handles) => {
            let mut body = vec![json!("only")];
            body.extend(
                handles
                    .iter()
                    .map(|handle| json!([handle.connector.as_str(), &*handle.id])),
            );
            Value::Array(body)
        }
    }
}

fn from_body(body: &str) -> Result<Audience> {
    let value: Value = serde_json::from_str(body).context("a stored audience is damaged")?;
    let parts = value.as_array().context("a stored audience is damaged")?;
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .map(str::to_owned)
            .context("a stored audience is damaged")
    };
    match parts.first().and_then(Value::as_str) {
        Some("everyone") => Ok(Audience::Everyone),
        Some("space") => Ok(Audience::Space(SpaceId::new(
            &ConnectorId::new(text(parts.get(1))?),
            text(parts.get(2))?,
        ))),
        Some("only") => {
            let mut handles = BTreeSet::new();
            for pair in &parts[1..] {
                handles.insert(Handle::new(
                    &ConnectorId::new(text(pair.get(0))?),
                    text(pair.get(1))?,
                ));
            }
            Ok(Audience::Only(handles))
        }
        _ => anyhow::bail!("a stored audience is damaged"),
    }
}
