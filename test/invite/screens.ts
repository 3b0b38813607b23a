import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool } from "../fixtures/tools.ts";
import { until } from "../fixtures/within.ts";

/** Red, green and blue, 0 to 255. */
export type Color = readonly [number, number, number];

/** An X server whose whole screen has one color. */
export interface Screen extends AsyncDisposable {
  readonly display: string;
}

/** Starts an X server without a monitor, on a display of its own choice, and paints its screen, which then stays (`-noreset`). */
export async function startScreen(
  server: "Xvfb" | "Xtigervnc",
  args: readonly string[],
  color: Color,
): Promise<Screen> {
  await using held = new AsyncDisposableStack();
  const running = held.use(
    startProcess(requireTool(server), [...args, "-displayfd", "1", "-nolisten", "tcp", "-noreset"]),
  );
  // The server writes its display's number and a newline; what else it says goes to stderr.
  const number = await until(
    20_000,
    "the X server is ready",
    () => /^\d+$/m.exec(running.output().stdout)?.[0],
  );
  const display = `:${number}`;
  const hex = color.map((part) => part.toString(16).padStart(2, "0")).join("");
  await runOk(requireTool("xsetroot"), ["-display", display, "-solid", `#${hex}`]);
  const stack = held.move();
  return { display, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

/** What a real VNC viewer sees at a port: the color of the middle of the screen. Throws when it is not let in. */
export async function takeSnapshot(port: number, password?: string): Promise<Color> {
  await using folder = await createTempDir();
  const file = join(folder.path, "screen.jpg");
  const env = { ...process.env, HOME: folder.path };
  // It stumbles over newer servers' pseudo-encodings.
  const how = ["-quality", "100", "-allowblank", "-encodings", "raw"];
  if (password !== undefined) how.push("-passwd", await storePassword(folder.path, password));
  await runOk(requireTool("vncsnapshot"), [...how, `127.0.0.1::${port}`, file], { env });
  const pixels = join(folder.path, "screen.ppm");
  await runOk(requireTool("djpeg"), ["-pnm", "-outfile", pixels, file]);
  return middleOf(await readFile(pixels));
}

/** A file as VNC viewers keep a password in. */
async function storePassword(folder: string, password: string): Promise<string> {
  const file = join(folder, "password");
  await runOk(requireTool("x11vnc"), ["-storepasswd", password, file]);
  return file;
}

/** Whether two colors are one to the eye: JPEG changes them a little. */
export function isLike(a: Color, b: Color): boolean {
  return a.every((part, i) => Math.abs(part - (b[i] ?? 0)) < 12);
}

/** The middle pixel of a binary PPM image: `P6`, width, height, 255, then three bytes a pixel. */
function middleOf(image: Buffer): Color {
  const [head = "", width, height] =
    /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(image.toString("latin1", 0, 100)) ?? [];
  const pixel = Math.floor(Number(height) / 2) * Number(width) + Math.floor(Number(width) / 2);
  const [red = 0, green = 0, blue = 0] = image.subarray(head.length + 3 * pixel);
  return [red, green, blue];
}
