//! Where the gateway listens: whether its addresses can be had, who has them otherwise, and its certificate.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use super::finding::Findings;
use super::ports;
use super::running::{self, Gateway};
use crate::config::{Config, Listen, Scheme};
use crate::listeners::{Certificate, CertificateError};
use crate::private;

const PAGE: &str = "docs/listeners.md";

/// Looks at them, and gives the gateway that runs there, if one does.
pub(super) fn examine(config: &Config, findings: &mut Findings) -> Option<Gateway> {
    findings.begin("listeners");
    certificate(config, findings);
    for remark in config.listeners.remarks() {
        let remedy = format!("see `listen` and [tls] in {}", config.file.display());
        findings.warning("listeners", remark).remedy(remedy).see(PAGE);
    }
    // Plain ones first: they can be asked, and say so of the others.
    let (plain, tls): (Vec<Listen>, Vec<Listen>) =
        config.listeners.listen.iter().partition(|listen| listen.scheme == Scheme::Http);
    let mut running: Option<Gateway> = None;
    for listen in plain.into_iter().chain(tls) {
        let found = address(listen, config, running.is_some(), findings);
        if running.as_ref().is_none_or(|known| known.libraries.is_none()) {
            running = found.or(running);
        }
    }
    running
}

fn certificate(config: &Config, findings: &mut Findings) {
    let Some(files) = config.listeners.tls_in_use() else { return };
    match Certificate::open(files) {
        Ok(certificate) => match certificate.doubt() {
            None => findings.ok("tls", format!("{} and its key fit", files.certificate.display())),
            Some(doubt) => {
                let remedy = "renew the certificate; a running gateway takes the new files by itself";
                findings.warning("tls", doubt).remedy(remedy).see("docs/listeners.md#tls");
            }
        },
        Err(error) => {
            let remedy = match &error {
                CertificateError::Exposed { file, .. } => private::close_file(file),
                CertificateError::Unreadable { file, .. } => {
                    format!("let the gateway's user read it: ls -l {}", file.display())
                }
                CertificateError::Invalid { .. } => {
                    "[tls] wants two PEM files that belong together: the certificate with its chain, and its key"
                        .to_owned()
                }
            };
            findings.problem("tls", error.to_string()).remedy(remedy).see("docs/listeners.md#tls");
        }
    }
}

/// Looks at one address. `known` is that a gateway of this configuration runs.
fn address(listen: Listen, config: &Config, known: bool, findings: &mut Findings) -> Option<Gateway> {
    let subject = format!("listen {listen}");
    if listen.address.port() == 0 {
        findings.ok(subject, "the system chooses the port at each start");
        return None;
    }
    let Err(error) = TcpListener::bind(listen.address) else {
        findings.ok(subject, "is free");
        return None;
    };
    match error.kind() {
        ErrorKind::AddrInUse => return in_use(listen, config, known, findings),
        ErrorKind::PermissionDenied => {
            let found = format!("this user may not listen there: {error}; ports below 1024 are for root");
            findings.problem(subject, found).remedy(privileged(&config.file)).see(PAGE);
        }
        ErrorKind::AddrNotAvailable => {
            let remedy =
                format!("`ip address` lists this machine's addresses; correct `listen` in {}", config.file.display());
            findings.problem(subject, "this machine has no such address").remedy(remedy).see(PAGE);
        }
        _ => {
            let remedy = format!("correct `listen` in {}", config.file.display());
            findings.problem(subject, error.to_string()).remedy(remedy).see(PAGE);
        }
    }
    None
}

fn privileged(config: &Path) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "bridge32".into());
    format!(
        "set a port above 1023 with `listen` in {}, or allow the program to: setcap cap_net_bind_service=+ep {}",
        config.display(),
        program.display()
    )
}

/// Somebody listens there: a gateway, or something else.
fn in_use(listen: Listen, config: &Config, known: bool, findings: &mut Findings) -> Option<Gateway> {
    let subject = format!("listen {listen}");
    let holder = ports::holder(listen.address);
    let plain = listen.scheme == Scheme::Http;
    let asked = plain.then(|| running::ask(listen.address)).flatten();
    let named = holder.as_ref().is_some_and(|holder| holder.program == "bridge32");
    let who =
        holder.as_ref().map_or_else(String::new, |holder| format!(" ({}, process {})", holder.program, holder.pid));
    if asked.is_some() || named {
        findings.ok(&subject, format!("a gateway runs there{who}"));
        return Some(asked.unwrap_or(Gateway { libraries: None }));
    }
    let see = format!("see who has it: sudo ss -ltnp 'sport = :{}'", listen.address.port());
    // The system does not tell even the gateway's own user which files it has open.
    if !plain && holder.is_none() {
        if known {
            findings.ok(&subject, "is in use, by the gateway that runs, it seems");
        } else {
            let found = "is in use; whether by a gateway cannot be told through TLS";
            findings.warning(&subject, found).remedy(see).see(PAGE);
        }
        return Some(Gateway { libraries: None });
    }
    let other = format!("set another port with `listen` in {}", config.file.display());
    let remedy = match &holder {
        Some(holder) => format!("end process {0} (kill {0}), or {other}", holder.pid),
        None => format!("{see}; end that program, or {other}"),
    };
    let found = format!("another program has the address{who}, and it does not answer as a gateway does");
    findings.problem(subject, found).remedy(remedy).see(PAGE);
    None
}
