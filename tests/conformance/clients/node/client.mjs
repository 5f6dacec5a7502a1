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

const claude = "anthropic/claude-sonnet-4-6";
const pixel =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const create = (body, options) => client(options).chat.completions.create({ model, messages: hello, ...body });
const names = (calls) => calls.map((call) => call.function.name).sort();

// Vectors as base64, which the SDK asks for by itself, are those that come as floats.
async function sameBothWays(input, count) {
  const asked = { model: "text-embedding-3-small", input };
  const decoded = await client().embeddings.create(asked);
  const floats = await client().embeddings.create({ ...asked, encoding_format: "float" });
  assert.deepEqual(decoded.data.map((each) => each.embedding.length), Array(count).fill(1536));
  assert.ok(Math.abs(decoded.data.at(-1).embedding[7] - floats.data.at(-1).embedding[7]) < 1e-6);
}

const cases = {
  async plain(model) {
    const answer = await create({ model });
    assert.ok(answer.choices[0].message.content);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.ok(answer.usage.total_tokens > 0);
  },
  async streamed(model) {
    let text = "", finish;
    for await (const chunk of await create({ model, stream: true })) {
      text += chunk.choices[0].delta.content ?? "";
      finish = chunk.choices[0].finish_reason ?? finish;
    }
    assert.ok(text);
    assert.equal(finish, "stop");
  },
  async usage_in_stream(model) {
    let last;
    for await (const chunk of await create({ model, stream: true, stream_options: { include_usage: true } })) last = chunk;
    assert.deepEqual(last.choices, []);
    assert.ok(last.usage.total_tokens > 0);
  },
  // A round trip: the model asks, the client answers, the model tells.
  async tools(model) {
    const asked = [{ role: "user", content: "What is the weather?" }];
    const turn = (await create({ model, messages: asked, tools })).choices[0];
    assert.equal(turn.finish_reason, "tool_calls");
    assert.deepEqual(names(turn.message.tool_calls), ["get_weather"]);
    const given = { role: "tool", tool_call_id: turn.message.tool_calls[0].id, content: "Sunny." };
    const told = await create({ model, messages: [...asked, turn.message, given], tools });
    assert.match(told.choices[0].message.content, /Sunny/);
  },
  async parallel_tools(model) {
    const several = await create({ model, messages: both, tools });
    assert.deepEqual(names(several.choices[0].message.tool_calls), ["get_time", "get_weather"]);
    const one = await create({ model, messages: both, tools, parallel_tool_calls: false });
    assert.equal(one.choices[0].message.tool_calls.length, 1);
  },
  async streamed_tools(model) {
    const stream = client().chat.completions.stream({ model, messages: both, tools });
    const answer = await stream.finalChatCompletion();
    assert.deepEqual(names(answer.choices[0].message.tool_calls), ["get_time", "get_weather"]);
    for (const call of answer.choices[0].message.tool_calls) JSON.parse(call.function.arguments);
  },
  async json_schema(model) {
    const response_format = { type: "json_schema", json_schema: { name: "place", schema: city, strict: true } };
    const answer = await create({ model, response_format });
    assert.deepEqual(Object.keys(JSON.parse(answer.choices[0].message.content)), ["city"]);
  },
  async image_parts(model) {
    const image = { type: "image_url", image_url: { url: pixel, detail: "low" } };
    const content = [{ type: "text", text: "What is this?" }, image];
    assert.match((await create({ model, messages: [{ role: "user", content }] })).choices[0].message.content, /1 pictures/);
  },
  async embeddings() {
    await sameBothWays("one", 1);
    await sameBothWays(["one", "two"], 2);
  },
  async token_ids() {
    await sameBothWays([5, 6], 1);
    await sameBothWays([[5, 6], [7]], 2);
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
  // Too much at a time is told with the seconds to wait, and the SDK waits for them.
  async rate_limits() {
    const asked = async () => {
      for (let at = 0; at < 20; at++) await create({}, { baseURL: place.hasty });
    };
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.code, "rate_limit_exceeded");
      return Number(error.headers.get("retry-after")) >= 1;
    });
    assert.ok((await create({}, { baseURL: place.hasty, maxRetries: 3 })).choices.length);
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
  async cut_streams() {
    await script({ cut_after: 2 });
    const read = async () => {
      for await (const chunk of await create({ stream: true })) assert.ok(chunk.choices);
    };
    await assert.rejects(read, (error) => error instanceof OpenAI.APIError && error.code === "provider_unavailable");
  },
  async anthropic() {
    const same = ["plain", "streamed", "tools", "parallel_tools", "streamed_tools", "json_schema", "image_parts"];
    for (const name of same) await cases[name](claude);
  },
};

const told = {};
for (const [name, run] of Object.entries(cases)) {
  told[name] = await run(model).then(() => "", (error) => String(error.stack));
}
console.log(JSON.stringify(told));
