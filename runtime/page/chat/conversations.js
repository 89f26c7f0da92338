// The conversations, each under a key of its own in the browser's storage.
//
// {id, title, system, created, updated, messages: [{role, content, ...}]}; an answer has also `state`: "running",
// "done", "stopped" or "failed", `error`, and `stats` (see answers.js).

import * as storage from "../base/storage.js";

const prefix = "flowspec.conversation.";
const currentKey = "flowspec.current";
const longestTitle = 60;

const isText = (value) => typeof value === "string";

/** What a conversation from storage is worth, or null: others may have written there. */
function checked(value) {
  if (!value || !isText(value.id) || !Array.isArray(value.messages)) return null;
  const messages = value.messages.filter(
    (message) => message && ["user", "assistant"].includes(message.role) && isText(message.content),
  );
  // An answer that was running when the page went away has ended.
  for (const message of messages) if (message.state === "running") message.state = "stopped";
  return {
    id: value.id,
    title: isText(value.title) ? value.title : "",
    system: isText(value.system) ? value.system : "",
    created: Number(value.created) || 0,
    updated: Number(value.updated) || 0,
    messages,
  };
}

/** Tells its listeners ("list": titles or the order; "current": another one is shown) of every change. */
export class Conversations extends EventTarget {
  #all = new Map();
  #current = null;
  #deleted = null;
  /** Conversations that are being written to here, and not read again from storage. */
  busy = new Set();

  constructor() {
    super();
    for (const key of storage.keys(prefix)) {
      const conversation = checked(storage.readJson(key));
      if (conversation && prefix + conversation.id === key) this.#all.set(conversation.id, conversation);
    }
    this.#current = this.#all.get(storage.read(currentKey)) ?? this.list()[0] ?? this.#fresh();
    addEventListener("storage", (event) => this.#changedElsewhere(event.key));
  }

  get current() {
    return this.#current;
  }

  get(id) {
    return this.#all.get(id);
  }

  /** The newest first; without those in which nothing was written yet. */
  list() {
    return [...this.#all.values()]
      .filter((conversation) => conversation.messages.length > 0)
      .sort((a, b) => b.updated - a.updated);
  }

  /** Shows an empty conversation, with the same system text. */
  startNew() {
    if (this.#current.messages.length > 0) this.#current = this.#fresh(this.#current.system);
    this.#show(this.#current);
  }

  select(id) {
    const conversation = this.#all.get(id);
    if (conversation) this.#show(conversation);
  }

  rename(id, title) {
    const conversation = this.#all.get(id);
    if (!conversation || !title.trim()) return;
    conversation.title = title.trim().slice(0, longestTitle);
    this.save(conversation);
  }

  delete(id) {
    const conversation = this.#all.get(id);
    if (!conversation) return;
    this.#deleted = conversation;
    this.#all.delete(id);
    storage.remove(prefix + id);
    this.#tell("list");
    if (this.#current === conversation) this.#show(this.list()[0] ?? this.#fresh());
  }

  undoDelete() {
    if (!this.#deleted) return;
    const conversation = this.#deleted;
    this.#deleted = null;
    this.#all.set(conversation.id, conversation);
    this.save(conversation);
    this.#show(conversation);
  }

  /** After a change of its messages, title or system text. */
  save(conversation) {
    // It may have been deleted while an answer ran.
    if (!this.#all.has(conversation.id)) return;
    if (!conversation.title) conversation.title = titleOf(conversation);
    storage.writeJson(prefix + conversation.id, conversation);
    this.#tell("list");
  }

  #fresh(system = "") {
    for (const [id, conversation] of this.#all)
      if (conversation.messages.length === 0 && !this.busy.has(id)) this.#all.delete(id);
    const now = Date.now();
    const id = `${now.toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    const conversation = { id, title: "", system, created: now, updated: now, messages: [] };
    this.#all.set(id, conversation);
    return conversation;
  }

  #show(conversation) {
    this.#current = conversation;
    storage.write(currentKey, conversation.id);
    this.#tell("current");
  }

  /** Another tab has written. */
  #changedElsewhere(key) {
    if (!key?.startsWith(prefix)) return;
    const id = key.slice(prefix.length);
    if (this.busy.has(id)) return;
    const conversation = checked(storage.readJson(key));
    if (!conversation || conversation.id !== id) {
      if (id === this.#current.id) return;
      this.#all.delete(id);
    } else {
      this.#all.set(id, conversation);
      if (id === this.#current.id) this.#show(conversation);
    }
    this.#tell("list");
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

function titleOf(conversation) {
  const first = conversation.messages.find((message) => message.role === "user");
  const line = (first?.content ?? "").trim().split("\n", 1)[0].replace(/\s+/g, " ");
  return line.length > longestTitle ? `${line.slice(0, longestTitle - 1).trimEnd()}…` : line;
}
