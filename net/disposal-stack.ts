/** What has to be undone, the newest first. */
export interface DisposalStack extends AsyncDisposable {
  /** Takes charge of a resource and returns it. */
  use<Resource extends Disposable | AsyncDisposable>(resource: Resource): Resource;
  /** Takes charge of an action. */
  defer(undo: Undo): void;
  /** Hands everything to a new stack and leaves this one disposed of. */
  move(): DisposalStack;
}

type Undo = () => unknown;

/**
 * The part of the language's `AsyncDisposableStack` that is used here, because Node 22 has none.
 * Everything is undone even when something fails: one failure is thrown as it is, several as an AggregateError.
 * Who disposes a second time waits for the first; adding to a disposed stack throws.
 */
export function createDisposalStack(): DisposalStack {
  return stackOf([]);
}

function stackOf(undos: Undo[]): DisposalStack {
  let disposed: Promise<void> | undefined;

  function defer(undo: Undo): void {
    if (disposed) throw new ReferenceError("the stack is disposed of");
    undos.push(undo);
  }

  return {
    defer,
    use(resource) {
      defer(disposerOf(resource));
      return resource;
    },
    move() {
      if (disposed) throw new ReferenceError("the stack is disposed of");
      disposed = Promise.resolve();
      return stackOf(undos.splice(0));
    },
    [Symbol.asyncDispose]: async () => await (disposed ??= undoAll(undos)),
  };
}

function disposerOf(resource: Disposable | AsyncDisposable): Undo {
  return Symbol.asyncDispose in resource
    ? () => resource[Symbol.asyncDispose]()
    : () => resource[Symbol.dispose]();
}

async function undoAll(undos: Undo[]): Promise<void> {
  const errors: unknown[] = [];
  for (let undo = undos.pop(); undo; undo = undos.pop()) {
    try {
      await undo();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, "several resources failed to close");
}
