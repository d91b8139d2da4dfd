package redis

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"
)

// startNode runs a redis-server on a port and waits until it answers.
func startNode(t *testing.T, args ...string) (addr string, client *redis.Client, kill func()) {
	t.Helper()
	port := freePort(t)
	cmd := exec.Command("redis-server", append(args, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr = "127.0.0.1:" + port
	client = redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() { _ = client.Close(); kill() })
	(&server{tb: t}).await("node", func() bool { return client.Ping(t.Context()).Err() == nil })
	return addr, client, kill
}

// A primary dies, a sentinel promotes its replica: what was acknowledged before,
// during and after is there once, and the rules stay in force.
func TestStore_Failover(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed: a failover is NOT tested")
	}
	srv := &server{tb: t}
	first, primary, kill := startNode(t, "--save", "")
	host, port := "127.0.0.1", first[len("127.0.0.1:"):]
	_, replica, _ := startNode(t, "--save", "", "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	srv.await("the replica", func() bool {
		return replica.InfoMap(t.Context(), "replication").Item("Replication", "master_link_status") == "up"
	})
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor heed %s %s 1\nsentinel down-after-milliseconds heed 300\nsentinel failover-timeout heed 2000\n", host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel, watcher, _ := startNode(t, conf, "--sentinel")
	srv.await("the sentinel", func() bool {
		return watcher.InfoMap(t.Context(), "sentinel").Item("Sentinel", "sentinel_masters") == "1" &&
			len(watcher.Do(t.Context(), "SENTINEL", "REPLICAS", "heed").Val().([]any)) == 1
	})
	opt := Options{URL: "redis://" + sentinel + "/0?master_name=heed", Dir: t.TempDir(), Prefix: "t", Log: testLog(t)}
	s := open(t, opt)
	want := publish(t, s, 0, "Be brief.")
	if _, err := inForce(s); err != nil {
		t.Fatal(err)
	}
	acked := say(t, s, 20, "before")
	if err := primary.Wait(t.Context(), 1, 0).Err(); err != nil { // the set must not be what is lost
		t.Fatal(err)
	}
	kill()
	acked = append(acked, say(t, s, 20, "during")...)
	checkInForce(t, s, want)
	srv.await("the new primary", func() bool {
		return replica.InfoMap(t.Context(), "replication").Item("Replication", "role") == "master"
	})
	acked = append(acked, say(t, s, 20, "after")...)
	arrived(t, srv, open(t, withDir(opt, t.TempDir())), acked)
	next := publish(t, s, 1, "Be kind.")
	srv.await("the next set", func() bool { h, err := inForce(s); return err == nil && h == next })
}
