// Server-sent events, cut anywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSplitter, eventsOf } from "../../../runtime/page/base/sse.js";

const stream = ": keepalive\n\nevent: state\ndata: {\"a\": 1}\n\ndata: one\ndata: two\n\ndata:[DONE]\n\n";
const expected = [
  { event: "state", data: '{"a": 1}' },
  { event: "message", data: "one\ntwo" },
  { event: "message", data: "[DONE]" },
];

test("events are the same wherever the stream is cut", () => {
  for (const text of [stream, stream.replaceAll("\n", "\r\n")])
    for (let cut = 0; cut <= text.length; ++cut) {
      const splitter = new EventSplitter();
      assert.deepEqual([...splitter.push(text.slice(0, cut)), ...splitter.push(text.slice(cut))], expected, `cut at ${cut}`);
    }
});

test("an event that has not ended is not told", () => {
  assert.deepEqual(new EventSplitter().push("data: half\n"), []);
});

test("characters that are cut in two are put together again", async () => {
  const bytes = new TextEncoder().encode("data: größe 🌊\n\n");
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  const events = [];
  for await (const event of eventsOf(body)) events.push(event.data);
  assert.deepEqual(events, ["größe 🌊"]);
});
