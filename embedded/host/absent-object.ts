import type { ObjectContext } from "../../control/platform.ts";

/**
 * The context of an object that stores nothing and never will. One object in it stands for all of its class that do not
 * exist: it answers what each of them would, and strangers who ask for names at random make none.
 */
export function createAbsentContext(className: string): ObjectContext {
  const refuse = (): never => {
    throw new Error(`An object of ${className} that does not exist was begun by a verb that begins none`);
  };
  return {
    kv: { get: () => undefined, put: refuse, delete: () => false, list: () => [] },
    transaction: (run) => run(),
    setAlarm: (at) => (at === null ? undefined : refuse()),
    erase: async () => {},
    accept: refuse,
    sockets: () => [],
    heardAt: () => null,
  };
}
