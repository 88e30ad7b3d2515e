//! `[telemetry]`, where spans of calls are sent, and `[log]`, how the log is written.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Uri};
use tracing_subscriber::EnvFilter;

use super::document::{LogDocument, TelemetryDocument};
use super::{ConfigError, Context, values};

/// Where spans of calls are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryConfig {
    /// The collector, without `/v1/traces`; `None` if nothing is sent.
    pub endpoint: Option<String>,
    /// What each request to it has besides. They may have passwords.
    pub headers: BTreeMap<String, String>,
    /// Which part of the calls is sent, 0 to 1, of those whose client says nothing about that.
    pub sample_ratio: f64,
    /// By which name the collector knows this gateway.
    pub service_name: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { endpoint: None, headers: BTreeMap::new(), sample_ratio: 1.0, service_name: "bridge32".to_owned() }
    }
}

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is logged, as `BRIDGE32_LOG` says it.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: "info".to_owned() }
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Words.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

impl LogFormat {
    const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// As the configuration names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Context<'_> {
    pub(super) fn telemetry(&self, document: &TelemetryDocument) -> Result<TelemetryConfig, ConfigError> {
        let wrong = |key: &str, message: &str| self.wrong(format!("telemetry.{key}"), message);
        let default = TelemetryConfig::default();
        let endpoint = document.endpoint.as_deref().map(|endpoint| {
            let endpoint = endpoint.trim_end_matches('/');
            let uri = endpoint.parse::<Uri>().ok();
            let is_url = uri.as_ref().is_some_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none()
            });
            let has_user = uri.as_ref().and_then(Uri::authority).is_some_and(|authority| authority.as_str().contains('@'));
            if has_user {
                // Addresses are shown: a password does not belong there.
                return Err(wrong("endpoint", "has a user or a password in it: give them as a header, such as telemetry.headers = { authorization = \"Basic …\" }"));
            }
            let unknown = "is no URL of an OpenTelemetry collector, such as \"http://127.0.0.1:4318\"; `/v1/traces` is added to it";
            if is_url { Ok(endpoint.to_owned()) } else { Err(wrong("endpoint", unknown)) }
        });
        for (name, value) in &document.headers {
            // The value may be a password: it stands in no message.
            if HeaderName::try_from(name.as_str()).is_err() || HeaderValue::try_from(value.as_str()).is_err() {
                return Err(wrong(
                    "headers",
                    &format!("`{name}` is no header of a request, or its value cannot be sent"),
                ));
            }
        }
        let sample_ratio = document.sample_ratio.unwrap_or(default.sample_ratio);
        if !(0.0..=1.0).contains(&sample_ratio) {
            return Err(wrong("sample_ratio", "is a number from 0 (none) to 1 (all), such as 0.1"));
        }
        let service_name = document.service_name.clone().unwrap_or(default.service_name);
        if service_name.trim().is_empty() {
            return Err(wrong("service_name", "is empty: give a name, such as \"bridge32\""));
        }
        Ok(TelemetryConfig {
            endpoint: endpoint.transpose()?,
            headers: document.headers.clone(),
            sample_ratio,
            service_name,
        })
    }

    pub(super) fn log(&self, document: &LogDocument) -> Result<LogConfig, ConfigError> {
        let format = document.format.as_deref().map_or(Ok(LogFormat::default()), |name| {
            let known = LogFormat::ALL.into_iter().find(|known| known.name() == name);
            let near = values::suggestion(name, &LogFormat::ALL.map(LogFormat::name));
            known.ok_or_else(|| self.wrong("log.format", format!("is `{name}`, and can be \"text\" or \"json\"{near}")))
        })?;
        let level = document.level.clone().unwrap_or(LogConfig::default().level);
        EnvFilter::try_new(&level).map_err(|error| {
            let text = format!("is `{level}`, which is no level such as \"info\" or \"warn,library=info\": {error}");
            self.wrong("log.level", text)
        })?;
        Ok(LogConfig { format, level })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn telemetry(text: &str) -> Result<TelemetryConfig, String> {
        let document: TelemetryDocument = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        Context { file: Path::new("bridge32.toml") }.telemetry(&document).map_err(|error| error.to_string())
    }

    fn log(text: &str) -> Result<LogConfig, String> {
        let document: LogDocument = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        Context { file: Path::new("bridge32.toml") }.log(&document).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_sent_and_the_log_is_text_unless_something_else_is_said() {
        assert_eq!(telemetry(""), Ok(TelemetryConfig::default()));
        assert_eq!(log(""), Ok(LogConfig::default()));
        let read = telemetry(
            "endpoint = \"https://otel.example:4318/\"\nsample_ratio = 0.25\nservice_name = \"till\"\n\
             headers = { authorization = \"Bearer x\" }",
        )
        .unwrap();
        assert_eq!(read.endpoint.as_deref(), Some("https://otel.example:4318"));
        assert_eq!((read.service_name.as_str(), read.headers["authorization"].as_str()), ("till", "Bearer x"));
        let read = log("format = \"json\"\nlevel = \"warn,library=info\"").unwrap();
        assert_eq!((read.format, read.level.as_str()), (LogFormat::Json, "warn,library=info"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_key() {
        for (text, key) in [
            ("endpoint = \"127.0.0.1:4318\"", "telemetry.endpoint"),
            ("endpoint = \"grpc://127.0.0.1:4317\"", "telemetry.endpoint"),
            ("sample_ratio = 1.5", "telemetry.sample_ratio"),
            ("sample_ratio = nan", "telemetry.sample_ratio"),
            ("service_name = \" \"", "telemetry.service_name"),
            ("headers = { authorization = \"hunter2\\n\" }", "telemetry.headers"),
            ("protocol = \"grpc\"", "unknown field"),
        ] {
            let error = telemetry(text).unwrap_err();
            assert!(error.contains(key) && !error.contains("hunter2"), "{text}: {error}");
        }
        assert!(log("format = \"jsonl\"").unwrap_err().contains("log.format"));
        assert!(log("level = \"info=loud=\"").unwrap_err().contains("log.level"));
    }
}
