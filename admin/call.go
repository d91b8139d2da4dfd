package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"heed/store"
)

// call is one request of a person or program that was let in.
type call struct {
	a    *Admin
	w    http.ResponseWriter
	r    *http.Request
	who  person
	sess *session // of the UI; nil for the API
}

func (c *call) id() string { return c.r.PathValue("id") }

// appOr is the app that the request is about: the named one, else the only one,
// else "default".
func (c *call) appOr(name string) (string, error) {
	apps, err := c.a.apps(c.r.Context())
	if err != nil {
		return "", err
	}
	switch {
	case name != "" && (slices.Contains(apps, name) || name == "default"):
		return name, nil
	case name != "":
		return "", &Error{Status: http.StatusNotFound, Code: "unknown_app", Param: "app",
			Message: fmt.Sprintf("there is no app %q; there are: %s", clip(name, 60), strings.Join(apps, ", "))}
	case len(apps) == 1:
		return apps[0], nil
	case len(apps) == 0 || slices.Contains(apps, "default"):
		return "default", nil
	}
	return "", badRequest("app", "there are several apps; name one with ?app= (--app on the command line): "+strings.Join(apps, ", "))
}

// params are the query parameters of a request; the first mistake stays in err.
type params struct {
	v   url.Values
	err error
}

// params reads the query: app and those that are known, each at most once.
func (c *call) params(known ...string) *params {
	p := &params{v: c.r.URL.Query()}
	known = append(slices.Clip(known), "app") // known may be shared
	for name, values := range p.v {
		switch {
		case !slices.Contains(known, name):
			message := fmt.Sprintf("unknown parameter %q", clip(name, 60))
			if near := nearest(name, known); near != "" {
				message += fmt.Sprintf("; the nearest is %q", near)
			}
			p.fail(name, message)
		case len(values) > 1:
			p.fail(name, fmt.Sprintf("parameter %q stands there %d times", name, len(values)))
		case len(values[0]) > store.MaxTextBytes || !utf8.ValidString(values[0]):
			p.fail(name, fmt.Sprintf("parameter %q is too long or not UTF-8", name))
		}
	}
	return p
}

func (p *params) fail(name, message string) {
	if p.err == nil {
		p.err = badRequest(clip(name, 60), message)
	}
}

func (p *params) text(name string) string { return p.v.Get(name) }

func (p *params) bool(name string) bool {
	s := p.v.Get(name)
	if s == "" {
		return false
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		p.fail(name, fmt.Sprintf("%s is %q: want true or false", name, clip(s, 30)))
	}
	return b
}

// limit is the page's size: 1 to store.MaxPage.
func (p *params) limit() int { return p.number("limit", store.DefaultPage, store.MaxPage) }

// number is a number from 1 to most, otherwise where none is given.
func (p *params) number(name string, otherwise, most int) int {
	s := p.v.Get(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		p.fail(name, fmt.Sprintf("%s is %q: want a number from 1 to %d", name, clip(s, 30), most))
	}
	return n
}

// time reads RFC 3339, a date, or an age such as 24h.
func (p *params) time(name string) time.Time {
	s := p.v.Get(name)
	if s == "" {
		return time.Time{}
	}
	t, err := parseTime(s, time.Now())
	if err != nil {
		p.fail(name, name+": "+err.Error())
	}
	return t
}

func parseTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: want 2026-01-31, 2026-01-31T15:04:05Z or an age such as 24h", clip(s, 40))
}

// one is a parameter that must be one of values, or empty.
func (p *params) one(name string, values ...string) string {
	s := p.v.Get(name)
	if s != "" && !slices.Contains(values, s) {
		p.fail(name, fmt.Sprintf("%s is %q: want one of %s", name, clip(s, 30), strings.Join(values, ", ")))
	}
	return s
}

// decode reads the JSON body into v; an empty body leaves v as it is.
func (c *call) decode(v any) error {
	if ct := c.r.Header.Get("Content-Type"); ct != "" && !strings.HasPrefix(ct, "application/json") {
		return &Error{Status: http.StatusUnsupportedMediaType, Code: "not_json", Message: "send the body as application/json"}
	}
	d := json.NewDecoder(c.r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return badRequest("", "the body must be one JSON object")
		}
		return nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		message := fmt.Sprintf("unknown field %q", clip(name, 60))
		if near := nearest(name, fieldNames(v)); near != "" {
			message += fmt.Sprintf("; the nearest is %q", near)
		}
		return badRequest(clip(name, 60), message)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field == "" {
		return badRequest("", "the body must be one JSON object, not "+kind.Value)
	}
	if errors.As(err, &kind) {
		return badRequest(kind.Field, fmt.Sprintf("%s: want %s, got %s", kind.Field, kind.Type, kind.Value))
	}
	var at *time.ParseError
	if errors.As(err, &at) {
		return badRequest("", fmt.Sprintf("%s is no time: want RFC 3339, such as 2026-01-31T15:04:05Z", clip(at.Value, 60)))
	}
	return badRequest("", "the body is not valid JSON: "+clip(err.Error(), 120))
}

// fieldNames are the JSON names of the struct that v points to.
func fieldNames(v any) []string {
	t := reflect.TypeOf(v).Elem()
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// nearest is the known name that s was probably meant to be, or "".
func nearest(s string, known []string) string {
	best, least := "", 1+max(1, len(s)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(clip(s, 60)), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// clip cuts s to n bytes at a character's boundary, with an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// page is the answer of every list.
type page struct {
	Items any    `json:"items"`
	Next  string `json:"next"`
}

func pageOf[T any](items []T, next string) page {
	if items == nil {
		items = []T{}
	}
	return page{items, next}
}
