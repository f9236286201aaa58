// The labelling queue: which samples wait, which are chosen, what a key means. Pure: states are replaced, never changed.

/** Keys are for so many classes. */
export const NUMBERED = 9;

/** Nothing waits. */
export const EMPTY = { items: [], at: 0, chosen: [], past: [] };

/** New samples join at the end; what is there stays where it is, under the finger. What was skipped or labelled stays away. */
export function join(queue, items) {
  const known = new Set([...queue.items, ...queue.past.flat()].map((item) => item.id));
  return { ...queue, items: [...queue.items, ...items.filter((item) => !known.has(item.id))] };
}

/** What is acted on: the chosen ones, else the one at hand. */
export function targets(queue) {
  if (queue.chosen.length > 0) return queue.items.filter((item) => queue.chosen.includes(item.id));
  return queue.items.slice(queue.at, queue.at + 1);
}

/** Goes to another sample. */
export const go = (queue, at) => ({ ...queue, at: Math.max(0, Math.min(at, queue.items.length - 1)) });

/** Chooses one more, or no longer. */
export function choose(queue, id) {
  const chosen = queue.chosen.includes(id) ? queue.chosen.filter((other) => other !== id) : [...queue.chosen, id];
  return { ...queue, chosen };
}

/** Chooses everything from the sample at hand to another one. */
export function chooseTo(queue, at) {
  const [low, high] = [Math.min(queue.at, at), Math.max(queue.at, at)];
  const more = queue.items.slice(low, high + 1).map((item) => item.id);
  return { ...go(queue, at), chosen: [...new Set([...queue.chosen, ...more])] };
}

/** These are done with: labelled or skipped. */
export function done(queue, items) {
  const ids = new Set(items.map((item) => item.id));
  const before = queue.items.slice(0, queue.at).filter((item) => ids.has(item.id)).length;
  const left = queue.items.filter((item) => !ids.has(item.id));
  return go({ items: left, at: queue.at, chosen: [], past: [...queue.past, items].slice(-50) }, queue.at - before);
}

/** The last ones that were done with come back to the front. */
export function back(queue) {
  const last = queue.past.at(-1) ?? [];
  return { items: [...last, ...queue.items], at: 0, chosen: [], past: queue.past.slice(0, -1) };
}

/** What a key means in the queue, or null. */
export function meaning(key, classes) {
  if (/^[1-9]$/.test(key)) {
    const name = classes[Number(key) - 1];
    return name === undefined ? null : { do: "label", class: name };
  }
  switch (key.toLowerCase()) {
    case "n":
      return { do: "new" };
    case "s":
      return { do: "skip" };
    case "u":
      return { do: "undo" };
    case " ":
      return { do: "choose" };
    case "arrowright":
    case "arrowdown":
      return { do: "go", by: 1 };
    case "arrowleft":
    case "arrowup":
      return { do: "go", by: -1 };
    default:
      return null;
  }
}
