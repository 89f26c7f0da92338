// Answers that are being written: one at a time in each conversation, several conversations at once.
//
// An answer's `stats`: {tokens, promptTokens, cachedTokens, firstSeconds, tokensPerSecond, acceptLength, recoveries,
// finish}; what the server does not say is left out.

import { ApiFailure, chatChunks } from "../base/api.js";
import { chosenOptions } from "./sampling.js";

const saveEvery = 2000;

/** The request for the answer behind `messages`. */
export function requestBody(conversation, messages, model) {
  const list = messages
    .filter((message) => message.role === "user" || (message.content && message.state !== "failed"))
    .map(({ role, content }) => ({ role, content }));
  if (conversation.system.trim()) list.unshift({ role: "system", content: conversation.system });
  // Without a name the server takes the model that it has.
  return { model: model || undefined, messages: list, stream: true, stream_options: { include_usage: true }, ...chosenOptions() };
}

/** What the chunks said beside the text. Times in milliseconds. */
export function statsOf({ usage, flowspec, finish, began, first, ended }) {
  const stats = { finish };
  if (first) stats.firstSeconds = (first - began) / 1000;
  if (usage) {
    stats.tokens = usage.completion_tokens;
    stats.promptTokens = usage.prompt_tokens;
    stats.cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? 0;
    // The first token belongs to the prompt. The server knows the time without the way to here.
    const time = flowspec?.decode_ms > 0 ? flowspec.decode_ms : first ? ended - first : 0;
    if (time > 0 && usage.completion_tokens > 1) stats.tokensPerSecond = ((usage.completion_tokens - 1) * 1000) / time;
  }
  if (flowspec?.accept_length > 0) stats.acceptLength = flowspec.accept_length;
  if (flowspec?.recoveries > 0) stats.recoveries = flowspec.recoveries;
  return stats;
}

/**
 * Events, each with `conversation` and `message`: "begin", "text", "end". `model` is a function that returns the
 * name of the server's model.
 */
export class Answers extends EventTarget {
  #running = new Map();
  #conversations;
  #model;

  constructor(conversations, model) {
    super();
    this.#conversations = conversations;
    this.#model = model;
  }

  isRunning(conversation) {
    return this.#running.has(conversation.id);
  }

  stop(conversation) {
    this.#running.get(conversation.id)?.abort();
  }

  /** Adds the message, and has it answered. */
  ask(conversation, text) {
    if (this.isRunning(conversation)) return;
    conversation.messages.push({ role: "user", content: text });
    return this.#answer(conversation);
  }

  /** Writes the last answer again. */
  again(conversation) {
    if (this.isRunning(conversation)) return;
    while (conversation.messages.at(-1)?.role === "assistant") conversation.messages.pop();
    if (conversation.messages.length > 0) return this.#answer(conversation);
  }

  async #answer(conversation) {
    const body = requestBody(conversation, conversation.messages, this.#model());
    const message = { role: "assistant", content: "", state: "running" };
    conversation.messages.push(message);
    conversation.updated = Date.now();
    const abort = new AbortController();
    this.#running.set(conversation.id, abort);
    this.#conversations.busy.add(conversation.id);
    this.#conversations.save(conversation);
    this.#tell("begin", conversation, message);

    const told = { began: performance.now() };
    try {
      await this.#read(conversation, message, chatChunks(body, abort.signal), told);
      message.state = "done";
    } catch (error) {
      message.state = abort.signal.aborted ? "stopped" : "failed";
      if (message.state === "failed") {
        message.error = error.message;
        message.status = error instanceof ApiFailure ? error.status : 0;
        message.code = error.code ?? null;
      }
    }
    told.ended ??= performance.now();
    message.stats = statsOf(told);
    conversation.updated = Date.now();
    this.#running.delete(conversation.id);
    this.#conversations.busy.delete(conversation.id);
    this.#conversations.save(conversation);
    this.#tell("end", conversation, message);
  }

  async #read(conversation, message, chunks, told) {
    let saved = performance.now();
    for await (const chunk of chunks) {
      const now = performance.now();
      const choice = chunk.choices?.[0];
      const text = choice?.delta?.content;
      if (text) {
        told.first ??= now;
        message.content += text;
        this.#tell("text", conversation, message);
      }
      if (choice?.finish_reason) {
        told.finish = choice.finish_reason;
        told.ended = now;
      }
      if (chunk.usage) told.usage = chunk.usage;
      if (chunk.flowspec) told.flowspec = chunk.flowspec;
      if (now - saved > saveEvery) {
        saved = now;
        this.#conversations.save(conversation);
      }
    }
  }

  #tell(what, conversation, message) {
    this.dispatchEvent(Object.assign(new Event(what), { conversation, message }));
  }
}
