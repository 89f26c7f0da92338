// Markdown of a model as safe nodes. Three walls: HTML in the text stays text, what is made of the Markdown is
// sanitised with a short list of tags, and the page's Content-Security-Policy runs no scripts but its own.
// Images become links, since loading them would tell somebody that this was read.
//
// marked and DOMPurify are what the server has at /vendor/; without either, the text is shown as it is.

import { copyButton } from "../base/clipboard.js";
import { make } from "../base/dom.js";

const allowed = {
  ALLOWED_TAGS: ["a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"],
  ALLOWED_ATTR: ["align", "href", "start", "title"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  KEEP_CONTENT: true,
  RETURN_DOM_FRAGMENT: true,
};

const escaped = (text) =>
  text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

let parser = null;

function markedOptions() {
  if (parser) return parser;
  const renderer = new globalThis.marked.Renderer();
  renderer.html = (html) => escaped(html);
  renderer.image = (href, title, text) => renderer.link(href, title, `image: ${escaped(text || href)}`);
  renderer.checkbox = (isChecked) => (isChecked ? "☑ " : "☐ ");
  parser = { gfm: true, breaks: true, headerIds: false, mangle: false, renderer };
  return parser;
}

// Debian 12's DOMPurify (2.4.1, with a correction of 2024) looks at the depth of a node by a name that it has not
// declared, and throws. This is what it would find at that place: a document that has just been parsed.
globalThis.shadowNode ??= { __depth: 0 };

let isThere = null;

/** Both libraries are there, and do what they are for. */
export function isMarkdownThere() {
  if (isThere !== null) return isThere;
  try {
    const html = globalThis.marked.parser(globalThis.marked.lexer("*a*", markedOptions()), markedOptions());
    const nodes = globalThis.DOMPurify.sanitize(`${html}<u>b</u>`, allowed);
    isThere = nodes.querySelector("em")?.textContent === "a" && !nodes.querySelector("u");
  } catch {
    isThere = false;
  }
  return isThere;
}

function codeBlock(text, language) {
  const name = language.trim().split(/\s/, 1)[0].slice(0, 24);
  return make(
    "figure",
    { class: "code" },
    make("figcaption", {}, make("span", {}, name), copyButton(() => text, "Copy this code")),
    make("pre", { tabIndex: 0 }, make("code", {}, text)),
  );
}

function safeNodes(html) {
  const nodes = globalThis.DOMPurify.sanitize(html, allowed);
  for (const link of nodes.querySelectorAll("a")) {
    if (!link.hasAttribute("href")) continue;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const block of nodes.querySelectorAll("pre")) block.replaceWith(codeBlock(block.textContent, ""));
  for (const table of nodes.querySelectorAll("table")) {
    const frame = make("div", { class: "table", tabIndex: 0 });
    table.replaceWith(frame);
    frame.append(table);
  }
  return nodes;
}

function nodesOf(token) {
  if (token.type === "code") return codeBlock(token.text, token.lang ?? "");
  return safeNodes(globalThis.marked.parser([token], markedOptions()));
}

/**
 * Shows the text in the element. Called again with a longer text, it makes only those blocks anew that have
 * changed, so that what is selected stays selected.
 */
export function showMarkdown(element, text) {
  if (!isMarkdownThere()) {
    element.classList.add("plain");
    element.textContent = text;
    return;
  }
  let tokens;
  try {
    tokens = globalThis.marked.lexer(text, markedOptions()).filter((token) => !["space", "def"].includes(token.type));
  } catch {
    element.replaceChildren(make("div", { class: "plain" }, text));
    return;
  }
  tokens.forEach((token, i) => {
    const there = element.children[i];
    if (there?.shownFrom === token.raw) return;
    const block = make("div", { class: "block" }, nodesOf(token));
    block.shownFrom = token.raw;
    if (there) there.replaceWith(block);
    else element.append(block);
  });
  while (element.children.length > tokens.length) element.lastElementChild.remove();
}
