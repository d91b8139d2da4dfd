package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assetFiles embed.FS

//go:embed pages/*
var pageFiles embed.FS

// asset is a file of the UI. Its address holds its hash, so browsers may keep it
// for good.
type asset struct {
	body []byte
	hash string
}

// assets are served by name.
type assets map[string]asset

func loadAssets() (assets, error) {
	out := assets{}
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := assetFiles.ReadFile(name)
		sum := sha256.Sum256(b)
		out[path.Base(name)] = asset{b, hex.EncodeToString(sum[:8])}
		return err
	})
	return out, err
}

// link is the file's address.
func (s assets) link(name string) string { return "/assets/" + name + "?v=" + s[name].hash }

// ServeHTTP serves the file that the path names.
func (s assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	f, ok := s[name]
	if !ok {
		writeError(w, &Error{Status: http.StatusNotFound, Code: "unknown_path", Message: "there is no such file"})
		return
	}
	if r.URL.Query().Get("v") == f.hash {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.body))
}

// parsePages reads every page together with what pages share.
func parsePages() (map[string]*template.Template, error) {
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		if path.Base(name)[0] == '_' {
			continue // shared
		}
		t, err := template.New("").Funcs(pageFuncs).ParseFS(pageFiles, "pages/_*.html", name)
		if err != nil {
			return nil, err
		}
		base := path.Base(name)
		out[base[:len(base)-len(".html")]] = t
	}
	return out, nil
}
