// Signs requests to a bridge with the package `http-message-signatures`, asks for signed answers, and verifies those with it.
// The bridge's URL is the argument; the key is in BRIDGE32_KEY_ID and BRIDGE32_SECRET (base64). A line for each request.
import { createHash, randomUUID } from "node:crypto";
import { createSigner, createVerifier, httpbis } from "http-message-signatures";

const url = process.argv[2];
const id = process.env.BRIDGE32_KEY_ID;
const secret = Buffer.from(process.env.BRIDGE32_SECRET, "base64");
const wanted = 'answer=("@status" "content-type" "content-digest" "@path";req "signature";req);created;expires';
const digest = (body) => `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;

async function ask(method, path, body, fields = ["@method", "@authority", "@target-uri"]) {
  const headers = { "content-type": "application/json", "accept-signature": wanted };
  if (body !== undefined) {
    headers["content-digest"] = digest(body);
    fields = [...fields, "content-digest"];
  }
  const key = createSigner(secret, "hmac-sha256", id);
  const params = ["created", "keyid", "alg", "nonce", "expires"];
  const paramValues = { nonce: randomUUID() };
  const request = await httpbis.signMessage({ key, name: "js", fields, params, paramValues }, { method, url: url + path, headers });
  const answer = await fetch(request.url, { method, headers: request.headers, body });
  const content = Buffer.from(await answer.arrayBuffer());
  const response = { status: answer.status, headers: Object.fromEntries(answer.headers) };
  const keyLookup = async ({ keyid }) => (keyid === id ? { id, algs: ["hmac-sha256"], verify: createVerifier(secret, "hmac-sha256") } : null);
  const requiredFields = ["@status", "signature", "content-digest"];
  const holds = await httpbis.verifyMessage({ keyLookup, requiredFields, tolerance: 60 }, response, request);
  const believed = holds && response.headers["content-digest"] === digest(content);
  console.log(method, path, answer.status, believed ? "believed" : "NOT believed");
}

const echo = "/v1/libraries/scalars/functions/EchoInt";
await ask("GET", "/v1/libraries");
await ask("GET", "/v1/libraries?name=%C3%A4&x=a+b&x=", undefined, ["@query", "@path", "@authority", "@method"]);
await ask("POST", echo, '{"value": 5}');
await ask("POST", echo, '{"välue": 5}', ["@method", "@path", "@query", "@authority", "content-type"]);
await ask("POST", echo, "");
