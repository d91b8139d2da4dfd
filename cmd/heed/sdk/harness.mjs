// Starts the simulated model and Heed in front of it, as processes of their own.
import { spawn } from 'node:child_process';
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

export async function start() {
  if (!bin) throw new Error('HEED_BIN is not set: run make test-sdk');
  const dir = mkdtempSync(join(tmpdir(), 'heed-sdk-'));
  const model = await started(['simulate', '--listen', '127.0.0.1:0'], { url: /at (http:\/\/\S+)/ });
  const base = model.url.replace(/\/v1$/, '');
  const conf = join(dir, 'heed.yaml');
  writeFileSync(conf, `gateway: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
store: {path: ${JSON.stringify(join(dir, 'data'))}}
upstreams:
  main: {base_url: "${base}/v1", api_key: sk-upstream}
  claude: {kind: anthropic, base_url: "${base}", api_key: sk-ant-upstream}
  azure: {kind: azure, base_url: "${base}", api_key: azure-upstream, api_version: "2024-10-21"}
models:
  via-azure: {targets: [{upstream: azure, model: gpt-4o}]}
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
    rmSync(dir, { recursive: true, force: true });
  };
  return { gateway: heed.gateway, admin: heed.admin, api, stop, stderr: heed.stderr };
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
