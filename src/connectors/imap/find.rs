//! Looking for one mail by its Message-ID, for a sink that does not know whether its mail arrived.

use std::path::Path;

use anyhow::{Context, Result};

use super::ImapConfig;
use super::gather::{list, search};
use super::names::Role;
use super::wire::{Wire, WireError, quoted};
use crate::http::Http;
use crate::model::ConnectorId;

impl ImapConfig {
    /// Returns the folder that holds the mail of a Message-ID (with its brackets), wherever the owner, a filter or the
    /// server put it.
    ///
    /// # Errors
    /// When the mailbox cannot be looked through now.
    pub async fn find(
        &self,
        id: &ConnectorId,
        base: &Path,
        http: &Http,
        message_id: &str,
    ) -> Result<Option<String>> {
        let mut wire = Wire::open(&self.door(id, base, http)?).await?;
        let found = find(&mut wire, message_id).await;
        let found = found.with_context(|| format!("cannot look through the mailbox of {id}"))?;
        wire.close().await;
        Ok(found)
    }
}

async fn find(wire: &mut Wire, message_id: &str) -> Result<Option<String>, WireError> {
    let mut folders = list(wire).await?;
    folders.retain(|folder| folder.can_open && folder.role != Role::View);
    folders.sort_by_key(|folder| folder.shown != "INBOX");
    for folder in folders {
        let command = format!("EXAMINE {}", quoted(&folder.raw));
        match wire.run(&command, |_| {}).await {
            Ok(()) => {}
            Err(WireError::Refused(_)) => continue,
            Err(error) => return Err(error),
        }
        let command = format!("UID SEARCH HEADER Message-ID {}", quoted(message_id));
        if !search(wire, &command).await?.is_empty() {
            return Ok(Some(folder.shown));
        }
    }
    Ok(None)
}
