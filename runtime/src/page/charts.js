// Where things stand in a chart: numbers in, coordinates out. Pure.

/** A path through `[x, y]` points. */
export const path = (points) => points.map(([x, y], at) => `${at === 0 ? "M" : "L"}${trim(x)} ${trim(y)}`).join("");

const trim = (value) => Math.round(value * 10) / 10;

/** Maps `[0, 1]` into a box of the page: y grows upwards. */
export const into = (box) => ([x, y]) => [box.left + x * box.width, box.top + (1 - y) * box.height];

/** Evenly spaced places in `[0, 1]`; a single one stands in the middle. */
export const spread = (number) => Array.from({ length: number }, (_, at) => (number === 1 ? 0.5 : at / (number - 1)));

/** The lowest tenth to show, so that differences can be seen; never above a half, always below what is shown. */
export function floor(values) {
  const lowest = Math.min(1, ...values);
  return Math.max(0, Math.min(0.5, Math.floor(lowest * 10 - 0.5) / 10));
}

/** Accuracies by generation: `{points: [{x, y, low, high, generation}]}` in `[0, 1]`, and where the axis begins. */
export function generations(heads) {
  const known = heads.filter((head) => typeof head.accuracy === "number").sort((a, b) => a.generation - b.generation);
  const lows = known.map((head) => head.accuracy_interval?.[0] ?? head.accuracy);
  const from = floor(lows);
  const scale = (value) => (value - from) / (1 - from);
  const places = spread(known.length);
  return {
    from,
    points: known.map((head, at) => ({
      head,
      x: places[at],
      y: scale(head.accuracy),
      low: scale(head.accuracy_interval?.[0] ?? head.accuracy),
      high: scale(head.accuracy_interval?.[1] ?? head.accuracy),
    })),
  };
}

/** Strength of a cell of the confusion matrix, 0 to 4: its share of the row. */
export function shade(cell, row) {
  const all = row.reduce((sum, value) => sum + value, 0);
  return all === 0 || cell === 0 ? 0 : Math.max(1, Math.ceil((cell / all) * 4));
}

/** The classes that are mixed up most: `[{label, guess, count}]`, the most frequent first. */
export function mixed({ classes, counts }, most = 3) {
  const pairs = counts.flatMap((row, label) =>
    row.map((number, guess) => ({ label: classes[label], guess: classes[guess], count: number })).filter((_, guess) => guess !== label));
  return pairs.filter((pair) => pair.count > 0).sort((a, b) => b.count - a.count).slice(0, most);
}
