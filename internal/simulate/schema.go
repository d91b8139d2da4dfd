package simulate

import (
	"encoding/json"
	"sort"
)

// maxSchemaDepth bounds the nesting that fillSchema follows.
const maxSchemaDepth = 8

// fillSchema makes a JSON value that a JSON schema plausibly allows: text
// where a string is asked for, the first of an enumeration, small numbers,
// lists of one. It knows type, properties, items, enum, const, anyOf and
// oneOf; what else a schema says is ignored.
func fillSchema(schema json.RawMessage, text string, h uint64) string {
	var s map[string]any
	if json.Unmarshal(schema, &s) != nil || len(s) == 0 {
		return marshal(object{"input": text})
	}
	return marshal(fill(s, text, h, 0))
}

func fill(s map[string]any, text string, h uint64, depth int) any {
	if depth > maxSchemaDepth {
		return nil
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if all, ok := s["enum"].([]any); ok && len(all) > 0 {
		return all[h%uint64(len(all))]
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if all, ok := s[key].([]any); ok && len(all) > 0 {
			if sub, ok := all[0].(map[string]any); ok {
				return fill(sub, text, h, depth+1)
			}
		}
	}
	switch schemaType(s) {
	case "object":
		return fillObject(s, text, h, depth)
	case "array":
		items, _ := s["items"].(map[string]any)
		return []any{fill(items, text, h, depth+1)}
	case "integer", "number":
		low, _ := s["minimum"].(float64)
		return low + float64(h%5)
	case "boolean":
		return h%2 == 0
	case "null":
		return nil
	}
	return text
}

func fillObject(s map[string]any, text string, h uint64, depth int) object {
	props, _ := s["properties"].(map[string]any)
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	sort.Strings(names)
	out := object{}
	for i, name := range names {
		sub, _ := props[name].(map[string]any)
		out[name] = fill(sub, text, h+uint64(i), depth+1)
	}
	return out
}

func schemaType(s map[string]any) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			name, _ := t[0].(string)
			return name
		}
	}
	if _, ok := s["properties"]; ok {
		return "object"
	}
	return ""
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: marshal a made-up value: " + err.Error())
	}
	return string(b)
}
