// Where the head looks, laid over a picture: fetched while it is wanted, drawn as cells.

import { address, get } from "./api.js";
import { h, mark, say, svg } from "./dom.js";
import { cells, words } from "./places.js";

/** Between two questions about a picture that moves, milliseconds. */
const EVERY = 1500;

/** The newest frame of a look, by its number among the task's. */
export const ofLook = (task, source, look) => `${address("tasks", task, "attention")}?${new URLSearchParams({ source, look })}`;

/** A sample, for a class. */
export const ofSample = (task, sample, name) => `${address("tasks", task, "samples", sample, "attention")}?${new URLSearchParams({ class: name })}`;

/** Cells over a picture, and what they say. `node` lies over the picture, `said` stands by it; `show(record)`, `clear()`. */
export function heat() {
  const node = svg("svg", { class: "overlay heat", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true", hidden: true });
  const said = h("span", { class: "small block", hidden: true });
  const tell = (text) => {
    say(said, text);
    mark(said, "hidden", text === "");
  };
  return {
    node,
    said,
    tell,
    show(record) {
      node.replaceChildren(...cells(record).map(({ x, y, width, height, value }) =>
        svg("rect", { class: value > 0 ? "for" : "against", x, y, width, height, "fill-opacity": (0.7 * Math.abs(value)).toFixed(2) })));
      mark(node, "hidden", false);
      tell(words(record));
    },
    clear() {
      node.replaceChildren();
      mark(node, "hidden", true);
      tell("");
    },
  };
}

/** A button that is on or off, with its cells. `update(path)` asks anew now and then while it is on: what it shows moves. */
export function attending() {
  const { node, said, show, clear, tell } = heat();
  const button = h("button", { type: "button", class: "link", "aria-pressed": "false", onclick: () => (on ? off() : begin()) }, "Where it looks");
  let [on, busy, last, path] = [false, false, 0, ""];

  function begin() {
    [on, last] = [true, 0];
    mark(button, "aria-pressed", "true");
    tell("Looking…");
    ask();
  }

  function off() {
    on = false;
    mark(button, "aria-pressed", "false");
    clear();
  }

  async function ask() {
    if (!on || busy || path === "" || performance.now() - last < EVERY) return;
    busy = true;
    const asked = path;
    try {
      const record = await get(asked);
      if (on && asked === path) show(record);
    } catch (error) {
      // Said once: what cannot be is not asked for again.
      off();
      tell(error.message);
    }
    busy = false;
    last = performance.now();
  }

  return {
    button,
    node,
    said,
    /** `null` where there is nothing to ask of. */
    update(next) {
      if (next !== path && on) off();
      path = next ?? "";
      mark(button, "hidden", path === "");
      if (!document.hidden) ask();
    },
  };
}

/** Buttons of a sample, one for each class that it may be of: the cells of the one that is on. */
export function attendingSample(task, sample, classes) {
  const { node, said, show, clear, tell } = heat();
  const buttons = classes.map((name) => h("button", { type: "button", class: "link", "aria-pressed": "false", onclick: ({ currentTarget }) => toggle(currentTarget, name) }, `Where it sees ${name}`));

  async function toggle(button, name) {
    const begin = button.getAttribute("aria-pressed") === "false";
    for (const each of buttons) mark(each, "aria-pressed", String(begin && each === button));
    clear();
    if (!begin) return;
    tell("Looking…");
    const wanted = () => button.getAttribute("aria-pressed") === "true";
    try {
      const record = await get(ofSample(task, sample, name));
      if (wanted()) show(record);
    } catch (error) {
      if (!wanted()) return;
      mark(button, "aria-pressed", "false");
      tell(error.message);
    }
  }

  return { node, said, buttons };
}
