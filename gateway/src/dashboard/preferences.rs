//! `/preferences`: the language and the colours that somebody wants, kept in cookies of this browser. They are nobody's secret
//! and open nothing, so that the form needs no token; it works before anybody has signed in.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;

use super::language::Language;
use super::{lead_to, own_path};
use crate::auth::sessions::field;
use crate::error::Problem;

const LANGUAGE: &str = "bridge32-language";
const THEME: &str = "bridge32-theme";

/// For how many seconds a browser keeps them: a year.
const KEPT: u32 = 365 * 24 * 3600;

/// The colours of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The word for it in pages and cookies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one that the button changes to.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Auto,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

/// What somebody wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// The language of the pages.
    pub language: Language,
    /// Their colours.
    pub theme: Theme,
}

impl Preferences {
    /// Those of a request: its cookies', else what the browser says.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            language: cookie(headers, LANGUAGE)
                .and_then(Language::of_tag)
                .unwrap_or_else(|| Language::preferred(headers)),
            theme: cookie(headers, THEME).and_then(Theme::of_name).unwrap_or_default(),
        }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(given, value)| (given == name).then_some(value))
}

/// Keeps what was chosen, and leads back.
///
/// # Errors
/// None: what cannot be read is not kept.
pub async fn submit(body: Bytes) -> Result<Response, Problem> {
    let next = field(&body, "next");
    let mut response = lead_to(own_path(next.as_deref()))?;
    let language = field(&body, "language").and_then(|tag| Language::of_tag(&tag));
    let theme = field(&body, "theme").and_then(|name| Theme::of_name(&name));
    let chosen = [(LANGUAGE, language.map(Language::tag)), (THEME, theme.map(Theme::name))];
    for (name, value) in chosen {
        let Some(value) = value else { continue };
        let line = format!("{name}={value}; Path=/; Max-Age={KEPT}; SameSite=Lax; HttpOnly");
        response.headers_mut().append(SET_COOKIE, HeaderValue::try_from(line).map_err(Problem::internal)?);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use axum::http::header::LOCATION;

    use super::*;

    fn of(cookies: &str, accept: &str) -> Preferences {
        let headers = [("cookie", cookies), ("accept-language", accept)];
        Preferences::of(&headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
    }

    #[test]
    fn what_was_chosen_goes_before_what_the_browser_says() {
        assert_eq!(
            of("a=b; bridge32-language=en; bridge32-theme=dark", "zh"),
            Preferences { language: Language::English, theme: Theme::Dark }
        );
        let usual = Preferences { language: Language::Chinese, theme: Theme::Auto };
        assert_eq!(of("bridge32-language=xx; bridge32-theme=", "zh"), usual);
    }

    #[tokio::test]
    async fn a_choice_is_kept_and_leads_back_to_a_page_of_ours() {
        let response = submit(Bytes::from_static(b"language=zh&theme=none&next=%2Fcalls%3Fa%3Db")).await.unwrap();
        assert_eq!(response.headers()[LOCATION], "/calls?a=b");
        let lines: Vec<&HeaderValue> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(lines, ["bridge32-language=zh; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly"]);
        let elsewhere = submit(Bytes::from_static(b"theme=dark&next=//evil.example")).await.unwrap();
        assert_eq!(elsewhere.headers()[LOCATION], "/");
    }
}
