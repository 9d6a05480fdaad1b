//! Secrets that the config names and never holds: in the environment or in a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

/// Returns the secret that a table names; `table` and `keys` are for messages, `env` and `file` what stands there.
///
/// # Errors
/// When neither is named or what is named is not there; the message says what to do.
pub fn named(
    table: &str,
    keys: (&str, &str),
    env: Option<&str>,
    file: Option<&Path>,
    base: &Path,
) -> Result<SecretString> {
    let text = text_of("token", table, keys, env, file, base)?;
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        bail!("the token that [{table}] names is empty or holds white space");
    }
    Ok(SecretString::from(text))
}

/// Returns the password that a table names by `password_env` or `password_file`; it may hold spaces.
///
/// # Errors
/// As [`named`].
pub fn password(
    table: &str,
    env: Option<&str>,
    file: Option<&Path>,
    base: &Path,
) -> Result<SecretString> {
    let keys = ("password_env", "password_file");
    let text = text_of("password", table, keys, env, file, base)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(['\r', '\n', '\0']) {
        bail!("the password that [{table}] names is empty or has more than one line");
    }
    Ok(SecretString::from(text))
}

/// Returns the text of a private key that a table names by `private_key_env` or `private_key_file`.
///
/// # Errors
/// As [`named`].
pub fn private_key(
    table: &str,
    env: Option<&str>,
    file: Option<&Path>,
    base: &Path,
) -> Result<SecretString> {
    let keys = ("private_key_env", "private_key_file");
    let text = text_of("private key", table, keys, env, file, base)?;
    Ok(SecretString::from(text))
}

/// Returns what stands in the variable or the file that a table names, as it stands there.
fn text_of(
    what: &str,
    table: &str,
    (env_key, file_key): (&str, &str),
    env: Option<&str>,
    file: Option<&Path>,
    base: &Path,
) -> Result<String> {
    match (env, file) {
        (Some(name), None) => std::env::var(name).ok().with_context(|| {
            format!("{env_key} under [{table}]: the environment variable {name} is not set")
        }),
        (None, Some(file)) => {
            let path: PathBuf = base.join(file);
            std::fs::read_to_string(&path).with_context(|| {
                format!("{file_key} under [{table}]: cannot read {}", path.display())
            })
        }
        (None, None) => bail!(
            "[{table}] names no {what}: set {env_key} to the name of an environment variable, or {file_key} to a file"
        ),
        (Some(_), Some(_)) => bail!("[{table}] names both {env_key} and {file_key}; keep one"),
    }
}

/// Where a secret stands, so that it can be read again when it has been replaced.
#[derive(Clone, Debug)]
pub struct Named {
    /// The table that names it, for messages.
    pub table: String,
    /// The keys for a variable and for a file.
    pub keys: (&'static str, &'static str),
    /// The variable.
    pub env: Option<String>,
    /// The file.
    pub file: Option<PathBuf>,
    /// The folder that relative paths start from.
    pub base: PathBuf,
}

impl Named {
    /// Reads the secret.
    ///
    /// # Errors
    /// As [`named`].
    pub fn read(&self) -> Result<SecretString> {
        named(
            &self.table,
            self.keys,
            self.env.as_deref(),
            self.file.as_deref(),
            &self.base,
        )
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn of(env: Option<&str>, file: Option<&str>, base: &Path) -> Result<String> {
        let keys = ("token_env", "token_file");
        let secret = named("connectors.office", keys, env, file.map(Path::new), base)?;
        assert!(!format!("{secret:?}").contains(secret.expose_secret()));
        Ok(secret.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_is_read_from_where_the_table_says_and_never_shown() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("token"), "geheim\n").unwrap();
        std::fs::write(base.path().join("two"), "ge heim").unwrap();
        assert_eq!(of(None, Some("token"), base.path()).unwrap(), "geheim");
        for (env, file, expected) in [
            (None, None, "[connectors.office] names no token"),
            (
                Some("NO_SUCH_VARIABLE"),
                None,
                "NO_SUCH_VARIABLE is not set",
            ),
            (Some("A"), Some("token"), "keep one"),
            (None, Some("missing"), "cannot read"),
            (None, Some("two"), "holds white space"),
        ] {
            let error = of(env, file, base.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("heim"), "{error}");
        }
    }

    #[test]
    fn a_password_may_hold_spaces_but_only_one_line() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("app"), "ab cd ef\n").unwrap();
        std::fs::write(base.path().join("two"), "ab\ncd\n").unwrap();
        let read = |file: &str| password("sinks.mail", None, Some(Path::new(file)), base.path());
        assert_eq!(read("app").unwrap().expose_secret(), "ab cd ef");
        assert!(read("two").unwrap_err().to_string().contains("one line"));
        let none = password("sinks.mail", None, None, base.path()).unwrap_err();
        assert!(none.to_string().contains("names no password"));
    }
}
