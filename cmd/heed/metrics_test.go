package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"heed/configs"
)

// Metrics of a part without admin are for who has one of admin's tokens.
func TestWithToken(t *testing.T) {
	tokens := []configs.AdminToken{{Name: "ann", Role: "owner", Token: "a-long-secret-1"}, {Name: "prom", Role: "viewer", Token: "a-long-secret-2"}}
	h := withToken(tokens, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "up 1\n") }))
	for given, want := range map[string]int{
		"Bearer a-long-secret-1": 200, "Bearer a-long-secret-2": 200,
		"": 401, "Bearer ": 401, "Bearer a-long-secret-3": 401, "Bearer a-long-secret-1a-long-secret-2": 401, "Basic a-long-secret-1": 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", given)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Authorization %q: %d, want %d", given, w.Code, want)
		}
	}
}
