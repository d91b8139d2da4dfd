/*! Heed feedback widget: <heed-feedback token="…"></heed-feedback>
 *
 * Attributes
 *   token     value of the answer's Heed-Feedback-Token header (required to send)
 *   endpoint  where to post; default: /heed/feedback on the host this script came from
 *   lang      "en" (default), "de", "fr", "es"; or set texts: element.texts = {…}
 * Properties and methods
 *   element.response = fetchResponse   takes token and endpoint from an answer's headers
 *   element.retract()                  takes the last feedback back
 * Events (bubbling): heed-sent {detail: {id, rating}}, heed-failed {detail: {message}}, heed-retracted
 * Theme: --heed-accent, --heed-text, --heed-muted, --heed-surface, --heed-border, --heed-radius, and ::part(button|form)
 *
 * A thumb is sent at once, so that it counts even when nothing is written; what is
 * written then replaces it. No cookies, no other requests, no markup from strings.
 */
(() => {
  'use strict';
  if (customElements.get('heed-feedback')) return;

  const scriptURL = document.currentScript && document.currentScript.src;
  const maxText = 4000; // characters; the gateway takes 4 KiB of UTF-8
  const maxTries = 4;   // of one post, while the gateway answers 503 or is not reached

  const texts = {
    en: { good: 'Good answer', bad: 'Bad answer', wrong: 'What was wrong?', wrongHint: 'For example: mention the 30-day limit',
      when: 'When does this apply?', whenHint: 'For example: questions about returns', should: 'What should it have said?', send: 'Send', close: 'Close',
      thanks: 'Thank you.', thanksBad: 'Thank you. Say more, if you like.', undo: 'Undo', undone: 'Taken back.', sending: 'Sending…',
      failed: 'Not sent: ', again: 'Try again', long: 'Please shorten this.' },
    de: { good: 'Gute Antwort', bad: 'Schlechte Antwort', wrong: 'Was war falsch?', wrongHint: 'Zum Beispiel: die 30-Tage-Frist nennen',
      when: 'Wann gilt das?', whenHint: 'Zum Beispiel: Fragen zu Rücksendungen', should: 'Was hätte dastehen sollen?', send: 'Senden', close: 'Schließen',
      thanks: 'Danke.', thanksBad: 'Danke. Gern mehr dazu.', undo: 'Rückgängig', undone: 'Zurückgenommen.', sending: 'Wird gesendet…',
      failed: 'Nicht gesendet: ', again: 'Noch einmal', long: 'Bitte kürzer.' },
    fr: { good: 'Bonne réponse', bad: 'Mauvaise réponse', wrong: 'Qu’est-ce qui n’allait pas ?', wrongHint: 'Par exemple : citer le délai de 30 jours',
      when: 'Quand cela s’applique-t-il ?', whenHint: 'Par exemple : questions sur les retours', should: 'Qu’aurait-il fallu dire ?', send: 'Envoyer', close: 'Fermer',
      thanks: 'Merci.', thanksBad: 'Merci. Vous pouvez préciser.', undo: 'Annuler', undone: 'Retiré.', sending: 'Envoi…',
      failed: 'Non envoyé : ', again: 'Réessayer', long: 'Trop long.' },
    es: { good: 'Buena respuesta', bad: 'Mala respuesta', wrong: '¿Qué estaba mal?', wrongHint: 'Por ejemplo: mencionar el plazo de 30 días',
      when: '¿Cuándo se aplica?', whenHint: 'Por ejemplo: preguntas sobre devoluciones', should: '¿Qué debería haber dicho?', send: 'Enviar', close: 'Cerrar',
      thanks: 'Gracias.', thanksBad: 'Gracias. Cuente más, si quiere.', undo: 'Deshacer', undone: 'Retirado.', sending: 'Enviando…',
      failed: 'No enviado: ', again: 'Reintentar', long: 'Demasiado largo.' },
  };

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { display: block; font: 14px/1.45 system-ui, sans-serif; color: var(--heed-text, inherit); }
    :host([hidden]), [hidden] { display: none !important; }
    .row { display: flex; align-items: center; gap: 6px; min-height: 34px; }
    button { font: inherit; color: inherit; cursor: pointer; border-radius: var(--heed-radius, 8px);
      border: 1px solid var(--heed-border, #8884); background: var(--heed-surface, transparent); }
    button:disabled { cursor: default; opacity: .5; }
    button:focus-visible, textarea:focus-visible, input:focus-visible { outline: 2px solid var(--heed-accent, #3b6fe0); outline-offset: 1px; }
    .thumb { display: inline-grid; place-items: center; width: 32px; height: 30px; padding: 0; }
    .thumb svg { width: 17px; height: 17px; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linejoin: round; stroke-linecap: round; }
    .thumb:hover:not(:disabled) { border-color: var(--heed-accent, #3b6fe0); }
    .thumb[aria-pressed=true] { background: var(--heed-accent, #3b6fe0); border-color: var(--heed-accent, #3b6fe0); color: #fff; }
    .note { color: var(--heed-muted, inherit); opacity: .85; font-size: 13px; }
    .link { border: 0; background: none; padding: 2px 4px; text-decoration: underline; font-size: 13px; }
    form { display: grid; gap: 10px; margin-top: 8px; padding: 12px; border: 1px solid var(--heed-border, #8884);
      border-radius: var(--heed-radius, 8px); background: var(--heed-surface, transparent); max-width: 34rem; }
    label { display: grid; gap: 3px; font-weight: 600; font-size: 13px; }
    textarea, input { font: 14px/1.45 inherit; font-family: inherit; font-weight: 400; color: inherit; padding: 7px 9px; width: 100%; box-sizing: border-box;
      border: 1px solid var(--heed-border, #8886); border-radius: calc(var(--heed-radius, 8px) - 2px); background: transparent; resize: vertical; }
    .actions { display: flex; gap: 8px; }
    .send { background: var(--heed-accent, #3b6fe0); border-color: transparent; color: #fff; padding: 6px 14px; font-weight: 600; }
    .close { padding: 6px 12px; }
    @media (prefers-reduced-motion: no-preference) { button { transition: background-color .12s, border-color .12s; } }
  `);

  const thumbPath = 'M7 10v10H4V10h3zm0 0 4-7c1.2 0 2 .9 2 2v4h5.2c1.2 0 2 1.1 1.7 2.2l-1.7 6.9c-.3 1.1-1.2 1.9-2.4 1.9H7';

  function el(tag, attrs, ...children) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs || {})) {
      if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
      else e.setAttribute(k, v);
    }
    e.append(...children);
    return e;
  }

  function thumb(down) {
    const ns = 'http://www.w3.org/2000/svg';
    const svg = document.createElementNS(ns, 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS(ns, 'path');
    path.setAttribute('d', thumbPath);
    if (down) path.setAttribute('transform', 'rotate(180 12 12)');
    svg.append(path);
    return svg;
  }

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  class HeedFeedback extends HTMLElement {
    static observedAttributes = ['token', 'lang'];

    #root = this.attachShadow({ mode: 'open' });
    #last = null;    // the feedback that stands: {id, rating}
    #retry = null;   // what "try again" does
    #sends = 0;      // counts posts, so that an older one stops trying
    #sending = null; // the post under way: {text, done}
    #custom = {};
    #parts = {};

    constructor() {
      super();
      this.#root.adoptedStyleSheets = [sheet];
    }

    connectedCallback() { this.#render(); }

    attributeChangedCallback(name, before, now) {
      if (before === now || !this.isConnected) return;
      if (name === 'token') this.#last = null;
      this.#render();
    }

    set texts(t) { this.#custom = t || {}; if (this.isConnected) this.#render(); }

    set response(r) {
      const url = r.headers.get('Heed-Feedback-Url');
      if (url) this.setAttribute('endpoint', new URL(url, r.url || location.href).href);
      this.setAttribute('token', r.headers.get('Heed-Feedback-Token') || '');
    }

    get endpoint() {
      return this.getAttribute('endpoint') || new URL('/heed/feedback', scriptURL || location.href).href;
    }

    #t(key) {
      const lang = (this.getAttribute('lang') || document.documentElement.lang || 'en').slice(0, 2).toLowerCase();
      return this.#custom[key] || (texts[lang] || texts.en)[key];
    }

    #render() {
      const p = this.#parts;
      p.up = el('button', { type: 'button', class: 'thumb', part: 'button', name: 'up', 'aria-pressed': 'false',
        'aria-label': this.#t('good'), title: this.#t('good'), onclick: () => this.#rate(1) }, thumb(false));
      p.down = el('button', { type: 'button', class: 'thumb', part: 'button', name: 'down', 'aria-pressed': 'false',
        'aria-label': this.#t('bad'), title: this.#t('bad'), onclick: () => this.#rate(-1) }, thumb(true));
      p.note = el('span', { class: 'note', role: 'status', 'aria-live': 'polite' });
      p.undo = el('button', { type: 'button', class: 'link', name: 'undo', hidden: '', onclick: () => this.retract() }, this.#t('undo'));
      p.again = el('button', { type: 'button', class: 'link', name: 'again', hidden: '', onclick: () => this.#retry && this.#retry() }, this.#t('again'));
      p.form = this.#form();
      p.form.hidden = true;
      const off = !this.getAttribute('token');
      p.up.disabled = p.down.disabled = off;
      this.#root.replaceChildren(el('div', { class: 'row', role: 'group' }, p.up, p.down, p.note, p.undo, p.again), p.form);
    }

    #form() {
      const p = this.#parts;
      p.wrong = el('textarea', { name: 'comment', rows: '2', maxlength: maxText, placeholder: this.#t('wrongHint') });
      p.when = el('input', { name: 'applies_when', maxlength: maxText, placeholder: this.#t('whenHint'), autocomplete: 'off' });
      p.should = el('textarea', { name: 'correction', rows: '2', maxlength: maxText });
      const send = (e) => { e.preventDefault(); this.#submit(); };
      const keys = (e) => {
        if (e.key === 'Escape') { p.form.hidden = true; p.down.focus(); }
        if (e.key === 'Enter' && (e.metaKey || e.ctrlKey)) send(e);
      };
      return el('form', { part: 'form', onsubmit: send, onkeydown: keys },
        el('label', {}, this.#t('wrong'), p.wrong),
        el('label', {}, this.#t('when'), p.when),
        el('label', {}, this.#t('should'), p.should),
        el('div', { class: 'actions' },
          el('button', { type: 'submit', class: 'send', part: 'button', name: 'send' }, this.#t('send')),
          el('button', { type: 'button', class: 'close', part: 'button', name: 'close', onclick: () => { p.form.hidden = true; } }, this.#t('close'))));
    }

    async #rate(rating) {
      const p = this.#parts;
      p.up.setAttribute('aria-pressed', String(rating > 0));
      p.down.setAttribute('aria-pressed', String(rating < 0));
      p.form.hidden = rating > 0;
      if (rating < 0) p.wrong.focus();
      await this.#send({ rating }, rating > 0 ? this.#t('thanks') : this.#t('thanksBad'));
    }

    async #submit() {
      const p = this.#parts;
      const body = { rating: -1 };
      for (const [key, field] of [['comment', p.wrong], ['applies_when', p.when], ['correction', p.should]]) {
        const text = field.value.trim();
        if (!text) continue;
        if (new TextEncoder().encode(text).length > 4096) {
          field.setCustomValidity(this.#t('long'));
          field.reportValidity();
          field.addEventListener('input', () => field.setCustomValidity(''), { once: true });
          return;
        }
        body[key] = text;
      }
      if (await this.#send(body, this.#t('thanks'))) p.form.hidden = true;
    }

    // #send posts one feedback after the one under way has ended: later feedback
    // replaces earlier, so a late thumb must not arrive behind the words. The same
    // again, as in a double click, is the same post.
    #send(body, thanks) {
      const token = this.getAttribute('token');
      const text = JSON.stringify({ ...body, token });
      if (this.#sending && this.#sending.text === text) return this.#sending.done;
      const n = ++this.#sends;
      body.id ||= crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + Date.now();
      body.token = token;
      this.#retry = null;
      this.#parts.again.hidden = this.#parts.undo.hidden = true;
      this.#parts.note.textContent = this.#t('sending');
      const before = this.#sending && this.#sending.done;
      const sending = { text, done: Promise.resolve(before).then(() => this.#attempt(body, thanks, n)) };
      this.#sending = sending;
      const free = () => { if (this.#sending === sending) this.#sending = null; };
      sending.done.then(free, free);
      return sending.done;
    }

    // #attempt makes post number n and says how it went, unless a newer one or
    // another answer's token has taken its place here.
    async #attempt(body, thanks, n) {
      const shown = () => body.token === this.getAttribute('token');
      const newest = () => n === this.#sends && shown();
      const p = this.#parts;
      try {
        const answer = await this.#post(body, () => n === this.#sends || !shown());
        this.#emit('heed-sent', { id: answer.id, rating: body.rating });
        if (!newest()) return true;
        this.#last = { id: answer.id, rating: body.rating };
        p.note.textContent = thanks;
        p.undo.hidden = false;
        return true;
      } catch (e) {
        if (newest()) {
          p.note.textContent = this.#t('failed') + e.message;
          p.again.hidden = false;
          this.#retry = () => this.#send(body, thanks);
          this.#emit('heed-failed', { message: e.message });
        }
        return false;
      }
    }

    // #post sends one feedback while it is wanted; the same id makes a repeated
    // post harmless.
    async #post(body, wanted) {
      for (let n = 1; ; n++) {
        let r = null;
        try {
          r = await fetch(this.endpoint, { method: 'POST', mode: 'cors', credentials: 'omit', referrerPolicy: 'no-referrer', keepalive: true,
            headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
        } catch (e) {
          if (n >= maxTries || !wanted()) throw e;
        }
        if (r && r.ok) return r.json();
        if (r && (r.status !== 503 && r.status !== 429 || n >= maxTries || !wanted())) {
          const answer = await r.json().catch(() => null);
          throw new Error((answer && answer.error && answer.error.message) || 'status ' + r.status);
        }
        const after = r ? Number(r.headers.get('Retry-After')) : 0;
        await wait(Math.min(5000, after > 0 ? after * 1000 : 250 * 2 ** n));
        if (!wanted()) throw new Error('replaced by newer feedback');
      }
    }

    async retract() {
      if (!this.#last) return;
      const p = this.#parts;
      try {
        const r = await fetch(this.endpoint + '/' + encodeURIComponent(this.#last.id), { method: 'DELETE', mode: 'cors', credentials: 'omit',
          referrerPolicy: 'no-referrer', headers: { 'Heed-Feedback-Token': this.getAttribute('token') } });
        if (!r.ok) throw new Error('status ' + r.status);
        this.#last = null;
        this.#render();
        this.#parts.note.textContent = this.#t('undone');
        this.#emit('heed-retracted', {});
      } catch (e) {
        p.note.textContent = this.#t('failed') + e.message;
      }
    }

    #emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, detail })); }
  }

  customElements.define('heed-feedback', HeedFeedback);
})();
