package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"text/tabwriter"
	"time"
)

// overheadCommand measures what a proxy costs: an instant upstream alone, behind a
// bare fasthttp proxy (the floor), behind nginx where it is installed, and behind Heed with everything on. Upstream
// and proxy are processes of their own; this process is the load.
type overheadCommand struct {
	Duration time.Duration `help:"Of each measurement." default:"5s"`
	Body     int           `help:"Bytes of a request body; the person's turn in it is at most 30 tokens." default:"1024"`
	Rules    []int         `help:"Active rules to measure with; two of them are injected." default:"2,1000"`
	Conns    []int         `help:"Connections of the closed loops." default:"1,32"`
	Rate     int           `help:"Requests a second of the open loop; 0 leaves it out." default:"1000"`
	Stream   bool          `help:"Answers are streams of 50 chunks."`
	Idle     int           `help:"Instead of a load: this many streams that say nothing after their first chunk, and what they cost in memory."`
	Varied   bool          `help:"Every request has another system prompt, as agents have that paste what they found into it."`
	Profile  string        `help:"Write a CPU profile of Heed to this file." type:"path"`
	JSON     string        `help:"Also write the results to this file." type:"path"`

	Role   string `hidden:""` // of a child: upstream, floor, heed
	Target string `hidden:""`
	Active int    `hidden:""`
}

// overheadResult is one proxy under one load.
type overheadResult struct {
	Proxy     string  `json:"proxy"`
	Load      string  `json:"load"`
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"requests_per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	AddedP50  float64 `json:"added_p50_us"` // over the upstream alone under the same load
	AddedP99  float64 `json:"added_p99_us"`
	FirstP50  float64 `json:"first_chunk_p50_us"`
	CPU       float64 `json:"cpu_us_per_request"` // user and system time of the proxy's process
	RSS       float64 `json:"rss_mb"`
	Injected  float64 `json:"injected"` // share of answers that name two rules
	Lost      int64   `json:"rows_lost"`
}

// Run implements the subcommand.
func (c *overheadCommand) Run(out io.Writer) error {
	if c.Role != "" {
		return c.child()
	}
	if c.Body < 400 || c.Body > 1<<20 {
		return fmt.Errorf("overhead: body %d: want 400 to 1048576 bytes", c.Body)
	}
	role := []string{"--role", "upstream"}
	if c.Stream {
		role = append(role, "--stream")
	}
	if c.Idle > 0 {
		return c.idle(out)
	}
	up, err := startChild(role...)
	if err != nil {
		return err
	}
	defer func() { _, _ = up.stop() }()
	proxies := []struct {
		name  string
		start func() (*child, error)
	}{
		{"upstream alone", func() (*child, error) { return up, nil }},
		{"bare fasthttp proxy", func() (*child, error) { return startChild("--role", "floor", "--target", up.addr) }},
	}
	if path, err := exec.LookPath("nginx"); err == nil {
		proxies = append(proxies, struct {
			name  string
			start func() (*child, error)
		}{"nginx", func() (*child, error) { return startNginx(path, up.addr, c.Stream) }})
	}
	for _, n := range c.Rules {
		args := []string{"--role", "heed", "--target", up.addr, "--active", fmt.Sprint(n)}
		if c.Profile != "" {
			args = append(args, "--profile", c.Profile)
		}
		proxies = append(proxies, struct {
			name  string
			start func() (*child, error)
		}{fmt.Sprintf("Heed, %d rules", n), func() (*child, error) { return startChild(args...) }})
	}
	var all []overheadResult
	for _, p := range proxies {
		rs, err := c.measureProxy(p.name, p.start, up)
		if err != nil {
			return fmt.Errorf("overhead: %s: %w", p.name, err)
		}
		all = append(all, rs...)
	}
	addOver(all)
	c.print(out, all)
	if c.JSON != "" {
		b, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(c.JSON, append(b, '\n'), 0o644)
	}
	return nil
}

// measureProxy starts one proxy, loads it in turn, and stops it.
func (c *overheadCommand) measureProxy(name string, start func() (*child, error), up *child) ([]overheadResult, error) {
	p, err := start()
	if err != nil {
		return nil, err
	}
	loads := []load{}
	for _, n := range c.Conns {
		loads = append(loads, load{name: fmt.Sprintf("closed, %d conns", n), conns: n})
	}
	if c.Rate > 0 {
		loads = append(loads, load{name: fmt.Sprintf("open, %d/s", c.Rate), conns: 32, rate: c.Rate})
	}
	var rs []overheadResult
	bodies := makeBodies(c.Body, c.Stream, c.Varied)
	warm := load{conns: 8, duration: time.Second}
	if _, err := warm.run(p.addr, bodies); err != nil {
		return nil, err
	}
	for _, l := range loads {
		l.duration = c.Duration
		before, err := p.cpu()
		if err != nil {
			return nil, err
		}
		m, err := l.run(p.addr, bodies)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		after, err := p.cpu()
		if err != nil {
			return nil, err
		}
		r := m.result()
		r.Proxy, r.Load, r.RSS = name, l.name, p.rss()
		r.CPU = float64((after - before).Microseconds()) / float64(max(1, r.Requests))
		rs = append(rs, r)
	}
	if p == up {
		return rs, nil
	}
	said, err := p.stop()
	if err != nil {
		return nil, err
	}
	var log struct{ Written, Dropped int64 }
	if json.Unmarshal(said, &log) == nil {
		for i := range rs {
			rs[i].Lost = log.Dropped
		}
	}
	return rs, nil
}

// addOver fills in what each proxy adds to the upstream alone under the same load.
func addOver(all []overheadResult) {
	base := map[string]overheadResult{}
	for i := range all {
		r := &all[i]
		b, ok := base[r.Load]
		if !ok {
			base[r.Load] = *r
			continue
		}
		r.AddedP50, r.AddedP99 = r.P50-b.P50, r.P99-b.P99
	}
}

func (c *overheadCommand) print(out io.Writer, all []overheadResult) {
	fmt.Fprintf(out, "%s, %d CPUs (shared with the load and the upstream), bodies of %d bytes, %v each\n\n", runtime.Version(), runtime.NumCPU(), c.Body, c.Duration)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "proxy\tload\trequests/s\tp50 µs\tp99 µs\tadded p50\tadded p99\tfirst chunk p50\tCPU µs/request\tRSS MB\tinjected\trows lost\t")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f %%\t%d\t\n", r.Proxy, r.Load, r.PerSecond, r.P50, r.P99,
			r.AddedP50, r.AddedP99, r.FirstP50, r.CPU, r.RSS, 100*r.Injected, r.Lost)
	}
	_ = w.Flush()
}
