// Where a head looks: cells and words.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as places from "../../runtime/src/page/places.js";

const record = (grid, values, region = [0, 0, 1, 1]) => ({ class: "van", grid, values, region });

test("places become cells of the picture, row by row, and faint ones are none", () => {
  const cells = places.cells(record([2, 3], [1, 0.01, -0.5, 0, 0, 0.25], [0.25, 0.5, 0.6, 0.5]));
  assert.deepEqual(cells.map(({ value }) => value), [1, -0.5, 0.25]);
  const close = (cell, [x, y, width, height]) => Object.entries({ x, y, width, height }).forEach(([name, value]) => assert.ok(Math.abs(cell[name] - value) < 1e-9, `${name}: ${cell[name]}`));
  close(cells[0], [0.25, 0.5, 0.2, 0.25]);
  close(cells[1], [0.65, 0.5, 0.2, 0.25]);
  close(cells[2], [0.65, 0.75, 0.2, 0.25]);
});

test("what a backbone pads is clipped to the picture", () => {
  const cells = places.cells(record([4, 1], [1, 1, 1, 1], [0, -0.5, 1, 2]));
  assert.deepEqual(cells, [{ x: 0, y: 0, width: 1, height: 0.5, value: 1 }, { x: 0, y: 0.5, width: 1, height: 0.5, value: 1 }]);
  const half = places.cells(record([1, 2], [1, -1], [-0.25, 0, 1, 1]));
  assert.deepEqual(half.map(({ x, width }) => [x, width]), [[0, 0.25], [0.25, 0.5]]);
});

test("words say which part speaks for a class, and which against", () => {
  const grid = [3, 3];
  assert.equal(places.words(record(grid, [1, 0, 0, 0, 0, 0, 0, 0, -1])), "For van it looks mostly at the upper left; the lower right speaks against.");
  assert.equal(places.words(record(grid, [0, 1, 0, 0, 0, 0, 0, 0, 0])), "For van it looks mostly at the top.");
  assert.equal(places.words(record(grid, [0, 0, 0, 0, 1, 0, 0, 0, 0])), "For van it looks mostly at the middle.");
  assert.equal(places.words(record(grid, [0, 0, 0, 0, 0, 1, 0, 0, 0])), "For van it looks mostly at the right.");
  assert.equal(places.words(record(grid, [0, 0, 0, 0, 0, 0, 0, 1, 0])), "For van it looks mostly at the bottom.");
});

test("what is everywhere, nowhere, or only against is said so", () => {
  assert.equal(places.words(record([2, 2], [1, 1, 1, 1])), "For van it looks at all of the picture.");
  assert.equal(places.words(record([2, 2], [0, 0, 0, 0])), "No place says more of van than another.");
  assert.equal(places.words(record([2, 2], [-1, 0, 0, 0])), "No place speaks for van.");
});

test("where for and against lie in the same part it is said once", () => {
  assert.equal(places.words(record([1, 8], [0, 0, 0, 1, -1, 0, 0, 0])), "For van it looks mostly at the middle.");
});
