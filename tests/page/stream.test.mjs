// The event stream against a daemon that goes, comes back, says nothing, or wants a token.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, QUIET, Stream } from "../../runtime/src/page/stream.js";

/** Everything the stream calls, in the hands of the test. */
function world() {
  const it = { opened: [], timers: new Map(), told: [], probe: () => Promise.resolve({ from: "probe" }), next: 1 };
  it.stream = new Stream(
    {
      open: () => {
        const source = new EventTarget();
        source.close = () => {
          source.closed = true;
        };
        it.opened.push(source);
        return source;
      },
      probe: () => it.probe(),
      later: (milliseconds, then) => {
        it.timers.set(it.next, { milliseconds, then });
        return it.next++;
      },
      cancel: (id) => it.timers.delete(id),
    },
    {
      view: (view) => it.told.push(view),
      notice: (notice) => it.told.push(notice),
      link: (state) => it.told.at(-1) !== state && it.told.push(state),
    },
  );
  it.send = (kind, data) => it.opened.at(-1).dispatchEvent(Object.assign(new Event(kind), { data: JSON.stringify(data) }));
  it.settled = () => new Promise((done) => setImmediate(done));
  /** The one timer that runs out. */
  it.timer = () => {
    assert.equal(it.timers.size, 1);
    const [[id, { milliseconds, then }]] = it.timers;
    it.timers.delete(id);
    then();
    return milliseconds;
  };
  return it;
}

test("views and notices are told", () => {
  const it = world();
  it.stream.start();
  it.send("open");
  it.send("view", { a: 1 });
  it.send("notice", { b: 2 });
  assert.deepEqual(it.told.filter((told) => told !== "live"), [{ a: 1 }, { b: 2 }]);
  assert.equal(it.told[0], "live");
});

test("a broken stream is said to be lost and opened anew, less and less often, until it lives", async () => {
  const it = world();
  it.probe = () => Promise.reject({ status: 0 });
  it.stream.start();
  const waits = [];
  for (let round = 0; round < 4; round++) {
    it.send("error");
    await it.settled();
    waits.push(it.timer());
  }
  assert.deepEqual(waits, [0, 1, 2, 3].map(backoff));
  assert.deepEqual([it.told, it.opened.length, it.opened[0].closed], [["lost"], 5, true]);
  it.send("open");
  assert.equal(it.told.at(-1), "live");
  it.send("error");
  await it.settled();
  assert.equal(it.timer(), backoff(0));
  assert.ok(backoff(99) <= 5000);
});

test("a refused token is not tried again and again", async () => {
  const it = world();
  it.probe = () => Promise.reject({ status: 401 });
  it.stream.start();
  it.send("error");
  await it.settled();
  assert.deepEqual([it.told.at(-1), it.timers.size], ["locked", 0]);
});

test("a quiet device is asked, and one that does not answer is lost", async () => {
  const it = world();
  it.stream.start();
  it.send("open");
  assert.equal(it.timer(), QUIET);
  await it.settled();
  assert.deepEqual(it.told, ["live", { from: "probe" }]);
  it.probe = () => Promise.reject({ status: 0 });
  it.timer();
  await it.settled();
  assert.equal(it.told.at(-1), "lost");
});

test("an old stream is not listened to", () => {
  const it = world();
  it.stream.start();
  const [old] = it.opened;
  it.stream.start();
  old.dispatchEvent(Object.assign(new Event("view"), { data: "{}" }));
  assert.deepEqual(it.told, []);
});
