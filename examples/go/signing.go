package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// SignedTransport signs what a http.Client sends to bridge32 (HTTP Message Signatures, RFC 9421, with hmac-sha256). Copy it; it needs
// nothing else: &http.Client{Transport: SignedTransport{KeyID: "ci", Secret: secret}}
type SignedTransport struct {
	KeyID  string
	Secret []byte // the bytes that keys.toml has in base64
}

// RoundTrip signs a copy of the request and sends it.
func (t SignedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	path, query, _ := strings.Cut(request.URL.RequestURI(), "?")
	host := request.Host
	if host == "" {
		host = request.URL.Host
	}
	host = strings.TrimSuffix(strings.ToLower(host), map[string]string{"http": ":80", "https": ":443"}[request.URL.Scheme])
	covered := [][2]string{{"@method", request.Method}, {"@authority", host}, {"@path", path}, {"@query", "?" + query}}
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if request.Body.Close(); err != nil {
			return nil, err
		}
		request.Body, request.ContentLength = http.NoBody, int64(len(body))
		if sum := sha256.Sum256(body); len(body) > 0 {
			request.Body = io.NopCloser(strings.NewReader(string(body)))
			digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
			request.Header.Set("Content-Digest", digest)
			covered = append(covered, [2]string{"content-digest", digest})
		}
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	mac, names := hmac.New(sha256.New, t.Secret), ""
	for _, component := range covered {
		names += fmt.Sprintf(" %q", component[0])
		fmt.Fprintf(mac, "%q: %s\n", component[0], component[1])
	}
	params := fmt.Sprintf(`(%s);created=%d;keyid="%s";nonce="%x"`, names[1:], time.Now().Unix(), t.KeyID, nonce)
	fmt.Fprintf(mac, `"@signature-params": %s`, params)
	request.Header.Set("Signature-Input", "sig1="+params)
	request.Header.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":")
	return http.DefaultTransport.RoundTrip(request)
}
