import type { TestContext } from "node:test";
import { skipWithout } from "../fixtures/tools.ts";
import { skipWithoutPrograms } from "./programs.ts";
import type { Programs } from "./programs.ts";

/** One way to join, and what it is known to carry. */
export interface Variant extends Programs {
  readonly title: string;
  /** What the script calls it. */
  readonly method: string;
  /** An answer that comes after the end of the question arrives whole. */
  readonly halfClose: boolean;
  /** A reset of one side is a reset for the other. */
  readonly reset: boolean;
  /** Its half of a pair comes in TLS, where the relay speaks it. */
  readonly encrypted: boolean;
}

/** Every method once, and every shell at least once with a method that the shell itself drives. */
export const variants: readonly Variant[] = [
  {
    title: "node",
    method: "node",
    shell: "zsh",
    tool: { name: "node" },
    halfClose: true,
    reset: true,
    encrypted: true,
  },
  {
    title: "python3",
    method: "python3",
    shell: "bash",
    tool: { name: "python3" },
    halfClose: true,
    reset: true,
    encrypted: true,
  },
  {
    title: "perl",
    method: "perl",
    shell: "busybox",
    tool: { name: "perl" },
    halfClose: true,
    reset: true,
    encrypted: true,
  },
  {
    title: "socat",
    method: "socat",
    shell: "dash",
    tool: { name: "socat" },
    halfClose: true,
    reset: false,
    encrypted: false,
  },
  {
    title: "ncat",
    method: "ncat",
    shell: "zsh",
    tool: { name: "ncat" },
    halfClose: true,
    reset: false,
    encrypted: false,
  },
  {
    title: "nc (busybox)",
    method: "nc",
    shell: "busybox",
    tool: { name: "nc", from: "busybox" },
    halfClose: false,
    reset: false,
    encrypted: false,
  },
  {
    title: "nc (OpenBSD)",
    method: "nc",
    shell: "dash",
    tool: { name: "nc", from: "nc.openbsd" },
    halfClose: false,
    reset: false,
    encrypted: false,
  },
  {
    title: "bash",
    method: "bash",
    shell: "bash",
    tool: { name: "bash" },
    halfClose: false,
    reset: false,
    encrypted: false,
  },
];

const openssl = [{ name: "openssl" }];

/** Those that a shell drives, where there is openssl, too: it ends the TLS of the leg to the relay. */
export const secureVariants: readonly Variant[] = [
  {
    title: "socat, openssl",
    method: "socat",
    shell: "dash",
    tool: { name: "socat" },
    others: openssl,
    halfClose: true,
    reset: false,
    encrypted: true,
  },
  ...(
    [
      ["ncat", "zsh", "ncat"],
      ["nc (OpenBSD)", "dash", "nc.openbsd"],
      ["bash", "bash", "bash"],
    ] as const
  ).map(([title, shell, from]) => {
    const name = title.replace(/ .*/, "");
    const ends = { halfClose: false, reset: false, encrypted: true };
    return {
      title: `${title}, openssl`,
      method: name,
      shell,
      tool: { name, from },
      others: openssl,
      ...ends,
    };
  }),
];

/** Why the tests of all variants are skipped here, or false. */
export const skipVariants =
  skipWithout("IO/Socket/SSL.pm") ||
  skipWithoutPrograms(
    ...new Set(variants.flatMap(({ shell, tool }) => [shell, tool.from ?? tool.name, "curl", "openssl"])),
  );

/** One subtest a variant, all at once when the test is `concurrency: true`. */
export async function eachVariant(
  t: TestContext,
  work: (variant: Variant) => Promise<void>,
  list = variants,
): Promise<void> {
  await Promise.all(
    list.map((variant) =>
      t.test(`${variant.title}, under ${variant.shell}`, async () => await work(variant)),
    ),
  );
}
