//! The only place where a fault becomes an HTTP status: every error answer is a [`Problem`] (RFC 9457).
//!
//! What the client reads and what the log reads are separate: an internal error says nothing outside.

mod failures;
mod sessions;

pub use failures::CallProblem;

use std::fmt::Display;
use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bridge32_interface::Diagnostic;
use bridge32_protocol::wire::CrashRecord;
use bridge32_signature::SignatureError;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::agents::client::ClientError;
use crate::agents::{Crash, RegisterError};
use crate::dispatch::{ArgumentsError, Execution, Failure};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $name:literal, $title:literal;)*) => {
        /// What went wrong: the stable `code` of a problem document.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each has its title below")]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All of them, for the document of the API.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in the problem document.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The same short text for every problem of the kind.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    MalformedRequest = BAD_REQUEST, "malformed_request", "The request cannot be read";
    SignatureMissing = UNAUTHORIZED, "signature_missing", "The request is not signed";
    SignatureInvalid = UNAUTHORIZED, "signature_invalid", "The signature does not fit the request";
    SignatureExpired = UNAUTHORIZED, "signature_expired", "The signature is too old, or of the future";
    SignatureReplayed = UNAUTHORIZED, "signature_replayed", "The signature was used before";
    DigestMismatch = UNAUTHORIZED, "digest_mismatch", "The body is not the one that was signed";
    UnknownKey = UNAUTHORIZED, "unknown_key", "The key is not known";
    TokenInvalid = UNAUTHORIZED, "token_invalid", "The token is not the right one";
    SessionEnded = UNAUTHORIZED, "session_ended", "The session has ended";
    SignInFailed = UNAUTHORIZED, "sign_in_failed", "The sign-in failed";
    Forbidden = FORBIDDEN, "forbidden", "Not allowed";
    CsrfTokenInvalid = FORBIDDEN, "csrf_token_invalid", "The page's token is missing";
    NotFound = NOT_FOUND, "not_found", "There is nothing here";
    UnknownLibrary = NOT_FOUND, "unknown_library", "There is no such library";
    UnknownFunction = NOT_FOUND, "unknown_function", "The library has no such function";
    UnknownVariable = NOT_FOUND, "unknown_variable", "The library has no such variable";
    UnknownHandle = NOT_FOUND, "unknown_handle", "There is no such block of memory";
    UnknownCall = NOT_FOUND, "unknown_call", "There is no such call";
    UnknownCallback = NOT_FOUND, "unknown_callback", "There is no such callback";
    UnknownSession = NOT_FOUND, "unknown_session", "There is no such session";
    UnknownReport = NOT_FOUND, "unknown_report", "There is no such crash report";
    UnknownAgent = NOT_FOUND, "unknown_agent", "There is no such agent";
    NotAcceptable = NOT_ACCEPTABLE, "not_acceptable", "The answer cannot be of that type";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Not with this method";
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "The request came too slowly";
    SignInNotNeeded = CONFLICT, "sign_in_not_needed", "Nobody has to sign in";
    StaleGeneration = CONFLICT, "stale_generation", "This start of the agent is over";
    AgentTaken = CONFLICT, "agent_taken", "The agent's id is in use";
    ExternalAgent = CONFLICT, "external_agent", "Somebody else starts this agent";
    ReloadRunning = CONFLICT, "reload_running", "It is being reloaded already";
    ProtocolMismatch = CONFLICT, "protocol_mismatch", "Agent and gateway are of different versions";
    Cancelled = CONFLICT, "cancelled", "The call was cancelled";
    CallEnded = CONFLICT, "call_ended", "The call has ended";
    NotReplayable = CONFLICT, "not_replayable", "This call cannot be repeated";
    StaleHandle = GONE, "stale_handle", "The handle is not valid any more";
    SessionLost = GONE, "session_lost", "The session's process has ended";
    AnswerGone = GONE, "answer_gone", "The answer is not there any more";
    PayloadTooLarge = PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is of the wrong type";
    ArgumentMismatch = UNPROCESSABLE_ENTITY, "argument_mismatch", "The arguments do not fit the function";
    ConventionMismatch = UNPROCESSABLE_ENTITY, "convention_mismatch", "The declaration does not fit the function";
    BufferOverrun = UNPROCESSABLE_ENTITY, "buffer_overrun", "The library wrote past the end of a buffer";
    UnsupportedDeclaration = UNPROCESSABLE_ENTITY, "unsupported_declaration", "This declaration cannot be called";
    InvalidPrototype = UNPROCESSABLE_ENTITY, "invalid_prototype", "The prototype cannot be read";
    InvalidInterface = UNPROCESSABLE_ENTITY, "invalid_interface", "The header cannot replace the interface";
    LoadFailed = UNPROCESSABLE_ENTITY, "load_failed", "The library could not be loaded";
    ReloadFailed = UNPROCESSABLE_ENTITY, "reload_failed", "What is new does not work";
    InvalidConfiguration = UNPROCESSABLE_ENTITY, "invalid_configuration", "The configuration cannot be used";
    WrongRuntime = UNPROCESSABLE_ENTITY, "wrong_runtime", "The agent is of the wrong kind";
    IdempotencyMismatch = UNPROCESSABLE_ENTITY, "idempotency_mismatch", "The idempotency key is of another request";
    BatchStopped = FAILED_DEPENDENCY, "batch_stopped", "An earlier call of the batch failed";
    RateLimited = TOO_MANY_REQUESTS, "rate_limited", "Too many requests";
    ConcurrencyLimited = TOO_MANY_REQUESTS, "concurrency_limited", "Too many requests at once";
    QueueFull = TOO_MANY_REQUESTS, "queue_full", "Too many calls wait for this library";
    SessionLimit = TOO_MANY_REQUESTS, "session_limit", "Too many sessions";
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "The headers are too large";
    SignInLocked = TOO_MANY_REQUESTS, "sign_in_locked", "Too many attempts to sign in";
    Internal = INTERNAL_SERVER_ERROR, "internal_error", "The gateway failed";
    AgentCrashed = BAD_GATEWAY, "agent_crashed", "The library's process ended";
    AgentRestarted = BAD_GATEWAY, "agent_restarted", "The library's process was ended by the bridge";
    UndecodableText = BAD_GATEWAY, "undecodable_text", "The library gave back text in another encoding";
    NoAgent = SERVICE_UNAVAILABLE, "no_agent", "Nobody can run this call now";
    HistoryUnavailable = SERVICE_UNAVAILABLE, "history_unavailable", "No call can be kept now";
    OutOfMemory = SERVICE_UNAVAILABLE, "out_of_memory", "The library's process has not enough memory";
    BulkUnavailable = SERVICE_UNAVAILABLE, "bulk_unavailable", "Large buffers cannot be passed now";
    DeadlineExceeded = GATEWAY_TIMEOUT, "deadline_exceeded", "The call took too long";
}

/// A problem document: what a client is told.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    pointer: Option<String>,
    call_id: Option<Uuid>,
    execution: Option<Execution>,
    retry_after: Option<u32>,
    crash: Option<Arc<Crash>>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct Document<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<Execution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crash: Option<&'a CrashRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    diagnostics: &'a [Diagnostic],
    #[serde(skip_serializing_if = "Option::is_none")]
    server_time: Option<i64>,
}

/// What a signature of a client must cover and say, in the form in which it could be asked for (RFC 9421 §5).
const SIGNATURE_WANTED: &str =
    "sig1=(\"@method\" \"@authority\" \"@target-uri\" \"content-digest\");created;alg=\"hmac-sha256\"";

impl Problem {
    /// A problem with the text that tells a person what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            code,
            detail,
            pointer: None,
            call_id: None,
            execution: None,
            retry_after: None,
            crash: None,
            diagnostics: Vec::new(),
        }
    }

    /// A failure of ours: the log gets the reason, the client does not.
    pub fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(Code::Internal, "The gateway's log has the reason.")
    }

    /// Files of large buffers cannot be written or read.
    pub fn without_room_for_buffers(error: &std::io::Error) -> Self {
        tracing::error!(%error, "a large buffer cannot be passed through a file");
        let detail = format!(
            "The files that large buffers go through cannot be used: {error}. `bulk_dir` in the configuration names their folder, which \
             must have room for them; in JSON a call can be made now."
        );
        Self::new(Code::BulkUnavailable, detail).with_retry_after(5)
    }

    /// A problem of a call.
    pub fn of_call(id: Uuid, failure: Failure) -> Self {
        let execution = failure.execution();
        Self { call_id: Some(id), execution: Some(execution), ..Self::from(failure) }
    }

    /// A problem of a call that may have run.
    pub fn about_call(id: Uuid, code: Code, detail: String) -> Self {
        Self { call_id: Some(id), execution: Some(Execution::MayHaveRun), ..Self::new(code, detail) }
    }

    /// The same, of a call that has run.
    #[must_use]
    pub fn has_run(mut self) -> Self {
        self.execution = Some(Execution::Ran);
        self
    }

    /// The kind of problem.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The text.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// In how many seconds it makes sense to try again, if that is known.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// Points to the place in the body of the request, as RFC 6901 says.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The agent sees arguments alone; in the body of the request they stand at `prefix`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.pointer = self.pointer.map(|pointer| format!("{prefix}{pointer}"));
        self
    }

    /// What it points to is not in the body of the request.
    #[must_use]
    pub fn without_pointer(mut self) -> Self {
        self.pointer = None;
        self
    }

    /// Where it points to.
    pub fn pointer(&self) -> Option<&str> {
        self.pointer.as_deref()
    }

    /// The same under another code, where what the agent says means something else to the client.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// The same with another text, for those whom a failure of ours tells what they can do.
    #[must_use]
    pub fn because(mut self, detail: String) -> Self {
        self.detail = detail;
        self
    }

    /// What is wrong with the C text of the request.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    /// What is wrong with the C text of the request.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The document's JSON text.
    pub fn to_json(&self) -> Vec<u8> {
        let record = self.crash.as_ref().map(|crash| &crash.record);
        let document = Document {
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.name(),
            detail: &self.detail,
            pointer: self.pointer.as_deref(),
            call_id: self.call_id,
            execution: self.execution,
            crash: record.filter(|record| **record != CrashRecord::default()),
            report: self.crash.as_ref().and_then(|crash| crash.report.as_deref()),
            diagnostics: &self.diagnostics,
            // Most often a clock is to blame.
            server_time: self.is_about_credentials().then(|| Timestamp::now().as_second()),
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }

    fn is_about_credentials(&self) -> bool {
        self.code.status() == StatusCode::UNAUTHORIZED
    }

    /// What every 401 says of how to be let in.
    fn invite(&self, headers: &mut HeaderMap) {
        if self.is_about_credentials() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Signature realm=\"bridge32\""));
            if self.code == Code::TokenInvalid {
                headers.append(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"bridge32\", error=\"invalid_token\""),
                );
            }
            let wanted = HeaderName::from_static("accept-signature");
            headers.insert(wanted, HeaderValue::from_static(SIGNATURE_WANTED));
        }
    }

    /// When it makes sense to try again, in seconds from now.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), self.to_json()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.invite(response.headers_mut());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        // For those who show it in another way, such as a page.
        response.extensions_mut().insert(self);
        response
    }
}

/// An agent that cannot be asked is about to be started again.
impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Failure::NoAgent { reason: error.to_string(), retry: true }.into()
    }
}

impl From<ArgumentsError> for Problem {
    fn from(error: ArgumentsError) -> Self {
        Self::new(Code::MalformedRequest, error.to_string())
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        let code = match error {
            RegisterError::Stale { .. } => Code::StaleGeneration,
            RegisterError::Taken => Code::AgentTaken,
            RegisterError::WrongRuntime { .. } => Code::WrongRuntime,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        let code = match error {
            SignatureError::Missing => Code::SignatureMissing,
            SignatureError::Expired { .. } => Code::SignatureExpired,
            SignatureError::Replayed => Code::SignatureReplayed,
            SignatureError::Invalid(_) | SignatureError::Component(_) => Code::SignatureInvalid,
            SignatureError::Full => Code::RateLimited,
            SignatureError::DigestMismatch => Code::DigestMismatch,
            SignatureError::UnknownKey => Code::UnknownKey,
        };
        let remedy = match code {
            Code::SignatureMissing => {
                ". `bridge32 curl` signs and sends; docs/signing.md is for programs, /sign-in for browsers"
            }
            Code::SignatureInvalid => ". docs/signing.md has what goes wrong most often",
            Code::DigestMismatch => ": sign exactly the bytes that are sent",
            Code::UnknownKey => {
                ". Is it meant for another gateway, or was it revoked? `bridge32 keys list` shows which there are"
            }
            _ => "",
        };
        let problem = Self::new(code, format!("{error}{remedy}."));
        if code == Code::RateLimited { problem.with_retry_after(30) } else { problem }
    }
}

impl From<axum::extract::rejection::PathRejection> for Problem {
    fn from(rejection: axum::extract::rejection::PathRejection) -> Self {
        Self::new(Code::MalformedRequest, rejection.body_text())
    }
}

impl From<axum::extract::rejection::QueryRejection> for Problem {
    fn from(rejection: axum::extract::rejection::QueryRejection) -> Self {
        Self::new(Code::MalformedRequest, rejection.body_text())
    }
}

#[cfg(test)]
mod tests;
