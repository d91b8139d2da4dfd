// How official clients take errors, retries and broken answers through Heed: as
// they do without it, and never at the price of a second call that nobody asked for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAI } from '@ai-sdk/openai';
import { ChatOpenAI } from '@langchain/openai';
import { Agent, OpenAIProvider, Runner, setTracingDisabled } from '@openai/agents';
import { APICallError, generateText, streamText } from 'ai';
import OpenAI, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, RateLimitError, UnprocessableEntityError } from 'openai';
import { appKey, start } from './harness.mjs';

const messages = [{ role: 'user', content: 'How do I return a pair of shoes?' }];
let heed, base;
before(async () => { heed = await start(); base = `${heed.gateway}/v1`; });
after(() => heed?.stop());

const openai = (options) => new OpenAI({ baseURL: base, apiKey: appKey, maxRetries: 0, ...options });
const claude = (options) => new Anthropic({ baseURL: heed.gateway, apiKey: appKey, maxRetries: 0, ...options });
const caught = async (promise) => { try { await promise; } catch (e) { return e; } assert.fail('no error was thrown'); };

// counted runs f and says how often the upstream was called meanwhile.
async function counted(model, f) {
  const before = heed.calls[model] ?? 0;
  const result = await f();
  return [(heed.calls[model] ?? 0) - before, result];
}

test('openai: error classes, with the upstream\'s words and headers', async () => {
  for (const [model, type] of [['status-400', BadRequestError], ['status-404', NotFoundError], ['status-422', UnprocessableEntityError],
    ['status-429', RateLimitError], ['status-500', InternalServerError], ['status-503', InternalServerError]]) {
    for (const stream of [false, true]) {
      const [calls, e] = await counted(model, () => caught(openai().chat.completions.create({ model, messages, stream })));
      assert.ok(e instanceof type, `${model}: ${e?.constructor?.name}`);
      assert.equal(e.code, 'sick');
      assert.equal(e.requestID, 'req_sick');
      assert.equal(e.headers.get('retry-after-ms'), '5');
      assert.equal(e.headers.get('x-ratelimit-remaining-requests'), '0');
      assert.ok(e.headers.get('heed-exchange-id'));
      assert.equal(calls, 1, `${model}: ${calls} calls of the upstream`);
    }
  }
});

test('openai: retries what may be retried, and nothing else', async () => {
  const [calls, c] = await counted('flaky', () => openai({ maxRetries: 2 }).chat.completions.create({ model: 'flaky', messages }));
  assert.ok(c.choices[0].message.content.length > 0);
  assert.equal(calls, 2);
  // The upstream took the call and broke off: it may have been executed, and billed.
  const [dropped, e] = await counted('drop', () => caught(openai({ maxRetries: 2 }).chat.completions.create({ model: 'drop', messages })));
  assert.ok(e instanceof InternalServerError, String(e));
  assert.equal(e.headers.get('x-should-retry'), 'false');
  assert.equal(dropped, 1, 'a call that may have been executed was made again');
});

test('openai: a cut stream throws', async () => {
  let text = '';
  const e = await caught((async () => {
    for await (const chunk of await openai().chat.completions.create({ model: 'cut', messages, stream: true })) text += chunk.choices[0]?.delta?.content ?? '';
  })());
  assert.ok(e instanceof APIError, String(e));
  assert.equal(text, 'Hel');
});

test('@anthropic-ai/sdk: error classes, retries, cut streams', async () => {
  const ask = (model, options, more) => claude(options).messages.create({ model, max_tokens: 100, messages, ...more });
  for (const [model, type] of [['status-400', Anthropic.BadRequestError], ['status-429', Anthropic.RateLimitError], ['status-500', Anthropic.InternalServerError]]) {
    const e = await caught(ask(model));
    assert.ok(e instanceof type, `${model}: ${e?.constructor?.name}`);
    assert.equal(e.error.error.message, `sick ${model.slice(7)}`);
    assert.equal(e.requestID, 'req_sick');
  }
  assert.ok(await caught(ask('claude-x', { apiKey: 'wrong-key-entirely' })) instanceof Anthropic.AuthenticationError);
  const [calls] = await counted('flaky', () => ask('flaky', { maxRetries: 2 }));
  assert.equal(calls, 2);
  const [dropped, e] = await counted('drop', () => caught(ask('drop', { maxRetries: 2 })));
  assert.ok(e instanceof Anthropic.InternalServerError, String(e));
  assert.equal(dropped, 1);
  const cut = await caught((async () => { for await (const _ of await ask('cut', {}, { stream: true })); })());
  assert.ok(cut instanceof Anthropic.APIError, String(cut));
});

test('ai with @ai-sdk/openai: errors, retries, cut streams', async () => {
  const provider = createOpenAI({ baseURL: base, apiKey: appKey });
  const limited = await caught(generateText({ model: provider.chat('status-429'), messages, maxRetries: 0 }));
  assert.ok(APICallError.isInstance(limited), String(limited));
  assert.equal(limited.statusCode, 429);
  assert.ok(limited.isRetryable);
  assert.equal(limited.responseHeaders['retry-after-ms'], '5');
  const [calls, { text }] = await counted('flaky', () => generateText({ model: provider.chat('flaky'), messages, maxRetries: 2 }));
  assert.ok(text.length > 0);
  assert.equal(calls, 2);
  const errors = [];
  for await (const part of streamText({ model: provider.chat('cut'), messages, maxRetries: 0, onError: ({ error }) => errors.push(error) }).fullStream) {
    if (part.type === 'error') errors.push(part.error);
  }
  assert.ok(errors.length > 0, 'the cut stream raised nothing');
});

test('@openai/agents: an upstream\'s error reaches the caller', async () => {
  setTracingDisabled(true);
  const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: openai(), useResponses: false }) });
  const e = await caught(runner.run(new Agent({ name: 'Shop', instructions: 'Help.', model: 'status-429' }), 'Hello?'));
  assert.equal((e.status ?? e.cause?.status), 429, String(e));
});

test('@langchain/openai: errors and retries', async () => {
  const chat = (model, maxRetries) => new ChatOpenAI({ model, apiKey: appKey, maxRetries, configuration: { baseURL: base } });
  const e = await caught(chat('status-400', 0).invoke('Hello?'));
  assert.equal(e.status, 400, String(e));
  const denied = new ChatOpenAI({ model: 'gpt-4o', apiKey: 'wrong-key-entirely', maxRetries: 0, configuration: { baseURL: base } });
  assert.equal((await caught(denied.invoke('Hello?'))).status, 401);
  const [calls, answer] = await counted('flaky', () => chat('flaky', 2).invoke('Hello?'));
  assert.ok(answer.content.length > 0);
  assert.equal(calls, 2);
});

test('a wrong key is told as such by every client', async () => {
  assert.ok(await caught(openai({ apiKey: 'wrong-key-entirely' }).chat.completions.create({ model: 'gpt-4o', messages })) instanceof AuthenticationError);
  const provider = createOpenAI({ baseURL: base, apiKey: 'wrong-key-entirely' });
  assert.equal((await caught(generateText({ model: provider('gpt-4o'), messages, maxRetries: 0 }))).statusCode, 401);
});
