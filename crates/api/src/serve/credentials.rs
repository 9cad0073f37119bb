//! What the server shows to clients (a certificate, and the authority that signed it) and what clients
//! show to the server (a bearer token): made at first start, kept in the data folder.
//!
//! | file in the data folder | holds |
//! |---|---|
//! | `pki/ca.crt`, `pki/ca.key` | the authority's certificate and key |
//! | `pki/server.pem` | the server's certificate and key |
//! | `token` | the bearer token |

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{keep_private, write_private};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The server's certificate lasts a year, as the ones that kubeadm makes.
const SERVER_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The authority outlives every data folder: kubeconfigs that were handed out stay valid.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Renewed at a start this long before the end.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Why there are no credentials. The texts name the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}; check its permissions, or name another folder with --data-dir", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The token that was given cannot stand in a header.
    #[error("the token given with --token must be of visible ASCII characters, without spaces")]
    Token,
    /// A name that was given cannot stand in a certificate, or the like.
    #[error("cannot make the server's certificate: {0}")]
    Certificate(String),
}

impl From<rcgen::Error> for CredentialError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// A bearer token. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token that a person chose.
    pub fn new(text: impl Into<String>) -> Result<Self, CredentialError> {
        let text = text.into();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Token);
        }
        Ok(Self(text))
    }

    /// 256 random bits.
    fn random() -> Result<Self, CredentialError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| CredentialError::Certificate(error.to_string()))?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What follows `Bearer` in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The certificates and the token of a server.
#[derive(Clone, Debug)]
pub struct Credentials {
    ca_pem: String,
    tls: Arc<ServerConfig>,
    token: Token,
}

impl Credentials {
    /// New ones, kept nowhere. `names` are host names and addresses, see [`Self::names`].
    pub fn ephemeral(names: &[String], token: Option<Token>) -> Result<Self, CredentialError> {
        let authority = Authority::new()?;
        let server = authority.sign(names)?;
        let tls = config(&authority.pem, &server, names, SystemTime::now())
            .map_err(CredentialError::Certificate)?;
        let token = token.map_or_else(Token::random, Ok)?;
        Ok(Self { ca_pem: authority.pem, tls, token })
    }

    /// The ones of a data folder, made where they are missing. The server's certificate is made anew when
    /// it is about to expire or does not cover `names`. A token that is given is used, and not stored.
    pub fn load_or_create(
        folder: &Path,
        names: &[String],
        token: Option<Token>,
    ) -> Result<Self, CredentialError> {
        let pki = folder.join("pki");
        create_private(folder)?;
        create_private(&pki)?;
        let (ca_pem, tls) = load_or_sign(&pki, names)?;
        let token = match token {
            Some(token) => token,
            None => load_or_create_token(&folder.join("token"))?,
        };
        Ok(Self { ca_pem, tls, token })
    }

    /// The names of a server: loopback, what it listens on, and those by which pods know the API. The
    /// service addresses are those of the Service `kubernetes`.
    pub fn names(listen: IpAddr, domain: &str, services: &[IpAddr]) -> Vec<String> {
        let domain = domain.trim_end_matches('.');
        let mut names = vec![
            "localhost".to_owned(),
            "kubernetes".to_owned(),
            "kubernetes.default".to_owned(),
            "kubernetes.default.svc".to_owned(),
            format!("kubernetes.default.svc.{domain}"),
        ];
        let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        ips.push(listen);
        ips.extend(services);
        for ip in ips {
            let name = ip.to_string();
            if !ip.is_unspecified() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The authority's certificate, for clients.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What clients must show.
    pub fn token(&self) -> &Token {
        &self.token
    }

    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        self.tls.clone()
    }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> CredentialError {
    move |source| CredentialError::File { path: path.to_owned(), source }
}

fn create_private(folder: &Path) -> Result<(), CredentialError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(file_error(folder))
}

/// A file's text; `None` when it is missing or is no text.
fn read(path: &Path) -> Result<Option<String>, CredentialError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        keep_private(&file, path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}

fn load_or_create_token(path: &Path) -> Result<Token, CredentialError> {
    if let Some(Ok(token)) = read(path)?.map(|text| Token::new(text.trim_end())) {
        return Ok(token);
    }
    let token = Token::random()?;
    write_private(path, format!("{}\n", token.as_str()).as_bytes()).map_err(file_error(path))?;
    Ok(token)
}

fn load_or_sign(
    pki: &Path,
    names: &[String],
) -> Result<(String, Arc<ServerConfig>), CredentialError> {
    let (certificate, key, server) =
        (pki.join("ca.crt"), pki.join("ca.key"), pki.join("server.pem"));
    let write =
        |path: &Path, text: &str| write_private(path, text.as_bytes()).map_err(file_error(path));
    let now = SystemTime::now();
    if let (Some(ca_pem), Some(ca_key)) = (read(&certificate)?, read(&key)?) {
        if let Some(server_pem) = read(&server)?
            && let Ok(tls) = config(&ca_pem, &server_pem, names, now + RENEWAL)
        {
            return Ok((ca_pem, tls));
        }
        // What a hand or a crash has torn apart fails the check, and all of it is made anew.
        if let Ok(authority) = Authority::load(&ca_pem, &ca_key) {
            let server_pem = authority.sign(names)?;
            if let Ok(tls) = config(&ca_pem, &server_pem, names, now + RENEWAL) {
                write(&server, &server_pem)?;
                return Ok((ca_pem, tls));
            }
        }
        tracing::warn!(folder = %pki.display(), "the certificates there do not fit together; making new ones");
    }
    let authority = Authority::new()?;
    let server_pem = authority.sign(names)?;
    let tls =
        config(&authority.pem, &server_pem, names, now).map_err(CredentialError::Certificate)?;
    write(&key, &authority.key.serialize_pem())?;
    write(&certificate, &authority.pem)?;
    write(&server, &server_pem)?;
    Ok((authority.pem, tls))
}

/// The server's TLS settings, if a client that trusts the authority would accept the certificate for each
/// of the names at that time.
fn config(
    ca_pem: &str,
    server_pem: &str,
    names: &[String],
    at: SystemTime,
) -> Result<Arc<ServerConfig>, String> {
    fn text(error: impl fmt::Display) -> String {
        error.to_string()
    }
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(text)?;
    let certificate = CertificateDer::from_pem_slice(server_pem.as_bytes()).map_err(text)?;
    let key = PrivateKeyDer::from_pem_slice(server_pem.as_bytes()).map_err(text)?;
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());

    let mut roots = RootCertStore::empty();
    roots.add(ca).map_err(text)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(text)?;
    let at = at.duration_since(SystemTime::UNIX_EPOCH).map_err(text)?;
    for name in names {
        let name = ServerName::try_from(name.as_str()).map_err(|e| format!("{name}: {e}"))?;
        verifier
            .verify_server_cert(&certificate, &[], &name, &[], UnixTime::since_unix_epoch(at))
            .map_err(text)?;
    }

    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(text)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(text)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What signs the server's certificate.
struct Authority {
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Result<Self, CredentialError> {
        let key = KeyPair::generate()?;
        let pem = Self::params()?.self_signed(&key)?.pem();
        Ok(Self { pem, key })
    }

    fn load(pem: &str, key: &str) -> Result<Self, CredentialError> {
        Ok(Self { pem: pem.to_owned(), key: KeyPair::from_pem(key)? })
    }

    /// The same at each start but for its dates, so that an issuer can be had from the key alone.
    fn params() -> Result<CertificateParams, CredentialError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "headcount-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        last(&mut params, AUTHORITY_LIFETIME);
        Ok(params)
    }

    /// A server's certificate and its new key.
    fn sign(&self, names: &[String]) -> Result<String, CredentialError> {
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "headcount");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        last(&mut params, SERVER_LIFETIME);
        let key = KeyPair::generate()?;
        let issuer = Issuer::new(Self::params()?, &self.key);
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
    }
}

/// From yesterday (clocks differ) for this long.
fn last(params: &mut CertificateParams, lifetime: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + lifetime).into();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(domain: &str) -> Vec<String> {
        Credentials::names(
            "127.0.0.1".parse().unwrap(),
            domain,
            &["10.96.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
        )
    }

    #[test]
    fn names_of_a_server() {
        assert_eq!(
            names("cluster.local."),
            [
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "127.0.0.1",
                "::1",
                "10.96.0.1",
                "fd00::1",
            ]
        );
        let everywhere = Credentials::names("0.0.0.0".parse().unwrap(), "x.test", &[]);
        assert_eq!(everywhere.last().unwrap(), "::1", "an unspecified address is no name");
    }

    #[test]
    fn tokens() {
        let check = |text: &str, good: bool| assert_eq!(Token::new(text).is_ok(), good, "{text:?}");
        check("abc.DEF-123", true);
        check("", false);
        check("two words", false);
        check("line\n", false);
        check("ünicode", false);
        assert_eq!(Token::random().unwrap().as_str().len(), 43);
        assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "Token(…)");
    }

    /// The files of a data folder, and what a change of one brings at the next start.
    #[test]
    fn kept_and_renewed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        let open = |domain| Credentials::load_or_create(&folder, &names(domain), None).unwrap();
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let all = || ["pki/ca.crt", "pki/ca.key", "pki/server.pem", "token"].map(text);

        let first = open("cluster.local");
        let files = all();
        for name in ["pki/ca.crt", "pki/ca.key", "pki/server.pem", "token"] {
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        for name in [".", "pki"] {
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
        }
        let again = open("cluster.local");
        assert_eq!(all(), files);
        assert_eq!((again.ca_pem(), again.token()), (first.ca_pem(), first.token()));

        let other = open("other.test");
        assert_ne!(text("pki/server.pem"), files[2], "another domain: another certificate");
        assert_eq!(other.ca_pem(), first.ca_pem(), "of the same authority");

        let given = Token::new("given").unwrap();
        let with = Credentials::load_or_create(&folder, &names("other.test"), Some(given.clone()));
        assert_eq!(with.unwrap().token(), &given);
        assert_eq!(text("token"), files[3], "a given token is not stored");

        // Each file damaged or lost in turn: whole again at the next start.
        for name in ["pki/ca.crt", "pki/ca.key", "pki/server.pem", "token"] {
            for damage in ["", "not what it was\n\n", &files[1], &files[0]] {
                std::fs::write(folder.join(name), damage).unwrap();
                open("cluster.local");
                let now = all();
                open("cluster.local");
                assert_eq!(all(), now, "{name}: stable after one repair");
            }
            std::fs::remove_file(folder.join(name)).unwrap();
            open("cluster.local");
        }
    }

    #[test]
    fn an_expiring_certificate_is_not_accepted() {
        let names = names("cluster.local");
        let authority = Authority::new().unwrap();
        let server = authority.sign(&names).unwrap();
        let check = |at: SystemTime, good: bool| {
            assert_eq!(config(&authority.pem, &server, &names, at).is_ok(), good);
        };
        let now = SystemTime::now();
        check(now, true);
        check(now + RENEWAL, true);
        check(now + SERVER_LIFETIME + DAY, false);
        check(now - 2 * DAY, false);
        let other = Authority::new().unwrap();
        assert!(config(&other.pem, &server, &names, now).is_err(), "another authority");
        let more = [names.clone(), vec!["elsewhere.test".to_owned()]].concat();
        assert!(config(&authority.pem, &server, &more, now).is_err(), "a name not covered");
    }

    #[test]
    fn errors_name_the_file() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("file");
        std::fs::write(&folder, "").unwrap();
        let error = Credentials::load_or_create(&folder, &names("cluster.local"), None);
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains(&folder.display().to_string()) && text.contains("--data-dir"),
            "{text}"
        );
        let error = Credentials::ephemeral(&["bad name!".to_owned()], None).unwrap_err();
        assert!(error.to_string().contains("bad name!"), "{error}");
    }
}
