package wire

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// APIOf says which API a request's path asks for, and for Azure's deployment paths
// the model alias that stands in it, whatever the API. Paths may have a query,
// which is ignored, and a closing slash. Known are /v1/…, Azure's /openai/v1/…,
// /openai/deployments/{alias}/… and /openai/responses, which names its deployment
// in the body; every other path is Other.
func APIOf(path string) (api API, alias string) {
	path, _, _ = strings.Cut(path, "?")
	path = strings.TrimSuffix(path, "/")
	if rest, ok := strings.CutPrefix(path, "/openai/deployments/"); ok {
		name, tail, _ := strings.Cut(rest, "/")
		if api = byTail(tail); api == Messages {
			api = Other
		}
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
		return api, name
	}
	if path == "/openai/responses" {
		return Responses, ""
	}
	path = strings.TrimPrefix(path, "/openai")
	if tail, ok := strings.CutPrefix(path, "/v1/"); ok {
		return byTail(tail), ""
	}
	return Other, ""
}

func byTail(tail string) API {
	switch tail {
	case "chat/completions":
		return Chat
	case "responses":
		return Responses
	case "messages":
		return Messages
	case "completions":
		return Completions
	case "embeddings":
		return Embeddings
	}
	return Other
}

// String is the API's name in logs and metrics.
func (a API) String() string {
	switch a {
	case Chat:
		return "chat"
	case Responses:
		return "responses"
	case Messages:
		return "messages"
	case Completions:
		return "completions"
	case Embeddings:
		return "embeddings"
	}
	return "other"
}

// MarshalText is String.
func (a API) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote. An unknown name is Other: it was
// written by a later version, and can still be shown.
func (a *API) UnmarshalText(b []byte) error {
	*a = Other
	for i := Other; i <= Embeddings; i++ {
		if i.String() == string(b) {
			*a = i
		}
	}
	return nil
}

// UnmarshalJSON reads a name, or the number that rows held at first.
func (a *API) UnmarshalJSON(b []byte) error {
	if len(b) > 1 && b[0] == '"' {
		return a.UnmarshalText(b[1 : len(b)-1]) // names have no escapes
	}
	n, err := strconv.ParseUint(string(b), 10, 8)
	if err != nil && string(b) != "null" {
		return fmt.Errorf("api %q: want a name or a number", b)
	}
	*a = Other
	if API(n) <= Embeddings {
		*a = API(n)
	}
	return nil
}
