//! Go, with its standard library; the signature as in `examples/go`.

use super::{Call, quoted};

const MAIN: &str = r#"
func main() {
	request, err := http.NewRequest("POST", origin+path, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	SIGN
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		log.Fatalf("%s: %s", answer.Status, text)
	}
	fmt.Println(string(text))
}
"#;

const SIGN: &str = r#"
// sign signs the request with the key of keys.toml (RFC 9421).
func sign(request *http.Request) {
	secret, err := base64.StdEncoding.DecodeString(os.Getenv("BRIDGE32_SECRET"))
	if err != nil {
		log.Fatal("BRIDGE32_SECRET is not base64: ", err)
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		log.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	params := fmt.Sprintf(`("@method" "@authority" "@path" "@query" "content-digest");created=%d;keyid="%s";nonce="%x"`,
		time.Now().Unix(), os.Getenv("BRIDGE32_KEY_ID"), nonce)
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "\"@method\": POST\n\"@authority\": %s\n\"@path\": %s\n\"@query\": ?\n", request.URL.Host, path)
	fmt.Fprintf(mac, "\"content-digest\": %s\n\"@signature-params\": %s", digest, params)
	request.Header.Set("Content-Digest", digest)
	request.Header.Set("Signature-Input", "sig1="+params)
	request.Header.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":")
}
"#;

/// The program.
pub(super) fn program(call: &Call) -> String {
    let imports: &[&str] = if call.signed {
        &[
            "crypto/hmac",
            "crypto/rand",
            "crypto/sha256",
            "encoding/base64",
            "fmt",
            "io",
            "log",
            "net/http",
            "os",
            "strings",
            "time",
        ]
    } else {
        &["fmt", "io", "log", "net/http", "strings"]
    };
    let imports: String = imports.iter().flat_map(|name| ["\t\"", name, "\"\n"]).collect();
    let (origin, path, body) = (string(&call.origin), string(&call.path), raw(&call.json()));
    let main = if call.signed { MAIN.replace("SIGN", "sign(request)") } else { MAIN.replace("\tSIGN\n", "") };
    format!(
        "package main\n\nimport (\n{imports})\n\nconst (\n\torigin = {origin}\n\tpath   = {path}\n\tbody   = {body}\n)\n{main}{}",
        if call.signed { SIGN } else { "" }
    )
}

fn string(text: &str) -> String {
    quoted(text, |code| format!("\\U{code:08x}"))
}

/// A document as a literal in which nothing is an escape; in JSON, what would end it can be written as one.
fn raw(json: &str) -> String {
    format!("`{}`", json.replace('`', "\\u0060"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, call};
    use super::*;

    #[test]
    fn a_document_cannot_end_its_literal() {
        let program = program(&call(HOSTILE, true));
        assert!(program.contains(r#"  "it's": "\"'\u0060$(id)${x}\\\n\r\u0000#{1}%s "#), "{program}");
        let (_, body) = program.split_once("body   = `").unwrap();
        let (body, rest) = body.split_once('`').unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok() && rest.starts_with("\n)\n"), "{program}");
    }
}
