// The first minute: choose a source, name two classes, hold, hold; then it is live. Gone once a head is in service.

import { adder } from "./adder.js";
import { frameOf } from "./api.js";
import { each, h, mark, picture, say } from "./dom.js";
import { free, health } from "./words.js";

export const STEPS = ["Choose what it sees", "Name two classes", "Hold each button while showing it"];

/** How far a person has come: 0 choose and name, 2 hold; 3 is done. */
export function stage(view, task) {
  if (view.tasks.length === 0) return 0;
  return task && task.generation === undefined ? 2 : STEPS.length;
}

/** Fills the section. `page` has `send(body)`, `announce(text)`, `names`, `choose(task)`. */
export function start(root, page) {
  let view = null;
  const steps = h("ol", { class: "steps" }, STEPS.map((text, at) => h("li", { "data-step": at }, text)));
  const cards = h("div", { class: "picks" });
  const more = adder(page, () => view.sources.map(({ name }) => name));
  const none = h("div", { class: "stack", hidden: true },
    h("p", null, "There is no source yet. Choose a camera of this device, or one of the network:"),
    more);
  const first = h("input", { type: "text", id: "start-a", required: true, maxlength: "64", autocomplete: "off", placeholder: "e.g. door open" });
  const second = h("input", { type: "text", id: "start-b", required: true, maxlength: "64", autocomplete: "off", placeholder: "e.g. door closed" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const submit = h("button", { type: "submit" }, "Begin teaching");
  const form = h("form", { class: "stack", onsubmit: begin },
    h("fieldset", null, h("legend", null, "What should it look at?"), cards),
    h("fieldset", null, h("legend", null, "What should it tell apart?"),
      h("div", { class: "pair" },
        h("p", { class: "field" }, h("label", { for: "start-a" }, "First class"), first),
        h("p", { class: "field" }, h("label", { for: "start-b" }, "Second class"), second))),
    wrong,
    submit);
  const title = h("h2", { id: "start-title" });
  root.append(title, steps, form, none);

  async function begin(event) {
    event.preventDefault();
    const names = [first.value.trim(), second.value.trim()];
    if (names[0] === names[1]) {
      wrong.textContent = "The two classes need different names.";
      second.focus();
      return;
    }
    const source = form.querySelector("input[name=source]:checked")?.value;
    if (source === undefined) {
      wrong.textContent = "Choose what it should look at.";
      return;
    }
    wrong.textContent = "";
    submit.disabled = true;
    const task = free(source, view.tasks.map(({ name }) => name));
    if (await page.send({ do: "create_task", task, from: [{ source }] })) {
      for (const name of names) page.names.add(task, name);
      page.choose(task);
    }
    submit.disabled = false;
  }

  function pick({ name }, at) {
    const image = h("img", { class: "frame", alt: "", hidden: true });
    const small = h("span", { class: "small" });
    const radio = h("input", { type: "radio", name: "source", value: name, id: `pick-${name}`, checked: at === 0 });
    const node = h("label", { class: "pick" }, radio, h("span", { class: "screen" }, image), h("b", null, name), small);
    node.update = (source) => {
      if (!document.hidden && source.frames > 0) picture(image, frameOf(name, source.frames));
      say(small, health(source));
      mark(node, "data-health", source.health);
    };
    return node;
  }

  return {
    update(state) {
      view = state.view;
      const at = stage(view, state.task);
      mark(root, "hidden", at >= STEPS.length);
      root.classList.toggle("slim", at > 0);
      say(title, at === 0 ? "Teach it something" : "Almost there");
      for (const node of steps.children) {
        const number = Number(node.dataset.step);
        mark(node, "data-done", number < at);
        mark(node, "aria-current", number === at ? "step" : null);
      }
      mark(form, "hidden", at > 0 || view.sources.length === 0);
      mark(none, "hidden", at > 0 || view.sources.length > 0);
      more.update();
      each(cards, view.sources, (source) => source.name, (source) => pick(source, view.sources.indexOf(source)), (node, source) => node.update(source));
    },
  };
}
