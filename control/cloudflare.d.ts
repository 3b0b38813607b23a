/** The part of the Workers runtime that the shells use. */
declare module "cloudflare:workers" {
  export abstract class DurableObject {
    protected readonly ctx: unknown;
    protected readonly env: unknown;
    constructor(ctx: unknown, env: unknown);
  }
  /** Secrets and bindings of the Worker. */
  export const env: unknown;
}
