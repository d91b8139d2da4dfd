package learner

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Seen is what the model could read when it answered, as far as Heed has the
// bytes: every text of the request, and apart the results of tools.
type Seen struct {
	Text  string
	Tools []string
}

// maxSeenBytes bounds what is kept of a request's text.
const maxSeenBytes = 256 << 10

// Read collects the texts of a request body. A body that was cut or is no JSON
// gives what could be read.
func Read(body []byte) Seen {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	r := reader{}
	r.value(d, "")
	return Seen{Text: r.all.String(), Tools: r.tools}
}

// reader walks JSON without caring for one API's shape.
type reader struct {
	all   strings.Builder
	tools []string
	depth int
}

// frame is what a JSON object said about itself.
type frame struct {
	tool bool
	text []string
}

func (r *reader) value(d *json.Decoder, key string) (texts []string, ok bool) {
	t, err := d.Token()
	if err != nil {
		return nil, false
	}
	switch v := t.(type) {
	case string:
		if key != "role" && key != "type" && r.all.Len()+len(v) < maxSeenBytes {
			r.all.WriteString(v)
			r.all.WriteByte('\n')
		}
		return []string{v}, true
	case json.Number:
		return []string{v.String()}, true
	case json.Delim:
		if r.depth++; r.depth > 64 {
			return nil, false
		}
		defer func() { r.depth-- }()
		if v == '{' {
			return r.object(d)
		}
		for d.More() {
			ts, ok := r.value(d, "")
			if texts = append(texts, ts...); !ok {
				return texts, false
			}
		}
		_, err = d.Token()
		return texts, err == nil
	}
	return nil, true
}

// object walks one object; one that carries a tool's result (role tool, a type
// that ends in tool_result or _output) is kept apart as well.
func (r *reader) object(d *json.Decoder) ([]string, bool) {
	var f frame
	for d.More() {
		t, err := d.Token()
		key, isKey := t.(string)
		if err != nil || !isKey {
			return f.text, false
		}
		ts, ok := r.value(d, key)
		if len(ts) == 1 && (key == "role" && ts[0] == "tool" || key == "type" && (ts[0] == "tool_result" || strings.HasSuffix(ts[0], "_output"))) {
			f.tool = true
		} else {
			f.text = append(f.text, ts...)
		}
		if !ok {
			return f.text, false
		}
	}
	_, err := d.Token()
	if f.tool {
		r.tools = append(r.tools, strings.Join(f.text, "\n"))
	}
	return f.text, err == nil
}
