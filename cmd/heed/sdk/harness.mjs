// Starts the simulated model and Heed in front of it, as processes of their own.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const bin = process.env.HEED_BIN;
export const appKey = 'heed-key-sdk';

// started runs heed and waits for the lines that name its addresses.
function started(args, patterns) {
  const child = spawn(bin, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (d) => { errors += d; });
  return new Promise((resolve, reject) => {
    const found = {};
    child.on('exit', (code) => reject(new Error(`heed ${args.join(' ')} ended with ${code}: ${errors}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      for (const [name, pattern] of Object.entries(patterns)) {
        const m = line.match(pattern);
        if (m) found[name] = m[1];
      }
      if (Object.keys(found).length === Object.keys(patterns).length) resolve({ child, ...found, stderr: () => errors });
    });
  });
}

// sickModel is an upstream that does what the model's name asks for: status-N
// answers that status, flaky fails the first time, drop closes the connection
// without an answer, cut in the middle of a stream. calls counts by that name.
async function sickModel(base) {
  const calls = {};
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    if (req.method === 'GET') return res.end('{"object":"list","data":[]}'); // its models
    const { model } = JSON.parse(body);
    calls[model] = (calls[model] ?? 0) + 1;
    const anthropic = req.url.startsWith('/v1/messages');
    const fail = (status) => {
      const error = { type: 'sick', message: `sick ${status}` };
      res.writeHead(status, { 'content-type': 'application/json', 'retry-after-ms': '5', 'x-request-id': 'req_sick', 'request-id': 'req_sick', 'x-ratelimit-remaining-requests': '0' });
      res.end(JSON.stringify(anthropic ? { type: 'error', error } : { error: { ...error, code: 'sick', param: null } }));
    };
    if (model.startsWith('status-')) return fail(Number(model.slice(7)));
    if (model === 'drop') return req.socket.destroy();
    if (model === 'cut') {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = anthropic
        ? 'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
        : 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}\n\n';
      return res.write(event, () => req.socket.destroy());
    }
    if (calls[model] % 2 === 1) return fail(503); // flaky
    const r = await fetch(base + req.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...JSON.parse(body), model: 'gpt-4o' }) });
    res.writeHead(r.status, { 'content-type': r.headers.get('content-type') });
    res.end(await r.text());
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { calls, url: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close(); } };
}

export async function start() {
  if (!bin) throw new Error('HEED_BIN is not set: run make test-sdk');
  const dir = mkdtempSync(join(tmpdir(), 'heed-sdk-'));
  const model = await started(['simulate', '--listen', '127.0.0.1:0'], { url: /at (http:\/\/\S+)/ });
  const base = model.url.replace(/\/v1$/, '');
  const sick = await sickModel(base);
  const names = ['status-400', 'status-404', 'status-422', 'status-429', 'status-500', 'status-503', 'flaky', 'drop', 'cut'];
  const conf = join(dir, 'heed.yaml');
  writeFileSync(conf, `gateway: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
store: {path: ${JSON.stringify(join(dir, 'data'))}}
upstreams:
  main: {base_url: "${base}/v1", api_key: sk-upstream}
  claude: {kind: anthropic, base_url: "${base}", api_key: sk-ant-upstream}
  azure: {kind: azure, base_url: "${base}", api_key: azure-upstream, api_version: "2024-10-21"}
  sick: {base_url: "${sick.url}/v1", api_key: sk-upstream}
  sick-claude: {kind: anthropic, base_url: "${sick.url}", api_key: sk-ant-upstream}
models:
  via-azure: {targets: [{upstream: azure, model: gpt-4o}]}
${names.map((n) => `  ${n}: {targets: [{upstream: sick, model: ${n}}, {upstream: sick-claude, model: ${n}}]}\n`).join('')}
apps:
  shop: {keys: [${appKey}], holdout: 0}
`);
  const heed = await started(['--config', conf, 'serve'], { gateway: /^gateway +(http:\/\/\S+)\/v1/, admin: /^admin +(http:\/\/[^\s/]+)/ });
  const token = readFileSync(join(dir, 'data', 'admin-token'), 'utf8').trim();
  const api = async (method, path, body) => {
    const r = await fetch(`${heed.admin}/api/v1/${path}`, {
      method, headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body),
    });
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  const stop = () => {
    for (const p of [heed.child, model.child]) { p.removeAllListeners('exit'); p.kill(); }
    sick.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { gateway: heed.gateway, admin: heed.admin, api, stop, calls: sick.calls, stderr: heed.stderr };
}

// until calls check until it gives something true.
export async function until(what, check) {
  for (const end = Date.now() + 20000; Date.now() < end;) {
    const v = await check();
    if (v) return v;
    await new Promise((r) => setTimeout(r, 20)); // between two looks from outside; no event crosses the process
  }
  throw new Error(`${what} did not happen`);
}
