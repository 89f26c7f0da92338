// The dialog with system text, sampling options, and the API key.

import { apiKey, isKeyKept, setApiKey } from "../base/api.js";
import { byId, make } from "../base/dom.js";
import { chosenOptions, keepOptions, parseOption, samplingOptions } from "./sampling.js";

export class OptionsView {
  #conversations;
  #onKey;
  #fields = new Map();

  /** `onKey`: another key was entered. */
  constructor(conversations, onKey) {
    this.#conversations = conversations;
    this.#onKey = onKey;
    for (const option of samplingOptions) byId("sampling").append(this.#field(option));
    byId("options").addEventListener("close", () => this.#keep());
    byId("options").addEventListener("click", (event) => {
      // On the shade around the dialog.
      if (event.target === byId("options")) byId("options").close();
    });
    byId("reset-options").addEventListener("click", () => {
      for (const field of this.#fields.values()) field.value = "";
      byId("system").value = "";
      this.#check();
    });
  }

  open(focus) {
    const chosen = chosenOptions();
    for (const [name, field] of this.#fields) field.value = chosen[name] ?? "";
    byId("system").value = this.#conversations.current.system;
    byId("key").value = apiKey();
    byId("keep-key").checked = isKeyKept();
    this.#check();
    if (!byId("options").open) byId("options").showModal();
    if (focus) byId(focus).focus();
  }

  #field(option) {
    const id = `option-${option.name}`;
    const field = make("input", { id, type: "text", inputMode: "decimal", autocomplete: "off", placeholder: "default", "aria-describedby": `${id}-hint` });
    field.addEventListener("input", () => this.#check());
    this.#fields.set(option.name, field);
    return make("label", { class: "field", htmlFor: id }, make("span", {}, option.label), field, make("small", { id: `${id}-hint` }, option.hint));
  }

  #check() {
    for (const option of samplingOptions) {
      const field = this.#fields.get(option.name);
      const isWrong = field.value.trim() !== "" && parseOption(option, field.value) === null;
      const kind = option.step === 1 ? "a whole number" : "a number";
      field.setAttribute("aria-invalid", String(isWrong));
      field.labels[0].querySelector("small").textContent = isWrong ? `${kind} from ${option.least} to ${option.most}` : option.hint;
    }
  }

  #keep() {
    const chosen = {};
    for (const option of samplingOptions) {
      const value = parseOption(option, this.#fields.get(option.name).value);
      if (value !== null) chosen[option.name] = value;
    }
    keepOptions(chosen);
    const conversation = this.#conversations.current;
    if (conversation.system !== byId("system").value) {
      conversation.system = byId("system").value;
      if (conversation.messages.length > 0) this.#conversations.save(conversation);
    }
    const isOther = byId("key").value.trim() !== apiKey();
    setApiKey(byId("key").value, byId("keep-key").checked);
    if (isOther) this.#onKey();
  }
}
