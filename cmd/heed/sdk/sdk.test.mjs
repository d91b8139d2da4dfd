// Official JavaScript clients, unchanged but for their base URL, against Heed in
// front of the simulated model. Every answer must carry the rule that is in force.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAI } from '@ai-sdk/openai';
import { AzureChatOpenAI, ChatOpenAI } from '@langchain/openai';
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool as agentTool } from '@openai/agents';
import { generateText, streamText, Output, tool as aiTool } from 'ai';
import OpenAI, { AzureOpenAI, AuthenticationError, NotFoundError } from 'openai';
import { z } from 'zod';
import { appKey, start, until } from './harness.mjs';

const ending = 'Kind regards, Larch';
const question = 'How do I return a pair of shoes?';
const messages = [{ role: 'system', content: 'You are a shop assistant.' }, { role: 'user', content: question }];
const weather = {
  type: 'function',
  function: { name: 'get_weather', description: 'Weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
};

let heed, openai;
before(async () => {
  heed = await start();
  openai = new OpenAI({ baseURL: `${heed.gateway}/v1`, apiKey: appKey, maxRetries: 0 });
  await heed.api('POST', 'rules?app=shop', { app: 'shop', action: `End with "${ending}".`, scope: { always: true }, holdout: 0 });
  await until('the rule', async () => (await openai.chat.completions.create({ model: 'gpt-4o', messages })).choices[0].message.content.includes(ending));
});
after(() => heed?.stop());

test('openai: chat completions, raw headers, feedback by response id', async () => {
  const { data, response } = await openai.chat.completions.create({ model: 'gpt-4o', messages }).withResponse();
  assert.match(data.choices[0].message.content, new RegExp(ending));
  assert.match(response.headers.get('heed-ruleset'), /^\d+:[0-9a-f]{32}$/);
  assert.match(response.headers.get('heed-rules'), /^r_[a-z2-7]{26}@1$/);
  assert.equal(response.headers.get('heed-target'), 'main/gpt-4o');
  assert.ok(data._request_id, 'x-request-id');
  const r = await fetch(`${heed.gateway}/heed/feedback`, {
    method: 'POST', headers: { Authorization: `Bearer ${appKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ response_id: data.id, rating: 1 }),
  });
  assert.equal(r.status, 201, await r.clone().text());
});

test('openai: streaming with usage', async () => {
  let text = '', usage = null;
  for await (const chunk of await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.match(text, new RegExp(ending));
  assert.ok(usage.completion_tokens > 0);
});

test('openai: a stream that its reader leaves', async () => {
  const stream = await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true });
  for await (const _ of stream) break;
  assert.ok(stream.controller.signal.aborted);
});

test('openai: tools, forced and free', async () => {
  const forced = await openai.chat.completions.create({ model: 'gpt-4o', messages, tools: [weather], tool_choice: { type: 'function', function: { name: 'get_weather' } } });
  const call = forced.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, 'get_weather');
  assert.ok('city' in JSON.parse(call.function.arguments));
  const free = await openai.chat.completions.create({ model: 'gpt-4o', messages, tools: [weather] });
  assert.match(free.choices[0].message.content, new RegExp(ending));
});

test('openai: structured output stays untouched by the rule', async () => {
  const schema = { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'], additionalProperties: false };
  const { data, response } = await openai.chat.completions.create({
    model: 'gpt-4o', messages, response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  }).withResponse();
  assert.equal(response.headers.get('heed-rules'), null);
  assert.ok('answer' in JSON.parse(data.choices[0].message.content));
});

test('openai: vision parts', async () => {
  const c = await openai.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: [
    { type: 'text', text: question }, { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }] });
  assert.match(c.choices[0].message.content, new RegExp(ending));
});

test('openai: responses, stream and chain', async () => {
  const first = await openai.responses.create({ model: 'gpt-4o', instructions: 'You are a shop assistant.', input: question });
  assert.match(first.output_text, new RegExp(ending));
  const next = await openai.responses.create({ model: 'gpt-4o', previous_response_id: first.id, input: 'And how long does it take?' });
  assert.ok(next.output_text.length > 0);
  let text = '', done = false;
  for await (const e of await openai.responses.create({ model: 'gpt-4o', input: question, stream: true })) {
    if (e.type === 'response.output_text.delta') text += e.delta;
    if (e.type === 'response.completed') done = true;
  }
  assert.match(text, new RegExp(ending));
  assert.ok(done);
});

test('openai: embeddings, completions, models', async () => {
  const e = await openai.embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'] });
  assert.equal(e.data.length, 2);
  assert.ok(e.data[0].embedding.length > 0);
  assert.ok((await openai.completions.create({ model: 'gpt-4o', prompt: question })).choices[0].text.length > 0);
  const names = [];
  for await (const m of openai.models.list()) names.push(m.id);
  assert.ok(names.includes('via-azure') && names.includes('gpt-4o'), names.join());
});

test('openai: error classes', async () => {
  const stranger = new OpenAI({ baseURL: `${heed.gateway}/v1`, apiKey: 'wrong-key-entirely', maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model: 'gpt-4o', messages }), AuthenticationError);
  await assert.rejects(openai.get('/../heed/nothing'), NotFoundError);
});

test('openai: Azure client and Azure upstream', async () => {
  const azure = new AzureOpenAI({ endpoint: heed.gateway, apiKey: appKey, apiVersion: '2024-10-21', deployment: 'gpt-4o', maxRetries: 0 });
  assert.match((await azure.chat.completions.create({ model: 'gpt-4o', messages })).choices[0].message.content, new RegExp(ending));
  const { data, response } = await openai.chat.completions.create({ model: 'via-azure', messages }).withResponse();
  assert.match(data.choices[0].message.content, new RegExp(ending));
  assert.equal(response.headers.get('heed-target'), 'azure/gpt-4o');
  let streamed = '';
  for await (const chunk of await azure.chat.completions.create({ model: 'gpt-4o', messages, stream: true })) streamed += chunk.choices[0]?.delta?.content ?? '';
  assert.match(streamed, new RegExp(ending));
  const through = new AzureOpenAI({ endpoint: heed.gateway, apiKey: appKey, apiVersion: '2025-04-01-preview', deployment: 'via-azure', maxRetries: 0 });
  assert.match((await through.chat.completions.create({ model: 'via-azure', messages })).choices[0].message.content, new RegExp(ending));
  assert.ok((await through.embeddings.create({ model: 'via-azure', input: 'a' })).data[0].embedding.length > 0);
  const whole = new AzureOpenAI({ endpoint: heed.gateway, apiKey: appKey, apiVersion: '2025-04-01-preview', maxRetries: 0 });
  assert.match((await whole.responses.create({ model: 'gpt-4o', input: question })).output_text, new RegExp(ending));
  await assert.rejects(new AzureOpenAI({ endpoint: heed.gateway, apiKey: 'wrong-key-entirely', apiVersion: '2024-10-21', maxRetries: 0 })
    .chat.completions.create({ model: 'gpt-4o', messages }), AuthenticationError);
});

test('openai: a model whose name has a slash', async () => {
  const r = await openai.models.retrieve('org/model').catch((e) => e);
  assert.notEqual(r.status, 400, String(r)); // the simulated model knows no single models
});

test('@anthropic-ai/sdk: messages, stream, system blocks with cache_control', async () => {
  const claude = new Anthropic({ baseURL: heed.gateway, apiKey: appKey, maxRetries: 0 });
  const body = { model: 'claude-sonnet', max_tokens: 500, messages: [{ role: 'user', content: question }] };
  assert.match((await claude.messages.create({ ...body, system: 'You are a shop assistant.' })).content[0].text, new RegExp(ending));
  const cached = await claude.messages.create({ ...body, system: [{ type: 'text', text: 'You are a shop assistant.', cache_control: { type: 'ephemeral' } }] });
  assert.match(cached.content[0].text, new RegExp(ending));
  const final = await claude.messages.stream(body).finalMessage();
  assert.match(final.content[0].text, new RegExp(ending));
  assert.equal(final.stop_reason, 'end_turn');
});

test('@anthropic-ai/sdk: tools, vision, raw headers', async () => {
  const claude = new Anthropic({ baseURL: heed.gateway, apiKey: appKey, maxRetries: 0 });
  const tools = [{ name: 'get_weather', description: 'Weather', input_schema: weather.function.parameters }];
  const ask = { model: 'claude-sonnet', max_tokens: 500, messages: [{ role: 'user', content: question }] };
  const forced = await claude.messages.create({ ...ask, tools, tool_choice: { type: 'tool', name: 'get_weather' } });
  const call = forced.content.find((b) => b.type === 'tool_use');
  assert.ok('city' in call.input);
  const looped = await claude.messages.create({ ...ask, tools, messages: [...ask.messages, { role: 'assistant', content: forced.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sunny' }] }] });
  assert.ok(looped.content.length > 0);
  const seen = await claude.messages.create({ ...ask, messages: [{ role: 'user', content: [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } }, { type: 'text', text: question }] }] });
  assert.match(seen.content[0].text, new RegExp(ending));
  const { response } = await claude.messages.create(ask).withResponse();
  assert.match(response.headers.get('heed-rules'), /^r_[a-z2-7]{26}@1$/);
});

test('ai with @ai-sdk/openai: text, stream, tools, object', async () => {
  const provider = createOpenAI({ baseURL: `${heed.gateway}/v1`, apiKey: appKey });
  for (const model of [provider.chat('gpt-4o'), provider('gpt-4o')]) {
    const { text, response } = await generateText({ model, system: 'You are a shop assistant.', prompt: question, maxRetries: 0 });
    assert.match(text, new RegExp(ending));
    assert.ok(response.headers['heed-exchange-id']);
    let streamed = '';
    for await (const part of streamText({ model, prompt: question, maxRetries: 0 }).textStream) streamed += part;
    assert.match(streamed, new RegExp(ending));
  }
  const { output } = await generateText({ model: provider.chat('gpt-4o'), prompt: question, output: Output.object({ schema: z.object({ answer: z.string() }) }), maxRetries: 0 });
  assert.equal(typeof output.answer, 'string');
  const { toolCalls } = await generateText({ model: provider.chat('gpt-4o'), prompt: question, toolChoice: 'required', maxRetries: 0,
    tools: { get_weather: aiTool({ description: 'Weather', inputSchema: z.object({ city: z.string() }) }) } });
  assert.equal(toolCalls[0].toolName, 'get_weather');
  const seen = await generateText({ model: provider.chat('gpt-4o'), maxRetries: 0, messages: [{ role: 'user', content: [
    { type: 'text', text: question }, { type: 'image', image: new Uint8Array([137, 80, 78, 71]), mediaType: 'image/png' }] }] });
  assert.match(seen.text, new RegExp(ending));
});

test('@openai/agents: an agent run', async () => {
  setTracingDisabled(true);
  for (const useResponses of [false, true]) {
    const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: openai, useResponses }) });
    const lookup = agentTool({ name: 'lookup', description: 'Look up an order', parameters: z.object({ order: z.string() }), execute: async () => 'shipped' });
    const agent = new Agent({ name: 'Shop', instructions: 'You are a shop assistant.', model: 'gpt-4o', tools: [lookup] });
    const result = await runner.run(agent, question);
    assert.match(result.finalOutput, new RegExp(ending));
  }
});

test('@openai/agents: tools that are run, streaming, structured output, vision', async () => {
  setTracingDisabled(true);
  for (const useResponses of [false, true]) {
    const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: openai, useResponses }) });
    let runs = 0;
    const lookup = agentTool({ name: 'lookup', description: 'Look up an order', parameters: z.object({ order: z.string() }), execute: async () => { runs++; return 'shipped'; } });
    const clerk = new Agent({ name: 'Shop', instructions: 'You are a shop assistant.', model: 'gpt-4o', tools: [lookup], modelSettings: { toolChoice: 'required' } });
    const looked = await runner.run(clerk, question);
    assert.ok(runs > 0 && looked.finalOutput.length > 0);
    const plain = new Agent({ name: 'Shop', instructions: 'You are a shop assistant.', model: 'gpt-4o' });
    const stream = await runner.run(plain, question, { stream: true });
    let text = '';
    for await (const part of stream.toTextStream()) text += part;
    await stream.completed;
    assert.match(text, new RegExp(ending));
    const shaped = await runner.run(new Agent({ name: 'Shop', instructions: 'Answer.', model: 'gpt-4o', outputType: z.object({ answer: z.string() }) }), question);
    assert.equal(typeof shaped.finalOutput.answer, 'string');
    const seen = await runner.run(plain, [{ role: 'user', content: [{ type: 'input_text', text: question }, { type: 'input_image', image: 'data:image/png;base64,iVBORw0KGgo=' }] }]);
    assert.match(seen.finalOutput, new RegExp(ending));
  }
});

test('@langchain/openai: invoke, stream, structured output', async () => {
  const chat = new ChatOpenAI({ model: 'gpt-4o', apiKey: appKey, maxRetries: 0, configuration: { baseURL: `${heed.gateway}/v1` } });
  assert.match((await chat.invoke(question)).content, new RegExp(ending));
  let text = '';
  for await (const chunk of await chat.stream(question)) text += chunk.content;
  assert.match(text, new RegExp(ending));
  const shaped = await chat.withStructuredOutput(z.object({ answer: z.string() }), { method: 'jsonSchema' }).invoke(question);
  assert.equal(typeof shaped.answer, 'string');
  const called = await chat.bindTools([weather], { tool_choice: 'get_weather' }).invoke(question);
  assert.equal(called.tool_calls[0].name, 'get_weather');
  const seen = await chat.invoke([{ role: 'user', content: [{ type: 'text', text: question }, { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }]);
  assert.match(seen.content, new RegExp(ending));
  const azure = new AzureChatOpenAI({ azureOpenAIApiKey: appKey, azureOpenAIApiVersion: '2024-10-21', azureOpenAIApiDeploymentName: 'via-azure', azureOpenAIEndpoint: heed.gateway, maxRetries: 0 });
  assert.match((await azure.invoke(question)).content, new RegExp(ending));
});
