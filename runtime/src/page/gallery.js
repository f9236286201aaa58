// Samples in a dialog, with what each is taken for: reached from a cell of the confusion matrix. A label can be put right.

import { command, pictureOf, samplesOf } from "./api.js";
import { attendingSample } from "./attention.js";
import { h, shaped } from "./dom.js";
import { percent } from "./words.js";

const MOST = 60;

/** One dialog for the page; `open(task, query, title)` shows samples. */
export function gallery(page) {
  const title = h("h2", { id: "gallery-title" });
  const body = h("div", { class: "tiles" });
  const note = h("p", { class: "meta", role: "status" });
  const close = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close");
  const dialog = h("dialog", { class: "gallery", "aria-labelledby": "gallery-title" }, h("div", { class: "head" }, title, close), note, body);
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  return async (task, query, words) => {
    title.textContent = words;
    note.textContent = "Looking…";
    body.replaceChildren();
    dialog.showModal();
    try {
      const samples = await samplesOf(task.name, { limit: MOST, ...query });
      note.textContent = samples.length === 0 ? "There are none." : samples.length === MOST ? `The first ${MOST}.` : "";
      body.replaceChildren(...samples.map((sample) => tile(page, task, sample)));
    } catch (error) {
      note.textContent = error.message;
    }
  };
}

function tile(page, task, sample) {
  const select = h("select", { "aria-label": "Label", onchange: change },
    h("option", { value: "", selected: !sample.label }, "no label"),
    task.classes.map(({ name }) => h("option", { value: name, selected: name === sample.label }, name)));
  async function change() {
    const label = select.value === "" ? null : select.value;
    if (await page.send({ do: "label", task: task.name, samples: [sample.id], label })) page.announce(label ? `Now labelled ${label}` : "The label was taken back");
    else select.value = sample.label ?? "";
  }
  const classes = [...new Set([sample.guess, sample.label])].filter((name) => name && task.generation !== undefined);
  const attention = attendingSample(task.name, sample.id, classes);
  return h("figure", { class: "tile" },
    h("div", { class: "screen" }, h("img", { class: "frame", onload: ({ currentTarget }) => shaped(currentTarget), src: pictureOf(task.name, sample.id), alt: `labelled ${sample.label ?? "nothing"}, taken for ${sample.guess ?? "nothing yet"}`, loading: "lazy" }), attention.node),
    h("figcaption", null, select, guessWords(sample), attention.buttons, attention.said));
}

/** What a sample is taken for. */
export function guessWords(sample) {
  if (sample.unknown) return h("span", { class: "small" }, "taken for unknown");
  if (!sample.guess) return h("span", { class: "small" }, "no guess yet");
  const sure = typeof sample.confidence === "number" ? `, ${percent(sample.confidence)}` : "";
  return h("span", { class: "small" }, "taken for ", h("b", null, sample.guess), sure);
}
