package store

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"heed/rules"
	"heed/wire"
)

// AppendRow appends the exchange's row: the JSON that encoding/json would write
// for it as it is kept: without bodies, query and answer cut to their limits,
// times in UTC to the millisecond. It is spelt out because encoding by reflection
// was a third of what logging an exchange costs; a test compares the two for
// every field. An exchange without id or app, or with a number or time that
// JSON cannot hold, is an error.
func (x *Exchange) AppendRow(b []byte) ([]byte, error) {
	if x.ID == "" || x.App == "" {
		return b, fmt.Errorf("exchange %q of app %q: id and app must be set", x.ID, x.App)
	}
	e := encoder{b: b}
	e.exchange(x)
	if e.err != nil {
		return b, fmt.Errorf("exchange %q: %w", x.ID, e.err)
	}
	return e.b, nil
}

func (e *encoder) exchange(x *Exchange) {
	e.text(`{"id":`, x.ID)
	e.text(`,"app":`, x.App)
	e.time(`,"time":`, x.Time)
	e.some(`,"session":`, x.Session)
	e.some(`,"agent":`, x.Agent)
	e.some(`,"trace":`, x.Trace)
	e.text(`,"api":`, x.API.String())
	e.text(`,"method":`, x.Method)
	e.text(`,"path":`, x.Path)
	e.flag(`,"stream":true`, x.Stream)
	e.facts(&x.Facts)
	e.count(`,"ruleset":{"epoch":`, uint64(x.Head.Epoch))
	e.text(`,"hash":`, x.Head.Hash)
	e.raw(`}`)
	e.decision(&x.Decision)
	e.checks(x.Checks)
	e.some(`,"request_model":`, x.RequestModel)
	e.some(`,"response_model":`, x.ResponseModel)
	e.some(`,"response_id":`, x.ResponseID)
	e.some(`,"previous_response_id":`, x.PreviousID)
	e.number(`,"status":`, int64(x.Status))
	e.text(`,"outcome":`, string(x.Outcome))
	e.some(`,"error":`, x.Error)
	e.texts(`,"failures":[`, x.Failures)
	e.some(`,"finish":`, x.Finish)
	e.usage(x.Usage)
	if x.Cost == nil {
		e.raw(`,"cost_usd":null`)
	} else {
		e.float(`,"cost_usd":`, *x.Cost, 64)
	}
	e.number(`,"timing":{"sent_us":`, x.Timing.Sent)
	e.number(`,"first_byte_us":`, x.Timing.FirstByte)
	e.number(`,"first_chunk_us":`, x.Timing.First)
	e.number(`,"done_us":`, x.Timing.Done)
	e.number(`,"own_us":`, x.Timing.Own)
	e.raw(`}`)
	e.some(`,"query":`, Cut(x.Query, MaxQueryBytes))
	e.some(`,"answer":`, Cut(x.Answer, MaxCopyBytes))
	e.number(`,"request_bytes":`, x.RequestBytes)
	e.number(`,"response_bytes":`, x.ResponseBytes)
	e.raw(`}`)
}

func (e *encoder) facts(f *rules.Facts) {
	e.text(`,"facts":{"app":`, f.App)
	e.some(`,"step":`, f.Step)
	e.some(`,"alias":`, f.Alias)
	e.some(`,"user":`, f.User)
	e.some(`,"partition":`, f.Partition)
	if len(f.Tags) > 0 {
		e.raw(`,"tags":{`)
		for i, key := range slices.Sorted(maps.Keys(f.Tags)) {
			if i > 0 {
				e.raw(`,`)
			}
			e.text("", key)
			e.text(`:`, f.Tags[key])
		}
		e.raw(`}`)
	}
	e.texts(`,"queries":[`, f.Queries)
	e.flag(`,"strict":true`, f.Strict)
	e.flag(`,"off":true`, f.Off)
	e.text(`,"unit":`, f.Unit)
	e.time(`,"now":`, f.Now)
	e.raw(`}`)
}

func (e *encoder) decision(d *rules.Decision) {
	e.raw(`,"decision":{`)
	start := len(e.b)
	for i := range d.Rules {
		r := &d.Rules[i]
		e.raw(`,`)
		if i == 0 {
			e.raw(`"rules":[`)
		}
		e.text(`{"id":`, r.ID)
		e.number(`,"version":`, int64(r.Version))
		e.float(`,"score":`, float64(r.Score), 32)
		e.flag(`,"withheld":true`, r.Withheld)
		e.float(`,"propensity":`, r.Propensity, 64)
		e.raw(`}`)
	}
	if len(d.Rules) > 0 {
		e.raw(`]`)
	}
	if d.Target != (rules.TargetDecision{}) {
		e.raw(`,"target":{`)
		inner := len(e.b)
		e.some(`,"upstream":`, d.Target.Upstream)
		e.some(`,"model":`, d.Target.Model)
		e.some(`,"topic":`, d.Target.Topic)
		if d.Target.Propensity != 0 {
			e.float(`,"propensity":`, d.Target.Propensity, 64)
		}
		e.close(inner)
	}
	e.flag(`,"abstained":true`, d.Abstained)
	e.flag(`,"observed":true`, d.Observed)
	e.flag(`,"resent":true`, d.Resent)
	e.close(start)
}

func (e *encoder) checks(cs []CheckResult) {
	for i := range cs {
		if e.raw(`,`); i == 0 {
			e.raw(`"checks":[`)
		}
		e.text(`{"rule":`, cs[i].Rule)
		e.number(`,"version":`, int64(cs[i].Version))
		e.raw(`,"followed":`)
		e.b = strconv.AppendBool(e.b, cs[i].Followed)
		e.raw(`}`)
	}
	if len(cs) > 0 {
		e.raw(`]`)
	}
}

func (e *encoder) usage(u *wire.Usage) {
	if u == nil {
		return
	}
	e.number(`,"usage":{"InputTokens":`, u.InputTokens)
	e.number(`,"OutputTokens":`, u.OutputTokens)
	e.number(`,"CachedTokens":`, u.CachedTokens)
	e.raw(`}`)
}

// encoder appends JSON; every method takes what stands before the value.
type encoder struct {
	b   []byte
	err error // the first value that JSON cannot hold
}

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

func (e *encoder) flag(field string, v bool) {
	if v {
		e.raw(field)
	}
}

func (e *encoder) number(field string, n int64) {
	e.b = strconv.AppendInt(append(e.b, field...), n, 10)
}

func (e *encoder) count(field string, n uint64) {
	e.b = strconv.AppendUint(append(e.b, field...), n, 10)
}

// some is text that is left out when it is empty.
func (e *encoder) some(field, s string) {
	if s != "" {
		e.text(field, s)
	}
}

func (e *encoder) texts(field string, ss []string) {
	for i, s := range ss {
		if i == 0 {
			e.text(field, s)
		} else {
			e.text(`,`, s)
		}
	}
	if len(ss) > 0 {
		e.raw(`]`)
	}
}

// close ends an object whose members, from start on, may have none before the
// first comma.
func (e *encoder) close(start int) {
	if len(e.b) > start {
		e.b = slices.Delete(e.b, start, start+1)
	}
	e.raw(`}`)
}

// time appends t as it is kept.
func (e *encoder) time(field string, t time.Time) {
	t = KeptTime(t)
	if y := t.Year(); (y < 0 || y > 9999) && e.err == nil {
		e.err = errors.New("a time outside of the years 0 to 9999")
	}
	e.b = append(t.AppendFormat(append(append(e.b, field...), '"'), time.RFC3339Nano), '"')
}

// float follows encoding/json, which follows ECMAScript.
func (e *encoder) float(field string, f float64, bits int) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		if e.err == nil {
			e.err = fmt.Errorf("the number %v", f)
		}
		return
	}
	format, abs := byte('f'), math.Abs(f)
	if abs != 0 && (bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21)) {
		format = 'e'
	}
	e.b = strconv.AppendFloat(append(e.b, field...), f, format, -1, bits)
	if n := len(e.b); format == 'e' && n >= 4 && e.b[n-4] == 'e' && e.b[n-3] == '-' && e.b[n-2] == '0' { // e-09 is e-9
		e.b = append(e.b[:n-2], e.b[n-1])
	}
}

// text appends s in quotes, with the escapes of encoding/json.
func (e *encoder) text(field, s string) {
	b := append(append(e.b, field...), '"')
	start := 0
	for i := 0; ; {
		for i < len(s) && plainByte[s[i]] {
			i++
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	e.b = append(append(b, s[start:]...), '"')
}

const hexDigits = "0123456789abcdef"

// plainByte says which bytes are ASCII and stand for themselves in a JSON string
// that is safe inside HTML.
var plainByte = func() (plain [256]bool) {
	for c := range utf8.RuneSelf {
		plain[c] = c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return plain
}()

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
