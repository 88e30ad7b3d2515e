//! The token for `/metrics`, for what collects metrics and cannot sign: Prometheus has `authorization.credentials_file`.
//!
//! It opens nothing else. Of the token its SHA-256 is kept.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::config::MetricsConfig;
use crate::error::{Code, Problem};
use crate::private::{self, Exposure};

/// The shortest token that is accepted, in bytes.
const MIN_TOKEN: usize = 16;
/// A file that is longer than this holds something else.
const MAX_FILE: u64 = 4096;

/// Why a file of a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error(
        "metrics.token_file: cannot read {}: {source}. `(umask 077; openssl rand -hex 32 > {})` makes one", file.display(),
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others can read it.
    #[error("metrics.token_file: {} can be read by others ({who}): {}", file.display(), private::close_file(file))]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Who can.
        who: Exposure,
    },
    /// It holds no token.
    #[error(
        "metrics.token_file: {} holds no token: one line of {MIN_TOKEN} printable characters of ASCII or more, without spaces",
        file.display()
    )]
    NoToken {
        /// The file.
        file: PathBuf,
    },
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Reads the token that the configuration names.
    ///
    /// # Errors
    /// Its file cannot be used.
    pub fn read(config: &MetricsConfig) -> Result<Option<Self>, TokenFileError> {
        config.token_file.as_deref().map(of_file).transpose()
    }
}

fn of_file(file: &Path) -> Result<TokenDigest, TokenFileError> {
    let unreadable = |source| TokenFileError::Unreadable { file: file.to_owned(), source };
    let opened = File::open(file).map_err(unreadable)?;
    if let Some(who) = private::exposed(&opened).map_err(unreadable)? {
        return Err(TokenFileError::Exposed { file: file.to_owned(), who });
    }
    let mut text = Zeroizing::new(Vec::new());
    opened.take(MAX_FILE + 1).read_to_end(&mut text).map_err(unreadable)?;
    let token = text.trim_ascii();
    if text.len() as u64 > MAX_FILE || token.len() < MIN_TOKEN || !token.iter().all(u8::is_ascii_graphic) {
        return Err(TokenFileError::NoToken { file: file.to_owned() });
    }
    Ok(TokenDigest::of(token))
}

/// The token that is in force.
#[derive(Debug, Default)]
pub struct MetricsToken(RwLock<Option<TokenDigest>>);

impl MetricsToken {
    /// This one, or none.
    pub fn new(token: Option<TokenDigest>) -> Self {
        Self(RwLock::new(token))
    }

    /// From now on it is this one.
    pub fn follow(&self, token: Option<TokenDigest>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Whether a request shows the token; `false` if it shows none.
    ///
    /// # Errors
    /// It is another one.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> Result<bool, Problem> {
        let Some(shown) = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())) else {
            return Ok(false);
        };
        let Some(TokenDigest(token)) = *self.0.read().unwrap_or_else(PoisonError::into_inner) else {
            let detail = "No token opens /metrics here: `token_file` of [metrics] names the file of one. A signature with the \
                          scope `read` does.";
            return Err(Problem::new(Code::TokenInvalid, detail));
        };
        if bool::from(TokenDigest::of(shown).0.ct_eq(&token)) {
            return Ok(true);
        }
        let detail = "The token is not that of `token_file` of [metrics], as it was when the gateway last read it: `bridge32 reload` \
                      has it read again.";
        Err(Problem::new(Code::TokenInvalid, detail))
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 §2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(text: &str, mode: u32) -> Result<Option<TokenDigest>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        TokenDigest::read(&MetricsConfig { token_file: Some(file) }).map_err(|error| error.to_string())
    }

    fn shown(token: Option<TokenDigest>, value: &str) -> Result<bool, &'static str> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        MetricsToken::new(token).is_shown(&headers).map_err(|problem| problem.code().name())
    }

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn the_token_of_the_file_opens_and_no_other_does() {
        let token = written(&format!("{TOKEN}\n"), 0o600).unwrap();
        assert_eq!(shown(token, &format!("Bearer {TOKEN}")), Ok(true));
        assert_eq!(shown(token, &format!("bearer  {TOKEN}")), Ok(true));
        for wrong in ["Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcdef0"] {
            assert_eq!(shown(token, wrong), Err("token_invalid"), "{wrong}");
        }
        assert_eq!(shown(None, &format!("Bearer {TOKEN}")), Err("token_invalid"));
        assert_eq!(shown(token, "Basic dTpw"), Ok(false));
        assert!(!MetricsToken::new(token).is_shown(&HeaderMap::new()).unwrap());
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_no_token_is_refused() {
        assert!(written(TOKEN, 0o644).unwrap_err().contains("can be read by others (mode 0644): chmod 600"));
        for none in ["", "short", "two words of a text", "fünfzehn-zeichen"] {
            let error = written(none, 0o600).unwrap_err();
            assert!(error.contains("holds no token") && (none.is_empty() || !error.contains(none)), "{error}");
        }
        let missing = MetricsConfig { token_file: Some("/nowhere/token".into()) };
        assert!(TokenDigest::read(&missing).unwrap_err().to_string().contains("umask 077"));
        assert_eq!(TokenDigest::read(&MetricsConfig::default()).unwrap(), None);
    }
}
