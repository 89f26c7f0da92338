// OpenAI's own client for JavaScript.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import OpenAI from "openai";
import { cluster, endless, ready, until, url } from "../support/server.js";

const client = () => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const question = [{ role: "user", content: "Tell me a story about a dog." }];
const greedy = { messages: question, temperature: 0, max_tokens: 24 };
let modelName;
const model = async () => (modelName ??= (await client().models.list()).data[0].id);
const chat = async (options, ...more) => client().chat.completions.create({ model: await model(), ...greedy, ...options }, ...more);

async function chunksOf(options) {
  const chunks = [];
  for await (const chunk of await chat({ stream: true, ...options })) chunks.push(chunk);
  return chunks;
}
const textOf = (chunks, index = 0) =>
  chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index).map((choice) => choice.delta.content ?? "").join("");

describe("openai", () => {
  before(ready);
  test("lists the model, and finds it by its name", async () => {
    const list = await client().models.list();
    assert.equal(list.data.length, 1);
    assert.equal(list.data[0].object, "model");
    assert.equal((await client().models.retrieve(list.data[0].id)).id, list.data[0].id);
  });

  test("answers a conversation", async () => {
    const answer = await chat({});
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.choices.length, 1);
    assert.equal(answer.choices[0].message.role, "assistant");
    assert.ok(answer.choices[0].message.content.length > 0);
    assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
  });

  test("counts tokens", async () => {
    const { usage, choices } = await chat({ max_tokens: 7 });
    assert.equal(usage.completion_tokens, 7);
    assert.ok(usage.prompt_tokens > 5);
    assert.equal(usage.total_tokens, usage.prompt_tokens + 7);
    assert.equal(choices[0].finish_reason, "length");
  });

  test("max_completion_tokens is max_tokens", async () => {
    const { usage } = await client().chat.completions.create({ model: await model(), messages: question, temperature: 0, max_completion_tokens: 5 });
    assert.equal(usage.completion_tokens, 5);
  });

  test("tells how the answer came about", async () => {
    const { flowspec } = await chat({});
    assert.ok(flowspec.accept_length >= 1);
    assert.equal(flowspec.recoveries, 0);
  });

  test("a stream has the text of the whole answer", async () => {
    const whole = await chat({});
    assert.equal(textOf(await chunksOf({})), whole.choices[0].message.content);
  });

  test("a stream begins with the role and ends with a reason, once", async () => {
    const chunks = await chunksOf({});
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.ok(chunks.slice(1).every((chunk) => chunk.choices[0].delta.role === undefined));
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean).length, 1);
    assert.ok(chunks.at(-1).choices[0].finish_reason);
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    assert.equal(new Set(chunks.map((chunk) => chunk.created)).size, 1);
  });

  test("the client's own stream helper puts the answer together", async () => {
    const stream = client().chat.completions.stream({ model: await model(), ...greedy });
    const final = await stream.finalChatCompletion();
    assert.equal(final.choices[0].message.content, (await chat({})).choices[0].message.content);
  });

  test("usage comes in a last chunk without choices, and only when it is asked for", async () => {
    const without = await chunksOf({});
    assert.ok(without.every((chunk) => !chunk.usage && chunk.choices.length === 1));
    const asked = await chunksOf({ stream_options: { include_usage: true } });
    assert.deepEqual(asked.at(-1).choices, []);
    assert.equal(asked.at(-1).usage.completion_tokens, 24);
    assert.ok(asked.slice(0, -1).every((chunk) => chunk.usage === null && chunk.choices.length === 1));
  });

  test("an answer ends before a stop text, of which nothing is sent", async () => {
    const text = (await chat({})).choices[0].message.content;
    const words = text.trim().split(" ");
    const stop = words[4];
    const end = text.indexOf(stop);
    const answer = await chat({ stop });
    assert.equal(answer.choices[0].message.content, text.slice(0, end));
    assert.equal(answer.choices[0].finish_reason, "stop");
    const chunks = await chunksOf({ stop: ["never in this text", stop] });
    assert.equal(textOf(chunks), text.slice(0, end));
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
  });

  test("a seed gives the same answer, whole and streamed, and others give others", async () => {
    const options = { temperature: 1, seed: 7 };
    const text = (await chat(options)).choices[0].message.content;
    assert.equal((await chat(options)).choices[0].message.content, text);
    assert.equal(textOf(await chunksOf(options)), text);
    assert.notEqual((await chat({ temperature: 1, seed: 8 })).choices[0].message.content, text);
  });

  test("log-probabilities are of the tokens of the answer", async () => {
    const answer = await chat({ logprobs: true, top_logprobs: 3 });
    const { content } = answer.choices[0].logprobs;
    assert.equal(content.length, 24);
    assert.equal(content.map(({ token }) => token).join(""), answer.choices[0].message.content);
    for (const { logprob, bytes, token, top_logprobs: top } of content) {
      assert.ok(logprob <= 0);
      assert.equal(top.length, 3);
      assert.deepEqual(bytes, [...Buffer.from(token)]);
      // At temperature 0 the likeliest was taken.
      assert.equal(top[0].token, token);
      assert.ok(top[0].logprob >= top[1].logprob && top[1].logprob >= top[2].logprob);
    }
    const streamed = (await chunksOf({ logprobs: true, top_logprobs: 3 })).flatMap((chunk) => chunk.choices[0].logprobs?.content ?? []);
    assert.deepEqual(streamed.map(({ token }) => token), content.map(({ token }) => token));
  });

  test("n answers have numbers, and differ", async () => {
    const options = { n: 3, temperature: 1, seed: 3 };
    const { choices } = await chat(options);
    assert.deepEqual(choices.map(({ index }) => index), [0, 1, 2]);
    assert.equal(new Set(choices.map(({ message }) => message.content)).size, 3);
    const chunks = await chunksOf(options);
    assert.deepEqual([0, 1, 2].map((index) => textOf(chunks, index)), choices.map(({ message }) => message.content));
    assert.equal(chunks.flatMap(({ choices: [choice] }) => choice?.finish_reason ?? []).length, 3);
  });

  test("penalties and biases change the answer", async () => {
    const plain = (await chat({ max_tokens: 60 })).choices[0].message.content;
    for (const options of [{ frequency_penalty: 2 }, { presence_penalty: 2 }, { repetition_penalty: 3 }])
      assert.notEqual((await chat({ max_tokens: 60, ...options })).choices[0].message.content, plain, JSON.stringify(options));
  });

  test("messages may be parts of text, and there are system and developer", async () => {
    for (const role of ["system", "developer"]) {
      const answer = await chat({
        messages: [
          { role, content: "Tell short stories." },
          { role: "user", content: [{ type: "text", text: "About a cat," }, { type: "text", text: "please." }] },
        ],
      });
      assert.ok(answer.choices[0].message.content.length > 0);
    }
  });

  test("what a conversation had before is not computed again", async () => {
    const first = { role: "user", content: "Once there was a fox who lived beside a river and had a red hat." };
    const answer = await chat({ messages: [first] });
    const next = await chat({ messages: [first, answer.choices[0].message, { role: "user", content: "And then?" }] });
    assert.ok(next.usage.prompt_tokens_details.cached_tokens > 10);
    assert.ok(next.usage.prompt_tokens_details.cached_tokens < next.usage.prompt_tokens);
  });

  test("answers that are written at once are those that are written alone", async () => {
    const questions = ["a dog", "a cat", "the sea", "a red ball", "my mom", "two birds"].map((what) => ({ messages: [{ role: "user", content: `Tell me about ${what}.` }], temperature: 1, seed: 5 }));
    const alone = [];
    for (const one of questions) alone.push((await chat(one)).choices[0].message.content);
    const together = await Promise.all(questions.map(chat));
    assert.deepEqual(together.map(({ choices }) => choices[0].message.content), alone);
  });

  test("wrong requests are refused with the parameter's name", async () => {
    const cases = [
      [{ temperature: 3 }, "temperature"],
      [{ top_p: 0 }, "top_p"],
      [{ max_tokens: -1 }, "max_tokens"],
      [{ n: 1000 }, "n"],
      [{ messages: [] }, "messages"],
      [{ response_format: { type: "json_object" } }, "response_format"],
      [{ tools: [{ type: "function", function: { name: "f" } }] }, "tools"],
    ];
    for (const [options, param] of cases)
      await assert.rejects(chat(options), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError, `${param}: ${error}`);
        assert.equal(error.type, "invalid_request_error");
        assert.equal(error.param, param);
        return true;
      });
  });

  test("unknown fields are ignored", async () => {
    assert.ok((await chat({ nobody_knows: { this: 1 } })).choices[0].message.content);
  });

  test("another model is not found", async () => {
    await assert.rejects(chat({ model: "gpt-nobody" }), (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  });

  test("too long a prompt has the code that clients know", async () => {
    const messages = [{ role: "user", content: "Tell me more about the dog. ".repeat(4000) }];
    for (const stream of [false, true])
      await assert.rejects(chat({ messages, stream }), (error) => error.status === 400 && error.code === "context_length_exceeded");
  });

  test("an answer that is no longer wanted frees its session within a second", async () => {
    const stream = await chat({ stream: true, ...endless });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    stream.controller.abort();
    await until("no session is left", async () => (await cluster()).sessions.length === 0, 1000);
  });

  test("so does one that is aborted before its first word, or was not streamed", async () => {
    for (const stream of [true, false]) {
      const abort = new AbortController();
      const answer = chat({ stream, ...endless }, { signal: abort.signal });
      await until("the session is there", async () => (await cluster()).sessions.length > 0).catch(() => {});
      abort.abort();
      await answer.catch(() => {});
      await until("no session is left", async () => (await cluster()).sessions.length === 0, 1000);
    }
  });

  test("continues a text", async () => {
    const options = { model: await model(), prompt: "Once upon a time", temperature: 0, max_tokens: 12 };
    const answer = await client().completions.create(options);
    assert.equal(answer.object, "text_completion");
    assert.equal(answer.usage.completion_tokens, 12);
    assert.equal(answer.choices[0].finish_reason, "length");
    let text = "";
    for await (const chunk of await client().completions.create({ ...options, stream: true })) text += chunk.choices[0].text;
    assert.equal(text, answer.choices[0].text);
  });

  test("continues several texts at once, with log-probabilities", async () => {
    const answer = await client().completions.create({ model: await model(), prompt: ["Once upon a time", "The dog"], n: 2, temperature: 1, seed: 2, max_tokens: 6, logprobs: 2 });
    assert.deepEqual(answer.choices.map(({ index }) => index), [0, 1, 2, 3]);
    for (const { logprobs, text } of answer.choices) {
      assert.equal(logprobs.tokens.join(""), text);
      assert.equal(logprobs.tokens.length, logprobs.token_logprobs.length);
      assert.deepEqual(logprobs.text_offset[0], 0);
    }
  });
});
