package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"heed/store"
)

// Pages of export. One of exchanges holds at most 20 times two bodies of 1 MiB in
// base64, which is below maxAPIBytes.
const (
	exportExchanges = "20"
	exportFeedback  = "500"
)

// exportCmd is `heed export`.
type exportCmd struct {
	App    string `help:"The app; default: the only one there is."`
	Output string `short:"o" help:"File to write; it appears when it is whole. Default: standard output." placeholder:"FILE"`
}

// Run writes every exchange, newest first, and then all feedback, oldest first,
// of a running Heed.
func (cmd exportCmd) Run(e *env) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	if cmd.Output == "" {
		return cmd.write(e, c, e.out)
	}
	f, err := os.CreateTemp(filepath.Dir(cmd.Output), "."+filepath.Base(cmd.Output)+"-*")
	if err != nil {
		return err
	}
	if err := errors.Join(cmd.write(e, c, f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), cmd.Output) // no reader ever sees a torn one
}

func (cmd exportCmd) write(e *env, c *adminClient, out io.Writer) error {
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	q := appQuery(cmd.App)
	q.Set("limit", exportExchanges)
	q.Set("bodies", "true")
	if err := each(e.ctx, c, "exchanges", q, func(x store.Exchange) error { return enc.Encode(record{Exchange: &x}) }); err != nil {
		return err
	}
	if err := cmd.feedback(e, c, w); err != nil {
		return err
	}
	return w.Flush()
}

// feedback writes the records in the order in which they were given, which says
// what supersedes what. The API lists the newest first, so they pass through a
// file that is read backwards.
func (cmd exportCmd) feedback(e *env, c *adminClient, w io.Writer) error {
	spool, err := os.CreateTemp("", "heed-export-*")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(spool.Close(), os.Remove(spool.Name())) }()
	buf := bufio.NewWriter(spool)
	ends := []int64{0}
	q := url.Values{"app": {cmd.App}, "limit": {exportFeedback}}
	err = each(e.ctx, c, "feedback", q, func(f store.Feedback) error {
		b, err := json.Marshal(record{Feedback: &f})
		if err != nil {
			return err
		}
		ends = append(ends, ends[len(ends)-1]+int64(len(b)+1))
		_, err = buf.Write(append(b, '\n'))
		return err
	})
	if err := errors.Join(err, buf.Flush()); err != nil {
		return err
	}
	for i := len(ends) - 1; i > 0; i-- {
		if _, err := io.Copy(w, io.NewSectionReader(spool, ends[i-1], ends[i]-ends[i-1])); err != nil {
			return err
		}
	}
	return nil
}
