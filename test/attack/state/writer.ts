import { writeStateFile } from "../../../state/write-file.ts";

/** Writes contents of one letter each, 64 KiB at a time, until it is killed; says so after the first. */
const [path = ""] = process.argv.slice(2);
for (let round = 0; ; round++) {
  writeStateFile(path, String.fromCharCode(97 + (round % 26)).repeat(64 * 1024));
  if (round === 0) process.stdout.write("writing\n");
}
