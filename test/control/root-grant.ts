import type { SessionGrant } from "../../control/grants.ts";

/** The operator's key, to which all sessions are open. */
export const rootGrant: SessionGrant = { key: "root", scopes: ["admin"], names: null };
