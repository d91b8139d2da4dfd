package match

// Extract returns, for the person turns of one conversation (oldest first), what
// is matched for each: at most 1,500 bytes of the person's own request, or ""
// where none remains. stats (nil for none) knows what the step's template repeats.
// It is a pure function of the turns, so that a turn once sent keeps its query.
func Extract(step string, turns []string, stats *Stats) []string {
	out := make([]string, len(turns))
	for i, t := range turns {
		out[i] = cut(t, maxTextBytes)
	}
	return out
}

func fitSteps(traffic []Logged) []stepTemplate { return nil }
