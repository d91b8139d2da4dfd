// Pages work without this script. It shows changes as they come, sends small
// forms without a new page, and adds keys. Nothing here turns text into markup:
// the browser parses answers into documents of their own, without running them.
"use strict";

const settle = 150; // ms; several changes in a row are one refresh
const rest = 800; // ms between two refreshes at least

function load(method, url, body, marked) {
  return new Promise((done, failed) => {
    const x = new XMLHttpRequest();
    x.open(method, url);
    x.responseType = "document";
    if (marked) x.setRequestHeader("Heed-Live", "1");
    if (body) x.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    x.onload = () => (x.response ? done(x) : failed(new Error("no page")));
    x.onerror = () => failed(new Error("no answer"));
    x.send(body || null);
  });
}

const fields = "textarea, select, input:not([type=hidden])";

// altered says whether somebody changed the field.
function altered(f) {
  if (f.matches("select")) return f.selectedIndex > 0 && !f.options[f.selectedIndex].defaultSelected;
  return f.type === "checkbox" ? f.checked !== f.defaultChecked : f.value !== f.defaultValue;
}

// dirty says whether somebody is working in the element.
function dirty(el) {
  const at = document.activeElement;
  if (at && el.contains(at) && at.matches("input, textarea, select")) return true;
  return [...el.querySelectorAll(fields)].some(altered);
}

// atWork says whether somebody writes in the card. It must stay where it is: without
// the focus the next letters would be keys, and one of them approves.
function atWork(card) { return dirty(card) && !!card.querySelector(".card-end details[open], :focus"); }

// keepOpen carries over which folds are open.
function keepOpen(from, to) {
  const old = new Map([...from.querySelectorAll("details[data-keep]")].map((d) => [d.dataset.keep, d.open]));
  for (const d of to.querySelectorAll("details[data-keep]")) {
    if (old.has(d.dataset.keep) && !d.closest(".card-end")) d.open = old.get(d.dataset.keep);
  }
}

// renewed is a card's newer version, with what somebody wrote into the old one.
function renewed(had, fresh) {
  const el = document.importNode(fresh, true);
  keepOpen(had, el);
  if (had.classList.contains("selected")) el.classList.add("selected");
  for (const f of [...had.querySelectorAll(fields)].filter(altered)) {
    const fold = f.closest("details[data-keep]"), name = `[name="${CSS.escape(f.name)}"]`;
    const to = el.querySelector(fold ? `details[data-keep="${CSS.escape(fold.dataset.keep)}"] ${name}` : name);
    if (!to) continue;
    if (f.type === "checkbox") { to.defaultChecked = f.defaultChecked; to.checked = f.checked; }
    else { to.defaultValue = f.defaultValue; to.value = f.value; }
    if (fold?.open) to.closest("details").open = true;
  }
  return el;
}

function mergeKeyed(now, next) {
  const stay = new Set([...next.children].map((el) => el.dataset.key));
  for (const gone of [...now.children].filter((el) => !stay.has(el.dataset.key))) { // first, so that what followed is its neighbour still
    if (atWork(gone)) { gone.classList.add("changed"); continue; }
    if (gone.classList.contains("selected")) (gone.nextElementSibling || gone.previousElementSibling)?.classList.add("selected");
    gone.remove();
  }
  const old = new Map([...now.children].map((el) => [el.dataset.key, el]));
  let before = now.firstElementChild;
  for (const fresh of [...next.children]) {
    const had = old.get(fresh.dataset.key);
    let el = had;
    if (!had) {
      el = document.importNode(fresh, true);
      el.classList.add("arrived");
    } else if (had.dataset.v !== fresh.dataset.v) {
      if (atWork(had)) {
        had.classList.add("changed");
      } else {
        el = renewed(had, fresh);
        if (before === had) before = el;
        had.replaceWith(el);
      }
    }
    if (el.contains(document.activeElement)) { // the others move
      while (before && before !== el) { const next = before.nextElementSibling; now.append(before); before = next; }
    }
    if (el === before) before = before.nextElementSibling;
    else if (!had || el.nextElementSibling !== before) now.insertBefore(el, before);
  }
}

let hush = 0; // timer that takes the flash away

function mergeFlash(now, next) {
  if (!next.firstElementChild) return;
  now.replaceChildren(...[...next.children].map((n) => document.importNode(n, true)));
  watchFlash();
}

function watchFlash() {
  clearTimeout(hush);
  if (document.querySelector("#flash.good")) hush = setTimeout(() => document.getElementById("flash")?.remove(), 6000);
}

let merges = 0; // so far
function merge(doc) {
  merges++;
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = doc.querySelector(`[data-live="${CSS.escape(now.dataset.live)}"]`);
    if (!next) continue;
    if (now.dataset.live === "flash") mergeFlash(now, next);
    else if (now.hasAttribute("data-keyed")) mergeKeyed(now, next);
    else if (!dirty(now)) {
      const el = document.importNode(next, true);
      keepOpen(now, el);
      if (!el.isEqualNode(now)) now.replaceWith(el);
    }
  }
  document.title = doc.title;
  const n = doc.querySelectorAll(".cards[data-live=cards] > .card").length;
  if (n) document.title = `(${n}) ${doc.title}`;
}

// refresh brings the page up to date, one request at a time.
let busy = false, again = false;
let answers = 0; // to forms, so far
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  const asked = answers;
  try {
    const x = await load("GET", location.href, null, true);
    if (answers !== asked) again = true; // a form was answered since: this may be the page before it
    else if (new URL(x.responseURL).pathname === location.pathname && x.status === 200) merge(x.response);
    else if (new URL(x.responseURL).pathname === "/login") location.reload();
  } catch { /* the next change tries again */ } finally {
    busy = false;
    if (again) { again = false; refresh(); }
  }
}

let soon = 0, last = 0;
function refreshSoon() {
  if (soon) return;
  soon = setTimeout(() => {
    soon = 0;
    last = Date.now();
    refresh();
  }, Math.max(settle, last + rest - Date.now()));
}

// listen keeps one connection while the page is seen.
let source = null;
function listen() {
  if (document.hidden || !document.querySelector("[data-live=menu]")) {
    if (source) { source.close(); source = null; }
    return;
  }
  if (source) return;
  source = new EventSource("/live");
  source.addEventListener("change", refreshSoon);
}
document.addEventListener("visibilitychange", listen);

const poll = document.querySelector("[data-poll]");
if (poll && !new URLSearchParams(location.search).has("after")) {
  setInterval(() => { if (!document.hidden) refresh(); }, Number(poll.dataset.poll));
}

// show puts a page that a form led to in the place of this one.
function show(x) {
  history.pushState(null, "", x.responseURL);
  document.body.replaceWith(document.importNode(x.response.body, true));
  document.title = x.response.title;
  scrollTo(0, 0);
  watchFlash();
}

// refocus puts the focus back on what a form's answer renewed, for who works with keys:
// on the tick of the same request, else on the card, else on the one in its place.
function refocus(card, button) {
  if (document.activeElement && document.activeElement !== document.body) return;
  const now = card?.dataset.key && document.querySelector(`.card[data-key="${CSS.escape(card.dataset.key)}"]`);
  const sample = button?.closest("[data-sample]")?.dataset.sample;
  const tick = now && sample && now.querySelector(`[data-sample="${CSS.escape(sample)}"] button.${button.matches(".yes") ? "yes" : "no"}`);
  const to = tick?.checkVisibility() ? tick : now || document.querySelector(".card.selected");
  to?.focus({ preventScroll: true });
}

addEventListener("popstate", () => location.reload());

// Small forms answer in place.
document.addEventListener("submit", async (e) => {
  const form = e.target;
  if (!form.matches("form[data-inline]")) return;
  e.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  if (e.submitter?.name) body.set(e.submitter.name, e.submitter.value);
  const before = merges;
  form.classList.add("sending");
  for (const b of form.querySelectorAll("button")) b.disabled = true;
  try {
    const x = await load("POST", form.getAttribute("action"), body.toString(), false) // form.action may be a field of that name;
    const at = new URL(x.responseURL).pathname;
    if (!x.response.querySelector("#flash.bad")) form.reset(); // nobody writes it again
    document.activeElement?.blur();
    const card = form.closest(".card"), newer = card && x.response.querySelector(`.card[data-key="${CSS.escape(card.dataset.key)}"]`);
    if (newer && newer.dataset.v !== card.dataset.v) card.replaceWith(renewed(card, newer)); // else it would be refused again
    if (card?.dataset.key && !newer) form.reset(); // decided meanwhile: it goes
    if (at !== location.pathname) show(x);
    else {
      const overtaken = merges > before; // by a refresh, which may have been newer
      merge(x.response);
      answers++;
      if (overtaken) refreshSoon();
    }
  } catch {
    location.reload();
  }
  form.classList.remove("sending");
  for (const b of form.querySelectorAll("button")) b.disabled = false;
  refocus(form.closest(".card"), e.submitter);
});

document.addEventListener("change", (e) => {
  if (e.target.matches("select[data-submit]")) e.target.form.submit();
});

// Keys of the inbox.
function cards() { return [...document.querySelectorAll(".cards > .card")].filter((c) => !c.closest("details.fold:not([open])")); } // nobody decides unseen

function select(step) {
  const all = cards();
  if (!all.length) return;
  const at = all.findIndex((c) => c.classList.contains("selected"));
  const to = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
  for (const c of all) c.classList.toggle("selected", c === to);
  to.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function open(card, kind) {
  const d = card?.querySelector(`details.${kind}`);
  if (!d) return;
  d.open = true;
  const field = d.querySelector("textarea, input:not([type=hidden]), select");
  document.addEventListener("keyup", () => field?.focus(), { once: true }); // so that the key is not typed into it
}

document.addEventListener("keydown", (e) => {
  if (e.key === "Escape") {
    const d = document.activeElement?.closest("details.act[open]") || document.querySelector("details.act[open]");
    if (d) { d.open = false; d.closest(".card")?.focus(); }
    return;
  }
  if (e.key === "Enter" && e.target.matches("details.snooze select:not(:is(:open))")) { // as in a field of text; older browsers know no :open
    e.preventDefault();
    e.target.form.requestSubmit(e.target.form.querySelector("button"));
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea, select")) return;
  const card = cards().find((c) => c.classList.contains("selected"));
  switch (e.key) {
    case "j": select(1); break;
    case "k": select(-1); break;
    case "a": card?.querySelector("button[name=approve]:not(:disabled)")?.click(); break;
    case "e": open(card, "edit"); break;
    case "r": open(card, "reject"); break;
    case "s": open(card, "snooze"); break;
    case "m": open(card, "merge"); break;
    default: return;
  }
  e.preventDefault();
});

// One fold of a card at a time. A card that changed is shown when it is closed.
document.addEventListener("toggle", (e) => {
  if (!e.target.matches?.("details.act, details.inline")) return;
  if (!e.target.open) {
    if (e.target.closest(".card.changed")) refreshSoon();
    return;
  }
  for (const d of e.target.closest(".card-end, .head")?.querySelectorAll("details[open]") || []) if (!e.target.contains(d)) d.open = false;
}, true);

watchFlash();
listen();
