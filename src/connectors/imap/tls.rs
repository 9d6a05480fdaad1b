//! TLS to mail servers: the three ways to get it, and whom it trusts.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use serde::Deserialize;

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// From the first byte.
    #[default]
    Implicit,
    /// After a command in the clear; without it nothing goes on.
    StartTls,
    /// Not at all: for a server on this machine.
    None,
}

impl TlsMode {
    /// Refuses a connection in the clear that leaves the machine.
    ///
    /// # Errors
    /// When `tls = "none"` and the host is not this machine.
    pub fn check(self, table: &str, host: &str) -> Result<()> {
        let is_here = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if self == TlsMode::None && !is_here {
            bail!(
                "tls = \"none\" under [{table}] is for 127.0.0.1 and localhost only: {host} would get the password and the mail in the clear; use \"implicit\" or \"starttls\""
            );
        }
        Ok(())
    }

    /// Returns the usual port.
    pub fn port(self, implicit: u16, other: u16) -> u16 {
        match self {
            TlsMode::Implicit => implicit,
            TlsMode::StartTls | TlsMode::None => other,
        }
    }
}

/// Returns a configuration that trusts the system's certificates and those of a file.
///
/// # Errors
/// When the file holds no certificates.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut extra = Vec::new();
    if let Some(path) = ca_file {
        let pem = std::fs::read(path)
            .with_context(|| format!("ca_file: cannot read {}", path.display()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate
                .map_err(|_| anyhow::anyhow!("ca_file: {} is damaged", path.display()))?;
            extra.push(certificate.into_owned());
        }
        if extra.is_empty() {
            bail!("ca_file: {} holds no certificate in PEM", path.display());
        }
    }
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone())
        .context("the system's certificates cannot be used")?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Returns why there is no connection with what to do about it, from the words of `rustls`; any others as they are.
pub fn advised(why: &str) -> String {
    if why.contains("invalid peer certificate") {
        format!("name the certificate of a private authority in `ca_file`: {why}")
    } else if why.contains("InvalidContentType") {
        "it does not speak TLS from the first byte; set tls = \"starttls\" if the port is right"
            .to_owned()
    } else {
        why.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_tls_is_told_with_the_next_step() {
        for (why, expected) in [
            ("invalid peer certificate: UnknownIssuer", "`ca_file`"),
            (
                "received corrupt message of type InvalidContentType",
                "tls = \"starttls\"",
            ),
            ("connection reset", "connection reset"),
        ] {
            assert!(advised(why).contains(expected), "{}", advised(why));
        }
    }
}
