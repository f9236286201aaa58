// A region of a frame, `[x, y, width, height]` in fractions: drawn, moved by keys, written as percents. Pure.

/** No side is smaller than this: less has nothing to look at. */
export const LEAST = 0.03;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (value) => Math.round(value * 1000) / 1000;

/** All of the frame. */
export const WHOLE = [0, 0, 1, 1];

/** Inside the frame, not too small, to a thousandth. */
export function fit([x, y, width, height]) {
  const w = clamp(width, LEAST, 1);
  const h = clamp(height, LEAST, 1);
  return [round(clamp(x, 0, 1 - w)), round(clamp(y, 0, 1 - h)), round(w), round(h)];
}

/** Between two corners, in any order. */
export function between([ax, ay], [bx, by]) {
  const [left, right] = [clamp(Math.min(ax, bx), 0, 1), clamp(Math.max(ax, bx), 0, 1)];
  const [top, bottom] = [clamp(Math.min(ay, by), 0, 1), clamp(Math.max(ay, by), 0, 1)];
  return fit([left, top, right - left, bottom - top]);
}

/** Arrows move; with shift they move the right and lower edge. Null for any other key. */
export function nudge(region, key, shift) {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!by) return null;
  const [x, y, w, h] = region;
  const [dx, dy] = [by[0] * 0.01, by[1] * 0.01];
  if (!shift) return fit([x + dx, y + dy, w, h]);
  return fit([x, y, clamp(w + dx, LEAST, 1 - x), clamp(h + dy, LEAST, 1 - y)]);
}

/** Whether it is all of the frame, which a look says by having no crop. */
export const isWhole = (region) => region.every((value, at) => value === WHOLE[at]);

/** In words, for who does not see it. */
export function words(region) {
  if (isWhole(region)) return "the whole frame";
  const [x, y, w, h] = region.map((value) => Math.round(value * 100));
  return `${w}\u00a0% wide and ${h}\u00a0% high, ${x}\u00a0% from the left and ${y}\u00a0% from the top`;
}
