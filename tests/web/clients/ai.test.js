// Vercel's package "ai", with its provider for servers of this API.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import { cluster, endless, ready, until, url } from "../support/server.js";

async function model() {
  const { data } = await (await fetch(`${url}/v1/models`)).json();
  return createOpenAICompatible({ name: "flowspec", baseURL: `${url}/v1`, includeUsage: true }).chatModel(data[0].id);
}
const asked = { prompt: "Tell me a story about a dog.", temperature: 0, maxOutputTokens: 20, maxRetries: 0 };

describe("ai", () => {
  before(ready);
  test("generateText", async () => {
    const { text, usage, finishReason } = await generateText({ model: await model(), ...asked });
    assert.ok(text.length > 0);
    assert.equal(usage.outputTokens, 20);
    assert.ok(usage.inputTokens > 5);
    assert.equal(finishReason, "length");
  });

  test("streamText has the same text, usage and reason", async () => {
    const whole = await generateText({ model: await model(), ...asked });
    const stream = streamText({ model: await model(), ...asked });
    let text = "";
    for await (const part of stream.textStream) text += part;
    assert.equal(text, whole.text);
    assert.equal((await stream.usage).outputTokens, 20);
    assert.equal(await stream.finishReason, "length");
  });

  test("a conversation with a system text and a stop text", async () => {
    const options = { ...asked, prompt: undefined, system: "Tell short stories.", messages: [{ role: "user", content: "About a cat." }] };
    const { text } = await generateText({ model: await model(), ...options });
    const stop = text.trim().split(" ")[3];
    const cut = await generateText({ model: await model(), ...options, stopSequences: [stop] });
    assert.equal(cut.text, text.slice(0, text.indexOf(stop)));
    assert.equal(cut.finishReason, "stop");
  });

  test("an abort frees the session", async () => {
    const abort = new AbortController();
    const stream = streamText({ model: await model(), ...asked, maxOutputTokens: 19000, providerOptions: { flowspec: { logit_bias: endless.logit_bias } }, abortSignal: abort.signal });
    for await (const part of stream.textStream) {
      if (part) abort.abort();
    }
    await until("no session is left", async () => (await cluster()).sessions.length === 0, 1000);
  });

  test("an error has the server's words", async () => {
    await assert.rejects(generateText({ model: await model(), ...asked, temperature: 5 }), (error) => {
      assert.equal(error.statusCode, 400);
      assert.match(error.message, /temperature/);
      return true;
    });
  });
});
