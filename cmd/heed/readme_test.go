package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The README's transcript is what the program really prints: this test runs its
// commands in one shell, on other ports, and compares what they print, ids aside.
// HEED_UPDATE=1 writes what was printed into the README instead.
func TestREADME_TranscriptIsTrue(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("no %s on this machine: make deps installs it", tool)
			}
			t.Skipf("no %s on this machine: the transcript cannot be run", tool)
		}
	}
	const path = "../../README.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), "```console\n")
	block, after, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatal("README.md has no ```console block")
	}
	got := playTranscript(t, block)
	if os.Getenv("HEED_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(before+"```console\n"+got+"```\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if g, w := withoutIDs(got), withoutIDs(block); g != w {
		t.Errorf("the program prints\n%s\nthe README says\n%s\n(HEED_UPDATE=1 go test -run README ./cmd/heed mends it)", g, w)
	}
}

var anyID = regexp.MustCompile(`Heed-Ruleset: \d+|r_[a-z2-7]{26}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}| +`)

func withoutIDs(s string) string { return anyID.ReplaceAllString(s, " ") }

// playTranscript runs the lines that start with "$ " and returns the block with
// what they printed.
func playTranscript(t *testing.T, block string) string {
	t.Helper()
	dir := t.TempDir()
	gateway, admin, model := freePort(t), freePort(t), freePort(t)
	ports := strings.NewReplacer("127.0.0.1:8080", gateway, "127.0.0.1:9900", model)
	back := strings.NewReplacer(gateway, "127.0.0.1:8080", model, "127.0.0.1:9900", admin, "127.0.0.1:8081")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "heed")); err != nil {
		t.Fatal(err)
	}
	commands, conf := transcriptCommands(block)
	conf += "gateway: {listen: \"" + gateway + "\"}\nadmin: {listen: \"" + admin + "\"}\n"
	if err := os.WriteFile(filepath.Join(dir, "heed.yaml"), []byte(ports.Replace(conf)), 0o600); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, c := range commands {
		switch {
		case strings.HasPrefix(c, "cat heed.yaml"):
			continue // its text is the block's own
		case strings.HasPrefix(c, "heed simulate"):
			c = strings.Replace(c, "heed simulate", "heed simulate --listen "+model, 1)
		case strings.HasPrefix(c, "ask 'How"): // the two programs were started in the background
			script.WriteString("for p in " + gateway + "/heed/readyz " + admin + "/login " + model + "/v1/models; do until curl -sf -o /dev/null http://$p; do sleep 0.05; done; done\n")
		case strings.HasPrefix(c, "heed rules list"): // "a card appears within a second"
			script.WriteString("until heed rules list | grep -q proposed; do sleep 0.05; done\n")
		case strings.HasPrefix(c, "ask 'I want"): // "from the next request on", as soon as the gateway has it
			script.WriteString("until ask 'I want to return a jacket' | grep -q label; do sleep 0.05; done\n")
		}
		script.WriteString("printf '%s\\n' \"" + marker + "\"\n" + ports.Replace(c) + "\n")
	}
	script.WriteString("kill %1 %2; wait\n")
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-m", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil && ctx.Err() != nil {
		t.Fatalf("the transcript hangs: %s", out)
	}
	text := strings.ReplaceAll(string(out), "\r", "") // of header lines
	printed := strings.Split(back.Replace(text), marker+"\n")[1:]
	var b strings.Builder
	for _, c := range commands {
		b.WriteString("$ " + c + "\n")
		if strings.HasPrefix(c, "cat heed.yaml") {
			_, own := transcriptCommands(block)
			b.WriteString(own)
			continue
		}
		if len(printed) == 0 {
			t.Fatalf("the shell ended before %q", c)
		}
		text := printed[0]
		printed = printed[1:]
		b.WriteString(text)
		if text != "" && !strings.HasSuffix(text, "\n") {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// marker separates what one command printed from the next.
const marker = "--- next command ---"

// transcriptCommands are the block's commands, and the text of its heed.yaml.
func transcriptCommands(block string) (commands []string, conf string) {
	inConf := false
	for line := range strings.Lines(block) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, strings.TrimSuffix(c, "\n"))
			inConf = strings.HasPrefix(c, "cat heed.yaml")
		} else if inConf {
			conf += line
		}
	}
	return commands, conf
}

// freePort is an address on which nobody listens now.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
