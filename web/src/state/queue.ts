/** Actions go to the server one after the other, in the order in which a person did them: `ActionQueue`. */

import { UnreachableError } from "../api/problems";

export interface QueueHooks {
  /** Resolves when a server that did not answer is back. */
  untilBack(): Promise<void>;
}

export interface Action<T> {
  send(): Promise<T>;
  /** Whether the server has done it though its answer was lost; asked after a lost connection. */
  wasDone(): Promise<boolean>;
}

/**
 * A queue that loses nothing and does nothing twice.
 *
 * An action whose answer is lost is sent again only where the server does not have it.
 */
export class ActionQueue {
  private tail: Promise<unknown> = Promise.resolve();
  private count = 0;

  constructor(private readonly hooks: QueueHooks) {}

  /** How many actions wait or run. */
  get length(): number {
    return this.count;
  }

  /** The answer; null where it was done but the answer was lost. Rejects where it was refused. */
  add<T>(action: Action<T>): Promise<T | null> {
    this.count++;
    const result = this.tail.then(() => this.run(action)).finally(() => this.count--);
    this.tail = result.catch(() => undefined); // one that was refused holds up nothing
    return result;
  }

  private async run<T>(action: Action<T>): Promise<T | null> {
    for (let lost = false; ; lost = true) {
      try {
        if (lost && (await action.wasDone())) return null;
        return await action.send();
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        await this.hooks.untilBack();
      }
    }
  }
}
