//! `[dashboard]`: how people sign in at a browser.

use std::time::Duration;

use super::document::DashboardDocument;
use super::{ConfigError, Context, values};
use crate::auth::sessions::Password;

const DEFAULT_SESSION: Duration = Duration::from_hours(12);
const LONGEST_SESSION: Duration = Duration::from_hours(30 * 24);

/// How people sign in.
#[derive(Clone, Debug)]
pub struct DashboardConfig {
    /// The password, if there is one; links sign in as well.
    pub password: Option<Password>,
    /// How long somebody stays signed in.
    pub session: Duration,
}

impl Context<'_> {
    pub(super) fn dashboard(&self, document: &DashboardDocument) -> Result<DashboardConfig, ConfigError> {
        let wrong = |key: &str, message: String| self.wrong(format!("dashboard.{key}"), message);
        let password = document.password.as_deref().map(Password::parse).transpose();
        let session = document.session.as_deref().map_or(Ok(DEFAULT_SESSION), values::duration);
        let session = session.map_err(|message| wrong("session", message))?;
        if session > LONGEST_SESSION {
            return Err(wrong("session", "is too long: at most \"720h\", which are 30 days".to_owned()));
        }
        Ok(DashboardConfig { password: password.map_err(|message| wrong("password", message))?, session })
    }
}
