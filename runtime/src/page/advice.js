// "What should I do?": what the daemon asks for, the labelling queue with its keys, and labels that look wrong.

import { pictureOf } from "./api.js";
import { each, h, mark, say, shaped } from "./dom.js";
import { guessWords } from "./gallery.js";
import * as queue from "./queue.js";
import { count, drift, sentence } from "./words.js";

const SHOWN = 12;
const MOST_SUSPECTS = 6;

/** Fills the section. `page` has `send(body)`, `announce(text)`, `changed()`. */
export function advice(root, page) {
  let task = null;
  let state = queue.EMPTY;
  let busy = false;
  let shownSuspects = "[]";

  const next = h("ul", { class: "next" });
  const adapt = h("button", { type: "button", hidden: true, onclick: adaptNow });
  const image = h("img", { class: "frame", alt: "", onload: () => shaped(image) });
  const guess = h("p", { class: "guess" });
  const choices = h("div", { class: "row", role: "group", "aria-label": "Label as" });
  const name = h("input", { type: "text", id: "queue-name", maxlength: "64", autocomplete: "off", placeholder: "new class" });
  const form = h("form", { class: "inline", hidden: true, onsubmit: labelNew }, h("label", { for: "queue-name" }, "New class"), name, h("button", { type: "submit" }, "Label"));
  const thumbs = h("ul", { class: "thumbs", role: "listbox", "aria-label": "Samples that wait for a label", "aria-multiselectable": "true" });
  const hint = h("p", { class: "small keys" });
  const question = h("h3", { id: "queue-title" });
  const desk = h("div", { class: "desk" },
    h("div", { class: "pane" }, h("div", { class: "screen" }, image), guess),
    h("div", { class: "pane" }, choices, form, hint));
  const waiting = h("div", { class: "stack queue", hidden: true, role: "group", "aria-labelledby": "queue-title", onkeydown: key },
    question, desk, thumbs);
  const suspects = h("div", { class: "stack", hidden: true, id: "suspects", tabindex: "-1" });
  root.append(h("div", { class: "head" }, h("h2", { id: "advice-title" }, "What should I do?"), adapt), next, waiting, suspects);

  function classes() {
    return task.classes.map(({ name }) => name);
  }

  async function adaptNow() {
    adapt.disabled = true;
    await page.adapt({ do: "adapt", task: task.name });
    adapt.disabled = false;
  }

  async function label(items, label) {
    if (items.length === 0 || busy) return;
    busy = true;
    const kept = await page.send({ do: "label", task: task.name, samples: items.map((item) => item.id), label });
    busy = false;
    if (!kept) return;
    state = queue.done(state, items);
    page.announce(`${count(items.length, "sample")} labelled ${label}`);
    draw(true);
    if (state.items.length < SHOWN / 2) page.changed();
  }

  function skip() {
    state = queue.done(state, queue.targets(state));
    draw(true);
  }

  async function undo() {
    if (await page.send({ do: "undo", task: task.name })) {
      state = queue.back(state);
      page.announce("The last labels were taken back");
      page.changed();
      draw(true);
    }
  }

  function labelNew(event) {
    event.preventDefault();
    const wanted = name.value.trim();
    if (wanted === "") return;
    form.hidden = true;
    name.value = "";
    label(queue.targets(state), wanted);
  }

  function askNew() {
    form.hidden = false;
    name.focus();
  }

  function key(event) {
    if (event.target === name) {
      if (event.key === "Escape") {
        form.hidden = true;
        focus();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const meant = queue.meaning(event.key, classes());
    if (!meant) return;
    // Space and arrows belong to a button that has the focus, unless it is a picture of the queue.
    const onButton = event.target.closest("button") !== null;
    if (onButton && (meant.do === "choose" || meant.do === "go")) return;
    event.preventDefault();
    switch (meant.do) {
      case "label":
        label(queue.targets(state), meant.class);
        break;
      case "new":
        askNew();
        break;
      case "skip":
        skip();
        break;
      case "undo":
        undo();
        break;
      case "choose":
        state = queue.choose(state, state.items[state.at]?.id);
        draw(true);
        break;
      case "go":
        state = event.shiftKey ? queue.chooseTo(state, state.at + meant.by) : queue.go(state, state.at + meant.by);
        draw(true);
        break;
    }
  }

  function focus() {
    thumbs.children[state.at]?.focus({ preventScroll: true });
  }

  function thumb(item) {
    const node = h("li", { role: "option" }, h("img", { src: pictureOf(task.name, item.id), alt: "", loading: "lazy" }));
    node.addEventListener("click", (event) => {
      const at = state.items.findIndex((other) => other.id === item.id);
      if (event.shiftKey) state = queue.chooseTo(state, at);
      else if (event.ctrlKey || event.metaKey || state.chosen.length > 0) state = queue.choose(queue.go(state, at), item.id);
      else state = queue.go(state, at);
      draw(true);
    });
    return node;
  }

  function draw(keepFocus = false) {
    const hadFocus = waiting.contains(document.activeElement);
    const current = state.items[state.at];
    mark(waiting, "hidden", state.items.length === 0);
    if (!current) return;
    const targets = queue.targets(state);
    say(question, targets.length > 1 ? `What are these ${targets.length}?` : "What is this?");
    mark(image, "src", pictureOf(task.name, current.id));
    mark(image, "alt", `from ${current.source}; ${current.guess ? `it looks like ${current.guess}` : "no guess yet"}`);
    guess.replaceChildren(guessWords(current), current.why ? h("span", { class: "small" }, ` · ${current.why}`) : "");
    const known = classes().map((label, at) => ({ label, at }));
    each(choices, [...known, { label: null, act: "new" }, { label: null, act: "skip" }, { label: null, act: "undo" }],
      (item) => (item.act ? ` ${item.act}` : item.label), choice);
    mark(choices.querySelector("[data-act=undo]"), "hidden", !task.undo);
    say(hint, `Keys: 1–${Math.max(1, Math.min(queue.NUMBERED, known.length))} a class, N new class, S skip, U undo, arrows go on, space chooses, shift and arrows choose several.`);
    each(thumbs, state.items.slice(0, Math.max(SHOWN, state.at + 1)), (item) => item.id, thumb, (node, item) => {
      const here = item.id === current.id;
      mark(node, "tabindex", here ? "0" : "-1");
      mark(node, "data-here", here);
      mark(node, "aria-selected", state.chosen.includes(item.id) ? "true" : "false");
      mark(node, "aria-label", `${item.guess ? `looks like ${item.guess}` : "no guess"}, from ${item.source}`);
    });
    if (keepFocus && (hadFocus || document.activeElement === document.body)) focus();
  }

  function choice({ label: wanted, at, act }) {
    if (act === "new") return h("button", { type: "button", class: "quiet", onclick: askNew }, h("kbd", null, "N"), "New class");
    if (act === "skip") return h("button", { type: "button", class: "quiet", onclick: skip }, h("kbd", null, "S"), "Skip");
    if (act === "undo") return h("button", { type: "button", class: "quiet", "data-act": "undo", onclick: undo }, h("kbd", null, "U"), "Undo");
    return h("button", { type: "button", onclick: () => label(queue.targets(state), wanted) },
      at < queue.NUMBERED ? h("kbd", null, String(at + 1)) : null, wanted);
  }

  function suspect(sample) {
    const put = async (label, words) => {
      if (await page.send({ do: "label", task: task.name, samples: [sample.id], label })) {
        page.announce(words);
        figure.remove();
        page.changed();
      }
    };
    const figure = h("figure", { class: "tile" },
      h("img", { src: pictureOf(task.name, sample.id), alt: `labelled ${sample.label}, looks like ${sample.guess}`, loading: "lazy" }),
      h("figcaption", null,
        h("span", null, "labelled ", h("b", null, sample.label)),
        h("span", { class: "small" }, sample.why ?? `looks like ${sample.guess}`),
        h("div", { class: "row" },
          sample.guess ? h("button", { type: "button", onclick: () => put(sample.guess, `Now labelled ${sample.guess}`) }, `It is ${sample.guess}`) : null,
          h("button", { type: "button", class: "quiet", onclick: () => put(sample.label, `Stays ${sample.label}`) }, `Stays ${sample.label}`))));
    return figure;
  }

  return {
    update(view) {
      // After a drift what was seen before it no longer comes first.
      const drifts = task?.name === view.task.name && !task.drifted && view.task.drifted;
      if (drifts || (task && task.name !== view.task.name)) state = queue.EMPTY;
      const had = JSON.stringify([task?.classes.map(({ name }) => name), task?.undo]);
      task = view.task;
      const lines = [
        task.drifted ? drift(task) : null,
        ...task.next.map(sentence),
      ].filter(Boolean);
      const all = lines.length > 0 ? lines : [task.generation === undefined ? "Teach it two classes: hold each button while the camera sees it." : "Nothing: it has what it needs."];
      each(next, all, String, (line) => h("li", null, line));
      mark(next, "data-quiet", lines.length === 0 && task.generation !== undefined);
      mark(adapt, "hidden", task.new_labels === 0 && !task.adapting);
      say(adapt, task.adapting ? "Learning…" : `Learn from ${count(task.new_labels, "new label")}`);
      mark(adapt, "disabled", task.adapting);
      if (had !== JSON.stringify([task.classes.map(({ name }) => name), task.undo])) draw();
    },
    /** `useful` and `doubted` are samples. */
    show(useful, doubted) {
      state = queue.join(state, useful);
      draw();
      const seen = JSON.stringify(doubted);
      if (seen === shownSuspects) return;
      shownSuspects = seen;
      mark(suspects, "hidden", doubted.length === 0);
      suspects.replaceChildren(
        h("h3", null, "Are these labels right?"),
        h("div", { class: "tiles" }, doubted.slice(0, MOST_SUSPECTS).map(suspect)));
    },
    review() {
      (suspects.hidden ? root : suspects).scrollIntoView({ block: "start" });
      if (!suspects.hidden) suspects.focus({ preventScroll: true });
    },
  };
}
