package wire

import (
	"bytes"
	"encoding/json"
	"math"
)

// The words that Failures uses.
const (
	FailUpstream  = "upstream_error"        // the answer is an error, or ended with one
	FailRefused   = "refused"               // the model declined
	FailTruncated = "truncated"             // it ends before the model's own end, or at the token limit
	FailEmpty     = "empty"                 // it is whole and says nothing
	FailJSON      = "json_unparsable"       // JSON was demanded, the text is none
	FailTool      = "tool_call_undecodable" // a call's arguments do not fit the request's own schema
)

// maxSchemaDepth bounds how deep arguments are compared with a schema.
const maxSchemaDepth = 8

// Failures names what is wrong with an answer for reasons that need no person:
// reqBody are the bytes that r was parsed from (only read when tools were called;
// nil skips the schemas). It returns nil when nothing is wrong, and for APIs whose
// answers are no text. What the tap has cut is not judged. An answer that a client
// left is truncated as well: the caller knows that reason and this function does not.
func Failures(r *Request, reqBody []byte, a Answer) []string {
	switch {
	case r.API == Other || r.API == Embeddings:
		return nil
	case a.Error != "":
		return []string{FailUpstream}
	}
	var fails []string
	if a.Refusal {
		fails = append(fails, FailRefused)
	}
	if !a.Complete || limited(a.Finish) {
		return append(fails, FailTruncated) // the rest follows from it
	}
	if a.Text == "" && len(a.Tools) == 0 && !a.Refusal && !a.Other {
		fails = append(fails, FailEmpty)
	}
	if a.Cut {
		return fails
	}
	if r.Format != "" && a.Text != "" && len(a.Tools) == 0 && !a.Refusal && !json.Valid([]byte(a.Text)) {
		fails = append(fails, FailJSON)
	}
	for _, c := range a.Tools {
		if !decodable(reqBody, c) {
			return append(fails, FailTool)
		}
	}
	return fails
}

// limited says whether a finish reason is that of a token limit.
func limited(finish string) bool {
	switch finish {
	case "length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "incomplete":
		return true
	}
	return false
}

// decodable says whether a call's arguments are an object that has what the
// tool's schema requires, of the types it names. Tools with free text input, and
// tools that are not the request's own, are judged as far as they are known.
func decodable(reqBody []byte, c ToolCall) bool {
	schema, free := toolSchema(reqBody, c.Name)
	if free {
		return true
	}
	arguments := []byte(c.Arguments)
	if len(bytes.TrimSpace(arguments)) == 0 {
		arguments = []byte("{}") // how some servers say "none"
	}
	var v map[string]any
	if json.Unmarshal(arguments, &v) != nil || v == nil {
		return false
	}
	var s map[string]any
	if len(schema) == 0 || json.Unmarshal(schema, &s) != nil {
		return true
	}
	return fits(s, v, maxSchemaDepth)
}

// toolSchema finds the JSON schema of a tool in the request; free is true for a
// tool whose input is plain text. No schema: nil.
func toolSchema(b []byte, name string) (schema []byte, free bool) {
	if len(b) == 0 {
		return nil, false
	}
	v := view{b: b}
	s := scanner{b: b, cut: true}
	s.fields(func(key string, value slot) {
		if key != "tools" && key != "functions" {
			return
		}
		v.elements(value, func(tool slot) {
			if printable(toolName(b, tool)) != name {
				return
			}
			free = member(b, tool, "type").is(b, "custom") && member(b, tool, "input_schema").kind == kindNone
			if inner := member(b, tool, "function"); inner.kind == kindObject {
				tool = inner
			}
			for _, field := range []string{"parameters", "input_schema"} {
				if p := member(b, tool, field); p.kind == kindObject {
					schema = b[p.lo:p.hi]
				}
			}
		})
	})
	return schema, free
}

// fits compares v with the parts of JSON Schema that say which fields must be there
// and of which type: type, required, properties, items, enum of strings. The rest
// ($ref, anyOf, …) is taken as fulfilled: a wrong alarm would teach wrong rules.
func fits(schema map[string]any, v any, depth int) bool {
	if depth == 0 {
		return true
	}
	if !typed(schema["type"], v) || !listed(schema["enum"], v) {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if key, ok := name.(string); ok {
				if _, there := v[key]; !there {
					return false
				}
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for key, value := range v {
			if s, ok := properties[key].(map[string]any); ok && !fits(s, value, depth-1) {
				return false
			}
		}
	case []any:
		if s, ok := schema["items"].(map[string]any); ok {
			for _, value := range v {
				if !fits(s, value, depth-1) {
					return false
				}
			}
		}
	}
	return true
}

// typed says whether v is of the type, or one of the types, that a schema names.
func typed(want, v any) bool {
	switch want := want.(type) {
	case string:
		return isType(want, v)
	case []any:
		for _, w := range want {
			if name, ok := w.(string); !ok || isType(name, v) {
				return true
			}
		}
		return len(want) == 0
	}
	return true
}

func isType(name string, v any) bool {
	var ok bool
	switch name {
	case "object":
		_, ok = v.(map[string]any)
	case "array":
		_, ok = v.([]any)
	case "string":
		_, ok = v.(string)
	case "boolean":
		_, ok = v.(bool)
	case "number":
		_, ok = v.(float64)
	case "integer": // 1.0 is one (JSON Schema 2020-12, 6.1.1)
		var f float64
		f, ok = v.(float64)
		ok = ok && f == math.Trunc(f)
	case "null":
		ok = v == nil
	default:
		return true
	}
	return ok
}

// listed says whether a string is one of an enum's; other values are not compared.
func listed(enum, v any) bool {
	values, ok := enum.([]any)
	text, isText := v.(string)
	if !ok || !isText || len(values) == 0 {
		return true
	}
	for _, e := range values {
		if e == any(text) {
			return true
		}
	}
	return false
}
