//! A collector of OpenTelemetry data that takes spans over HTTP and keeps them for the test, each as its protobuf says it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
pub use opentelemetry_proto::tonic::trace::v1::Span;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
pub use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

use crate::within;

/// Seconds until spans must be there: the gateway sends them after a second at the latest.
const ARRIVAL: f64 = 10.0;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The first line, without the version.
    pub target: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What it carried.
    pub traces: ExportTraceServiceRequest,
}

/// The collector. It goes on until the test's process ends.
#[derive(Debug)]
pub struct Collector {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Collector {
    /// Starts one on a port of the system's choice.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(Mutex::default());
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || converse(&stream, &kept));
            }
        });
        Self { endpoint, requests }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no request panics").clone()
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests();
        let resources = requests.into_iter().flat_map(|request| request.traces.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Waits until there is a span with that attribute, and gives all of its trace, in the order in which they began.
    pub fn trace(&self, name: &str, value: &str) -> Vec<Span> {
        let mut spans = within(ARRIVAL, &format!("a span with {name}={value}"), || {
            let spans = self.spans();
            let trace = spans.iter().find(|span| attribute(span, name).as_deref() == Some(value))?.trace_id.clone();
            Some(spans.into_iter().filter(|span| span.trace_id == trace).collect::<Vec<_>>())
        });
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }
}

/// An attribute of a span, as text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    value(&span.attributes, name)
}

/// An attribute of a list, as text.
pub fn value(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|pair| pair.key == name)?;
    Some(match found.value.clone()? {
        AnyValue { value: Some(Value::StringValue(text)) } => text,
        AnyValue { value: Some(Value::IntValue(number)) } => number.to_string(),
        other => panic!("`{name}` is {other:?}"),
    })
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Answers the requests of one connection.
fn converse(stream: &TcpStream, kept: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(length) if length > 0 => {}
                _ => return,
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let target = lines.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
        let header =
            |line: String| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let headers: Vec<_> = lines.into_iter().filter_map(header).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
        let mut body = vec![0; length.parse().expect("a length")];
        reader.read_exact(&mut body).expect("the whole body comes");
        let traces = ExportTraceServiceRequest::decode(&body[..]).expect("it is the protobuf of spans");
        kept.lock().expect("no request panics").push(Request { target, headers, traces });
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        let mut stream = stream;
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
