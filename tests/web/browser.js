// The page in a browser, against one server; see clients.js.

import { after } from "node:test";
import { close } from "./support/browser.js";
import { stop } from "./support/server.js";
import "./browser/chat.test.js";
import "./browser/hostile.test.js";
import "./browser/pipeline.test.js";

after(async () => {
  await close();
  await stop();
});
