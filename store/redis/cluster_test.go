package redis

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"heed/store"
	"heed/store/storetest"
)

// startCluster runs three nodes that share the slots and returns the store's URL.
func startCluster(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: a cluster is NOT tested")
	}
	ctx := t.Context()
	var ports []string
	var nodes []*redis.Client
	for range 3 {
		port := freePort(t)
		dir := filepath.Join(t.TempDir(), port)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--cluster-enabled", "yes", "--cluster-port", freePort(t))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		node := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, MaxRetries: -1})
		t.Cleanup(func() { _ = node.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
		(&server{tb: t}).await("node", func() bool { return node.Ping(ctx).Err() == nil })
		ports, nodes = append(ports, port), append(nodes, node)
	}
	for i, from := range []int{0, 5461, 10923} {
		to := []int{5460, 10922, 16383}[i]
		if err := nodes[i].ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			t.Fatal(err)
		}
		info := nodes[i].ClusterNodes(ctx).Val() // "id ip:port@busport …"
		_, bus, _ := strings.Cut(strings.Fields(info)[1], "@")
		bus, _, _ = strings.Cut(bus, ",")
		if err := nodes[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", ports[i], bus).Err(); err != nil && i > 0 {
			t.Fatal(err)
		}
	}
	for _, node := range nodes {
		(&server{tb: t}).await("cluster", func() bool {
			info := node.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return fmt.Sprintf("redis://127.0.0.1:%s?addr=127.0.0.1:%s&addr=127.0.0.1:%s", ports[0], ports[1], ports[2])
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// The whole contract on a cluster: every script finds its keys in one slot, and
// apps live on different nodes.
func TestStore_ContractOnCluster(t *testing.T) {
	if os.Getenv("HEED_SOAK") == "" {
		t.Skip("set HEED_SOAK=1: a cluster is NOT tested")
	}
	url := startCluster(t)
	storetest.Run(t, func(tb testing.TB) store.Store {
		opt := Options{URL: url, Dir: tb.TempDir(), Prefix: fmt.Sprint("t", prefixes.Add(1)), Log: testLog(tb)}
		return suite{open(tb, opt), opt}
	})
	erasing := Options{URL: url, Dir: t.TempDir(), Prefix: "erase", Log: testLog(t)}
	e := open(t, erasing)
	storetest.RunErase(t, storetest.Erasing{
		Store: e, Eraser: e, Settle: func(testing.TB) {}, Holds: func(t testing.TB, text string) []string { return e.holds(t, text, erasing.Dir) },
	})
	full := open(t, Options{URL: url, Dir: t.TempDir(), Prefix: "full", Log: testLog(t)})
	fillApp(t, full, "shop")
	dir := t.TempDir()
	if err := full.Backup(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	restored := open(t, Options{URL: url, Dir: t.TempDir(), Prefix: "restored", Log: testLog(t)})
	if err := restored.Restore(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	want, got := everything(t, full, "shop"), everything(t, restored, "shop")
	for what := range want {
		if got[what] != want[what] {
			t.Errorf("%s:\n got %.300s\nwant %.300s", what, got[what], want[what])
		}
	}
	s := open(t, Options{URL: url, Dir: t.TempDir(), Prefix: "many", Log: testLog(t)})
	for i := range 30 {
		_, _, err := s.AddFeedback(context.Background(), &store.Feedback{App: fmt.Sprint("app", i), Source: "api", Comment: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		if fs := storetest.Pending(t, s, fmt.Sprint("app", i), store.MaxPage); len(fs) != 1 {
			t.Errorf("%d records of app %d are pending, want 1", len(fs), i)
		}
	}
}
