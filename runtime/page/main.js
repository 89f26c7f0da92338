// Brings the parts of the page together.

import { ApiFailure, modelName } from "./base/api.js";
import { byId, make, setText } from "./base/dom.js";
import { fillIcons } from "./base/icons.js";
import * as storage from "./base/storage.js";
import { switchTheme } from "./base/theme.js";
import { Answers } from "./chat/answers.js";
import { ChatView } from "./chat/chat_view.js";
import { Conversations } from "./chat/conversations.js";
import { isMarkdownThere } from "./chat/markdown.js";
import { OptionsView } from "./chat/options_view.js";
import { Sidebar } from "./chat/sidebar.js";
import { Panel } from "./pipeline/panel.js";

const wide = matchMedia("(min-width: 1100px)");
const panelKey = "flowspec.pipeline";
let model = "";
let noticeTimer = 0;

/** A line above the messages; `button`: {label, act}. It stays if it has no button. */
function showNotice(text, button) {
  clearTimeout(noticeTimer);
  const notice = byId("notice");
  const hide = () => {
    notice.hidden = true;
  };
  notice.replaceChildren(make("span", {}, text));
  const label = button?.label ?? "Close";
  notice.append(
    make("button", { type: "button", class: "quiet-button", onclick: () => (hide(), button?.act()) }, label),
  );
  notice.hidden = false;
  if (button) noticeTimer = setTimeout(hide, 8000);
}

async function showModel() {
  try {
    model = await modelName();
    setText(byId("model"), model);
  } catch (error) {
    setText(byId("model"), "");
    if (error instanceof ApiFailure && error.status === 401) options.open("key");
    else {
      setText(byId("model"), error.message);
      setTimeout(showModel, 5000);
    }
  }
}

function reconnect() {
  showModel();
  panel.reconnect();
}

/** Drawers: on narrow windows the list and the pipeline lie over the chat. */
function setDrawer(name, isOpen) {
  document.body.classList.toggle(`${name}-open`, isOpen);
  const button = byId(name === "sidebar" ? "open-sidebar" : "toggle-pipeline");
  button.setAttribute("aria-expanded", String(isOpen));
  if (name === "pipeline") panel.setShown(isOpen);
}

const isOpen = (name) => document.body.classList.contains(`${name}-open`);

function layOut() {
  setDrawer("sidebar", false);
  setDrawer("pipeline", wide.matches && storage.read(panelKey) !== "closed");
}

function togglePipeline(wanted) {
  setDrawer("pipeline", wanted);
  if (wide.matches) storage.write(panelKey, wanted ? "open" : "closed");
}

function startNew() {
  conversations.startNew();
  setDrawer("sidebar", false);
  chat.focus();
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    startNew();
  } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    if (isOpen("sidebar")) setDrawer("sidebar", false);
    else if (isOpen("pipeline") && !wide.matches) setDrawer("pipeline", false);
    else answers.stop(conversations.current);
  }
}

fillIcons(document);
const conversations = new Conversations();
const answers = new Answers(conversations, () => model);
const panel = new Panel();
const options = new OptionsView(conversations, reconnect);
const chat = new ChatView(conversations, answers, { enterKey: () => options.open("key") });
new Sidebar(conversations, answers, { showNotice, onChosen: () => (setDrawer("sidebar", false), chat.focus()) });

byId("new-conversation").addEventListener("click", startNew);
byId("open-sidebar").addEventListener("click", () => setDrawer("sidebar", !isOpen("sidebar")));
byId("close-sidebar").addEventListener("click", () => setDrawer("sidebar", false));
byId("toggle-pipeline").addEventListener("click", () => togglePipeline(!isOpen("pipeline")));
byId("close-pipeline").addEventListener("click", () => togglePipeline(false));
byId("open-options").addEventListener("click", () => options.open());
byId("switch-theme").addEventListener("click", () => {
  switchTheme();
  panel.refreshColours();
});
document.addEventListener("keydown", onKey);
wide.addEventListener("change", layOut);
// What has been written so far is kept if the page goes away in the middle of an answer.
addEventListener("pagehide", () => {
  for (const id of conversations.busy) conversations.save(conversations.get(id) ?? {});
});

storage.onTrouble((kind) =>
  showNotice(
    kind === "full"
      ? "This browser's storage is full: what is written now is lost when this tab is closed. Delete old conversations to make room."
      : "This browser lets the page store nothing: the conversations are lost when this tab is closed.",
  ),
);
if (!isMarkdownThere()) showNotice("The server has no node-marked or node-dompurify: answers are shown as plain text.");

layOut();
chat.focus();
showModel();
