// Holding a class: what begins it, and everything that ends it. A pure machine: an event in, the next state and what to do
// out. Knows nothing of elements and of the network.
//
//   idle ──press, toggle──▶ holding ──release, toggle, lost, LONGEST──▶ idle
//            begin                           end

/** A hold ends by itself after so long, milliseconds: a forgotten one would teach the wrong thing. The daemon lets go after a
 * minute; the page is to be first, so that what was learnt is told. */
export const LONGEST = 50_000;

/** Nothing is held. */
export const IDLE = null;

/**
 * Events: `{kind: "press" | "toggle", class, by}`, `{kind: "release", by}`, `{kind: "lost", why}`, `{kind: "tick"}`. `by` names
 * the pointer or key, so that a second finger or key neither begins nor ends anything.
 * Gives `[state, effects]`; effects are `{do: "begin", class}` and `{do: "end", class, why}`.
 */
export function step(state, event, now) {
  const end = (why) => [IDLE, [{ do: "end", class: state.class, why }]];
  const begin = () => [{ class: event.class, by: event.by, since: now }, [{ do: "begin", class: event.class }]];
  switch (event.kind) {
    case "press":
      return state === IDLE ? begin() : [state, []];
    case "toggle":
      if (state === IDLE) return begin();
      return state.class === event.class ? end("released") : [state, []];
    case "release":
      return state !== IDLE && state.by === event.by ? end("released") : [state, []];
    case "lost":
      return state === IDLE ? [state, []] : end(event.why);
    case "tick":
      return state !== IDLE && now - state.since >= LONGEST ? end("it was held for too long") : [state, []];
    default:
      throw new Error(`a hold knows no event ${event.kind}`);
  }
}
