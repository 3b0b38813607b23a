/**
 * A direct connection is silent until it is needed. Then the client sends this byte, and the agent, before it dials the
 * service, the same one back: a connection that has died meanwhile is found out before a byte of the user's is lost.
 */
export const startByte = Buffer.of(1);
