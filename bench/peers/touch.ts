import { once } from "node:events";
import { connect } from "node:net";
import { header, modes } from "../load/jobs.ts";
import type { Address } from "../model.ts";

/** Opens one connection to the service behind `address`, waits for its first byte, and closes it. */
export async function touch({ host, port }: Address): Promise<void> {
  const socket = connect({ host, port });
  try {
    socket.write(header(modes.source, 0));
    await once(socket, "data");
  } finally {
    socket.destroy();
  }
}
