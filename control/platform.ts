/** Key-value storage of one object: synchronous, durable once the object answers. Values are plain JSON. */
export interface SyncKv {
  get(key: string): unknown;
  put(key: string, value: unknown): void;
  delete(key: string): boolean;
  /** Entries whose key starts with `prefix`, in key order, after the key `startAfter`. */
  list(options: { prefix: string; startAfter?: string; limit?: number }): Iterable<[string, unknown]>;
}

/** A WebSocket held by an object; the platform may put the object to sleep while the socket stays open. */
export interface ObjectSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Small JSON value that outlives the object's memory. */
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
}

/** What a host gives to one object. Everything but `erase` is synchronous, so code between two awaits is atomic. */
export interface ObjectContext {
  readonly kv: SyncKv;
  /** All writes of `run`, or none when it throws. */
  transaction<T>(run: () => T): T;
  /** The object's one alarm, in milliseconds since 1970; null clears it. */
  setAlarm(at: number | null): void;
  /** Removes everything stored for this object, its alarm too. */
  erase(): Promise<void>;
  /** Takes over the WebSocket of an upgrade request; `response` is what the object answers. */
  accept(request: Request): { socket: ObjectSocket; response: Response };
  /** The sockets that are open now. */
  sockets(): ObjectSocket[];
  /** When the peer's last heartbeat was answered by the platform, or null. */
  heardAt(socket: ObjectSocket): number | null;
}

/**
 * One object: its verbs, and what it does when the platform wakes it. Verbs are functions of one argument that
 * other objects and the app call; arguments and results are copied (structured clone).
 */
export interface DurableModule<V> {
  readonly verbs: V;
  fetch?(request: Request): Promise<Response>;
  alarm?(): Promise<void>;
  message?(socket: ObjectSocket, text: string): Promise<void>;
  /** The socket is closed or broken; it is no longer in `sockets()`. */
  closed?(socket: ObjectSocket): Promise<void>;
}

/** A stub: every verb as a promise. */
export type Remote<V> = {
  readonly [K in keyof V]: V[K] extends (...input: infer I) => infer R
    ? (...input: I) => Promise<Awaited<R>>
    : never;
} & { fetch(request: Request): Promise<Response> };

/** All objects of one class, by name. */
export interface Namespace<V> {
  getByName(name: string): Remote<V>;
}
