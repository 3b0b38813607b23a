import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { run, runOk } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

/** The package as a user gets it: packed, and installed in a directory of its own. */
export interface Installed extends AsyncDisposable {
  /** Files of the tarball, as paths inside the package. */
  readonly files: readonly string[];
  /** The project in which it was installed. */
  readonly project: string;
  /** The `node_modules` with the package and all that came with it. */
  readonly modules: string;
  /** The command's file. */
  readonly command: string;
}

const Packed = z.tuple([z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) })]);

/** Compiling and installing from nothing, in milliseconds, on a machine that is busy. */
const patience = 240_000;
const repository = join(import.meta.dirname, "../..");
const components = ["protocol", "state", "net", "control", "relay-node", "agent", "embedded", "cli"];
const rest = ["bin", "docs", "package.json", "tsconfig.base.json", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/** Packs and installs; gives undefined when the packages cannot be had because no registry answers. */
export async function installPackage(): Promise<Installed | undefined> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempDir());
  const copy = join(folder.path, "source");
  await copySources(copy);
  const packed = await runOk("npm", ["pack", "--json", "--loglevel=error"], { cwd: copy, ms: patience });
  const [{ filename, files }] = Packed.parse(JSON.parse(packed));

  const place = join(folder.path, "user");
  await mkdir(place);
  await writeFile(join(place, "package.json"), "{}");
  const install = [
    "install",
    "--prefer-offline",
    "--fetch-retries=0",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const { code, stderr } = await run("npm", [...install, join(copy, filename)], {
    cwd: place,
    ms: patience,
  });
  if (code !== 0 && isUnreachable.test(stderr)) return undefined;
  if (code !== 0) throw new Error(`npm install failed: ${stderr}`);

  const modules = join(place, "node_modules");
  const held = stack.move();
  return {
    files: files.map(({ path }) => path),
    project: place,
    modules,
    command: join(modules, ".bin/rdv"),
    [Symbol.asyncDispose]: async () => await held.disposeAsync(),
  };
}

/** Packing builds from nothing, and the work tree's own output may be in use. */
async function copySources(to: string): Promise<void> {
  for (const name of [...components, ...rest])
    await cp(join(repository, name), join(to, name), { recursive: true });
  await symlink(join(repository, "node_modules"), join(to, "node_modules"));
}

const isUnreachable = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/;
