// The list of conversations.

import { byId, make } from "../base/dom.js";
import { icon } from "../base/icons.js";

export class Sidebar {
  #conversations;
  #answers;
  #actions;

  /** `actions`: showNotice(text, {label, act}), onChosen(). */
  constructor(conversations, answers, actions) {
    this.#conversations = conversations;
    this.#answers = answers;
    this.#actions = actions;
    for (const what of ["list", "current"]) conversations.addEventListener(what, () => this.show());
    for (const what of ["begin", "end"]) answers.addEventListener(what, () => this.show());
    this.show();
  }

  show() {
    const list = byId("conversations");
    // A name that is being written is not thrown away.
    if (list.querySelector("input")) return;
    const focused = document.activeElement?.closest?.(".conversation")?.dataset.id;
    list.replaceChildren(...this.#conversations.list().map((conversation) => this.#item(conversation)));
    if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"] .conversation-name`)?.focus();
  }

  #item(conversation) {
    const isCurrent = conversation === this.#conversations.current;
    const { id, title } = conversation;
    const name = make(
      "button",
      {
        type: "button",
        class: "conversation-name",
        title,
        "aria-current": isCurrent ? "true" : null,
        onclick: () => {
          this.#conversations.select(id);
          this.#actions.onChosen();
        },
        ondblclick: () => this.#rename(conversation),
      },
      title,
    );
    const item = make("li", { class: "conversation", data: { id } }, name);
    if (this.#answers.isRunning(conversation)) item.append(make("span", { class: "running", role: "img", "aria-label": "is being answered" }));
    item.append(
      this.#button("pencil", `Rename “${title}”`, () => this.#rename(conversation)),
      this.#button("bin", `Delete “${title}”`, () => this.#delete(conversation)),
    );
    return item;
  }

  #button(name, label, act) {
    return make("button", { type: "button", class: "icon-button small-button", "aria-label": label, title: label, onclick: act }, icon(name));
  }

  #delete(conversation) {
    this.#answers.stop(conversation);
    this.#conversations.delete(conversation.id);
    this.#actions.showNotice(`“${conversation.title}” is deleted.`, { label: "Undo", act: () => this.#conversations.undoDelete() });
  }

  #rename(conversation) {
    const item = byId("conversations").querySelector(`[data-id="${CSS.escape(conversation.id)}"]`);
    const field = make("input", { class: "rename", value: conversation.title, "aria-label": "Name of the conversation", maxLength: 60 });
    let isDone = false;
    const finish = (isKept) => {
      if (isDone) return;
      isDone = true;
      const title = field.value;
      field.remove();
      if (isKept) this.#conversations.rename(conversation.id, title);
      this.show();
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
      event.stopPropagation();
    });
    field.addEventListener("blur", () => finish(true));
    item.replaceChildren(field);
    field.select();
    field.focus();
  }
}
