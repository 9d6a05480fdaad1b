//! The part of a pass that is about who may read a repository.

use sha2::{Digest, Sha256};

use super::{Gatherer, Run};
use crate::connectors::Skipped;
use crate::connectors::files;
use crate::connectors::github::api::GithubError;
use crate::connectors::github::wire::{Repository, User};
use crate::connectors::github::{Page, Readers};
use crate::model::{ANYONE, Handle, Space, SpaceId};

impl Gatherer {
    /// Delivers who may read a repository, if that changed.
    pub(super) async fn read_readers(
        &self,
        run: &mut Run,
        name: &str,
        page: &mut Page,
    ) -> Result<(), GithubError> {
        let repository: Repository = self
            .client
            .get("repos.get", &format!("repos/{name}"))
            .await?;
        let is_open = repository.is_public() || self.readers == Readers::Everyone;
        let mut members: Vec<String> = if is_open {
            vec![ANYONE.to_owned()]
        } else {
            let path = format!("repos/{name}/collaborators");
            let listed: Result<Vec<User>, GithubError> =
                self.client.all("repos.collaborators", &path).await;
            match listed {
                Ok(users) => users
                    .into_iter()
                    .map(|user| user.login.to_lowercase())
                    .collect(),
                Err(error) if error.is_about_place() => {
                    let reason = "the token may not list who may read this repository, so nobody gets to see it; give it an account with write access, or set audience = \"everyone\"";
                    page.skipped.push(Skipped {
                        at: name.to_owned(),
                        reason: reason.into(),
                    });
                    Vec::new()
                }
                Err(error) => return Err(error),
            }
        };
        members.sort();
        let print = files::hex(&Sha256::digest(members.join(" ")));
        let place = run.place(name);
        if place.print != print {
            place.print = print;
            page.spaces.push(Space {
                id: SpaceId::new(&self.id, name),
                name: name.to_owned(),
                members: Some(
                    members
                        .iter()
                        .map(|login| Handle::new(&self.id, login.as_str()))
                        .collect(),
                ),
            });
        }
        Ok(())
    }
}
