// The bytes themselves, by curl.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import { ready, url } from "../support/server.js";

const run = promisify(execFile);

/** {status, headers, body} of a request; `body`: what to post. */
async function curl(path, { body, options = [] } = {}) {
  const post = body === undefined ? [] : ["--header", "Content-Type: application/json", "--data-binary", typeof body === "string" ? body : JSON.stringify(body)];
  const { stdout } = await run("curl", ["--silent", "--show-error", "--include", "--max-time", "60", "--path-as-is", ...post, ...options, url + path], { maxBuffer: 1 << 26 });
  const end = stdout.indexOf("\r\n\r\n");
  const [status, ...lines] = stdout.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  return { status: Number(status.split(" ")[1]), headers, body: stdout.slice(end + 4) };
}

const asked = { messages: [{ role: "user", content: "Tell me a story." }], temperature: 0, max_tokens: 12 };

describe("curl", () => {
  before(ready);
  test("a stream is events of one line, and ends with [DONE]", async () => {
    const { status, headers, body } = await curl("/v1/chat/completions", { body: { ...asked, stream: true } });
    assert.equal(status, 200);
    assert.match(headers["content-type"], /^text\/event-stream/);
    const events = body.split("\n\n");
    assert.equal(events.pop(), "");
    assert.equal(events.pop(), "data: [DONE]");
    for (const event of events) assert.match(event, /^(data: \{.*\}|: ?.*)$/);
    const chunks = events.filter((event) => event.startsWith("data: ")).map((event) => JSON.parse(event.slice(6)));
    assert.deepEqual(chunks[0].choices[0].delta, { role: "assistant", content: "" });
    assert.deepEqual(chunks.at(-1).choices[0].delta, {});
    for (const chunk of chunks) {
      assert.equal(chunk.object, "chat.completion.chunk");
      assert.ok(!("usage" in chunk));
      for (const value of Object.values(chunk.choices[0].delta)) assert.notEqual(value, null);
    }
  });

  test("without streaming there is one JSON object", async () => {
    const { status, headers, body } = await curl("/v1/chat/completions", { body: asked });
    assert.equal(status, 200);
    assert.match(headers["content-type"], /^application\/json/);
    assert.equal(JSON.parse(body).choices[0].message.role, "assistant");
  });

  test("what is wrong is told before the first byte, as an error object", async () => {
    const cases = [
      ["{", 400], ["[]", 400], ["", 400], ['{"messages": 7}', 400], ['{"messages": [{"role": "user", "content": "\ud800"}]}'.replace("\ud800", "\\ud800"), 400],
      [`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`, 400], [{ ...asked, model: "nobody" }, 404],
    ];
    for (const [body, status] of cases)
      for (const stream of [false, true]) {
        const answer = await curl("/v1/chat/completions", { body: typeof body === "string" ? body : { ...body, stream } });
        assert.equal(answer.status, status, String(body).slice(0, 80));
        const { error } = JSON.parse(answer.body);
        assert.deepEqual(Object.keys(error).sort(), ["code", "message", "param", "type"]);
        assert.ok(error.message.length > 5);
      }
  });

  test("other paths and methods are refused in JSON", async () => {
    const missing = await curl("/v1/nothing");
    assert.equal(missing.status, 404);
    assert.ok(JSON.parse(missing.body).error.message);
    const method = await curl("/v1/chat/completions");
    assert.equal(method.status, 405);
    assert.ok(JSON.parse(method.body).error.message);
  });

  test("health and metrics", async () => {
    const health = await curl("/health");
    assert.equal(health.status, 200);
    assert.equal(JSON.parse(health.body).status, "ready");
    const metrics = await curl("/metrics");
    assert.equal(metrics.status, 200);
    assert.match(metrics.headers["content-type"], /^text\/plain/);
    assert.match(metrics.body, /^flowspec:prompt_tokens_total/m);
  });

  test("tokens of a text, and the text of tokens", async () => {
    const { tokens } = JSON.parse((await curl("/tokenize", { body: { prompt: "Once upon a time" } })).body);
    assert.ok(tokens.length > 1);
    const text = JSON.parse((await curl("/detokenize", { body: { tokens } })).body);
    assert.match(text.prompt ?? text.content, /Once upon a time$/);
  });

  test("a conversation as the model gets it", async () => {
    const { status, body } = await curl("/apply-template", { body: { messages: asked.messages } });
    assert.equal(status, 200);
    assert.match(JSON.parse(body).prompt, /Tell me a story\./);
  });

  test("the cluster: nodes, stages with layers, and who works", async () => {
    const { nodes, hops } = JSON.parse((await curl("/v1/cluster")).body);
    assert.ok(nodes.length >= 2 && nodes.every((node) => node.state === "works"));
    const stages = hops.filter((hop) => hop.kind === "stage");
    assert.equal(stages.length, 2);
    assert.equal(stages[0].layers[1], stages[1].layers[0]);
  });

  test("the page may run, load and show nothing from elsewhere", async () => {
    for (const path of ["/", "/page/main.js", "/vendor/purify.js"]) {
      const { status, headers } = await curl(path);
      assert.equal(status, 200, path);
      assert.match(headers["content-security-policy"], /^default-src 'none'; script-src 'self'; style-src 'self'/);
      assert.equal(headers["x-content-type-options"], "nosniff");
    }
    assert.equal((await curl("/page/../../../../etc/passwd")).status, 404);
    assert.equal((await curl("/page/%2e%2e/%2e%2e/README.md")).status, 404);
  });
});
