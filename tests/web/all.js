// All tests against the real server, one behind the other: some of them look at its sessions.

import { after } from "node:test";
import { close, launch } from "./support/browser.js";
import { start, stop } from "./support/server.js";

const only = (process.env.FLOWSPEC_WEB ?? "clients,browser").split(",");
after(async () => {
  await close();
  await stop();
});
try {
  await start();
  if (only.includes("browser")) await launch();
} catch (error) {
  await stop();
  throw error;
}
if (only.includes("clients")) for (const name of ["curl", "openai", "ai"]) await import(`./clients/${name}.test.js`);
if (only.includes("browser")) for (const name of ["chat", "hostile", "pipeline"]) await import(`./browser/${name}.test.js`);
