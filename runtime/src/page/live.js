// "Is it working?": the newest frame of each look with its region, the answer, how sure it is, what really computes it.

import { frameOf } from "./api.js";
import { attending, ofLook } from "./attention.js";
import { each, h, mark, picture, say, svg } from "./dom.js";
import { lookNow } from "./look_now.js";
import { percent, since, sureness, time } from "./words.js";

const MOST_SCORES = 5;

/** Fills the section; gives what updates it. `page` has `send(body)` and `announce(text)`. */
export function live(root, page) {
  const looks = h("div", { class: "looks" });
  const meta = h("p", { class: "meta" });
  const head = h("h2", { id: "live-title" }, "Is it working?");
  root.append(h("div", { class: "head" }, head), looks, meta);

  return {
    update({ view, task, now }) {
      const key = (look) => `${look.source} ${look.crop ?? ""}`;
      each(looks, task.looks, key, () => card(page), (node, look) => node.update(look, sourceOf(view, look), now, task));
      const parts = [
        task.generation === undefined ? "no head yet: teach it two classes" : `generation ${task.generation}${task.from ? ` from ${task.from}` : ""}`,
        task.unproved ? "not yet proved here" : null,
        task.extractor ? `${task.backbone} on ${task.extractor}` : `${task.backbone}: not run yet`,
        task.looks.length === 0 ? "looks at nothing yet: choose a source below" : null,
      ];
      say(meta, parts.filter(Boolean).join(" · "));
    },
  };
}

const sourceOf = (view, look) => view.sources.find((source) => source.name === look.source);

function card(page) {
  const image = h("img", { alt: "", class: "frame", hidden: true });
  const region = regionOverlay();
  const trouble = h("p", { class: "trouble", hidden: true });
  const name = h("p", { class: "answer" });
  const how = h("p", { class: "how" });
  const badge = h("span", { class: "badge" });
  const when = h("span");
  how.append(badge, when);
  const scores = h("ul", { class: "scores" });
  const small = h("p", { class: "meta" });
  const ask = lookNow(page);
  const attention = attending();
  const node = h("figure", { class: "look" },
    h("div", { class: "screen" }, image, attention.node, region.node, trouble),
    h("figcaption", null, name, how, scores, small, h("p", { class: "row where" }, ask, attention.button, attention.said)));

  node.update = (look, source, now, task) => {
    const answers = task.generation !== undefined && source?.frames > 0 && !source.line;
    attention.update(answers ? ofLook(task.name, look.source, task.looks.indexOf(look)) : null);
    if (source && !document.hidden && source.frames > 0) picture(image, frameOf(source.name, source.frames));
    region.update(look.crop);
    ask.update(source);
    const lost = source?.health === "lost";
    say(trouble, lost ? `${look.source} is lost: ${source.reason ?? "no reason given"}` : source ? "" : `there is no source ${look.source}`);
    mark(trouble, "hidden", !trouble.textContent);
    mark(node, "data-lost", lost);

    const state = look.stable ?? look.now;
    mark(image, "alt", state ? `${look.source}, newest picture, taken for ${state.unknown ? "unknown" : state.class}` : `${look.source}, newest picture`);
    if (!state) {
      say(name, source?.frames > 0 ? "No answer yet" : source?.kind === "serial" ? "No window yet" : "No picture yet");
      say(badge, "");
      say(when, "");
      each(scores, [], String, String);
    } else {
      const [word, tone] = sureness(state);
      say(name, state.unknown ? "Unknown" : state.class);
      mark(name, "data-tone", tone);
      say(badge, word);
      mark(badge, "data-tone", tone);
      say(when, ` ${state.unknown ? "" : `${percent(state.confidence)}, `}${since(state.since, now)}`);
      const ranked = Object.entries(state.scores).sort((a, b) => b[1] - a[1]).slice(0, MOST_SCORES);
      each(scores, ranked, ([label]) => label, scoreRow, (row, [, share]) => row.update(share));
    }
    const settling = look.stable && look.now && (look.now.class !== look.stable.class || look.now.unknown !== look.stable.unknown);
    const parts = [
      look.source,
      look.milliseconds === undefined ? null : `${time(look.milliseconds)} from picture to answer`,
      source?.last ? `picture ${since(source.last, now).replace(/^for (.*)$/, "$1 old")}` : null,
      settling ? `at this moment: ${look.now.unknown ? "unknown" : look.now.class}` : null,
    ];
    say(small, parts.filter(Boolean).join(" · "));
  };
  return node;
}

function scoreRow([label]) {
  const fill = h("span", { class: "fill" });
  const share = h("span", { class: "share" });
  const row = h("li", null, h("span", { class: "label" }, label), h("span", { class: "bar", "aria-hidden": "true" }, fill), share);
  row.update = (value) => {
    fill.style.setProperty("--share", value.toFixed(3));
    say(share, percent(value));
  };
  return row;
}

/** Dims what is outside a region and draws its edge. */
export function regionOverlay() {
  const shade = svg("path", { class: "outside", "fill-rule": "evenodd" });
  const edge = svg("rect", { class: "edge" });
  const node = svg("svg", { class: "overlay", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, shade, edge);
  const update = (crop) => {
    mark(node, "hidden", !crop);
    if (!crop) return;
    const [x, y, width, height] = crop;
    mark(shade, "d", `M0 0H1V1H0ZM${x} ${y}h${width}v${height}h${-width}Z`);
    for (const [name, value] of Object.entries({ x, y, width, height })) mark(edge, name, value);
  };
  return { node, update };
}
