package learner

import (
	"os"
	"strings"
	"testing"

	"heed/store"
)

// What people write into the field must read after "When ".
func TestCondition_ReadsAfterWhen(t *testing.T) {
	for _, c := range []struct{ when, want string }{
		{"questions about refunds", "someone asks about refunds"},
		{"Questions on delivery times.", "someone asks about delivery times"},
		{"any question regarding invoices", "someone asks about invoices"},
		{"refund questions", "someone asks refund questions"},
		{"for refund questions", "someone asks refund questions"},
		{"for returns", "someone asks about returns"},
		{"For returns, refunds and exchanges", "someone asks about returns, refunds and exchanges"},
		{"only for damaged parcels", "someone asks about damaged parcels"},
		{"about shipping", "someone asks about shipping"},
		{"regarding invoices", "someone asks about invoices"},
		{"anything to do with customs", "someone asks about customs"},
		{"in case of damage", "someone asks about damage"},
		{"when it comes to prices", "it comes to prices"},
		{"returns", "someone asks about returns"},
		{"international orders", "someone asks about international orders"},
		{"the warranty", "someone asks about the warranty"},
		{"when someone asks about returns", "someone asks about returns"},
		{"When somebody wants to return something!", "somebody wants to return something"},
		{"whenever a customer is angry", "a customer is angry"},
		{"if the order is late, or was lost", "the order is late, or was lost"},
		{"if it is about refunds", "it is about refunds"},
		{"it's about refunds", "it's about refunds"},
		{"someone asks about returns, refunds or exchanges", "someone asks about returns, refunds or exchanges"},
		{"somebody asks about shoes", "somebody asks about shoes"},
		{"a customer wants a refund", "a customer wants a refund"},
		{"guests have pets", "guests have pets"},
		{"I ask about fees", "someone asks about fees"},
		{"when I am asking about fees", "someone is asking about fees"},
		{"I'm angry", "someone is angry"},
		{"when asked about pets", "someone asks about pets"},
		{"asked about pets", "asked about pets"},
		{"talking about prices", "talking about prices"},
		{"in German", "the request is in German"},
		{"after a cancellation", "the request is after a cancellation"},
		{"wenn jemand nach Retouren fragt", "jemand nach Retouren fragt"},
		{"bei Fragen zu Retouren", "jemand nach Retouren fragt"},
		{"the request is about refund, order", "the request is about refund, order"},
		{"when possible", "the request is about return, shoes"},
		{"n/a", "the request is about return, shoes"},
		{"idk", "the request is about return, shoes"},
		{"never", "the request is about return, shoes"},
		{"How do I return my shoes?", "the request is about return, shoes"},
		{"What is the fee?", "someone asks what is the fee"},
		{"", "the request is about return, shoes"},
	} {
		if got := condition(c.when, "how do i return my shoes", Frequencies{}); got != c.want {
			t.Errorf("condition(%q) = %q, want %q", c.when, got, c.want)
		}
	}
}

// A condition that reads well already stays: whatever check.AppliesWhen finds, and
// whatever condition made.
func TestCondition_StaysAsItIs(t *testing.T) {
	b, err := os.ReadFile("../rules/check/testdata/conditions.txt")
	if err != nil {
		t.Fatal(err)
	}
	n, changed := 0, 0
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") || len(f) < 2 || f[1] == "-" {
			continue
		}
		n++
		got := condition(f[1], "", Frequencies{})
		if got != f[1] {
			changed++
			t.Errorf("condition(%q) = %q", f[1], got)
		}
	}
	if n < 50 {
		t.Fatalf("%d conditions read", n)
	}
	t.Logf("%d of %d changed", changed, n)
}

// A condition in the comment is not lost to the one in the field.
func TestInstruction_ConditionBesideTheField(t *testing.T) {
	for _, c := range []struct{ comment, field, action, when string }{
		{"If the customer is angry, apologize first.", "questions about shipping", "If the customer is angry, apologize first.", "questions about shipping"},
		{"For shipping, mention the fee.", "questions about shipping", "Mention the fee.", "questions about shipping"},
		{"For shipping, mention the fee.", "", "Mention the fee.", "someone asks about shipping"},
	} {
		action, when, ok := instruction(&store.Feedback{Comment: c.comment, When: c.field})
		if !ok || action != c.action || when != c.when {
			t.Errorf("%q, applies when %q: got %q when %q, %v, want %q when %q", c.comment, c.field, action, when, ok, c.action, c.when)
		}
	}
}
