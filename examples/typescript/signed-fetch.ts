// A `fetch` that signs what it sends to bridge32 (HTTP Message Signatures, RFC 9421, with hmac-sha256). Copy it; it needs nothing
// but WebCrypto, which Node.js ≥ 20, Deno, Bun and browsers have:
//
//     const bridge = signedFetch("ci", "…the secret of keys.toml…");
//     await bridge("http://127.0.0.1:8032/v1/libraries");

const base64 = (bytes: ArrayBuffer) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

/** Signs each request with a key; its secret is base64, as in keys.toml. */
export function signedFetch(keyId: string, secret: string): typeof fetch {
  const bytes = Uint8Array.from(atob(secret), (character) => character.charCodeAt(0));
  const key = crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);

  return async (input, init) => {
    const request = new Request(input, init);
    const { method, url, redirect, signal } = request;
    const { host, pathname, search } = new URL(url);
    const headers = new Headers(request.headers);
    const covered = new Map([
      ["@method", method],
      ["@authority", host],
      ["@path", pathname],
      ["@query", search || "?"],
    ]);
    const body = await request.arrayBuffer();
    if (body.byteLength > 0) {
      const digest = `sha-256=:${base64(await crypto.subtle.digest("SHA-256", body))}:`;
      headers.set("content-digest", digest);
      covered.set("content-digest", digest);
    }
    const names = [...covered.keys()].map((name) => `"${name}"`).join(" ");
    const created = Math.floor(Date.now() / 1000);
    const parameters = `(${names});created=${created};keyid="${keyId}";nonce="${crypto.randomUUID()}"`;
    covered.set("@signature-params", parameters);
    const base = [...covered].map(([name, value]) => `"${name}": ${value}`).join("\n");
    const mac = await crypto.subtle.sign("HMAC", await key, new TextEncoder().encode(base));
    headers.set("signature-input", `sig1=${parameters}`);
    headers.set("signature", `sig1=:${base64(mac)}:`);
    return fetch(url, { method, headers, body: body.byteLength > 0 ? body : undefined, redirect, signal });
  };
}
