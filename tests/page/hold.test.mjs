// Holding a button: what begins it, and everything that ends it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { IDLE, LONGEST, step } from "../../runtime/src/page/hold.js";

const press = (by = "pointer 1", name = "open") => ({ kind: "press", class: name, by });
/** Runs events through the machine, a second apart; gives the last state and all effects. */
function run(...events) {
  let state = IDLE;
  const all = [];
  events.forEach((event, at) => {
    const [next, effects] = step(state, event, at * 1000);
    state = next;
    all.push(...effects.map(({ do: what, why }) => (why ? `${what}: ${why}` : what)));
  });
  return [state, all];
}

test("a press begins and its release ends", () => {
  assert.deepEqual(run(press(), { kind: "release", by: "pointer 1" }), [IDLE, ["begin", "end: released"]]);
});

test("another finger or key neither begins nor ends", () => {
  const [state, effects] = run(press(), press("pointer 2", "closed"), { kind: "release", by: "pointer 2" }, { kind: "release", by: "key  " });
  assert.equal(state.class, "open");
  assert.deepEqual(effects, ["begin"]);
});

test("losing the focus, the tab or the connection ends, once", () => {
  const [state, effects] = run(press("key  "), { kind: "lost", why: "the tab was hidden" }, { kind: "lost", why: "blur" }, { kind: "release", by: "key  " });
  assert.equal(state, IDLE);
  assert.deepEqual(effects, ["begin", "end: the tab was hidden"]);
});

test("a forgotten hold ends by itself", () => {
  const [held] = step(IDLE, press(), 0);
  assert.deepEqual(step(held, { kind: "tick" }, LONGEST - 1), [held, []]);
  const [state, effects] = step(held, { kind: "tick" }, LONGEST);
  assert.deepEqual([state, effects.length], [IDLE, 1]);
});

test("who cannot hold taps twice; a tap on another class changes nothing meanwhile", () => {
  const toggle = (name) => ({ kind: "toggle", class: name, by: "toggle" });
  assert.deepEqual(run(toggle("open"), toggle("closed"), toggle("open")), [IDLE, ["begin", "end: released"]]);
});

test("an unknown event is a bug that shows", () => {
  assert.throws(() => step(IDLE, { kind: "wink" }, 0));
});
