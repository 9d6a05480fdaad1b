//! What `daybrief check` looks at besides sources, members and sinks: models and servers, what is listened to, and who may read
//! the files that hold secrets.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context, Result};
use daybrief_index::Embedder;

use super::{Findings, Level};
use crate::cli::site::Site;
use crate::server;

/// Asks the embedding endpoint for one vector, as a search would.
pub(super) fn embedding(site: &Site, findings: &mut Findings) {
    let config = &site.config.embedding;
    if config.base_url.is_none() {
        return;
    }
    let asked = site
        .embedding()
        .and_then(|endpoint| endpoint.context("no endpoint")?.embed(&["ready"]));
    match asked {
        Ok(vectors) => findings.add(
            Level::Ok,
            "embedding",
            format!(
                "{} answers with {} numbers a text",
                config.model,
                vectors.first().map_or(0, Vec::len)
            ),
        ),
        Err(error) => findings.add(
            Level::Wrong,
            "embedding",
            format!("{error:#}; until then search goes on with the built-in vectors"),
        ),
    }
}

/// Looks whether the vectors' server can be reached.
pub(super) fn qdrant(site: &Site, findings: &mut Findings) {
    let reached = match site.config.qdrant.place() {
        Ok(None) => return,
        Ok(Some(place)) => reach(&place.url).map(|()| place.url),
        Err(error) => Err(error),
    };
    match reached {
        Ok(url) => findings.add(Level::Ok, "qdrant", format!("something listens at {url}")),
        Err(error) => findings.add(
            Level::Wrong,
            "qdrant",
            format!(
                "{error:#}; start it, or correct [qdrant]; until then search finds by words only"
            ),
        ),
    }
}

fn reach(url: &str) -> Result<()> {
    let url = reqwest::Url::parse(url).with_context(|| format!("{url} is no address"))?;
    let host = url.host_str().context("the address names no host")?;
    let port = url.port().unwrap_or(6334);
    let mut addresses = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("{host} is not known"))?;
    let address = addresses.next().context("the host has no address")?;
    TcpStream::connect_timeout(&address, Duration::from_secs(2))
        .map(drop)
        .with_context(|| format!("{host}:{port} cannot be reached"))
}

/// Looks whether `run` could listen as `[server]` says.
pub(super) fn listening(site: &Site, findings: &mut Findings) {
    let config = &site.config.server;
    let address = match config.address() {
        Ok(None) if config.hooks.is_empty() => return,
        Ok(None) => {
            let says = "[server.hooks] is set and `listen` is not, so no hook can come; add listen = \"127.0.0.1:8090\"";
            return findings.add(Level::Wrong, "server", says);
        }
        Ok(Some(address)) => address,
        Err(error) => return findings.add(Level::Wrong, "server", format!("{error:#}")),
    };
    if let Err(error) = server::check(config, site.config.connectors.clone(), &site.config.base) {
        findings.add(Level::Wrong, "server", format!("{error:#}"));
    }
    match TcpListener::bind(address) {
        Ok(_) => findings.add(Level::Ok, "server", format!("`run` listens on {address}")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => findings.add(
            Level::Note,
            "server",
            format!("{address} is taken; unless it is by a running daybrief, name another place in [server] listen"),
        ),
        Err(error) => findings.add(
            Level::Wrong,
            "server",
            format!("cannot listen on {address}: {error}"),
        ),
    }
}

/// Says which files with secrets others on this machine can read.
pub(super) fn secrets(site: &Site, findings: &mut Findings) {
    for (place, file) in site.config.secret_files() {
        let Ok(metadata) = std::fs::metadata(&file) else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            findings.add(
                Level::Note,
                place,
                format!(
                    "others on this machine may read {} (mode {mode:04o}); chmod 600 it",
                    file.display()
                ),
            );
        }
    }
}
