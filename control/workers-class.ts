import { DurableObject } from "cloudflare:workers";
import type { DurableModule, ObjectContext } from "./platform.ts";
import type { ControlEnv, Services } from "./services.ts";
import { createServices } from "./services.ts";
import type { WorkersSocket, WorkersState } from "./workers-context.ts";
import { createWorkersContext } from "./workers-context.ts";

type Create<V> = (ctx: ObjectContext, services: Services) => DurableModule<V>;

/**
 * A Durable Object class around one of our objects. The platform calls methods of the class alone, so each verb
 * becomes one.
 */
export function durableClass<V extends object>(
  create: Create<V>,
  verbs: readonly (keyof V & string)[],
): new (ctx: WorkersState, env: ControlEnv) => DurableObject {
  class Shell extends DurableObject {
    readonly object: DurableModule<V>;
    readonly context: ObjectContext;

    constructor(ctx: WorkersState, env: ControlEnv) {
      super(ctx, env);
      this.context = createWorkersContext(ctx);
      this.object = create(this.context, createServices(env));
    }

    async fetch(request: Request): Promise<Response> {
      return (await this.object.fetch?.(request)) ?? new Response(null, { status: 404 });
    }

    async alarm(): Promise<void> {
      await this.object.alarm?.();
    }

    async webSocketMessage(socket: WorkersSocket, message: string | ArrayBuffer): Promise<void> {
      if (typeof message === "string") await this.object.message?.(socket, message);
      else socket.close(1_003, "text messages only");
    }

    async webSocketClose(socket: WorkersSocket, code: number): Promise<void> {
      closeQuietly(socket, code);
      await this.object.closed?.(socket);
    }

    async webSocketError(socket: WorkersSocket): Promise<void> {
      closeQuietly(socket, 1_011);
      await this.object.closed?.(socket);
    }
  }
  for (const verb of verbs) {
    Object.defineProperty(Shell.prototype, verb, {
      value(this: Shell, input: never) {
        // `verbs` are the keys of V, whose values are functions of one argument (platform.ts).
        return (this.object.verbs[verb] as (input: never) => unknown)(input);
      },
    });
  }
  return Shell;
}

/** Answers the peer's close, else its side waits for a timeout; 1005 and 1006 must not be sent (RFC 6455 section 7.4.1). */
function closeQuietly(socket: WorkersSocket, code: number): void {
  try {
    socket.close(code === 1_005 || code === 1_006 ? 1_000 : code, "");
  } catch {
    // Closed already, which is what was wanted.
  }
}
