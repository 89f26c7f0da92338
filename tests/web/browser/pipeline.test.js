// The live view of the pipeline in a real browser.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { addFields, ask, openPage, readyToLook } from "../support/browser.js";
import { endless, until } from "../support/server.js";

const isReady = (page) => page.waitForSelector("#health[data-health=ready]");

/** Pixels of the lanes that have the colour of this word of the legend. */
const pixels = (page, word) =>
  page.evaluate((name) => {
    const canvas = document.querySelector(".lanes-canvas");
    const wanted = getComputedStyle(document.querySelector(`.legend .swatch.${name}`)).backgroundColor.match(/\d+/g).map(Number);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && wanted.every((part, j) => Math.abs(data[i + j] - part) < 6)) ++found;
    return found;
  }, word);

const picture = (page) => page.evaluate(() => document.querySelector(".lanes-canvas").toDataURL());

describe("pipeline", () => {
  before(readyToLook);
  test("there is a lane for the draft, each stage, and the verifier, and every node is named", async () => {
    const { page, context, check } = await openPage({ withPipeline: true });
    await isReady(page);
    assert.deepEqual(await page.locator(".lane-name").allTextContents(), ["draft", "stage 0", "stage 1", "verifier"]);
    assert.match(await page.locator(".lane-place").nth(1).textContent(), /^layers 0–\d+ · /);
    assert.ok((await page.locator(".node").count()) >= 2);
    assert.deepEqual([...new Set(await page.locator(".node").evaluateAll((nodes) => nodes.map((node) => node.dataset.state)))], ["works"]);
    check();
    await context.close();
  });

  for (const theme of ["light", "dark"])
    test(`segments pass while a text is written, kept and wasted (${theme})`, async () => {
      const { page, context, check } = await openPage({ theme, withPipeline: true });
      await isReady(page);
      // Another test's text may still be in view.
      await until("the lanes are empty", async () => (await pixels(page, "kept")) === 0, 30000);
      await addFields(page, endless);
      await ask(page, "Tell me a very long story about a dog and a cat.");
      await page.waitForFunction(() => Number.parseFloat(document.querySelector(".tile dd").textContent) > 0);
      for (const word of ["kept", "wasted"]) await until(`${word} rows are in view`, async () => (await pixels(page, word)) > 20, 30000);
      const before = await picture(page);
      await until("the lanes move", async () => (await picture(page)) !== before);
      assert.match(await page.locator(".tile").nth(1).locator("dd").textContent(), /^[1-9]/);
      await page.keyboard.press("Escape");
      check();
      await context.close();
    });

  test("nobody is told of the pipeline when nobody looks", async () => {
    const { page, context, check } = await openPage({ withPipeline: true });
    await isReady(page);
    const ended = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/events"));
    await page.click("#close-pipeline");
    await ended;
    const asked = page.waitForRequest("**/events");
    await page.click("#toggle-pipeline");
    await asked;
    await isReady(page);
    check();
    await context.close();
  });

  test("a connection that breaks is made again", async () => {
    let broken = 0;
    const { page, context, check } = await openPage({
      withPipeline: true,
      prepare: (page) => page.route("**/events", (route) => (++broken < 3 ? route.abort("connectionreset") : route.continue())),
    });
    await isReady(page);
    assert.equal(broken, 3);
    check(/ERR_CONNECTION_RESET/);
    await context.close();
  });

  test("nodes that are lost, spare, or back, and what has happened", async () => {
    const state = {
      at_us: 9e6, health: "degraded", model: "m", draft: "", mode: "flowspec", waiting: 1, tree: null,
      totals: { requests: 1, tokens: 5, prompt_tokens: 0, cached_tokens: 0, verifications: 2, recoveries: 1, paused_us: 151000 },
      sessions: [{ id: 1, phase: "paused" }, { id: 2, phase: "waiting" }],
      hops: [{ name: "stage 0", kind: "stage", place: "a (h:1)", layers: [0, 1], busy_us: null, segments: null, rows: null, rows_kept: null, rows_dropped: null, kv: null, recent: null }],
      nodes: [{ name: "a (h:1)", state: "works", parts: ["stage 0"] }, { name: "<b>b</b> (h:2)", state: "lost", parts: [] }, { name: "c (h:3)", state: "spare", parts: [] }],
      news: [{ at_us: 8e6, text: "<b>b</b> (h:2) was lost" }],
    };
    const { page, context, check } = await openPage({
      withPipeline: true,
      prepare: (page) => page.route("**/events", (route) => route.fulfill({ status: 200, contentType: "text/event-stream", body: `event: state\ndata: ${JSON.stringify(state)}\n\n` })),
    });
    await page.waitForSelector(".node[data-state=lost]");
    assert.deepEqual(await page.locator(".node").allTextContents(), ["astage 0", "<b>b</b>lost", "cspare"]);
    assert.match(await page.textContent(".news"), /<b>b<\/b> \(h:2\) was lostjust now/);
    assert.equal(await page.locator(".tile").nth(3).textContent(), "answers11 waiting");
    check();
    await context.close();
  });
});
