//! What is known of a library before it is called: from the running gateway, else from the configuration's headers.

use bridge32_protocol::interface::{Function, Interface};
use bridge32_protocol::target::Target;
use http::StatusCode;
use serde_json::Value;

use super::escape;
use crate::cli::client::Gateway;
use crate::config::Config;
use crate::libraries::Prepared;

/// A library's interface.
#[derive(Debug)]
pub(in crate::cli) struct Known {
    /// Functions and types.
    pub(in crate::cli) interface: Interface,
    /// What decides widths.
    pub(in crate::cli) target: Target,
}

/// The libraries that the gateway has; `None` if none answers there.
///
/// # Errors
/// It does not believe this key, and says why; or does not show them to it: then with [`StatusCode::FORBIDDEN`].
pub(super) fn libraries_of_gateway(gateway: &Gateway) -> Result<Option<Vec<String>>, (StatusCode, String)> {
    let Ok((status, body)) = gateway.get("/v1/libraries") else { return Ok(None) };
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN = status {
        return Err((status, document.get("detail").and_then(Value::as_str).unwrap_or_default().to_owned()));
    }
    let libraries = document.get("libraries").and_then(Value::as_array);
    let name = |library: &Value| library.get("name")?.as_str().map(str::to_owned);
    Ok(libraries.map(|libraries| libraries.iter().filter_map(name).collect()))
}

/// The interface as the gateway has it; `None` if it does not answer, or does not show it to this key.
pub(super) fn of_gateway(gateway: &Gateway, library: &str) -> Option<Known> {
    let path = format!("/v1/libraries/{}", escape(library));
    let interface = read(get(gateway, &format!("{path}/interface"))?);
    let runtime = get(gateway, &path)?.get("runtime").and_then(|name| serde_json::from_value(name.clone()).ok());
    Some(Known { interface, target: runtime.unwrap_or(Target::Win32) })
}

fn get(gateway: &Gateway, path: &str) -> Option<Value> {
    match gateway.get(path) {
        Ok((StatusCode::OK, body)) => serde_json::from_slice(&body).ok(),
        _ => None,
    }
}

/// The interface of a configured library's headers.
pub(in crate::cli) fn of_configuration(config: &Config, library: &str) -> Option<Known> {
    let mut alone = config.clone();
    alone.libraries.retain(|name, _| name == library);
    let library = Prepared::read(&alone).libraries.into_iter().next()?;
    Some(Known { interface: library.declared().interface().clone(), target: library.target.unwrap_or(Target::Win32) })
}

/// The document of `GET …/interface`. What cannot be read of it is as if it were not there.
fn read(mut document: Value) -> Interface {
    let mut take = |key: &str| document.get_mut(key).map(Value::take).unwrap_or_default();
    let functions = take("functions");
    let functions = functions.as_array().into_iter().flatten().cloned().filter_map(function).collect();
    Interface {
        functions,
        structures: serde_json::from_value(take("structures")).unwrap_or_default(),
        enumerations: serde_json::from_value(take("enumerations")).unwrap_or_default(),
        constants: serde_json::from_value(take("constants")).unwrap_or_default(),
        ..Interface::default()
    }
}

/// A function of that document: beside what the header says it has how it was bound.
fn function(mut document: Value) -> Option<Function> {
    let members = document.as_object_mut()?;
    members.remove("export");
    let bound = members.get("callable") != Some(&Value::Bool(false));
    let reason = members.get("reason").and_then(Value::as_str).map(str::to_owned);
    let mut function: Function = serde_json::from_value(document).ok()?;
    if !bound && function.unsupported.is_none() {
        function.unsupported = Some(reason.unwrap_or_else(|| "the library does not have it".to_owned()));
    }
    Some(function)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::interface;
    use super::*;

    #[test]
    fn the_gateways_document_is_read_back() {
        let interface =
            interface("enum color { RED }; struct P { int x; }; int f(struct P *p, enum color c); int g(void);");
        let mut functions = serde_json::to_value(&interface.functions).unwrap();
        functions[0]["export"] = json!("_f@8");
        functions[0]["callable"] = json!(true);
        functions[1]["callable"] = json!(false);
        functions[1]["reason"] = json!("the library does not export `g`");
        let document = json!({
            "library": "a", "functions": functions, "structures": interface.structures,
            "enumerations": interface.enumerations, "constants": interface.constants,
        });
        let read = read(document);
        assert_eq!(read.functions[0], interface.functions[0]);
        assert_eq!(read.functions[1].unsupported.as_deref(), Some("the library does not export `g`"));
        assert_eq!((read.structures, read.enumerations), (interface.structures, interface.enumerations));
    }
}
