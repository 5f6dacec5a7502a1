// OpenAI's SDK for JavaScript, unmodified. Reads where everything is as JSON from stdin, tells how each case went on stdout.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const place = JSON.parse(readFileSync(0, "utf8"));
const model = "gpt-4o-mini";
const hello = [{ role: "user", content: "Hello" }];
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tools = ["get_weather", "get_time"].map((name) => ({ type: "function", function: { name, parameters: city } }));
const both = [{ role: "user", content: "What is the weather, and what the time?" }];
const client = (options = {}) =>
  new OpenAI({ baseURL: place.base_url, apiKey: place.key, maxRetries: 0, timeout: 20000, ...options });
const script = (...scripts) => fetch(`${place.fake}/_scripts`, { method: "POST", body: JSON.stringify(scripts) });

const cases = {
  async plain() {
    const answer = await client().chat.completions.create({ model, messages: hello });
    assert.ok(answer.choices[0].message.content);
    assert.ok(answer.usage.total_tokens > 0);
  },
  async streamed() {
    const options = { model, messages: hello, stream: true, stream_options: { include_usage: true } };
    let text = "", usage;
    for await (const chunk of await client().chat.completions.create(options)) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.ok(text);
    assert.ok(usage.total_tokens > 0);
  },
  async tools() {
    const answer = await client().chat.completions.create({ model, messages: both, tools });
    const names = answer.choices[0].message.tool_calls.map((call) => call.function.name);
    assert.deepEqual(names.sort(), ["get_time", "get_weather"]);
  },
  async json_schema() {
    const response_format = { type: "json_schema", json_schema: { name: "place", schema: city, strict: true } };
    const answer = await client().chat.completions.create({ model, messages: hello, response_format });
    assert.deepEqual(Object.keys(JSON.parse(answer.choices[0].message.content)), ["city"]);
  },
  async embeddings() {
    const asked = { model: "text-embedding-3-small", input: ["one", "two"] };
    const decoded = await client().embeddings.create(asked);
    const floats = await client().embeddings.create({ ...asked, encoding_format: "float" });
    assert.deepEqual(decoded.data.map((each) => each.embedding.length), [1536, 1536]);
    assert.ok(Math.abs(decoded.data[1].embedding[7] - floats.data[1].embedding[7]) < 1e-6);
  },
  async models() {
    const ids = [];
    for await (const each of client().models.list()) ids.push(each.id);
    assert.ok(ids.includes("openai/gpt-4o-mini"));
    assert.equal((await client().models.retrieve("openai/gpt-4o-mini")).owned_by, "openai");
  },
  async errors() {
    const ask = (options, body = {}) =>
      client(options).chat.completions.create({ model, messages: hello, max_tokens: 100, ...body });
    await assert.rejects(ask({ apiKey: "atr_live_wrong" }), { status: 401, code: "invalid_api_key" });
    await assert.rejects(ask({}, { model: "gpt-nothing" }), { status: 404, code: "model_not_found" });
    await assert.rejects(ask({ apiKey: place.poor, maxRetries: 2 }), { status: 429, code: "insufficient_quota" });
  },
  async timeouts() {
    await script({ hang: true });
    const asked = client({ timeout: 300 }).chat.completions.create({ model, messages: hello });
    await assert.rejects(asked, OpenAI.APIConnectionTimeoutError);
  },
  async retries() {
    const failing = { status: 500, headers: { "retry-after-ms": "1" } };
    await script(failing, failing, failing);
    assert.ok((await client({ maxRetries: 1 }).chat.completions.create({ model, messages: hello })).choices.length);
  },
};

const told = {};
for (const [name, run] of Object.entries(cases)) {
  told[name] = await run().then(() => "", (error) => String(error.stack));
}
console.log(JSON.stringify(told));
