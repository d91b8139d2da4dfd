// Package match decides when a rule applies: which of an app's rules a person's
// request calls for, and that most requests call for none.
//
// Start with [Compile], which turns the scopes of all rules of an app and the
// word [Stats] of its traffic into one immutable [Index], and [Index.Match],
// which scores a request against it. [Fit] makes the Stats from logged traffic,
// off the request path. [Fingerprint] names the step that made a request, and
// [Extract] finds what the person asked in it.
//
// Everything here is pure: no I/O, clock or randomness; the same arguments give
// the same answer, and an Index is safe for concurrent use.
package match

// Scope is what a rule's applicability is learned from.
type Scope struct {
	ID              string   // the rule's id; ties are broken by it
	AppliesWhen     string   // a person's words for when the rule applies; may be empty
	Comment         string   // what else people said when they asked for the rule; may be empty
	Examples        []string // requests it applies to, as extracted by Extract
	Counterexamples []string // requests it does not apply to ("does not apply" ticks)
	Sources         []string // ids of the feedback it rests on: rules that share one do not compete
	Partition       string   // rules of unlike non-empty partitions never meet in one request, so do not compete
}

// Hit is a rule that applies to a request with probability P.
type Hit struct {
	Rule int // index into the scopes given to Compile
	P    float32
}
