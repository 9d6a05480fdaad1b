//! Audiences, interned: every distinct one has a number, and a reader's numbers are what every query filters by.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use crate::model::{ANYONE, Audience, AudienceId, ConnectorId, GUESTS, Handle, Member, SpaceId};

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
            (Audience::Only(handles), member) => {
                member.is_some_and(|member| handles.iter().any(|handle| member.owns(handle)))
            }
            (Audience::Space(space), member) => match spaces.get(&space) {
                Some(known) => *known,
                None => {
                    let is_in = may_read_space(c, member, &space)?;
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

/// Returns whether a member may read what stands in a space: as one who is in it, or because it is open and they are no
/// guest there. Without a member: whether it is open.
fn may_read_space(c: &Connection, member: Option<&Member>, space: &SpaceId) -> Result<bool> {
    let mut statement = c.prepare_cached(
        "SELECT 1 FROM space_members WHERE connector = ?1 AND space = ?2 AND handle = ?3",
    )?;
    let mut is_in = |place: &str, handle: &str| {
        statement.exists(params![space.connector.as_str(), place, handle])
    };
    let own = member.and_then(|member| member.handles.get(&space.connector));
    let mut is_guest = false;
    for handle in own.into_iter().flatten() {
        if is_in(&space.id, &handle.id)? {
            return Ok(true);
        }
        is_guest |= is_in(GUESTS, &handle.id)?;
    }
    Ok(!is_guest && is_in(&space.id, ANYONE)?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::Space;
    use crate::store::{Store, people};
    use std::path::Path;

    #[test]
    fn an_open_space_is_read_by_all_but_guests_and_a_closed_one_by_its_members() {
        let config = "[connectors.chat]\ntype = \"slack-export\"\npath = \"x\"\n\
            [members.ana]\nhandles = { chat = \"UANA\" }\n[members.gil]\nhandles = { chat = \"UGIL\" }\n[members.zoe]\n";
        let members = Config::parse(config, Path::new("x")).unwrap();
        let members = members.members(jiff::Timestamp::UNIX_EPOCH).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let chat = ConnectorId::new("chat");
        let is_readable = |spaces: &[(&str, &[&str])], wanted: &str| {
            let spaces: Vec<Space> = spaces
                .iter()
                .map(|(id, members)| Space {
                    id: SpaceId::new(&chat, *id),
                    name: String::new(),
                    members: Some(members.iter().map(|id| Handle::new(&chat, *id)).collect()),
                })
                .collect();
            let (wanted, members) = (SpaceId::new(&chat, wanted), members.clone());
            store
                .write_now(move |c| {
                    spaces
                        .iter()
                        .try_for_each(|space| people::put_space(c, space))?;
                    let id = intern(c, &Audience::Space(wanted))?;
                    let mut readers = vec![("-", readable_by(c, None)?.contains(&id))];
                    for member in &members {
                        let may_read = readable_by(c, Some(member))?.contains(&id);
                        readers.push((member.id.as_str(), may_read));
                    }
                    let readers = readers.iter().filter(|(_, may_read)| *may_read);
                    Ok(readers.map(|(name, _)| *name).collect::<Vec<_>>().join(" "))
                })
                .unwrap()
        };
        let guests: (&str, &[&str]) = (GUESTS, &["UGIL"]);
        assert_eq!(is_readable(&[guests, ("C1", &[ANYONE])], "C1"), "- ana zoe");
        assert_eq!(
            is_readable(&[("C1", &[ANYONE, "UGIL"])], "C1"),
            "- ana gil zoe"
        );
        assert_eq!(is_readable(&[("C1", &["UGIL"])], "C1"), "gil");
        assert_eq!(is_readable(&[("C1", &[])], "C1"), "");
        assert_eq!(is_readable(&[], "C2"), "");
    }
}
