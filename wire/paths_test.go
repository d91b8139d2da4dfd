package wire

import (
	"encoding/json"
	"testing"
)

// An API is its name in JSON; the numbers of old rows are read, and what a later
// version may have written is Other.
func TestAPI_JSON(t *testing.T) {
	for api, want := range map[API]string{Other: `"other"`, Chat: `"chat"`, Responses: `"responses"`, Messages: `"messages"`,
		Completions: `"completions"`, Embeddings: `"embeddings"`, 99: `"other"`} {
		b, err := json.Marshal(api)
		if err != nil || string(b) != want {
			t.Errorf("%d in JSON: %s, %v; want %s", api, b, err, want)
		}
	}
	for text, want := range map[string]API{`"chat"`: Chat, `"embeddings"`: Embeddings, `"telepathy"`: Other, `""`: Other,
		`1`: Chat, `3`: Messages, `5`: Embeddings, `6`: Other, `0`: Other, `null`: Other} {
		var v struct{ API API }
		if err := json.Unmarshal([]byte(`{"API":`+text+`}`), &v); err != nil || v.API != want {
			t.Errorf("%s is %v, %v; want %v", text, v.API, err, want)
		}
	}
	for _, text := range []string{`-1`, `1.5`, `300`, `true`, `{}`} {
		var a API
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s is read as %v", text, a)
		}
	}
}
