package gateway

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// FuzzHeaders: whatever a client sends and an upstream answers, what is passed on
// is a subset of it, without hop-by-hop headers, credentials and Heed's own, and
// cannot break out of its line.
func FuzzHeaders(f *testing.F) {
	f.Add("X-A: 1\r\nConnection: X-A, close\r\nHeed-Key: k\r\n")
	f.Add("Authorization: Bearer x\r\nTransfer-Encoding: chunked\r\nCOOKIE: a=b\r\nx-api-key: y\r\n")
	f.Add("connection: keep-alive,\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n")
	f.Add("Connection: close\r\nConnection: x-a , X-B\r\nx-b: 1\r\nX-A: 2\r\nX-C: 3\r\n")
	f.Add("ConneCtion:\n0:,X-B,\nX-B:\r\n")
	f.Add("heed-anything: x\r\nHEED-FEEDBACK-TOKEN: y\r\nAccept: \xff\r\n")
	f.Fuzz(func(t *testing.T, lines string) {
		var in, out fasthttp.RequestHeader
		out.DisableNormalizing()
		if in.Read(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: h\r\n"+lines+"\r\n"))) == nil {
			copyRequest(&out, &in)
			checkLines(t, out.Header(), notForwarded, lines)
		}
		var rin, rout fasthttp.ResponseHeader
		if rin.Read(bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\n"+lines+"\r\n"))) == nil {
			rout.SetNoDefaultContentType(true)
			copyAnswer(&rout, &rin)
			checkLines(t, rout.Header(), notReturned, lines)
		}
	})
}

// checkLines checks the head that is passed on; sent are the lines that came in.
func checkLines(t *testing.T, head []byte, dropped map[string]bool, sent string) {
	t.Helper()
	hop := map[string]bool{} // what Connection named
	for line := range strings.SplitSeq(sent, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" { // the end of the head
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(name, "connection") {
			continue
		}
		for one := range strings.SplitSeq(value, ",") {
			hop[strings.ToLower(strings.Trim(one, " \t"))] = true
		}
	}
	lines := bytes.Split(bytes.TrimSuffix(head, []byte("\r\n\r\n")), []byte("\r\n"))
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || strings.ContainsAny(value, "\r\n\x00") {
			t.Errorf("line %q", line)
		}
		low := strings.ToLower(name)
		if hop[low] {
			t.Errorf("%q passed, which Connection names", line)
		}
		if strings.HasPrefix(low, "heed-") {
			t.Errorf("own header %q passed", line)
		}
		for d := range dropped {
			if strings.ToLower(d) == low {
				t.Errorf("%q passed", line)
			}
		}
	}
}
