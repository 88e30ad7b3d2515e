//! What a browser does that matters here: it asks for pages, keeps cookies and sends forms. It runs no scripts.

use std::collections::BTreeMap;

use crate::client::{Answer, Client, Request};

/// A browser with cookies of its own.
#[derive(Clone, Debug)]
pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A browser that has never been at this gateway.
    pub fn new(client: &Client) -> Self {
        Self { client: client.with_key(None), cookies: BTreeMap::new() }
    }

    /// A browser of somebody who has signed in with a link that the client's key has asked for.
    ///
    /// # Panics
    /// The gateway does not let the key in.
    pub fn signed_in(client: &Client) -> Self {
        let answer = client.request("POST", "/v1/sign-in-links").send().is(201);
        let link = answer["url"].as_str().and_then(|url| url.split_once("link=")).expect("the answer has a link").1;
        let mut browser = Self::new(client);
        let page = browser.open(&format!("/sign-in?link={link}"));
        let entered = browser.submit("/sign-in", &[("form", &hidden(&page.text, "form")), ("link", link)]);
        assert_eq!(entered.status, 303, "{}", entered.text);
        browser
    }

    /// Opens an address. Redirections are not followed.
    pub fn open(&mut self, target: &str) -> Answer {
        let answer = self.request("GET", target).header("accept", ACCEPT).send();
        self.keep(answer)
    }

    /// Sends a form.
    pub fn submit(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.form(target, fields).header("accept", ACCEPT).send();
        self.keep(answer)
    }

    /// A form that is about to be sent, with the cookies.
    pub fn form(&self, target: &str, fields: &[(&str, &str)]) -> Request<'_> {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        self.request("POST", target).body("application/x-www-form-urlencoded", body.join("&"))
    }

    /// A request as a script of a page makes it: with the cookies, for no page.
    pub fn request(&self, method: &str, target: &str) -> Request<'_> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.client.request(method, target);
        if cookies.is_empty() { request } else { request.header("cookie", &cookies.join("; ")) }
    }

    /// Its cookies by name.
    pub fn cookies(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.cookies
    }

    /// The token that the pages of its session carry.
    ///
    /// # Panics
    /// It has no session.
    pub fn csrf(&mut self) -> String {
        let page = self.open("/").text;
        between(&page, "<meta name=\"csrf-token\" content=\"", "\"").unwrap_or_else(|| panic!("no token: {page}"))
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        for line in answer.headers("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The value of a hidden field of a page's form.
///
/// # Panics
/// There is none of that name.
pub fn hidden(page: &str, name: &str) -> String {
    let start = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    between(page, &start, "\"").unwrap_or_else(|| panic!("no field `{name}`: {page}"))
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(rest[..rest.find(end)?].to_owned())
}

fn escape(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
