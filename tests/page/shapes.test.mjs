// Regions and charts: coordinates.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as charts from "../../runtime/src/page/charts.js";
import * as region from "../../runtime/src/page/region.js";

test("a region is drawn from any corner and stays inside", () => {
  assert.deepEqual(region.between([0.9, 0.8], [0.2, 0.4]), [0.2, 0.4, 0.7, 0.4]);
  assert.deepEqual(region.between([-0.5, 0.5], [0.5, 1.5]), [0, 0.5, 0.5, 0.5]);
  const [, , width, height] = region.between([0.5, 0.5], [0.5, 0.5]);
  assert.deepEqual([width, height], [region.LEAST, region.LEAST]);
  assert.deepEqual(region.fit([0.99, 0.99, 0.5, 0.5]), [0.5, 0.5, 0.5, 0.5]);
});

test("keys move and size a region", () => {
  assert.deepEqual(region.nudge([0.2, 0.2, 0.5, 0.5], "ArrowRight", false), [0.21, 0.2, 0.5, 0.5]);
  assert.deepEqual(region.nudge([0.2, 0.2, 0.5, 0.5], "ArrowUp", true), [0.2, 0.2, 0.5, 0.49]);
  assert.deepEqual(region.nudge([0.5, 0.5, 0.5, 0.5], "ArrowRight", true), [0.5, 0.5, 0.5, 0.5]);
  assert.equal(region.nudge(region.WHOLE, "a", false), null);
});

test("a region has words", () => {
  assert.equal(region.words(region.WHOLE), "the whole frame");
  assert.match(region.words([0.1, 0.2, 0.3, 0.4]), /30.% wide and 40.% high, 10.% from the left and 20.% from the top/);
});

test("accuracies of heads become places, and a head without one has none", () => {
  const heads = [
    { generation: 2, accuracy: 0.95, accuracy_interval: [0.9, 1] },
    { generation: 1, accuracy: 0.8, accuracy_interval: [0.7, 0.9] },
    { generation: 3, accuracy: null },
  ];
  const { from, points } = charts.generations(heads);
  assert.deepEqual(points.map(({ head }) => head.generation), [1, 2]);
  assert.ok(from < 0.7 && from >= 0.5);
  assert.ok(points.every(({ x, y, low, high }) => [x, y, low, high].every((value) => value >= 0 && value <= 1) && low <= y && y <= high));
  assert.deepEqual(charts.generations([]).points, []);
});

test("the axis never begins above what is shown", () => {
  for (const lowest of [0, 0.04, 0.3, 0.52, 0.9, 1]) assert.ok(charts.floor([lowest, 1]) <= lowest);
});

test("the worst confusions come first, and right answers are none", () => {
  const record = { classes: ["a", "b", "c"], counts: [[9, 1, 0], [4, 5, 0], [0, 2, 7]] };
  assert.deepEqual(charts.mixed(record, 2), [{ label: "b", guess: "a", count: 4 }, { label: "c", guess: "b", count: 2 }]);
  assert.deepEqual([charts.shade(0, [0, 0]), charts.shade(1, [1, 99]), charts.shade(10, [10, 0])], [0, 1, 4]);
});

test("a path goes through its points", () => {
  assert.equal(charts.path([[0, 1], [2.345, 3]]), "M0 1L2.3 3");
});
