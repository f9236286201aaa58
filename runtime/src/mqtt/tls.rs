//! TLS to a broker: whom we trust, who we are, from PEM files. Nothing here goes on where something is missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::config::Mqtt;

/// Why TLS, or a password, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file cannot be read.
    #[error("could not read `{key}` of [mqtt], {}", path.display())]
    Read {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It does not hold what it should.
    #[error("`{key}` of [mqtt], {}, holds no {expected}: {found}", path.display())]
    Pem {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// Files do not fit one another, or the system trusts nobody.
    #[error("TLS of [mqtt] cannot be set up ({what})")]
    Unfit {
        /// What was attempted.
        what: &'static str,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

/// A file of the configuration; a relative one lies among the service's credentials, if it has some.
fn place(path: &Path, credentials: Option<&Path>) -> PathBuf {
    match credentials {
        Some(folder) if path.is_relative() => folder.join(path),
        _ => path.to_owned(),
    }
}

fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, SecretError> {
    let path = place(path, credentials().as_deref());
    std::fs::read(&path).map_err(|source| SecretError::Read { key, path, source })
}

/// The password: the file's first line.
pub(super) fn password(path: &Path) -> Result<String, SecretError> {
    const KEY: &str = "password_file";
    let text = String::from_utf8(read(KEY, path)?).map_err(|_| SecretError::Pem {
        key: KEY,
        path: path.to_owned(),
        expected: "password",
        found: "it is not text".to_owned(),
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How TLS is spoken.
pub(super) fn config(mqtt: &Mqtt) -> Result<Arc<ClientConfig>, SecretError> {
    let unfit = |what| move |source| SecretError::Unfit { what, source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit("its versions"))?;
    let builder = match &mqtt.ca {
        Some(path) => {
            let mut trusted = rustls::RootCertStore::empty();
            for certificate in certificates("ca", path)? {
                trusted.add(certificate).map_err(unfit("the certificates of `ca`"))?;
            }
            builder.with_root_certificates(trusted)
        }
        None => builder.with_platform_verifier().map_err(unfit("whom the system trusts: name a file as `ca`"))?,
    };
    let mut config = match (&mqtt.cert, &mqtt.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates("cert", cert)?;
            let wrong = |found: String| SecretError::Pem {
                key: "key",
                path: key.clone(),
                expected: "private key in PEM",
                found,
            };
            let secret = PrivateKeyDer::from_pem_slice(&read("key", key)?).map_err(|error| wrong(error.to_string()))?;
            builder.with_client_auth_cert(chain, secret).map_err(unfit("`cert` and `key`"))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = mqtt.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    Ok(Arc::new(config))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SecretError> {
    let wrong = |found: String| SecretError::Pem { key, path: path.to_owned(), expected: "certificate in PEM", found };
    let bytes = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_relative_file_lies_among_the_credentials_of_a_service() {
        let credentials = Some(Path::new("/run/credentials/acclimate.service"));
        assert_eq!(place(Path::new("mqtt"), credentials), Path::new("/run/credentials/acclimate.service/mqtt"));
        assert_eq!(place(Path::new("/etc/mqtt"), credentials), Path::new("/etc/mqtt"));
        assert_eq!(place(Path::new("mqtt"), None), Path::new("mqtt"));
    }

    #[test]
    fn what_a_file_lacks_is_said_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let mqtt = Mqtt { ca: Some(file.clone()), ..Mqtt::default() };
        let error = crate::causes(&config(&mqtt).unwrap_err());
        assert!(error.contains("`ca` of [mqtt]") && error.contains("No such file"), "{error}");
        std::fs::write(&file, "nothing").unwrap();
        let error = config(&mqtt).unwrap_err().to_string();
        assert!(error.contains("no certificate in PEM"), "{error}");
        std::fs::write(&file, "one\nother\n").unwrap();
        assert_eq!(password(&file).unwrap(), "one");
    }
}
