package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The import order of the design: a package may import what stands on a level
// before its own, never a sibling. cmd, internal/simulate and tests are free.
var levels = [][]string{
	{"heed/wire", "heed/rules/match", "heed/rules/check"},
	{"heed/rules"},
	{"heed/store"},
	{"heed/store/sqlite", "heed/store/redis", "heed/store/storetest", "heed/gateway", "heed/learner", "heed/admin"},
}

// confined names the only package that may import each of these modules.
var confined = map[string][]string{
	"github.com/valyala/fasthttp":         {"heed/gateway"},
	"github.com/redis/go-redis":           {"heed/store/redis"},
	"github.com/sashabaranov/go-openai":   {"heed/learner"},
	"modernc.org/sqlite":                  {"heed/store/sqlite"},
	"github.com/goccy/go-yaml":            {"heed/configs"},
	"github.com/alecthomas/kong":          {},
	"github.com/openai/openai-go":         {},
	"github.com/prometheus/client_golang": {"heed/gateway", "heed/learner", "heed/admin", "heed/store", "heed/store/sqlite", "heed/store/redis"},
}

// pure packages do no I/O: these parts of the standard library stay out of them.
var impure = []string{"net", "net/http", "os", "os/exec", "database/sql", "syscall", "log", "log/slog"}

func TestImportOrder(t *testing.T) {
	for pkg, imports := range productImports(t) {
		level := levelOf(pkg)
		for _, imp := range imports {
			if strings.HasPrefix(imp, "heed/") {
				if imp == "heed/configs" || pkg == "heed/configs" {
					t.Errorf("%s imports %s: configs is imported by cmd only, and imports nothing of heed", pkg, imp)
				} else if to := levelOf(imp); to < 0 || to >= level {
					t.Errorf("%s imports %s, which does not stand before it", pkg, imp)
				}
			}
			for module, allowed := range confined {
				if (imp == module || strings.HasPrefix(imp, module+"/")) && !slices.Contains(allowed, pkg) {
					t.Errorf("%s imports %s, which belongs to %v only", pkg, imp, allowed)
				}
			}
			if level <= 1 && pkg != "heed/configs" && slices.Contains(impure, imp) {
				t.Errorf("%s imports %s: it must stay pure", pkg, imp)
			}
		}
	}
}

// levelOf is the package's level, -1 for one without (cmd and the like).
func levelOf(pkg string) int {
	return slices.IndexFunc(levels, func(l []string) bool { return slices.Contains(l, pkg) })
}

// productImports lists the non-test imports of every product package.
func productImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "heed/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	m := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "heed/cmd/") || strings.HasPrefix(fields[0], "heed/internal/") {
			continue
		}
		if levelOf(fields[0]) < 0 && fields[0] != "heed/configs" {
			t.Errorf("%s is a package that the design does not have", fields[0])
		}
		m[fields[0]] = fields[1:]
	}
	if len(m) < 8 {
		t.Fatalf("go list found %d product packages", len(m))
	}
	return m
}
