// What is asked of the server, and what is told of an answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { requestBody, statsOf } from "../../../runtime/page/chat/answers.js";
import { parseOption, samplingOptions } from "../../../runtime/page/chat/sampling.js";

const option = (name) => samplingOptions.find((one) => one.name === name);

test("a request has the system text first, and no answers that failed", () => {
  const messages = [
    { role: "user", content: "a" },
    { role: "assistant", content: "b", state: "stopped", stats: {} },
    { role: "user", content: "c" },
    { role: "assistant", content: "half", state: "failed" },
    { role: "user", content: "d" },
  ];
  assert.deepEqual(requestBody({ system: "Be brief." }, messages, "m").messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
    { role: "user", content: "c" },
    { role: "user", content: "d" },
  ]);
});

test("without a system text there is no system message", () => {
  const body = requestBody({ system: "  " }, [{ role: "user", content: "a" }], "m");
  assert.deepEqual(body.messages, [{ role: "user", content: "a" }]);
  assert.deepEqual([body.model, body.stream, body.stream_options], ["m", true, { include_usage: true }]);
});

test("options are numbers within their bounds", () => {
  assert.equal(parseOption(option("temperature"), "0.7"), 0.7);
  assert.equal(parseOption(option("temperature"), " 0 "), 0);
  for (const text of ["", "warm", "-1", "2.1", "NaN", "Infinity"]) assert.equal(parseOption(option("temperature"), text), null, text);
  assert.equal(parseOption(option("seed"), "7"), 7);
  assert.equal(parseOption(option("seed"), "7.5"), null);
});

test("tokens per second do not count the wait for the first one", () => {
  const stats = statsOf({
    usage: { prompt_tokens: 12, completion_tokens: 11, prompt_tokens_details: { cached_tokens: 5 } },
    flowspec: { accept_length: 2.5, recoveries: 1 },
    finish: "stop", began: 0, first: 2000, ended: 3000,
  });
  assert.deepEqual(stats, { finish: "stop", firstSeconds: 2, tokens: 11, promptTokens: 12, cachedTokens: 5, tokensPerSecond: 10, acceptLength: 2.5, recoveries: 1 });
});

test("the server's own time of the answer counts, if it tells it", () => {
  const stats = statsOf({ usage: { prompt_tokens: 2, completion_tokens: 101 }, flowspec: { decode_ms: 50 }, began: 0, first: 10, ended: 1010 });
  assert.equal(stats.tokensPerSecond, 2000);
});

test("what a server does not tell is left out", () => {
  assert.deepEqual(statsOf({ finish: "stop", began: 0, first: 100, ended: 200 }), { finish: "stop", firstSeconds: 0.1 });
});
