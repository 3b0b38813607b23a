import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { attack } from "../../fixtures/attack.ts";

const root = join(import.meta.dirname, "../../..");
const from = import.meta.url;

const Versions = z.record(z.string(), z.string());
const Manifest = z.object({
  name: z.string(),
  dependencies: Versions,
  devDependencies: Versions,
  allowScripts: z.record(z.string(), z.boolean()),
});
const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      license: z.string().optional(),
      hasInstallScript: z.boolean().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});

async function manifest(): Promise<z.infer<typeof Manifest>> {
  return Manifest.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
}

/** What the lock file brings, without the project itself. */
async function locked() {
  const { packages } = Lock.parse(JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")));
  return Object.entries(packages).filter(([path]) => path !== "");
}

attack({ point: 17, title: "publishes a newer version of a dependency", from }, async () => {
  const { dependencies, devDependencies } = await manifest();
  const wanted = Object.entries({ ...dependencies, ...devDependencies });
  for (const [name, version] of wanted) assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is exact`);
  return { tries: wanted.length, answer: "every version is exact" };
});

attack({ point: 17, title: "serves another file than the one that was locked", from }, async () => {
  const packages = await locked();
  for (const [path, { integrity, resolved }] of packages) {
    assert.match(integrity ?? "", /^sha512-[A-Za-z0-9+/]{86}==$/, `${path} has its hash`);
    assert.equal(resolved, undefined, `${path} comes from the registry that is configured, by its name`);
  }
  return { tries: packages.length, answer: "the lock file has the SHA-512 of each package" };
});

attack({ point: 17, title: "runs a program while a dependency is installed", from }, async () => {
  const { allowScripts } = await manifest();
  const packages = await locked();
  const scripted = packages.filter(([, { hasInstallScript }]) => hasInstallScript);
  const names = scripted.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + 13));
  assert.deepEqual(names.toSorted(), Object.keys(allowScripts).toSorted());
  const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name]);
  assert.deepEqual(allowed, ["node"], "the script of this one alone runs: it puts the binary in its place");
  return { tries: packages.length, answer: "all install scripts are named, and only one may run" };
});

attack({ point: 17, title: "brings a dependency with another licence", from }, async () => {
  const packages = (await locked()).filter(([, { dev, devOptional }]) => !dev && !devOptional);
  for (const [path, { license }] of packages)
    assert.match(license ?? "", /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD)$/, `${path}: ${license}`);
  return { tries: packages.length, answer: "what users install is permissive, all of it" };
});

attack(
  { point: 17, title: "publishes a package of the name that the documentation tells to run", from },
  async () => {
    const { name } = await manifest();
    assert.equal(name, "@rdv-relay/cli");
    const pages = (await readdir(join(root, "docs"))).filter((file) => file.endsWith(".md"));
    const files = [
      ...pages.map((page) => join("docs", page)),
      "control/join/embedded.ts",
      "control/join/private-script.ts",
    ];
    for (const file of [...files, "control/join/powershell-body.ts"]) {
      const text = await readFile(join(root, file), "utf8");
      assert.doesNotMatch(text, /\bnpx (?:--?[\w=-]+ )*rdv\b|--no-install[', ]+rdv\b/, file);
    }
    return { tries: files.length + 1, answer: "npx is asked for @rdv-relay/cli alone" };
  },
);
