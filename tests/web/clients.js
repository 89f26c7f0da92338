// Clients of the API against one server, one behind the other: some tests look at its sessions.
//
// All suites are imported at once: node runs what `after` says as soon as those that it knows of have ended.

import { after } from "node:test";
import { stop } from "./support/server.js";
import "./clients/curl.test.js";
import "./clients/openai.test.js";
import "./clients/ai.test.js";

after(stop);
