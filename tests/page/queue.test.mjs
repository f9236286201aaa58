// The labelling queue, its selection and its keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as queue from "../../runtime/src/page/queue.js";

const items = (...ids) => ids.map((id) => ({ id }));
const ids = (list) => list.map(({ id }) => id).join("");
const full = queue.join(queue.EMPTY, items("a", "b", "c", "d"));

test("new samples join behind, and nobody twice", () => {
  const more = queue.join(queue.go(full, 1), items("b", "e", "a"));
  assert.deepEqual([ids(more.items), more.at], ["abcde", 1]);
});

test("what was done with does not come back by itself, but by undo, in front", () => {
  const done = queue.done(full, items("a", "c"));
  assert.equal(ids(queue.join(done, items("a", "c", "f")).items), "bdf");
  assert.equal(ids(queue.back(done).items), "acbd");
  assert.deepEqual(queue.back(queue.EMPTY), queue.EMPTY);
});

test("the sample behind takes the place of the one that is done with", () => {
  const at = (state) => state.items[state.at]?.id;
  assert.equal(at(queue.done(queue.go(full, 1), items("b"))), "c");
  assert.equal(at(queue.done(queue.go(full, 2), items("a", "c"))), "d");
  assert.equal(at(queue.done(queue.go(full, 3), items("d"))), "c");
  assert.equal(at(queue.done(full, full.items)), undefined);
});

test("the chosen ones are acted on, else the one at hand", () => {
  assert.equal(ids(queue.targets(queue.go(full, 2))), "c");
  const chosen = queue.chooseTo(queue.go(full, 1), 3);
  assert.equal(ids(queue.targets(chosen)), "bcd");
  assert.equal(ids(queue.targets(queue.choose(chosen, "c"))), "bd");
  assert.deepEqual(queue.done(chosen, items("b")).chosen, []);
});

test("one does not walk out of the queue", () => {
  assert.deepEqual([queue.go(full, -1).at, queue.go(full, 9).at], [0, 3]);
});

test("keys", () => {
  const meaning = (key) => queue.meaning(key, ["open", "closed"]);
  assert.deepEqual(meaning("2"), { do: "label", class: "closed" });
  assert.deepEqual(["3", "0", "x", "Enter"].map(meaning), [null, null, null, null]);
  assert.deepEqual(["N", "s", "u", " "].map((key) => meaning(key).do), ["new", "skip", "undo", "choose"]);
  assert.deepEqual(meaning("ArrowLeft"), { do: "go", by: -1 });
});
