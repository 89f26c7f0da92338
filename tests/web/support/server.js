// The real server, with the model that comes with the project, over two nodes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const bin = path.join(process.env.FLOWSPEC_BUILD ?? path.join(root, "build/release"), "bin");
const startLimit = 120000;

/** Fields of a request whose answer never ends by itself: the tokens that end a text are forbidden. */
export const endless = { max_tokens: 19000, logit_bias: { 1: -100, 2: -100 } };

/** Its address, as "http://127.0.0.1:PORT"; set by `start`. */
export let url = "";
const programs = [];

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A program, and what it has said, for messages. */
function run(name, words) {
  const child = spawn(path.join(bin, name), words, { stdio: ["ignore", "pipe", "pipe"] });
  const program = { child, said: "", hasEnded: false };
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      program.said = (program.said + data).slice(-20000);
    });
  child.on("exit", () => {
    program.hasEnded = true;
  });
  child.on("error", (error) => {
    program.said += `${error.message}. Build it: ./flowspec test-web does.`;
    program.hasEnded = true;
  });
  programs.push(program);
  return program;
}

async function nodes(number) {
  const up = run("flowspec", ["up", String(number), "--json"]);
  const lines = readline.createInterface({ input: up.child.stdout });
  const first = await Promise.race([once(lines, "line"), once(up.child, "exit").then(() => null)]);
  if (!first) throw new Error(`the nodes have not started:\n${up.said}`);
  return JSON.parse(first[0]).nodes.map((node) => node.address);
}

/** Until it answers that it is ready. */
async function isReady(server) {
  const end = Date.now() + startLimit;
  while (Date.now() < end) {
    if (server.hasEnded) throw new Error(`flowspec serve has ended:\n${server.said}`);
    try {
      const { status } = await (await fetch(`${url}/health`)).json();
      if (status === "ready") return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`flowspec serve is not ready after ${startLimit / 1000} s:\n${server.said}`);
}

/** Starts it with these further options, unless FLOWSPEC_URL names one that runs. Returns its address. */
export async function start({ nodeCount = 2, options = [] } = {}) {
  if (process.env.FLOWSPEC_URL) {
    url = process.env.FLOWSPEC_URL;
    return url;
  }
  const addresses = await nodes(nodeCount);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const words = addresses.flatMap((address) => ["--node", address]);
  await isReady(run("flowspec", ["serve", ...words, "--stages", String(nodeCount), "--listen", `127.0.0.1:${port}`, "--context", "20000", "--max-tokens", "400", ...options]));
  return url;
}

let starting;
/** For `before`: it is started once. */
export const ready = () => (starting ??= start());

export async function stop() {
  await starting?.catch(() => {});
  // The server first, so that its nodes are there while it ends.
  for (const { child, hasEnded } of programs.reverse()) {
    if (hasEnded || child.exitCode !== null) continue;
    child.kill("SIGTERM");
    const hard = setTimeout(() => child.kill("SIGKILL"), 10000);
    await once(child, "exit");
    clearTimeout(hard);
  }
}

export async function cluster() {
  return (await fetch(`${url}/v1/cluster`)).json();
}

/** Waits until the condition holds, at most so long; says what was waited for if it does not. */
export async function until(what, condition, milliseconds = 10000) {
  const end = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${milliseconds} ms for this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
