// The middle of the page: the messages of the current conversation, and the field to write in.

import { byId, make, setText } from "../base/dom.js";
import { MessageView } from "./message_view.js";

const suggestions = ["Once upon a time, there was a lighthouse that was afraid of the dark.", "Explain speculative decoding in three sentences.", "Write a haiku about pipelines."];
const nearEnd = 80;

/** A conversation for the eyes; `answers` does the work. `actions`: enterKey, startNew. */
export class ChatView {
  #conversations;
  #answers;
  #actions;
  #views = [];
  #isAtEnd = true;
  /** What was begun to be written, by conversation. */
  #drafts = new Map();
  #shown = null;

  constructor(conversations, answers, actions) {
    this.#conversations = conversations;
    this.#answers = answers;
    this.#actions = { ...actions, again: () => answers.again(conversations.current), onGrown: () => this.#follow() };
    conversations.addEventListener("current", () => this.show());
    conversations.addEventListener("list", () => this.#showTitle());
    answers.addEventListener("begin", (event) => this.#onCurrent(event, () => this.show()));
    answers.addEventListener("text", (event) => this.#onCurrent(event, () => this.#viewOf(event.message)?.grow()));
    answers.addEventListener("end", (event) => this.#onCurrent(event, () => this.#ended(event.message)));
    this.#listen();
    this.show();
  }

  focus() {
    // On a phone this would open the keyboard.
    if (matchMedia("(hover: hover)").matches) byId("draft").focus();
  }

  show() {
    const conversation = this.#conversations.current;
    if (this.#shown !== conversation.id) {
      const draft = byId("draft");
      if (this.#shown) this.#drafts.set(this.#shown, draft.value);
      draft.value = this.#drafts.get(conversation.id) ?? "";
      this.#shown = conversation.id;
      this.#isAtEnd = true;
      this.#fitDraft();
    }
    this.#views = conversation.messages.map((message) => new MessageView(message, this.#actions));
    byId("messages").replaceChildren(...this.#views.map((view) => view.element));
    if (this.#views.length === 0) byId("messages").append(this.#welcome());
    this.#views.at(-1)?.setLast(true);
    this.#isAtEnd = true;
    this.#showTitle();
    this.#showButtons();
    this.#follow();
  }

  #onCurrent(event, then) {
    if (event.conversation === this.#conversations.current) then();
  }

  #viewOf(message) {
    return this.#views.findLast((view) => view.message === message);
  }

  #ended(message) {
    this.#viewOf(message)?.update({ isLast: true });
    this.#showButtons();
    this.#follow();
    // For those who do not see it. Long answers are read in the conversation.
    const text = message.state === "failed" ? message.error : message.content;
    setText(byId("spoken"), text.length > 600 ? "The answer is complete." : text);
  }

  #welcome() {
    const buttons = suggestions.map((text) =>
      make("button", { type: "button", class: "suggestion", onclick: () => this.#send(text) }, text),
    );
    return make("div", { class: "welcome" }, make("h2", {}, "What shall we write?"), make("p", {}, "Each token passes all devices. The pipeline shows how."), make("div", { class: "suggestions" }, ...buttons));
  }

  #showTitle() {
    const title = this.#conversations.current.title || "New conversation";
    setText(byId("title"), title);
    document.title = this.#conversations.current.title ? `${title} – FlowSpec` : "FlowSpec";
  }

  #showButtons() {
    const isRunning = this.#answers.isRunning(this.#conversations.current);
    const hadFocus = [byId("send"), byId("stop")].includes(document.activeElement);
    byId("send").hidden = isRunning;
    byId("stop").hidden = !isRunning;
    byId("send").disabled = byId("draft").value.trim() === "";
    if (hadFocus) byId("draft").focus();
  }

  #send(text) {
    if (!text.trim() || this.#answers.isRunning(this.#conversations.current)) return false;
    this.#answers.ask(this.#conversations.current, text.trim());
    return true;
  }

  #sendDraft() {
    if (!this.#send(byId("draft").value)) return;
    byId("draft").value = "";
    this.#fitDraft();
    this.#showButtons();
  }

  #fitDraft() {
    const draft = byId("draft");
    draft.style.height = "auto";
    draft.style.height = `${Math.min(draft.scrollHeight, 0.35 * innerHeight)}px`;
  }

  /** Stays at the end, if that is where the reader was. */
  #follow() {
    const scroller = byId("scroller");
    if (this.#isAtEnd) scroller.scrollTop = scroller.scrollHeight;
    byId("to-end").hidden = this.#isAtEnd;
  }

  #listen() {
    const draft = byId("draft");
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sendDraft();
    });
    draft.addEventListener("keydown", (event) => {
      // While a word is composed, Enter belongs to the input method.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#sendDraft();
    });
    draft.addEventListener("input", () => {
      this.#fitDraft();
      this.#showButtons();
    });
    byId("stop").addEventListener("click", () => this.#answers.stop(this.#conversations.current));
    byId("scroller").addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = byId("scroller");
      this.#isAtEnd = scrollHeight - scrollTop - clientHeight < nearEnd;
      byId("to-end").hidden = this.#isAtEnd;
    });
    byId("to-end").addEventListener("click", () => {
      this.#isAtEnd = true;
      this.#follow();
    });
    addEventListener("resize", () => this.#follow());
  }
}
