// Conversations in a storage that may be broken, full, or forbidden.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** As much of localStorage as the page uses. */
class Storage {
  #items = new Map();
  room = Infinity;
  isForbidden = false;

  get length() {
    this.#check();
    return this.#items.size;
  }
  key(i) {
    return [...this.#items.keys()][i];
  }
  getItem(key) {
    this.#check();
    return this.#items.get(key) ?? null;
  }
  setItem(key, text) {
    this.#check();
    if (text.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.#items.set(key, text);
  }
  removeItem(key) {
    this.#check();
    this.#items.delete(key);
  }
  #check() {
    if (this.isForbidden) throw new DOMException("forbidden", "SecurityError");
  }
}

const prefix = "flowspec.conversation.";
let load = 0;

/** The modules as a page that has just been opened has them. */
async function open() {
  globalThis.addEventListener = () => {};
  const { Conversations } = await import(`../../../runtime/page/chat/conversations.js?${++load}`);
  return new Conversations();
}

function say(conversations, text) {
  const { current } = conversations;
  current.messages.push({ role: "user", content: text });
  current.updated = load + current.messages.length;
  conversations.save(current);
  return current.id;
}

beforeEach(() => {
  globalThis.localStorage = new Storage();
});

test("a conversation is there when the page is opened again", async () => {
  const id = say(await open(), "  Once upon\na time");
  const again = await open();
  assert.equal(again.current.id, id);
  assert.equal(again.current.title, "Once upon");
  assert.equal(again.current.messages[0].content, "  Once upon\na time");
});

test("an empty conversation is not listed, and there is only one", async () => {
  const conversations = await open();
  conversations.startNew();
  conversations.startNew();
  assert.deepEqual(conversations.list(), []);
  say(conversations, "hello");
  conversations.startNew();
  assert.equal(conversations.list().length, 1);
});

test("a new conversation has the system text of the last one", async () => {
  const conversations = await open();
  conversations.current.system = "Be brief.";
  say(conversations, "hello");
  conversations.startNew();
  assert.equal(conversations.current.system, "Be brief.");
});

test("one that is deleted is gone, unless that is undone", async () => {
  const conversations = await open();
  const id = say(conversations, "hello");
  conversations.delete(id);
  assert.deepEqual(conversations.list(), []);
  assert.equal(localStorage.getItem(prefix + id), null);
  conversations.undoDelete();
  assert.equal(conversations.current.id, id);
  assert.ok(localStorage.getItem(prefix + id));
});

test("an answer that was running when the page went away has stopped", async () => {
  const conversations = await open();
  const id = say(conversations, "hello");
  conversations.current.messages.push({ role: "assistant", content: "Half", state: "running" });
  conversations.save(conversations.current);
  assert.equal((await open()).get(id).messages[1].state, "stopped");
});

test("what is no conversation is left out", async () => {
  for (const [name, text] of Object.entries({
    a: "{", b: "null", c: "7", d: '{"id": "d"}', e: '{"id": "other", "messages": []}', f: '{"id": 3, "messages": []}',
    g: '{"id": "g", "messages": [null, {"role": "root", "content": ""}, {"role": "user"}, {"role": "user", "content": "hello"}]}',
  }))
    localStorage.setItem(prefix + name, text);
  const conversations = await open();
  assert.deepEqual(conversations.list().map(({ id }) => id), ["g"]);
  assert.deepEqual(conversations.get("g").messages, [{ role: "user", content: "hello" }]);
});

test("with a full or forbidden storage conversations are kept in memory, and it is told", async () => {
  const { onTrouble } = await import("../../../runtime/page/base/storage.js");
  const told = [];
  onTrouble((kind) => told.push(kind));
  const conversations = await open();
  localStorage.room = 10;
  const first = say(conversations, "hello");
  localStorage.isForbidden = true;
  conversations.startNew();
  const second = say(conversations, "again");
  assert.deepEqual(conversations.list().map(({ id }) => id).sort(), [first, second].sort());
  assert.deepEqual(told, ["full", "forbidden"]);
});
