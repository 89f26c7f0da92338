// One message of a conversation.

import { copyButton } from "../base/clipboard.js";
import { make } from "../base/dom.js";
import { count, figure, seconds } from "../base/format.js";
import { icon } from "../base/icons.js";
import { showMarkdown } from "./markdown.js";

const ends = { length: "the limit of tokens was reached", content_filter: "the server has held text back" };

/** "70 tokens · 31.2 tokens/s · ...": what is known of an answer. */
export function statsLine(message) {
  const stats = message.stats ?? {};
  const parts = [];
  if (message.state === "stopped") parts.push("stopped");
  if (stats.tokens !== undefined) parts.push(count(stats.tokens, "token"));
  if (stats.tokensPerSecond) parts.push(`${figure(stats.tokensPerSecond)} tokens/s`);
  if (stats.acceptLength) parts.push(`accept length ${figure(stats.acceptLength)}`);
  if (stats.cachedTokens) parts.push(`${stats.cachedTokens} of ${stats.promptTokens} prompt tokens cached`);
  if (stats.firstSeconds !== undefined) parts.push(`first token after ${seconds(stats.firstSeconds)}`);
  if (stats.recoveries) parts.push(count(stats.recoveries, "recovery", "recoveries"));
  if (ends[stats.finish]) parts.push(ends[stats.finish]);
  return parts.join(" · ");
}

const remedies = {
  context_length_exceeded: "Begin a new conversation, or shorten what you have written.",
};

function failure(message, actions) {
  const box = make("div", { class: "failure", role: "alert" }, make("p", {}, message.error || "Something went wrong."));
  if (remedies[message.code]) box.append(make("p", {}, remedies[message.code]));
  if (message.status === 401)
    box.append(make("button", { type: "button", class: "main-button", onclick: actions.enterKey }, "Enter the API key"));
  return box;
}

export class MessageView {
  constructor(message, actions) {
    this.message = message;
    this.#actions = actions;
    this.#body = make("div", { class: "body" });
    this.#foot = make("footer", { class: "message-foot" });
    const isUser = message.role === "user";
    this.element = make(
      "article",
      { class: `message ${message.role}`, "aria-label": isUser ? "You" : "The model" },
      this.#body,
      this.#foot,
    );
    this.update({ isLast: false });
  }

  #actions;
  #body;
  #foot;
  #footState = "";
  #timer = 0;
  #cost = 0;
  #failure = null;

  /** More text. Shown soon: long texts less often, so that the page stays quick. */
  grow() {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#showBody();
      this.#actions.onGrown?.();
    }, Math.min(400, Math.max(33, 4 * this.#cost)));
  }

  update({ isLast }) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.element.dataset.state = this.message.state ?? "done";
    this.#showBody();
    this.#failure?.remove();
    this.#failure = null;
    if (this.message.state === "failed") {
      this.#failure = failure(this.message, this.#actions);
      this.#foot.before(this.#failure);
    }
    this.setLast(isLast);
  }

  setLast(isLast) {
    const state = `${isLast} ${this.message.state} ${this.#canCopy()}`;
    if (state === this.#footState) return;
    this.#footState = state;
    this.#showFoot(isLast);
  }

  #canCopy() {
    return this.message.content !== "" && this.message.state !== "running";
  }

  #showBody() {
    const began = performance.now();
    const { role, content, state } = this.message;
    if (role === "user") this.#body.textContent = content;
    else if (content) showMarkdown(this.#body, content);
    else if (state === "running") this.#body.replaceChildren(make("span", { class: "waiting", "aria-label": "The model reads" }, make("i"), make("i"), make("i")));
    else this.#body.replaceChildren(...(state === "done" ? [make("p", { class: "small" }, "The model has nothing to say to that.")] : []));
    this.#cost = performance.now() - began;
  }

  #showFoot(isLast) {
    this.#foot.replaceChildren();
    if (this.message.state === "running") return;
    if (this.#canCopy()) this.#foot.append(copyButton(() => this.message.content, "Copy this message"));
    if (this.message.role !== "assistant") return;
    if (isLast)
      this.#foot.append(
        make("button", { type: "button", class: "icon-button small-button", "aria-label": "Write the answer again", title: "Write the answer again", onclick: this.#actions.again }, icon("again")),
      );
    this.#foot.append(make("span", { class: "stats" }, statsLine(this.message)));
  }
}
