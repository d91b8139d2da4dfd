package configs

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFileBytes bounds the configuration file and each ${file:…} it names.
const maxFileBytes = 1 << 20

// Load reads and validates the file. The error lists every mistake, each with
// its line.
func Load(path string) (*Config, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(b, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return c, nil
}

// Parse reads a configuration; env looks up ${NAME}.
func Parse(b []byte, env func(string) (string, bool)) (*Config, error) {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	c := &Config{}
	if len(file.Docs) > 1 {
		return nil, errors.New("more than one YAML document: want one")
	}
	if len(file.Docs) == 1 && file.Docs[0].Body != nil {
		body := file.Docs[0].Body
		var errs []error
		errs = append(errs, unknownKeys(body, reflect.TypeOf(*c), "")...)
		errs = append(errs, expand(body, env)...)
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		if err := yaml.NodeToValue(body, c); err != nil {
			return nil, err
		}
	}
	if c.Upstreams.Len() == 0 {
		return nil, errors.New("upstreams: none given; name at least one, for example\nupstreams:\n  openai: {base_url: \"https://api.openai.com/v1\"}")
	}
	c.fill()
	return c, c.Validate()
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s has %d bytes, at most %d", path, info.Size(), maxFileBytes)
	}
	return os.ReadFile(path)
}

// unknownKeys reports every key of node that type t does not have.
func unknownKeys(node ast.Node, t reflect.Type, path string) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if m, ok := reflect.Zero(t).Interface().(interface{ elem() any }); ok {
		var errs []error
		for _, kv := range mappingValues(node) {
			errs = append(errs, unknownKeys(kv.Value, reflect.TypeOf(m.elem()), join(path, keyText(kv)))...)
		}
		return errs
	}
	switch t.Kind() {
	case reflect.Slice:
		seq, ok := node.(*ast.SequenceNode)
		if !ok {
			return nil
		}
		var errs []error
		for i, v := range seq.Values {
			errs = append(errs, unknownKeys(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return errs
	case reflect.Struct:
		return unknownFields(node, t, path)
	}
	return nil
}

func unknownFields(node ast.Node, t reflect.Type, path string) []error {
	fields := map[string]reflect.Type{}
	var names []string
	for f := range t.Fields() {
		if name := f.Tag.Get("yaml"); name != "" {
			fields[name] = f.Type
			names = append(names, name)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	var errs []error
	for _, kv := range mappingValues(node) {
		key := keyText(kv)
		ft, ok := fields[key]
		if !ok {
			errs = append(errs, fmt.Errorf("line %d: unknown key %q%s", kv.Key.GetToken().Position.Line, join(path, key), nearest(key, names)))
			continue
		}
		errs = append(errs, unknownKeys(kv.Value, ft, join(path, key))...)
	}
	return errs
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// nearest proposes the known key that is the fewest edits away.
func nearest(key string, names []string) string {
	best, at := "", len(key)/2+2
	for _, n := range names {
		if d := edits(key, n); d < at {
			best, at = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	slices.Sort(names)
	return ": known here are " + strings.Join(names, ", ")
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diag+cost)
		}
	}
	return row[len(b)]
}

var reference = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces ${NAME} and ${file:PATH} in every value below node.
func expand(node ast.Node, env func(string) (string, bool)) []error {
	var errs []error
	ast.Walk(visitor(func(n ast.Node) {
		s, ok := n.(*ast.StringNode)
		if !ok || !strings.Contains(s.Value, "${") {
			return
		}
		s.Value = reference.ReplaceAllStringFunc(s.Value, func(ref string) string {
			v, err := resolve(ref[2:len(ref)-1], env)
			if err != nil {
				errs = append(errs, fmt.Errorf("line %d: %s: %w", s.GetToken().Position.Line, ref, err))
			}
			return v
		})
	}), node)
	return errs
}

func resolve(name string, env func(string) (string, bool)) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		b, err := readBounded(path)
		return strings.TrimSpace(string(b)), err
	}
	if v, ok := env(name); ok {
		return v, nil
	}
	return "", errors.New("the environment variable is not set")
}

type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// mappingValues returns the entries of a mapping; goccy/go-yaml has a node type
// of its own for a mapping with one entry.
func mappingValues(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func keyText(kv *ast.MappingValueNode) string {
	if s, ok := kv.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return kv.Key.String()
}
