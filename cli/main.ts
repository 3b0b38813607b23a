#!/usr/bin/env node
import { giveAddressesTime } from "../net/address-time.ts";
import { keepHeapSmall } from "../net/small-heap.ts";
import { askAtTerminal } from "./ask.ts";
import { createBatchedWriter } from "./batched-writer.ts";
import { takeSecrets } from "./child-environment.ts";
import { createInterrupts } from "./interrupts.ts";
import { readSecret } from "./read-secret.ts";
import { runCli } from "./run.ts";
import { takeStdio } from "./stdio.ts";

/** A command that ended but left something open must not hang the shell. */
const exitGraceMs = 2_000;

keepHeapSmall();
giveAddressesTime();
endWithLauncher();
const env = takeSecrets(process.env);
/** The exit code, once the output is lost. */
let lostExit: number | undefined;
process.stdout.on("error", onLostOutput);
process.stderr.on("error", onLostLog);
const stdout = createBatchedWriter((text) => void process.stdout.write(text));
process.once("exit", stdout.flush);
/** While a secret is read the terminal shows nothing, Ctrl-C neither. */
let shows = true;
const interrupts = createInterrupts(process, {
  onCtrlC: () => {
    // What is said next begins a line of its own, not behind the `^C`.
    if (!shows || !process.stderr.isTTY) return;
    stdout.flush();
    process.stderr.write("\n");
  },
});
const exitCode = await runCli(process.argv.slice(2), {
  env,
  stdout: stdout.write,
  stderr: (text) => {
    // On a terminal both are one text, and the line to use next stands where it was said.
    stdout.flush();
    process.stderr.write(text);
  },
  signal: interrupts.signal,
  isTerminal: process.stdout.isTTY,
  ask: async (question) => await askAtTerminal(question, interrupts.signal),
  takeStdio,
  readSecret: async (question) =>
    await readSecret(question, {
      input: process.stdin,
      say: (text) => void process.stderr.write(text),
      signal: interrupts.signal,
      interrupt: () => {
        shows = false;
        process.kill(process.pid, "SIGINT");
      },
    }),
});
process.exitCode = lostExit ?? exitCode;
if (process.connected) process.disconnect();
setTimeout(() => process.exit(), exitGraceMs).unref();

/** Started by the launcher under an older Node: when that process is killed, this one must go with it. */
function endWithLauncher(): void {
  const launched = process.env["RDV_LAUNCHED"] !== undefined;
  delete process.env["RDV_LAUNCHED"]; // what this process starts has another parent
  if (!launched) return;
  if (!process.connected) process.exit(); // killed while this one was loading
  process.once("disconnect", () => process.exit());
  process.channel?.unref();
}

/** Who reads `rdv … | head -1` has what they wanted, so the command ends in order. A full disk ends nobody's connections. */
function onLostOutput(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") return stopUnread();
  if (lostExit !== undefined) return;
  process.exitCode = lostExit = 1;
  process.stderr.write(`rdv: cannot write to standard output, some of it is lost: ${error.message}\n`);
}

/** What a log cannot take is lost. */
function onLostLog(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") stopUnread();
}

function stopUnread(): void {
  process.exitCode = lostExit = 0;
  interrupts.stop();
}
