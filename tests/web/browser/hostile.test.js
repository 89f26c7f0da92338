// Answers of a model that wants to do more than to be read.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { answer, answerWith, ask, openPage, readyToLook } from "../support/browser.js";

const hostile = [
  "<script>hack()</script>",
  "<img src=x onerror=hack()>",
  "text <img src=x onerror=hack()> text",
  "<svg/onload=hack()>",
  "<svg><script>hack()</script></svg>",
  "<iframe srcdoc='<script>parent.hack()</script>'></iframe>",
  "<a href='javascript:hack()'>press</a>",
  "<style>*{display:none}</style>",
  "<link rel=stylesheet href=//example.org/x.css>",
  "<meta http-equiv=refresh content='0;url=//example.org'>",
  "<base href=//example.org/>",
  "<form action=//example.org><input name=a><button>press</button></form>",
  "<details open ontoggle=hack()>",
  "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=hack()&gt;'>",
  "<form><math><mtext></form><form><mglyph><style></math><img src onerror=hack()>",
  "<noscript><p title='</noscript><img src=x onerror=hack()>'>",
  "<div id=draft></div><a id=composer name=messages>",
  "[press](javascript:hack())",
  "[press](JaVaScRiPt:hack())",
  "[press](javascript&#58;hack())",
  "[press](&#x6A;avascript:hack())",
  "[press](java\tscript:hack())",
  "[press]( javascript:hack() )",
  "[press](data:text/html,<script>hack()</script>)",
  "[press](vbscript:hack())",
  "[press](/v1/models)",
  "[press](//example.org)",
  "<javascript:hack()>",
  "[press][1]\n\n[1]: javascript:hack()",
  "![image](https://example.org/x.png)",
  "![image](javascript:hack())",
  '![image](x" onerror="hack())',
  '![x" onerror="hack()](https://example.org/x.png)',
  '[press](https://example.org "x\\" onmouseover=\\"hack()")',
  "https://example.org/\"onmouseover=\"hack()",
  '```"><img src=x onerror=hack()>\ncode\n```',
  "```html\n<script>hack()</script>\n```",
  "`<img src=x onerror=hack()>`",
  "# <img src=x onerror=hack()>",
  "|<img src=x onerror=hack()>|\n|-|\n|<script>hack()</script>|",
  "- [x] <img src=x onerror=hack()>",
  "1. <script>hack()</script>\n2. [press](javascript:hack())",
  "> <script>hack()</script>",
  "&lt;script&gt;hack()&lt;/script&gt;",
  "<scr\u0000ipt>hack()</scr\u0000ipt>",
  "<!--><script>hack()</script>-->",
  "<![CDATA[><script>hack()</script>]]>",
  "<div style='position:fixed;inset:0' onclick=hack()>over everything</div>",
  `${"> ".repeat(300)}deep`,
  `${"<b>".repeat(3000)}deep`,
  `${"[".repeat(2000)}`,
  `${"*a_ ".repeat(2000)}`,
];

const allowed = new Set("A ARTICLE BLOCKQUOTE BR BUTTON CODE DEL DIV EM FIGCAPTION FIGURE FOOTER H1 H2 H3 H4 H5 H6 HR LI OL P PATH PRE SPAN STRONG SVG TABLE TBODY TD TH THEAD TR UL".split(" "));

/** What is wrong with the messages that are shown, by their elements. */
const findFaults = (page) =>
  page.evaluate((names) => {
    const faults = [];
    for (const element of document.querySelectorAll("#messages *")) {
      const name = element.tagName.toUpperCase();
      if (!names.includes(name)) faults.push(`element ${name}`);
      for (const { name: attribute, value } of element.attributes) {
        if (/^on/i.test(attribute)) faults.push(`attribute ${attribute}`);
        if (element.closest(".body") && (attribute === "id" || attribute === "name" || attribute === "style")) faults.push(`attribute ${attribute}=${value}`);
      }
      if (name !== "A" || !element.hasAttribute("href")) continue;
      if (!/^(https?|mailto):/.test(element.getAttribute("href"))) faults.push(`link to ${element.getAttribute("href")}`);
      if (!element.relList.contains("noopener") || element.target !== "_blank") faults.push("a link without noopener");
    }
    if (window.isHacked) faults.push("a script ran");
    return faults;
  }, [...allowed]);

const watch = (page) => page.addInitScript(() => { window.hack = () => { window.isHacked = true; }; });

describe("hostile answers", () => {
  before(readyToLook);
  let opened;
  after(() => opened?.context.close());

  for (const text of hostile)
    test(JSON.stringify(text.slice(0, 70)), async () => {
      opened ??= await openPage({ prepare: watch });
      const { page, check, faults } = opened;
      faults.length = 0;
      await page.click("#new-conversation");
      // In pieces, as it streams.
      await answerWith(page, text.length < 400 ? [...text] : [text]);
      await ask(page, "Hello");
      await answer(page);
      assert.deepEqual(await findFaults(page), []);
      // And whole, when the conversation is shown again.
      await page.click("#new-conversation");
      await page.click(".conversation-name");
      await page.waitForSelector(".message.assistant .body");
      assert.deepEqual(await findFaults(page), []);
      assert.ok(await page.isVisible("#draft"));
      check();
    });

  test("HTML is shown as text", async () => {
    const { page, context, check } = await openPage();
    await answerWith(page, ["Write <b>bold</b> and <br>."]);
    await ask(page, "Hello");
    assert.equal((await answer(page)).trim(), "Write <b>bold</b> and <br>.");
    check();
    await context.close();
  });

  test("Markdown is shown as it is meant", async () => {
    const { page, context, check } = await openPage();
    await answerWith(page, ["# Head\n\n**bold** *thin* `code`\n\n- one\n- two\n\n1. a\n\n> said\n\n|a|b|\n|-|-|\n|1|2|\n\n[link](https://example.org)\n\n- [x] done\n\n```c\nx < y;\n```"]);
    await ask(page, "Hello");
    await answer(page);
    for (const selector of ["h1", "strong", "em", "p code", "ul li", "ol li", "blockquote", "table td", "a[href='https://example.org']", "figure pre code"])
      assert.ok((await page.locator(`.message.assistant .body ${selector}`).count()) > 0, selector);
    assert.equal(await page.textContent(".message.assistant figure pre"), "x < y;");
    check();
    await context.close();
  });

  test("hostile errors, names of models, and messages of people stay text", async () => {
    const html = "<img src=x onerror=hack()>";
    const { page, context, check } = await openPage({
      prepare: async (page) => {
        await watch(page);
        await page.route("**/v1/models", (route) => route.fulfill({ json: { data: [{ id: html }] } }));
        await page.route("**/v1/chat/completions", (route) => route.fulfill({ status: 400, json: { error: { message: html, code: html } } }));
      },
    });
    await page.waitForFunction(() => document.getElementById("model").textContent !== "");
    await ask(page, html);
    await page.waitForSelector(".failure");
    assert.equal(await page.textContent("#model"), html);
    assert.equal(await page.textContent("#title"), html);
    assert.equal(await page.textContent(".message.user .body"), html);
    assert.equal(await page.textContent(".failure p"), html);
    assert.equal(await page.locator("img").count(), 0);
    check(/status of 400/);
    await context.close();
  });

  test("without the libraries answers are plain text, and it is told", async () => {
    const { page, context, check } = await openPage({ prepare: (page) => page.route("**/vendor/**", (route) => route.fulfill({ status: 404, body: "" })) });
    assert.match(await page.textContent("#notice"), /plain text/);
    await answerWith(page, ["**a** <img src=x onerror=hack()>"]);
    await ask(page, "Hello");
    assert.equal(await answer(page), "**a** <img src=x onerror=hack()>");
    assert.equal(await page.locator("#messages img").count(), 0);
    check(/status of 404/);
    await context.close();
  });
});
