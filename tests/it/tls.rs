//! Whom a connection trusts: the system's authorities and the one that `SSL_CERT_FILE` names, nobody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::tungstenite;

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

/// Returns how a server here speaks TLS.
fn tls_of(dir: &Path) -> Arc<rustls::ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// Writes an answer of Slack's to whoever has asked.
fn answer(stream: &mut impl Write, body: &str) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // Who does not trust us has hung up.
    stream.write_all(answer.as_bytes()).ok();
    stream.flush().ok();
}

/// Starts a server that answers everything with Slack's refusal of a token; returns its port.
fn serve(dir: &Path) -> u16 {
    let config = tls_of(dir);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut heard = [0; 4096];
            if tls.read(&mut heard).is_ok_and(|count| count > 0) {
                answer(&mut tls, r#"{"ok":false,"error":"invalid_auth"}"#);
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

/// Starts a workspace's interface, without TLS, that hands out sockets at a port and refuses everything else.
fn serve_interface(socket: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = [0; 4096];
            let count = stream.read(&mut heard).unwrap_or(0);
            if heard[..count].starts_with(b"POST /api/apps.connections.open") {
                let url = format!("wss://localhost:{socket}/link/?ticket=geheim");
                answer(&mut stream, &format!(r#"{{"ok":true,"url":"{url}"}}"#));
            } else {
                answer(&mut stream, r#"{"ok":false,"error":"invalid_auth"}"#);
            }
        }
    });
    port
}

/// What came to a socket server.
#[derive(Debug, PartialEq)]
enum Came {
    /// Somebody who does not trust the certificate.
    Distrust,
    /// The acknowledgement of what was pushed.
    Acknowledged(String),
}

/// Starts a socket server behind TLS that pushes one envelope to whoever comes, and tells what became of it.
fn serve_sockets(dir: &Path) -> (u16, Receiver<Came>) {
    let config = tls_of(dir);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let tls = rustls::StreamOwned::new(session, stream);
            let came = match tungstenite::accept(tls) {
                Err(_) => Came::Distrust,
                Ok(mut line) => {
                    line.send(r#"{"type":"hello"}"#.into()).unwrap();
                    let envelope = r#"{"type":"events_api","envelope_id":"E-7","payload":{}}"#;
                    line.send(envelope.into()).unwrap();
                    let answer = line.read().unwrap();
                    Came::Acknowledged(answer.into_text().unwrap().to_string())
                }
            };
            if tell.send(came).is_err() {
                return;
            }
        }
    });
    (port, told)
}

/// Runs the daemon until something came to the socket server; returns what, and what the daemon said meanwhile.
fn run(dir: &Path, authority: Option<&Path>, told: &Receiver<Came>) -> (Came, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybrief"));
    command
        .arg("--config")
        .arg(dir.join("daybrief.toml"))
        .arg("--data-dir")
        .arg(dir.join("data"))
        .arg("run")
        .env_remove("DAYBRIEF_CONFIG")
        .env_remove("DAYBRIEF_LOG")
        .env_remove("SSL_CERT_DIR")
        .env_remove("SSL_CERT_FILE")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    let daemon = command.spawn().unwrap();
    let came = told.recv_timeout(Duration::from_secs(60));
    let stop = Command::new("kill").arg(daemon.id().to_string()).status();
    assert!(stop.unwrap().success());
    let output = daemon.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let came = came.unwrap_or_else(|_| panic!("nobody came to the socket: {said}"));
    (came, said)
}

#[test]
fn a_socket_is_opened_to_a_trusted_certificate_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let (socket, told) = serve_sockets(dir.path());
    let interface = serve_interface(socket);
    std::fs::write(dir.path().join("token"), "xoxb-geheim").unwrap();
    std::fs::write(dir.path().join("app"), "xapp-geheim").unwrap();
    let config = format!(
        "[connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napp_token_file = \"app\"\n\
         api_url = \"http://127.0.0.1:{interface}/api/\"\n\
         [members.ana]\nhandles = {{ office = \"UANA\" }}\n"
    );
    std::fs::write(dir.path().join("daybrief.toml"), config).unwrap();

    let (came, refused) = run(dir.path(), None, &told);
    assert_eq!(came, Came::Distrust, "{refused}");
    assert!(
        refused.contains("The socket to Slack cannot be opened")
            && refused.contains("the certificate is not trusted")
            && refused.contains("SSL_CERT_FILE"),
        "{refused}"
    );
    let (came, trusted) = run(dir.path(), Some(&dir.path().join("ca.pem")), &told);
    assert_eq!(
        came,
        Came::Acknowledged(r#"{"envelope_id":"E-7"}"#.into()),
        "{trusted}"
    );
    assert!(!refused.contains("geheim") && !trusted.contains("geheim"));
}
