package configs

import (
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Secret is a value that never shows: it prints as [redacted].
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML hides the secret when the configuration is printed.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Size is a number of bytes. In YAML it is a number, or one with B, KiB, MiB or
// GiB behind it.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalYAML reads a Size.
func (s *Size) UnmarshalYAML(b []byte) error {
	text := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	unit := Size(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > int64(1<<62)/int64(unit) {
		return fmt.Errorf("size %q: want a number of bytes such as 1048576, 64KiB, 32MiB or 1GiB", text)
	}
	*s = Size(n) * unit
	return nil
}

// String is the size in its largest whole unit.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s >= u.bytes && s%u.bytes == 0 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

// MarshalYAML prints a Size with its unit.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }

// Ordered is a map that keeps the file's order: the first upstream of a kind
// serves what no other rule claims.
type Ordered[V any] struct {
	names  []string
	values map[string]*V
}

// Len is the number of entries.
func (o *Ordered[V]) Len() int { return len(o.names) }

// Names are the keys in file order.
func (o *Ordered[V]) Names() []string { return o.names }

// Lookup returns the entry of that name; nil when the file leaves it empty.
func (o *Ordered[V]) Lookup(name string) (*V, bool) {
	v, ok := o.values[name]
	return v, ok
}

// All walks the entries in file order.
func (o *Ordered[V]) All() iter.Seq2[string, *V] {
	return func(yield func(string, *V) bool) {
		for _, n := range o.names {
			if !yield(n, o.values[n]) {
				return
			}
		}
	}
}

// Set adds or replaces an entry.
func (o *Ordered[V]) Set(name string, v *V) {
	if o.values == nil {
		o.values = map[string]*V{}
	}
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = v
}

// UnmarshalYAML reads a mapping, keeping its order.
func (o *Ordered[V]) UnmarshalYAML(node ast.Node) error {
	for _, kv := range mappingValues(node) {
		if _, empty := kv.Value.(*ast.NullNode); empty {
			o.Set(keyText(kv), nil) // Validate names it
			continue
		}
		v := new(V)
		if err := yaml.NodeToValue(kv.Value, v); err != nil {
			return err
		}
		o.Set(keyText(kv), v)
	}
	return nil
}

// MarshalYAML prints the entries in their order.
func (o Ordered[V]) MarshalYAML() (any, error) {
	var out yaml.MapSlice
	for n, v := range o.All() {
		out = append(out, yaml.MapItem{Key: n, Value: v})
	}
	return out, nil
}

// elem is the type of the values, for the check of unknown keys.
func (o Ordered[V]) elem() any { var v V; return v }
