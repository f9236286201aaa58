// "How good is it, honestly?": accuracy with its interval, what is taken for what, whether it is as sure as it says.

import { mixed, shade, generations, into, path } from "./charts.js";
import { h, svg } from "./dom.js";
import { between, count, percent } from "./words.js";

/** A matrix with more classes is shown by its worst confusions only. */
const MOST_CLASSES = 16;
const BOX = { left: 34, top: 10, width: 256, height: 130 };

/** Fills the section. `page` has `gallery(task, query, title)`. */
export function honest(root, page) {
  let shown = "";
  const body = h("div", { class: "stack" });
  root.append(h("div", { class: "head" }, h("h2", { id: "honest-title" }, "How good is it, honestly?")), body);

  return {
    /** `found` is the answer of `evaluation`, or null where there is no head; `heads` of `heads`. */
    show(task, found, heads) {
      const seen = JSON.stringify([task.name, task.generation, found, heads]);
      if (seen === shown) return;
      shown = seen;
      const evaluation = found?.evaluation;
      if (!evaluation) {
        body.replaceChildren(h("p", { class: "lead" },
          "Nothing is proved yet. Teach every class several times, at different moments: each hold is one group, and a head is only ever judged on groups it was not fitted on."));
        return;
      }
      const basis = `${count(evaluation.samples, "sample")} in ${count(evaluation.groups, "group")}, each judged by a head that had not seen it${evaluation.ungrouped ? " (single samples were left out, for want of groups: expect less)" : ""}`;
      body.replaceChildren(
        h("div", { class: "figure" },
          h("p", { class: "big" }, percent(evaluation.accuracy)),
          h("p", null, "right, ", h("b", null, between(evaluation.accuracy_interval)), " with 95 % certainty.", h("br"), h("span", { class: "small" }, basis),
            found.unproved ? h("span", { class: "block" }, h("span", { class: "badge", "data-tone": "fair" }, "not yet proved"), " some class has too few groups: hold it again at another moment") : null)),
        confusion(page, task, evaluation.confusion),
        h("div", { class: "charts" },
          chart("Over generations", overGenerations(heads ?? [], task.generation)),
          found.reliability?.length > 0 ? chart("As sure as it says?", reliability(found.reliability)) : null,
          found.curve?.length > 1 ? chart("With more samples", curve(found.curve)) : null));
    },
  };
}

const chart = (title, drawing) => (drawing ? h("figure", { class: "chart" }, h("figcaption", null, title), drawing) : null);

function confusion(page, task, record) {
  const worst = mixed(record);
  const words = worst.length === 0
    ? h("p", null, "It mixes up nothing.")
    : h("ul", { class: "why" }, worst.map((pair) => h("li", null,
      `${count(pair.count, "sample")} of `, h("b", null, pair.label), " taken for ", h("b", null, pair.guess), " ",
      h("button", { type: "button", class: "link", onclick: () => open(pair.label, pair.guess) }, "look"))));
  const open = (label, guess) => page.gallery(task, { filter: "labelled", label, guess }, label === guess ? `${label}, rightly` : `${label}, taken for ${guess}`);
  if (record.classes.length > MOST_CLASSES) return words;
  const key = "Rows: what people said. Columns: what it says. Choose a number to see the samples.";
  const table = h("table", { class: "confusion", "aria-label": "Confusion matrix" },
    h("thead", null, h("tr", null, h("td"), record.classes.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, record.classes.map((label, row) => h("tr", null,
      h("th", { scope: "row" }, label),
      record.classes.map((guess, column) => {
        const number = record.counts[row][column];
        const kind = `${row === column ? "hit" : "miss"} s${shade(number, record.counts[row])}`;
        const cell = number === 0
          ? h("span", null, "0")
          : h("button", { type: "button", onclick: () => open(label, guess), "aria-label": `${number} of ${label} taken for ${guess}: show them` }, String(number));
        return h("td", { class: kind }, cell);
      })))));
  return h("div", { class: "stack" }, words, h("p", { class: "small" }, key), h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Confusion matrix, to be scrolled" }, table));
}

function axes(from, ticks, title) {
  const place = into(BOX);
  const lines = [0, 0.5, 1].map((at) => {
    const [x, y] = place([0, at]);
    return [
      svg("line", { class: "rule", x1: x, x2: x + BOX.width, y1: y, y2: y }),
      svg("text", { class: "tick", x: x - 5, y: y + 4, "text-anchor": "end" }, `${Math.round((from + at * (1 - from)) * 100)}`),
    ];
  });
  const below = ticks.map(([at, text]) => svg("text", { class: "tick", x: place([at, 0])[0], y: 158, "text-anchor": "middle" }, text));
  return svg("svg", { viewBox: "0 0 300 165", role: "img", "aria-label": title }, lines.flat(), below);
}

/** Accuracy and interval of each head, in order. */
function overGenerations(heads, current) {
  const { from, points } = generations(heads);
  if (points.length === 0) return null;
  const place = into({ ...BOX, left: BOX.left + 10, width: BOX.width - 20 });
  const step = Math.ceil(points.length / 8);
  const named = points.filter((_, at) => at % step === 0 || at === points.length - 1);
  const words = points.map(({ head }) => `generation ${head.generation}: ${percent(head.accuracy)}`).join(", ");
  const drawing = axes(from, [], words);
  drawing.append(
    svg("path", { class: "line", d: path(points.map(({ x, y }) => place([x, y]))) }),
    ...points.flatMap(({ head, x, y, low, high }) => {
      const [cx, cy] = place([x, y]);
      return [
        svg("line", { class: "whisker", x1: cx, x2: cx, y1: place([x, low])[1], y2: place([x, high])[1] }),
        svg("circle", { class: head.generation === current ? "dot now" : "dot", cx, cy, r: head.generation === current ? 5 : 3.5 }),
      ];
    }),
    ...named.map(({ head, x }) => svg("text", { class: "tick", x: place([x, 0])[0], y: 158, "text-anchor": "middle" }, String(head.generation))));
  return drawing;
}

/** How often it is right where it says that it is so sure. Each bin: `confidence`, `accuracy`, `samples`. */
function reliability(bins) {
  const known = bins.filter((bin) => bin.samples > 0);
  const words = known.map((bin) => `says ${percent(bin.confidence)}, is right ${percent(bin.accuracy)} of ${bin.samples}`).join("; ");
  const drawing = axes(0, [[0, "0"], [0.5, "50"], [1, "100 % sure"]].map(([at, text]) => [Math.min(at, 0.92), text]), words);
  const place = into(BOX);
  const most = Math.max(...known.map((bin) => bin.samples));
  drawing.append(
    svg("path", { class: "ideal", d: path([place([0, 0]), place([1, 1])]) }),
    ...known.map((bin) => {
      const [cx, cy] = place([bin.confidence, bin.accuracy]);
      return svg("circle", { class: "dot now", cx, cy, r: 3 + 4 * Math.sqrt(bin.samples / most) });
    }));
  return drawing;
}

/** Accuracy by how many samples were learnt from. Each point: `samples`, `accuracy`. */
function curve(points) {
  const most = Math.max(...points.map((point) => point.samples));
  const place = into(BOX);
  const words = points.map((point) => `${point.samples} samples: ${percent(point.accuracy)}`).join(", ");
  const drawing = axes(0, [[0, "0"], [0.92, `${most}`]], words);
  const places = points.map((point) => place([point.samples / most, point.accuracy]));
  drawing.append(svg("path", { class: "line", d: path(places) }), ...places.map(([cx, cy]) => svg("circle", { class: "dot", cx, cy, r: 3.5 })));
  return drawing;
}
