// Makes the pictures of the README, in runtime/page/screens: `node screenshots.js`, after `./flowspec test-web`.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { addFields, ask, close, launch, openPage } from "./support/browser.js";
import { endless, start, stop } from "./support/server.js";

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../runtime/page/screens");
const beginning = "Once upon a time, there was a little dog who wanted to swim.";
const pictures = [
  { name: "light", theme: "light" },
  { name: "dark", theme: "dark" },
  { name: "phone", theme: "light", isPhone: true },
];

mkdirSync(folder, { recursive: true });
try {
  await start({ nodeCount: 4 });
  await launch();
  for (const { name, ...options } of pictures) {
    const { page, context } = await openPage({ ...options, withPipeline: true });
    // One that is still written when the picture is taken, and one that is complete.
    await addFields(page, { ...endless, temperature: 0.8 });
    await ask(page, "The dog and the cat were friends.");
    await page.waitForSelector(".message.assistant .block");
    await page.keyboard.press("Control+k");
    await page.unroute("**/v1/chat/completions");
    await addFields(page, { temperature: 0, max_tokens: 160 });
    await ask(page, beginning);
    await page.waitForSelector(".message.assistant:not([data-state=running])");
    if (options.isPhone) {
      await page.screenshot({ path: path.join(folder, "phone-chat.png") });
      await page.click("#toggle-pipeline");
    }
    await page.waitForTimeout(7000);
    await page.screenshot({ path: path.join(folder, `${name}.png`) });
    await context.close();
  }
} finally {
  await close();
  await stop();
}
