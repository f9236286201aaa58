// Sources: what is sensed and how each fares; a region drawn with finger, mouse or keys; a task made from a source; one more.

import { adder } from "./adder.js";
import { frameOf, hand } from "./api.js";
import { each, h, mark, picture, say, shaped } from "./dom.js";
import { regionOverlay } from "./live.js";
import { lookNow } from "./look_now.js";
import * as region from "./region.js";
import { ago, count, free, health, lineWords, taskName } from "./words.js";

/** Fills the section. `page` has `send(body)`, `announce(text)`, `choose(task)`. */
export function sources(root, page) {
  const cards = h("ul", { class: "sources" });
  const editor = regionEditor();
  let task = null;
  let names = [];
  let taken = [];
  const more = adder(page, () => taken);
  const adding = h("details", { class: "adding", ontoggle: () => more.update() }, h("summary", null, "Add a source…"), more);
  root.append(h("div", { class: "head" }, h("h2", { id: "sources-title" }, "Sources")), cards, adding);

  function card({ name: source, kind }) {
    const image = h("img", { class: "frame", alt: `newest picture of ${source}`, hidden: true });
    const overlay = regionOverlay();
    const fares = h("p", { class: "fares" });
    const small = h("p", { class: "small" });
    const draw = h("button", { type: "button", class: "quiet", onclick: drawRegion });
    const drop = h("button", { type: "button", class: "quiet", onclick: stopLooking }, "Stop looking");
    const ask = lookNow(page);
    const make = h("button", { type: "button", class: "quiet", onclick: newTask }, "New task from this…");
    const remove = h("button", { type: "button", class: "quiet", onclick: removeSource }, "Remove");
    const input = h("input", { type: "text", maxlength: "64", autocomplete: "off", id: `new-${source}` });
    const form = h("form", { class: "inline", hidden: true, onsubmit: create },
      h("label", { for: `new-${source}` }, "Name of the task"), input, h("button", { type: "submit" }, "Make"));
    const file = h("input", { type: "file", accept: "image/*", multiple: true, id: `hand-${source}`, class: "visually-hidden", onchange: handOver });
    const node = h("li", { class: "source" },
      h("div", { class: "screen" }, image, overlay.node),
      h("div", { class: "stack" },
        h("h3", null, source),
        fares, small,
        h("div", { class: "row" }, ask, draw, drop, make, remove,
          kind === "http" ? [file, h("label", { class: "button quiet", for: `hand-${source}` }, "Hand it pictures…")] : null),
        form));

    const mine = () => task?.looks.find((look) => look.source === source);
    const others = () => task.looks.filter((look) => look.source !== source).map(({ source, crop }) => (crop ? { source, crop } : { source }));
    async function look(from, words) {
      if (await page.send({ do: "look", task: task.name, from })) page.announce(words);
    }
    async function drawRegion() {
      const found = await editor(source, image, mine()?.crop ?? region.WHOLE);
      if (!found) return;
      const crop = region.isWhole(found) ? {} : { crop: found };
      await look([...others(), { source, ...crop }], `${task.name} looks at ${region.words(found)} of ${source}`);
    }
    async function stopLooking() {
      await look(others(), `${task.name} no longer looks at ${source}`);
    }
    async function removeSource() {
      if (await page.send({ do: "remove_source", source })) page.announce(`${source} was removed; its samples stay`);
    }
    function newTask() {
      form.hidden = false;
      input.value = free(source, names);
      input.select();
      input.focus();
    }
    async function create(event) {
      event.preventDefault();
      const wanted = taskName(input.value);
      if (wanted === "") return;
      if (await page.send({ do: "create_task", task: wanted, from: [{ source }] })) {
        form.hidden = true;
        page.choose(wanted);
        page.announce(`Task ${wanted} is made: teach it two classes`);
      }
    }
    async function handOver() {
      try {
        for (const each of file.files) await hand(source, each);
        page.announce(`${count(file.files.length, "picture")} handed over`);
      } catch (error) {
        page.announce(error.message);
      }
      file.value = "";
    }

    node.update = (view, now) => {
      if (!document.hidden && view.frames > 0) picture(image, frameOf(source, view.frames));
      const looked = mine();
      overlay.update(looked?.crop);
      ask.update(view);
      mark(node, "data-health", view.health);
      say(fares, health(view));
      const size = view.size && !view.line ? `${view.size[0]} × ${view.size[1]}` : null;
      const parts = [kind, size, ...(view.line ? lineWords(view.line) : []), count(view.frames, view.line ? "window" : "picture"), view.last ? `newest ${ago(view.last, now)}` : null];
      say(small, parts.filter(Boolean).join(" · "));
      mark(draw, "hidden", !task);
      say(draw, looked ? "Draw the region…" : `Use for ${task?.name ?? ""}…`);
      mark(draw, "disabled", view.frames === 0);
      mark(remove, "hidden", !view.removable);
      mark(drop, "hidden", !looked || task.looks.length < 2);
    };
    return node;
  }

  return {
    update({ view, task: chosen, now }) {
      task = chosen;
      names = view.tasks.map(({ name }) => name);
      taken = view.sources.map(({ name }) => name);
      each(cards, view.sources, (source) => `${source.kind} ${source.name}`, card, (node, source) => node.update(source, now));
    },
  };
}

/** A dialog in which a region is drawn; resolves with it, or with null. */
function regionEditor() {
  let value = region.WHOLE;
  let from = null;
  let answer = () => {};
  const image = h("img", { class: "frame", alt: "", draggable: "false" });
  const overlay = regionOverlay();
  const screen = h("div", { class: "screen drawing", tabindex: "0", role: "group" }, image, overlay.node);
  const words = h("p", { class: "meta", role: "status" });
  const fields = ["Left", "Top", "Width", "Height"].map((label, at) => {
    const input = h("input", { type: "number", min: "0", max: "100", step: "1", inputmode: "numeric", id: `region-${at}` });
    input.addEventListener("change", () => {
      const next = [...value];
      next[at] = Number(input.value) / 100;
      set(region.fit(next));
    });
    return { input, node: h("p", { class: "field" }, h("label", { for: `region-${at}` }, `${label} %`), input) };
  });
  const title = h("h2", { id: "region-title" });
  const dialog = h("dialog", { class: "region", "aria-labelledby": "region-title" },
    title,
    h("p", { class: "small" }, "Draw with a finger or the mouse. Keys: arrows move it, shift and arrows change its size."),
    screen, words,
    h("div", { class: "numbers" }, fields.map(({ node }) => node)),
    h("div", { class: "row" },
      h("button", { type: "button", onclick: () => close(value) }, "Use this region"),
      h("button", { type: "button", class: "quiet", onclick: () => set(region.WHOLE) }, "The whole frame"),
      h("button", { type: "button", class: "quiet", onclick: () => close(null) }, "Cancel")));
  document.body.append(dialog);

  function set(next) {
    value = next;
    overlay.update(next);
    say(words, `It looks at ${region.words(next)}.`);
    screen.setAttribute("aria-label", `Region: ${region.words(next)}`);
    fields.forEach(({ input }, at) => {
      input.value = String(Math.round(next[at] * 100));
    });
  }
  function place(event) {
    const box = screen.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  function close(found) {
    const tell = answer;
    answer = () => {};
    if (dialog.open) dialog.close();
    tell(found);
  }
  screen.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    screen.focus();
    screen.setPointerCapture(event.pointerId);
    from = place(event);
  });
  screen.addEventListener("pointermove", (event) => {
    if (from) set(region.between(from, place(event)));
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
    screen.addEventListener(kind, () => {
      from = null;
    });
  }
  screen.addEventListener("keydown", (event) => {
    const next = region.nudge(value, event.key, event.shiftKey);
    if (!next) return;
    event.preventDefault();
    set(next);
  });
  dialog.addEventListener("close", () => close(null));

  return (source, seen, start) =>
    new Promise((resolve) => {
      answer = resolve;
      title.textContent = `What to look at in ${source}`;
      image.src = seen.currentSrc || seen.src;
      // Of its shape at once: what is drawn on must not move under the finger.
      shaped(image, seen);
      set(start);
      dialog.showModal();
      screen.focus();
    });
}
