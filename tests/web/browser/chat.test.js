// The chat in a real browser.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { addFields, answer, answerWith, ask, openPage, readyToLook } from "../support/browser.js";
import { cluster, endless, until } from "../support/server.js";

const titles = (page) => page.locator(".conversation-name").allTextContents();
const messages = (page) => page.locator(".message").count();

async function setOption(page, name, value) {
  await page.click("#open-options");
  await page.fill(`#option-${name}`, String(value));
  await page.click("#options .main-button");
}

describe("chat", () => {
  before(readyToLook);
  test("the page loads without an error, with the model's name, and waits for a message", async () => {
    const { page, context, check } = await openPage();
    await page.waitForFunction(() => document.getElementById("model").textContent !== "");
    assert.equal(await page.title(), "FlowSpec");
    assert.equal(await page.evaluate(() => document.activeElement.id), "draft");
    assert.ok(await page.isDisabled("#send"));
    check();
    await context.close();
  });

  test("an answer is shown as it comes, with its statistics", async () => {
    const { page, context, check } = await openPage();
    await setOption(page, "max_tokens", 200);
    await page.evaluate(() => {
      window.lengths = new Set();
      new MutationObserver(() => window.lengths.add(document.querySelector(".message.assistant .body")?.textContent.length ?? 0)).observe(document.getElementById("messages"), { subtree: true, childList: true, characterData: true });
    });
    await ask(page, "Tell me a story about a dog.");
    const text = await answer(page);
    assert.ok(text.length > 20);
    assert.ok((await page.evaluate(() => window.lengths.size)) > 2, "the text has grown");
    assert.match(await page.textContent(".message.assistant .stats"), /\d+ tokens · [\d.]+ tokens\/s · accept length [\d.]+/);
    assert.equal(await page.textContent("#title"), "Tell me a story about a dog.");
    assert.deepEqual(await titles(page), ["Tell me a story about a dog."]);
    check();
    await context.close();
  });

  for (const [name, stop] of [["Esc", (page) => page.keyboard.press("Escape")], ["the button", (page) => page.click("#stop")]])
    test(`${name} stops an answer, and frees the session`, async () => {
      const { page, context, check } = await openPage();
      await addFields(page, endless);
      await ask(page, "Tell me a very long story.");
      await page.waitForFunction(() => document.querySelector(".message.assistant .block"));
      await stop(page);
      const text = await answer(page);
      assert.equal(await page.getAttribute(".message.assistant", "data-state"), "stopped");
      assert.match(await page.textContent(".message.assistant .stats"), /^stopped/);
      assert.ok(text.length > 0);
      await until("no session is left", async () => (await cluster()).sessions.length === 0, 2000);
      assert.ok(await page.isVisible("#send"));
      check();
      await context.close();
    });

  test("an answer is written again in the place of the first", async () => {
    const { page, context, check } = await openPage();
    await setOption(page, "max_tokens", 20);
    await ask(page, "Hello");
    await answer(page);
    await page.click("button[aria-label='Write the answer again']");
    assert.ok((await answer(page)).length > 0);
    assert.equal(await messages(page), 2);
    check();
    await context.close();
  });

  test("conversations: new, switch, rename, delete, undo, and still there after a reload", async () => {
    const { page, context, check } = await openPage();
    await setOption(page, "max_tokens", 10);
    await ask(page, "First");
    await answer(page);
    await page.keyboard.press("Control+k");
    assert.equal(await messages(page), 0);
    await ask(page, "Second");
    await answer(page);
    assert.deepEqual(await titles(page), ["Second", "First"]);

    await page.click(".conversation-name >> text=First");
    assert.equal(await page.textContent(".message.user .body"), "First");
    await page.hover(".conversation:has-text('First')");
    await page.click("button[aria-label='Rename “First”']");
    await page.fill("input.rename", "The <b>first</b>");
    await page.press("input.rename", "Enter");
    assert.deepEqual(await titles(page), ["Second", "The <b>first</b>"]);
    assert.equal(await page.textContent("#title"), "The <b>first</b>");

    await page.reload();
    assert.deepEqual(await titles(page), ["Second", "The <b>first</b>"]);
    assert.equal(await page.textContent(".message.user .body"), "First");

    await page.hover(".conversation:has-text('first')");
    await page.click("button[aria-label='Delete “The <b>first</b>”']");
    assert.deepEqual(await titles(page), ["Second"]);
    assert.equal(await page.textContent(".message.user .body"), "Second");
    await page.click("#notice >> text=Undo");
    assert.equal((await titles(page)).length, 2);
    check();
    await context.close();
  });

  test("an answer goes on while another conversation is shown", async () => {
    const { page, context, check } = await openPage();
    await addFields(page, endless);
    await ask(page, "Tell me a very long story.");
    await page.waitForFunction(() => document.querySelector(".message.assistant .block"));
    await page.click("#new-conversation");
    assert.equal(await messages(page), 0);
    await page.unroute("**/v1/chat/completions");
    await setOption(page, "max_tokens", 10);
    await ask(page, "Hello");
    assert.ok((await answer(page)).length > 0);
    await page.click(".conversation-name >> text=Tell me");
    assert.equal(await page.getAttribute(".message.assistant", "data-state"), "running");
    const length = () => page.evaluate(() => document.querySelector(".message.assistant .body").textContent.length);
    const before = await length();
    await page.waitForFunction((least) => document.querySelector(".message.assistant .body").textContent.length > least, before);
    await page.keyboard.press("Escape");
    await answer(page);
    check();
    await context.close();
  });

  test("system text and options are sent, and wrong ones are not", async () => {
    const { page, context, check } = await openPage();
    await answerWith(page, ["Yes."]);
    await page.click("#open-options");
    await page.fill("#system", "Be brief.");
    await page.fill("#option-temperature", "0.5");
    await page.fill("#option-seed", "7");
    await page.fill("#option-top_k", "many");
    assert.equal(await page.getAttribute("#option-top_k", "aria-invalid"), "true");
    await page.keyboard.press("Escape");
    const [request] = await Promise.all([page.waitForRequest("**/v1/chat/completions"), ask(page, "Hello")]);
    const body = request.postDataJSON();
    assert.deepEqual(body.messages, [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello" }]);
    assert.deepEqual([body.temperature, body.seed, body.top_k, body.stream], [0.5, 7, undefined, true]);
    assert.equal(await answer(page), "Yes.");
    check();
    await context.close();
  });

  test("Shift and Enter begin a line, and Enter of an input method does not send", async () => {
    const { page, context, check } = await openPage();
    await page.fill("#draft", "one");
    await page.press("#draft", "Shift+Enter");
    await page.keyboard.type("two");
    await page.dispatchEvent("#draft", "keydown", { key: "Enter", isComposing: true });
    assert.equal(await page.inputValue("#draft"), "one\ntwo");
    assert.equal(await messages(page), 0);
    check();
    await context.close();
  });

  test("messages and code are copied", async () => {
    const { page, context, check } = await openPage();
    await answerWith(page, ["See:\n\n```c\nint x", ";\n```\n"]);
    await ask(page, "Hello");
    await answer(page);
    assert.equal(await page.textContent(".code figcaption span"), "c");
    await page.click("button[aria-label='Copy this code']");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "int x;");
    await page.click(".message.assistant button[aria-label='Copy this message']");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "See:\n\n```c\nint x;\n```\n");
    check();
    await context.close();
  });

  test("too long a conversation is told with the remedy", async () => {
    const { page, context, check } = await openPage();
    await ask(page, "Tell me more about the dog. ".repeat(4000));
    await page.waitForSelector(".failure");
    assert.match(await page.textContent(".failure"), /Begin a new conversation/);
    check(/status of 400/);
    await context.close();
  });

  test("a server that is gone is told, and asked again", async () => {
    const { page, context, check } = await openPage();
    await setOption(page, "max_tokens", 10);
    await page.route("**/v1/chat/completions", (route) => route.abort("connectionrefused"));
    await ask(page, "Hello");
    await page.waitForSelector(".failure");
    assert.match(await page.textContent(".failure"), /cannot be reached/);
    await page.unroute("**/v1/chat/completions");
    await page.click("button[aria-label='Write the answer again']");
    assert.ok((await answer(page)).length > 0);
    assert.equal(await page.locator(".failure").count(), 0);
    check(/ERR_CONNECTION_REFUSED/);
    await context.close();
  });

  test("an answer that is cut off keeps its text and says so", async () => {
    const { page, context, check } = await openPage();
    const chunk = { choices: [{ index: 0, delta: { content: "Half an ans" } }] };
    await page.route("**/v1/chat/completions", (route) => route.fulfill({ status: 200, contentType: "text/event-stream", body: `data: ${JSON.stringify(chunk)}\n\n` }));
    await ask(page, "Hello");
    assert.equal(await answer(page), "Half an ans");
    assert.match(await page.textContent(".failure"), /before the answer was complete/);
    check();
    await context.close();
  });

  test("a key is asked for where the server wants one, and sent with every request", async () => {
    const keys = new Set();
    const { page, context, check } = await openPage({
      withPipeline: true,
      prepare: (page) =>
        page.route(/\/v1\/|\/events$/, (route) => {
          const key = route.request().headers().authorization;
          keys.add(`${new URL(route.request().url()).pathname} ${key}`);
          if (key === "Bearer abc") return route.continue();
          return route.fulfill({ status: 401, contentType: "application/json", body: '{"error": {"message": "This server wants a key.", "code": "invalid_api_key"}}' });
        }),
    });
    await page.waitForSelector("#options[open]");
    assert.equal(await page.evaluate(() => document.activeElement.id), "key");
    await page.fill("#key", "abc");
    await page.press("#key", "Enter");
    await page.waitForFunction(() => document.getElementById("model").textContent !== "");
    await page.waitForSelector("#health[data-health=ready]");
    for (const path of ["/v1/models", "/events"]) assert.ok(keys.has(`${path} Bearer abc`), path);
    // For this tab only.
    assert.equal(await page.evaluate(() => Object.values(localStorage).includes("abc")), false);
    check(/status of 401/);
    await context.close();
  });

  test("a browser that stores nothing has a chat all the same", async () => {
    const { page, context, check } = await openPage({
      prepare: (page) =>
        page.addInitScript(() => {
          for (const name of ["localStorage", "sessionStorage"])
            Object.defineProperty(window, name, { get: () => { throw new DOMException("no", "SecurityError"); } });
        }),
    });
    assert.match(await page.textContent("#notice"), /store nothing/);
    await answerWith(page, ["Yes."]);
    await ask(page, "Hello");
    assert.equal(await answer(page), "Yes.");
    check();
    await context.close();
  });

  test("two tabs see each other's conversations", async () => {
    const first = await openPage();
    const second = await openPage({ context: first.context });
    await answerWith(first.page, ["Yes."]);
    await ask(first.page, "Hello");
    await answer(first.page);
    await second.page.waitForSelector(".conversation-name >> text=Hello");
    first.check();
    second.check();
    await first.context.close();
  });

  test("dark and light: as the system has it, or as it was chosen", async () => {
    const { page, context, check } = await openPage({ theme: "dark" });
    const brightness = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0]);
    assert.ok((await brightness()) < 60);
    await page.click("#switch-theme");
    assert.ok((await brightness()) > 200);
    await page.reload();
    assert.ok((await brightness()) > 200);
    check();
    await context.close();
  });
});

describe("on a phone", () => {
  before(readyToLook);
  test("nothing is wider than the screen, and list and pipeline lie over the chat", async () => {
    const { page, context, check } = await openPage({ isPhone: true });
    const width = () => page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.getElementById("messages").scrollWidth));
    await answerWith(page, [`${"wide".repeat(80)}\n\n\`\`\`\n${"code ".repeat(60)}\n\`\`\`\n\n|a|b|\n|-|-|\n|${"cell ".repeat(40)}|${"x".repeat(90)}|`]);
    await ask(page, "Hello");
    await answer(page);
    assert.ok((await width()) <= 390);
    await page.click("#open-sidebar");
    await page.click(".conversation-name");
    await page.waitForSelector("body:not(.sidebar-open)");
    await page.click("#toggle-pipeline");
    await page.waitForSelector(".lane-name >> text=verifier");
    assert.ok((await page.evaluate(() => document.getElementById("pipeline").getBoundingClientRect().width)) <= 390);
    await page.click("#close-pipeline");
    assert.ok(await page.isVisible("#draft"));
    check();
    await context.close();
  });
});

describe("for everybody", () => {
  before(readyToLook);
  test("everything that can be pressed or filled in has a name", async () => {
    const { page, context, check } = await openPage();
    await answerWith(page, ["Yes.\n\n```\ncode\n```\n"]);
    await ask(page, "Hello");
    await answer(page);
    await page.click("#open-options");
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, textarea, canvas, [role=img]")]
        .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.[0]?.textContent.trim()))
        .map((element) => element.outerHTML),
    );
    assert.deepEqual(nameless, []);
    check();
    await context.close();
  });

  test("the end of an answer is spoken", async () => {
    const { page, context, check } = await openPage();
    await answerWith(page, ["Yes."]);
    await ask(page, "Hello");
    await answer(page);
    assert.equal(await page.textContent("#spoken[aria-live=polite]"), "Yes.");
    check();
    await context.close();
  });
});
