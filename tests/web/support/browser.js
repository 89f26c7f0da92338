// Debian's Chromium, and pages in it that notice what must not happen.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { ready, url } from "./server.js";

const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
let browser;

export async function launch() {
  if (!executablePath) throw new Error("there is no Chromium; ./flowspec test-web installs it, or CHROMIUM names one");
  // Root, as in containers, has no sandbox in Chromium.
  browser = await chromium.launch({ executablePath, args: ["--disable-gpu", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])] });
}

let launching;
/** For `before`: server and browser are there. */
export const readyToLook = () => (launching ??= ready().then(launch));

export const close = () => browser?.close();

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
const desk = { viewport: { width: 1440, height: 900 } };

/**
 * A page with an empty storage, and without the pipeline unless `withPipeline`. `prepare(page)` is called before it is
 * loaded. What must not happen is in `faults`:
 * errors, violations of the Content-Security-Policy, requests to elsewhere, dialogs. `check()` fails if there are any;
 * `expected` are errors that a test brings about, as regular expressions.
 */
export async function openPage({ isPhone = false, theme = "light", withPipeline = false, prepare = async () => {}, context } = {}) {
  // One that has crashed fails one test only.
  if (!browser.isConnected()) await launch();
  context ??= await browser.newContext({ ...(isPhone ? phone : desk), colorScheme: theme, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  // Long, because machines that run tests are busy.
  page.setDefaultTimeout(60000);
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin && !request.url().startsWith("data:")) faults.push(`request: ${request.url()}`);
  });
  await page.exposeFunction("tellViolation", (text) => faults.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => window.tellViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  if (!withPipeline)
    await page.addInitScript(() => {
      try {
        localStorage.setItem("flowspec.pipeline", "closed");
      } catch {
        // A test forbids it.
      }
    });
  await prepare(page);
  await page.goto(url);
  await page.waitForFunction(() => document.getElementById("conversations") && document.querySelector(".welcome, .message"));
  const check = (...expected) => assert.deepEqual(faults.filter((fault) => !expected.some((pattern) => pattern.test(fault))), []);
  return { page, context, check, faults };
}

/** Writes a message, and does not wait for the answer. */
export async function ask(page, text) {
  await page.fill("#draft", text);
  await page.press("#draft", "Enter");
}

/** Waits for the end of the last answer, and returns its text. */
export async function answer(page) {
  await page.waitForSelector(".message.assistant:last-child:not([data-state=running])");
  return (await page.textContent(".message.assistant:last-child .body")).trim();
}

/** Adds these fields to the requests of the page. */
export async function addFields(page, fields) {
  await page.route("**/v1/chat/completions", (route) => route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ...fields }) }));
}

/** Lets the server answer so from now on: `texts` are the pieces of a stream. */
export async function answerWith(page, texts, { finish = "stop" } = {}) {
  await page.unroute("**/v1/chat/completions");
  const chunk = (delta, reason = null) => `data: ${JSON.stringify({ id: "a", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
  const body = [chunk({ role: "assistant", content: "" }), ...texts.map((content) => chunk({ content })), chunk({}, finish), "data: [DONE]\n\n"].join("");
  await page.route("**/v1/chat/completions", (route) => route.fulfill({ status: 200, contentType: "text/event-stream", body }));
}
