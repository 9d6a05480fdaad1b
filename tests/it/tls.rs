//! Whom a connection trusts: the system's authorities and the one that `SSL_CERT_FILE` names, nobody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Makes an authority and a certificate of it for this machine.
fn certificates(dir: &Path) {
    std::fs::write(
        dir.join("ext"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let steps = [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out csr",
        "x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem",
    ];
    for step in steps {
        let mut openssl = Command::new("openssl");
        let made = openssl.args(step.split(' ')).current_dir(dir).output();
        let made = made.expect("openssl is installed");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
}

/// Starts a server that answers everything with Slack's refusal of a token; returns its port.
fn serve(dir: &Path) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut heard = [0; 4096];
            // Who does not trust us hangs up.
            if tls.read(&mut heard).is_ok_and(|count| count > 0) {
                let body = r#"{"ok":false,"error":"invalid_auth"}"#;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                tls.write_all(answer.as_bytes()).ok();
                tls.conn.send_close_notify();
                tls.flush().ok();
            }
        }
    });
    port
}

fn check(dir: &Path, authority: Option<&Path>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybrief"));
    command
        .arg("--config")
        .arg(dir.join("daybrief.toml"))
        .arg("--data-dir")
        .arg(dir.join("data"))
        .arg("check")
        .env_remove("DAYBRIEF_CONFIG")
        .env_remove("SSL_CERT_DIR")
        .env_remove("SSL_CERT_FILE");
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    let Output { stdout, stderr, .. } = command.output().unwrap();
    String::from_utf8([stdout, stderr].concat()).unwrap()
}

#[test]
fn an_authority_that_nobody_named_is_refused_and_the_one_that_is_named_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let port = serve(dir.path());
    std::fs::write(dir.path().join("token"), "xoxb-geheim").unwrap();
    let config = format!(
        "[connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napi_url = \"https://localhost:{port}/api/\"\n\
         [members.ana]\nhandles = {{ office = \"UANA\" }}\n"
    );
    std::fs::write(dir.path().join("daybrief.toml"), config).unwrap();

    let refused = check(dir.path(), None);
    assert!(
        refused.contains("cannot be reached") && refused.contains("certificate"),
        "{refused}"
    );
    let trusted = check(dir.path(), Some(&dir.path().join("ca.pem")));
    assert!(
        trusted.contains("does not accept the token") && !trusted.contains("certificate"),
        "{trusted}"
    );
    assert!(!refused.contains("geheim") && !trusted.contains("geheim"));
}
