package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// nginxConf is a reverse proxy with one worker process, connections kept open on
// both sides, no access log.
const nginxConf = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log crit;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  client_body_buffer_size 1m;
  keepalive_requests 100000000;
  upstream model { server %[2]s; keepalive 1024; keepalive_requests 100000000; }
  server {
    listen %[3]s;
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering %[4]s;
    }
  }
}
`

// nginxStart is how long nginx may take to answer first.
const nginxStart = 10 * time.Second

// startNginx runs the nginx of this machine in front of target. Its address is
// chosen before it starts.
func startNginx(path, target string, stream bool) (c *child, err error) {
	dir, err := os.MkdirTemp("", "heedbench")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	buffering := "on"
	if stream {
		buffering = "off" // else chunks wait for each other
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, dir, target, addr, buffering), 0o600); err != nil {
		return nil, err
	}
	c = &child{cmd: exec.Command(path, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", file), addr: addr, out: bufio.NewReader(strings.NewReader("")), dir: dir}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(nginxStart); ; time.Sleep(10 * time.Millisecond) {
		r, err := http.Get("http://" + addr + "/")
		if err == nil {
			return c, r.Body.Close()
		}
		if time.Now().After(end) {
			_ = c.cmd.Process.Kill()
			return nil, errors.Join(fmt.Errorf("nginx does not answer: %w", err), c.cmd.Wait())
		}
	}
}
