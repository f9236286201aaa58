// History: every verdict in words, every head; one click puts another head in service.

import { h, say } from "./dom.js";
import { ago, between, count, percent, sentence, verdict } from "./words.js";

const FIRST = 6;

/** Fills the section. `page` has `send(body)`, `announce(text)`, `changed()`. */
export function history(root, page) {
  let all = false;
  let last = null;
  let shown = "";
  const rollback = h("button", { type: "button", class: "quiet", hidden: true }, "Roll back");
  const list = h("ol", { class: "events" });
  const more = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => {
    all = true;
    draw();
  } });
  root.append(h("div", { class: "head" }, h("h2", { id: "history-title" }, "History"), rollback), list, more);
  rollback.addEventListener("click", async () => {
    rollback.disabled = true;
    const reply = await page.send({ do: "rollback", task: last.task.name });
    rollback.disabled = false;
    if (reply) {
      page.announce(sentence(reply.done ?? "The head before is in service again"));
      page.changed();
    }
  });

  function draw() {
    const { task, adaptations, heads, now } = last;
    const byGeneration = new Map(heads.map((head) => [head.generation, head]));
    const told = new Set(adaptations.map((record) => record.generation));
    const events = [
      ...adaptations.map((record) => ({ time: record.time, record, head: byGeneration.get(record.generation) })),
      ...heads.filter((head) => !told.has(head.generation)).map((head) => ({ time: head.created, head })),
    ].sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
    list.replaceChildren(...(all ? events : events.slice(0, FIRST)).map((event) => row(task, event, now)));
    if (events.length === 0) list.append(h("li", { class: "lead" }, "Nothing yet. Every verdict will be written down here, also those against a new head."));
    more.hidden = all || events.length <= FIRST;
    more.textContent = `Show all ${events.length}`;
    rollback.hidden = !heads.some((head) => task.generation !== undefined && head.generation !== task.generation);
  }

  function row(task, { time, record, head }, now) {
    const serving = head !== undefined && head.generation === task.generation;
    const tone = record ? { activated: "good", rejected: "bad" }[record.verdict] ?? "fair" : "good";
    const title = record ? verdict(record) : head.from ? `Head of ${head.from.device}, signed by ${head.from.signer}` : `Head ${head.origin}`;
    const details = [
      record ? count(record.samples, "sample") + (record.groups ? ` in ${count(record.groups, "group")}` : "") : null,
      head?.accuracy !== undefined && head?.accuracy !== null ? `${percent(head.accuracy)} right, ${between(head.accuracy_interval ?? [head.accuracy, head.accuracy])}` : null,
      head ? head.head : null,
    ].filter(Boolean).join(" · ");
    const why = [...(record?.because ?? []).slice(record?.verdict === "rejected" ? 1 : 0), ...(record?.next ?? []).map((line) => `next: ${line}`)];
    const activate = head && !serving
      ? h("button", { type: "button", class: "quiet", onclick: async (event) => {
        event.target.disabled = true;
        const reply = await page.send({ do: "activate", task: task.name, generation: head.generation });
        event.target.disabled = false;
        if (reply) {
          page.announce(sentence(reply.done ?? `Generation ${head.generation} is in service`));
          page.changed();
        }
      } }, "Put in service")
      : null;
    return h("li", { "data-tone": tone },
      h("div", { class: "row between" },
        h("p", { class: "title" },
          head ? h("span", { class: "badge" }, `Generation ${head.generation}`) : null,
          serving ? h("span", { class: "badge", "data-tone": "good" }, "in service") : null,
          head?.unproved ? h("span", { class: "badge", "data-tone": "fair" }, "not yet proved") : null,
          h("time", { datetime: time, title: time, class: "small" }, ago(time, now))),
        activate),
      h("p", null, sentence(title)),
      details ? h("p", { class: "small" }, details) : null,
      why.length > 0 ? h("details", null, h("summary", null, "Why"), h("ul", { class: "why" }, why.map((line) => h("li", null, line)))) : null);
  }

  return {
    update({ now }) {
      for (const node of list.querySelectorAll("time")) say(node, ago(node.dateTime, now));
    },
    show(task, adaptations, heads, now) {
      if (last && last.task.name !== task.name) all = false;
      const seen = JSON.stringify([task.name, task.generation, adaptations, heads]);
      if (seen === shown) return;
      shown = seen;
      last = { task, adaptations, heads, now };
      draw();
    },
  };
}
