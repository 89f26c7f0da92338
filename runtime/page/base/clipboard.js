// Copying, also where the page comes by plain HTTP from another machine and the browser has no clipboard for it.

import { icon } from "./icons.js";
import { make } from "./dom.js";

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { class: "unseen", value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copying is not allowed here");
}

/** A button that copies what `text()` returns, and says so. */
export function copyButton(text, label) {
  const button = make("button", { type: "button", class: "icon-button small-button", "aria-label": label, title: label }, icon("copy"));
  button.addEventListener("click", async () => {
    let word = "Copied";
    try {
      await copyText(text());
    } catch {
      word = "This browser does not let the page copy";
    }
    button.replaceChildren(icon(word === "Copied" ? "check" : "close"));
    button.setAttribute("aria-label", word);
    button.title = word;
    setTimeout(() => {
      button.replaceChildren(icon("copy"));
      button.setAttribute("aria-label", label);
      button.title = label;
    }, 1600);
  });
  return button;
}
