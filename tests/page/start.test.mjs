// The first minute, and names that the daemon does not know yet.

import assert from "node:assert/strict";
import { test } from "node:test";
import { names } from "../../runtime/src/page/names.js";
import { free } from "../../runtime/src/page/words.js";
import { stage, STEPS } from "../../runtime/src/page/start.js";

test("a person is led until a head is in service", () => {
  const task = { name: "gate" };
  assert.equal(stage({ tasks: [] }, null), 0);
  assert.equal(stage({ tasks: [task] }, task), 2);
  assert.equal(stage({ tasks: [task] }, { ...task, generation: 1 }), STEPS.length);
});

test("a task is called after its source, if that is free", () => {
  assert.equal(free("yard", []), "yard");
  assert.equal(free("yard", ["yard", "yard-2"]), "yard-3");
  assert.equal(free("門", []), "task");
});

test("names are kept for the tab, by task, and a tab that may not keep anything still knows them", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const first = names(storage);
  first.add("gate", "open");
  first.add("gate", "open");
  assert.deepEqual(names(storage).of("gate"), ["open"]);
  assert.deepEqual(first.of("bin"), []);
  const refusing = names({
    getItem: () => {
      throw new Error("no");
    },
    setItem: () => {
      throw new Error("no");
    },
  });
  refusing.add("gate", "open");
  assert.deepEqual(refusing.of("gate"), ["open"]);
  kept.set("names of bin", "{\"not\": \"a list\"}");
  assert.deepEqual(names(storage).of("bin"), []);
});
