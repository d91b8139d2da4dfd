package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"heed/store"
	"heed/store/storetest"
)

// What the learner gave up is listed with the reason and how often it was tried;
// an approver makes it pending anew, with no tries, and the trail says who.
func TestFeedback_PutAsideAndTriedAgain(t *testing.T) {
	b := start(t, nil)
	var fs []*store.Feedback
	for _, words := range []string{"the first", "the second", "the third"} {
		f, _, err := b.store.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api", User: words, Comment: words})
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, f)
	}
	err := b.store.Commit(t.Context(), store.Changes{App: "shop", Handled: []store.Handled{
		{Feedback: fs[0].ID, Aside: true, Tries: 5, Note: "BUG: <b>of this one</b>"}, {Feedback: fs[1].ID, Aside: true, Tries: 5, Note: "out of memory"}, {Feedback: fs[2].ID}}})
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []*store.Feedback }
	b.ok(Viewer, "GET", "feedback?app=shop&state=aside", nil, &list)
	if len(list.Items) != 2 || list.Items[1].ID != fs[0].ID || list.Items[1].Tries != 5 || list.Items[1].Aside != "BUG: <b>of this one</b>" {
		t.Fatalf("put aside: %+v", list.Items)
	}
	b.refused(Viewer, "GET", "feedback?app=shop&state=open", nil, http.StatusBadRequest, "invalid")
	c := b.browser(Approver)
	text := b.page(c, "/feedback?app=shop&state=aside")
	for _, want := range []string{"BUG: &lt;b&gt;of this one&lt;/b&gt;", "put aside after 5 tries", "out of memory", "/feedback/" + fs[1].ID + "/try-again"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(b.page(b.browser(Viewer), "/feedback?app=shop"), "try-again") {
		t.Error("a viewer is offered to try again")
	}

	b.refused(Viewer, "POST", "feedback/"+fs[0].ID+"/try-again?app=shop", nil, http.StatusForbidden, "role")
	var f store.Feedback
	b.ok(Approver, "POST", "feedback/"+fs[0].ID+"/try-again?app=shop", map[string]string{"reason": "mended"}, &f)
	if f.Aside != "" || f.Tries != 0 {
		t.Errorf("tried again: %+v", f)
	}
	b.refused(Approver, "POST", "feedback/"+fs[0].ID+"/try-again?app=shop", nil, http.StatusConflict, "not_aside")
	b.refused(Approver, "POST", "feedback/"+fs[2].ID+"/try-again?app=shop", nil, http.StatusConflict, "not_aside")
	b.refused(Approver, "POST", "feedback/none/try-again?app=shop", nil, http.StatusNotFound, "not_found")
	resp := b.post(c, "/feedback/"+fs[1].ID+"/try-again", url.Values{"app": {"shop"}, "back": {"/feedback?app=shop&state=aside"}})
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if text := b.page(c, resp.Header.Get("Location")); !strings.Contains(text, "The learner tries it again.") || strings.Contains(text, "out of memory") {
		t.Errorf("the page afterwards:\n%s", text)
	}
	if ps := storetest.Pending(t, b.store, "shop", 10); len(ps) != 2 {
		t.Errorf("pending %+v, want the two records", ps)
	}
	as, _, err := b.store.Audits(t.Context(), store.AuditFilter{App: "shop", Action: "try-again", Target: fs[0].ID})
	if err != nil || len(as) != 1 || as[0].Actor != "anna" || as[0].Reason != "mended" {
		t.Errorf("audit %+v %v", as, err)
	}
}
