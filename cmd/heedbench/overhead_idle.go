package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// idle opens c.Idle streams through Heed, waits until each has its first chunk, and
// says what Heed then holds; then how long another request takes.
func (c *overheadCommand) idle(out io.Writer) error {
	if err := allowFiles(2*c.Idle + spareFiles); err != nil {
		return fmt.Errorf("overhead: %d idle streams: %w", c.Idle, err)
	}
	up, err := startChild("--role", "silent")
	if err != nil {
		return err
	}
	defer func() { _, _ = up.stop() }()
	p, err := startChild("--role", "heed", "--target", up.addr, "--active", "2")
	if err != nil {
		return err
	}
	body := makeBodies(c.Body, true, false)[0]
	before := p.rss()
	conns := make([]net.Conn, c.Idle)
	errs := make(chan error, c.Idle)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 64) // calls begun at once
	begun := time.Now()
	for i := range conns {
		gate <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-gate }()
			var err error
			if conns[i], err = openStream(p.addr, body); err != nil {
				errs <- fmt.Errorf("stream %d: %w", i, err)
			}
		}()
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	took := time.Since(begun)
	cpu, err := p.cpu()
	if err != nil {
		return err
	}
	time.Sleep(c.Duration)
	later, err := p.cpu()
	if err != nil {
		return err
	}
	at := time.Now()
	one, err := openStream(p.addr, body)
	if err != nil {
		return err
	}
	answered := time.Since(at)
	_ = one.Close()
	rss := p.rss()
	fmt.Fprintf(out, "%d idle streams (opened in %v): resident %.0f MB, before %.0f MB; %.1f KB a stream; CPU while idle %.1f %%; first chunk of one more after %v\n",
		c.Idle, took.Round(time.Millisecond), rss, before, (rss-before)*1024/float64(c.Idle), 100*float64(later-cpu)/float64(c.Duration), answered.Round(10*time.Microsecond))
	for _, conn := range conns {
		_ = conn.Close()
	}
	_, err = p.stop()
	return err
}

// spareFiles is what a process has open besides its streams: database, log, pipes.
const spareFiles = 100

// allowFiles raises this process's limit of open files to n, and that of the
// processes that it starts from then on. Heed needs two for each stream, which is
// often above the hard limit; that one only root may raise.
func allowFiles(n int) error {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if was.Cur >= uint64(n) {
		return nil
	}
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(n), Max: max(was.Max, uint64(n))})
	if err != nil {
		return fmt.Errorf("they need %d open files and the hard limit is %d (%w): run this as root, or after `ulimit -Hn %d` in a shell of root (in a container with --ulimit nofile=%d), or measure --idle %d",
			n, was.Max, err, n, n, (int(was.Max)-spareFiles)/2)
	}
	return nil
}

// openStream sends a request and reads up to the first chunk.
func openStream(addr string, body []byte) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(body); err != nil {
		return conn, err
	}
	br := bufio.NewReaderSize(conn, 2<<10)
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		return conn, err
	}
	var b [1]byte
	if _, err := io.ReadFull(r.Body, b[:]); err != nil {
		return conn, err
	}
	if r.StatusCode != http.StatusOK {
		return conn, fmt.Errorf("status %d", r.StatusCode)
	}
	return conn, nil
}

// serveSilent answers with the head of a stream and one chunk, then says nothing.
func serveSilent(ln net.Listener) error {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: x\n\r\n"
	go func() { // until the process ends
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReaderSize(conn, 4<<10)); err == nil {
					_, _ = io.WriteString(conn, head)
					_, _ = io.Copy(io.Discard, conn)
				}
			}()
		}
	}()
	fmt.Println(ln.Addr())
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
