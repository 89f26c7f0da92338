// Makes the pictures of the README, in runtime/page/screens: `node screenshots.js`, after `./flowspec test-web`.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { addFields, ask, close, launch, openPage } from "./support/browser.js";
import { endless, start, stop } from "./support/server.js";

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../runtime/page/screens");
const beginning = "Once upon a time, there was a lighthouse that was afraid of the dark.";
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
    await ask(page, "Tell me a story about a dog who can swim.");
    await page.waitForSelector(".message.assistant:not([data-state=running])");
    await page.keyboard.press("Control+k");
    // It shall still be written when the picture is taken.
    await addFields(page, { ...endless, temperature: 0.8, seed: 4 });
    await ask(page, beginning);
    if (options.isPhone) {
      await page.waitForFunction(() => document.querySelector(".message.assistant .body").textContent.length > 300);
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
