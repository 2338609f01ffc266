import { expect, test } from "vitest";
import { ApiError, UnreachableError } from "../../src/api/problems";
import { ActionQueue } from "../../src/state/queue";

/** A server that drops connections as it is told. */
class Server {
  readonly done: string[] = [];
  constructor(private readonly faults: ("before" | "after" | "refuse" | "none")[]) {}

  readonly action = (name: string) => {
    const before = this.done.length;
    return {
      send: async () => {
        await Promise.resolve();
        const fault = this.faults.shift() ?? "none";
        if (fault === "before") throw new UnreachableError();
        if (fault === "refuse") throw new ApiError(409, "ConflictError", "locked", null);
        this.done.push(name);
        if (fault === "after") throw new UnreachableError();
        return name;
      },
      wasDone: async () => this.done.slice(before).includes(name),
    };
  };
}

const queueOf = () => new ActionQueue({ untilBack: async () => {} });

test("actions are done in the order in which they were asked", async () => {
  const server = new Server([]);
  const queue = queueOf();
  const answers = await Promise.all(["a", "b", "c"].map((name) => queue.add(server.action(name))));
  expect(server.done).toEqual(["a", "b", "c"]);
  expect(answers).toEqual(["a", "b", "c"]);
  expect(queue.length).toBe(0);
});

test("what did not arrive is sent again, before what comes after it", async () => {
  const server = new Server(["before", "before"]);
  const queue = queueOf();
  const answers = await Promise.all(["a", "b"].map((name) => queue.add(server.action(name))));
  expect(server.done).toEqual(["a", "b"]);
  expect(answers).toEqual(["a", "b"]);
});

test("what arrived though its answer was lost is not done twice", async () => {
  const server = new Server(["after"]);
  const queue = queueOf();
  expect(await queue.add(server.action("a"))).toBeNull();
  expect(server.done).toEqual(["a"]);
});

test("a refusal is told, and holds up nothing", async () => {
  const server = new Server(["refuse"]);
  const queue = queueOf();
  const [first, second] = [queue.add(server.action("a")), queue.add(server.action("b"))];
  await expect(first).rejects.toThrow("locked");
  expect(await second).toBe("b");
  expect(server.done).toEqual(["b"]);
});

test("nothing is sent while the server is away", async () => {
  let back = () => {};
  const away = new Promise<void>((resolve) => {
    back = resolve;
  });
  const server = new Server(["before"]);
  const queue = new ActionQueue({ untilBack: () => away });
  const all = Promise.all(["a", "b"].map((name) => queue.add(server.action(name))));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(server.done).toEqual([]);
  expect(queue.length).toBe(2);
  back();
  await all;
  expect(server.done).toEqual(["a", "b"]);
});
