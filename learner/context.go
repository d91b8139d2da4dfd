package learner

import (
	"strings"

	"heed/wire"
)

// Seen is what the model could read when it answered, as far as Heed has the
// bytes: every text of the request, and apart the results of tools.
type Seen struct {
	Text  string
	Tools []string
}

// maxSeenBytes bounds what is kept of a request's text.
const maxSeenBytes = 256 << 10

// Read collects the texts of a request body. A body that was cut gives what could
// be read.
func Read(api wire.API, body []byte) Seen {
	var s Seen
	var all strings.Builder
	for _, m := range wire.View(api, body, nil).Messages {
		if room := maxSeenBytes - all.Len(); room > 0 {
			all.WriteString(cut(m.Text, room))
			all.WriteByte('\n')
		}
		if m.Role == "tool" {
			s.Tools = append(s.Tools, cut(m.Text, maxSeenBytes))
		}
	}
	s.Text = all.String()
	return s
}
