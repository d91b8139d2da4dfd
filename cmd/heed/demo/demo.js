// The demo page: a chat that talks to its own small backend (which talks to Heed
// as any agent would), and an inbox that shows what the admin API says.
'use strict';

const $ = (id) => document.getElementById(id);
let conversation = [];
let seen = new Set();

function el(tag, attrs, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs || {})) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v !== false && v != null) e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children.filter((c) => c != null));
  return e;
}

async function api(path, body) {
  const r = await fetch(path, body === undefined ? {} : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await r.json().catch(() => ({}));
  if (!r.ok) throw new Error((answer.error && answer.error.message) || 'status ' + r.status);
  return answer;
}

async function ask(question) {
  conversation.push({ role: 'user', content: question });
  $('messages').append(el('li', { class: 'user' }, question));
  const item = el('li', { class: 'assistant', 'aria-busy': 'true' }, '…');
  $('messages').append(item);
  try {
    const a = await api('/chat', { messages: conversation });
    conversation.push({ role: 'assistant', content: a.answer });
    item.replaceChildren(...answer(a));
  } catch (e) {
    conversation.pop();
    item.replaceChildren(el('span', { class: 'warn' }, 'No answer: ' + e.message));
  }
  item.removeAttribute('aria-busy');
  item.scrollIntoView({ block: 'nearest' });
}

function answer(a) {
  const widget = el('heed-feedback', { token: a.token, endpoint: a.feedback_url });
  const meta = el('div', { class: 'meta' },
    el('span', {}, a.model),
    a.rules.length ? el('span', { class: 'chip' }, a.rules.length + (a.rules.length === 1 ? ' rule applied' : ' rules applied')) : el('span', {}, 'no rule applied'));
  const pre = el('pre', {}, 'loading…');
  const prompt = el('details', {}, el('summary', {}, 'The exact prompt that was sent'), pre);
  prompt.addEventListener('toggle', async () => {
    if (!prompt.open) return;
    try {
      const p = await api('/prompt?exchange=' + encodeURIComponent(a.exchange));
      pre.replaceChildren(p.before, p.block ? el('mark', {}, p.block) : '', p.after);
    } catch (e) { pre.textContent = e.message; }
  }, { once: true });
  return [document.createTextNode(a.answer), meta, widget, prompt];
}

const quote = (text) => el('blockquote', {}, '“' + text + '”');
const list = (items, none) => items && items.length ? el('ul', {}, ...items.slice(0, 5).map((s) => el('li', {}, s.query))) : el('p', { class: 'quiet' }, none);

function button(label, primary, work) {
  const b = el('button', { type: 'button', class: primary ? 'primary' : null, name: label.toLowerCase() }, label);
  b.addEventListener('click', async () => {
    b.disabled = true;
    try { await work(); } catch (e) { b.after(el('span', { class: 'warn', role: 'alert' }, ' ' + e.message)); b.disabled = false; }
  });
  return b;
}

function proposal(p) {
  const share = p.touch.of ? Math.round((1000 * p.touch.in) / p.touch.of) / 10 : 0;
  const card = el('div', { class: 'card' + (seen.has(p.id) ? '' : ' new'), 'data-proposal': p.id },
    el('p', { class: 'rule' }, p.line || p.title),
    ...p.evidence.slice(0, 3).map((e) => quote(e.quote || e.correction || 'thumbs only')),
    el('p', { class: 'quiet' }, p.line ? 'Would touch ' + share + ' % of the last ' + p.touch.of + ' requests of this step: these, not those.' : ''),
    p.line ? el('div', { class: 'cols' },
      el('div', {}, el('h3', {}, 'In scope'), list(p.touch.inside, 'none of the logged requests')),
      el('div', {}, el('h3', {}, 'Just outside'), list(p.touch.near, 'nothing near'))) : null,
    ...(p.conflicts || []).map((c) => el('p', { class: 'warn' }, 'Conflict: ' + c.reason)),
    ...(p.problems || []).map((c) => el('p', { class: 'warn' }, 'Not safe as it stands: ' + c.message)),
    p.line && !p.understood ? el('p', { class: 'warn' }, 'The simulated model cannot follow these words (it knows a closed vocabulary); a real model could. After approval, open “the exact prompt that was sent” under an answer to see that the rule is there.') : null,
    el('div', { class: 'actions' },
      button('Approve', true, () => api('/approve', { id: p.id, digest: p.digest })),
      button('Reject', false, () => api('/reject', { id: p.id }))));
  seen.add(p.id);
  return card;
}

function render(s) {
  $('empty').hidden = s.proposals.length > 0;
  $('proposals').replaceChildren(...s.proposals.map(proposal));
  $('rules').replaceChildren(...(s.rules.length ? s.rules.map((r) => el('div', { class: 'card', 'data-rule': r.id },
    el('p', { class: 'rule' }, r.line), el('p', { class: 'hint', 'data-effect': '' }, r.effect || 'Its effect shows with the first answers that get it.'),
    el('div', { class: 'actions' }, button('Retire', false, () => api('/retire', { id: r.id })), el('a', { href: r.more }, 'Its effect, in admin'))))
    : [el('p', { class: 'hint' }, 'None yet: the assistant answers as its own prompt says.')]));
  $('findings-box').hidden = !s.findings.length;
  $('findings').replaceChildren(...s.findings.map((f) => el('div', { class: 'card', 'data-finding': f.id }, el('p', { class: 'rule' }, f.title), ...f.evidence.slice(0, 2).map((e) => quote(e.quote || 'thumbs only')),
    el('p', { class: 'quiet' }, f.count + (f.count === 1 ? ' complaint' : ' complaints') + '. ' + (f.suggest ? 'Suggested wording: ' + f.suggest : f.advice || '')),
    el('div', { class: 'actions' }, el('a', { href: document.body.dataset.admin + '/findings?app=shop' }, 'Say what to do, in admin')))));
  $('history').replaceChildren(...(s.history.length ? s.history.map((h, i) => el('div', { class: 'card' },
    el('p', {}, 'Epoch ' + h.head.epoch + ' · ' + h.rules + (h.rules === 1 ? ' rule' : ' rules') + ' · ' + (h.action === 'refresh' ? 'word statistics refreshed' : h.action) + ' by ' + h.actor),
    i === 0 ? el('p', { class: 'quiet' }, 'in force') : el('div', { class: 'actions' }, button('Roll back', false, () => api('/activate', { hash: h.head.hash })))))
    : [el('p', { class: 'hint' }, 'Nothing was published yet.')]));
}

async function refresh() {
  try { render(await api('/state')); } catch (e) { console.warn(e); }
}

function follow() {
  const events = new EventSource('/events');
  events.onmessage = refresh;
  events.onopen = refresh;
}

$('ask').addEventListener('submit', (e) => {
  e.preventDefault();
  const q = $('question').value.trim();
  if (!q) return;
  $('question').value = '';
  ask(q);
});
$('fresh').addEventListener('click', () => { conversation = []; $('messages').replaceChildren(); $('question').focus(); });
for (const b of document.querySelectorAll('.suggestion')) b.addEventListener('click', () => ask(b.textContent));
follow();
