package gateway

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// notForwarded are request headers that never reach an upstream, in fasthttp's
// canonical spelling: hop-by-hop ones (RFC 9110 7.6.1), those that the gateway
// writes itself, what says where the client sits, and credentials, which
// [credential] decides about. Everything else passes, known or not. Names that
// begin with Heed- do not pass either.
var notForwarded = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Http2-Settings": true, "Expect": true,
	"Host": true, "Content-Length": true, "Accept-Encoding": true,
	"Forwarded": true, "Via": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true,
	"X-Forwarded-Port": true, "X-Real-Ip": true, "Origin": true, "Referer": true,
	"Authorization": true, "X-Api-Key": true, "Api-Key": true, "Cookie": true, "Proxy-Authorization": true, "Proxy-Authenticate": true,
}

// notReturned are answer headers that never reach a client: hop-by-hop ones,
// framing, an upstream's cookies (they are its credentials for somebody else's
// origin) and its CORS policy, which is Heed's to state.
var notReturned = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Content-Length": true, "Set-Cookie": true, "Proxy-Authenticate": true, "Alt-Svc": true,
	"Access-Control-Allow-Origin": true, "Access-Control-Allow-Credentials": true, "Access-Control-Expose-Headers": true,
	"Access-Control-Allow-Methods": true, "Access-Control-Allow-Headers": true, "Access-Control-Max-Age": true,
}

// exposed are the answer headers that a page may read.
const exposed = "Heed-Exchange-Id, Heed-Feedback-Url, Heed-Feedback-Token, Heed-Ruleset, Heed-Rules, Heed-Holdout, Heed-Target, " +
	"X-Request-Id, Retry-After"

func isOwn(name []byte) bool { return len(name) > 5 && string(name[:5]) == "Heed-" }

// named says whether one of the Connection headers, of which there may be several,
// lists name.
func named(connections [][]byte, name []byte) bool {
	for _, rest := range connections {
		for len(rest) > 0 {
			var one []byte
			one, rest, _ = bytes.Cut(rest, []byte(","))
			if one = bytes.TrimSpace(one); len(one) == len(name) && bytes.EqualFold(one, name) {
				return true
			}
		}
	}
	return false
}

// copyRequest gives dst what of the client's headers may be forwarded.
func copyRequest(dst, src *fasthttp.RequestHeader) {
	var room [4][]byte
	connections := room[:0]
	if len(src.Peek("Connection")) > 0 {
		for k, v := range src.All() {
			if string(k) == "Connection" {
				connections = append(connections, v)
			}
		}
	}
	for k, v := range src.All() {
		if notForwarded[string(k)] || isOwn(k) || named(connections, k) {
			continue
		}
		dst.AddBytesKV(k, v)
	}
}

// copyAnswer gives dst what of the upstream's headers may be returned.
func copyAnswer(dst, src *fasthttp.ResponseHeader) {
	var room [4][]byte
	connections := room[:0]
	if len(src.Peek("Connection")) > 0 {
		for k, v := range src.All() {
			if string(k) == "Connection" {
				connections = append(connections, v)
			}
		}
	}
	for k, v := range src.All() {
		if notReturned[string(k)] || isOwn(k) || named(connections, k) {
			continue
		}
		dst.AddBytesKV(k, v)
	}
}

// sole returns the value of a header that must not occur twice.
func sole(h *fasthttp.RequestHeader, name string) (v []byte, twice bool) {
	v = h.Peek(name)
	if len(v) == 0 {
		return nil, false
	}
	return v, len(h.PeekAll(name)) > 1
}

// short returns a header's value as a string of at most n bytes, without control
// characters; a longer one is cut.
func short(h *fasthttp.RequestHeader, name string, n int) string {
	v := h.Peek(name)
	if len(v) == 0 {
		return ""
	}
	return clean(v, n)
}

func clean(v []byte, n int) string {
	if len(v) > n {
		v = v[:n]
	}
	for _, b := range v {
		if b < ' ' || b == 0x7f {
			return string(bytes.ToValidUTF8(bytes.Map(visible, v), nil))
		}
	}
	return string(bytes.ToValidUTF8(v, nil))
}

// shown is s as a header's value may hold it: at most n bytes, without control
// characters. What clients chose, such as a model's name, is not theirs to break
// the answer with.
func shown(s string, n int) string {
	if len(s) <= n && strings.IndexFunc(s, func(r rune) bool { return visible(r) < 0 }) < 0 {
		return s
	}
	return clean([]byte(s), n)
}

func visible(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// cut is s, at most n bytes of it, without a character cut in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
