// Teaching: a button for each class, held while the class is shown; what was learnt, whether it is proved, and undo.

import { command } from "./api.js";
import { each, h, mark, say } from "./dom.js";
import { IDLE, step } from "./hold.js";
import { count, digest, result } from "./words.js";

/** Classes that are shown in the hold buttons at once differ in colour up to here. */
const COLOURS = 6;

/** Fills the section. `page` has `send(body, options)`, `announce(text)`, `names` and `review()`. */
export function teach(root, page) {
  let task = null;
  let held = IDLE;
  let frames = 0;
  // What was begun and not yet ended at the daemon; a release is sent after its press was answered.
  let begun = null;
  // An end that the daemon did not hear.
  let owed = null;
  let learning = null;
  let lastLearnt = null;

  const buttons = h("div", { class: "holds" });
  const source = h("select", { id: "teach-source" });
  const sourceField = h("p", { class: "field", hidden: true }, h("label", { for: "teach-source" }, "Taught from"), source);
  const tap = h("input", { type: "checkbox", id: "teach-tap" });
  const input = h("input", { id: "teach-name", type: "text", maxlength: "64", autocomplete: "off", placeholder: "e.g. open", enterkeyhint: "done" });
  const lead = h("p", { class: "lead" });
  const outcome = h("div", { class: "outcome", role: "status", "aria-live": "polite" });
  const undo = h("button", { type: "button", class: "quiet", hidden: true, onclick: takeBack });

  root.append(
    h("div", { class: "head" }, h("h2", { id: "teach-title" }, "Teach"), undo),
    lead,
    sourceField,
    buttons,
    outcome,
    h("form", { class: "inline", onsubmit: addClass },
      h("label", { for: "teach-name" }, "New class"),
      input,
      h("button", { type: "submit" }, "Add")),
    h("p", { class: "choice" }, tap, h("label", { for: "teach-tap" }, "Tap to start, tap again to stop (instead of holding)")),
  );

  addEventListener("blur", () => feed({ kind: "lost", why: "the window lost the focus" }));
  addEventListener("pagehide", () => feed({ kind: "lost", why: "the page was left" }));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) feed({ kind: "lost", why: "the tab was hidden" });
  });

  function addClass(event) {
    event.preventDefault();
    const name = input.value.trim();
    if (name === "") return;
    page.names.add(task.name, name);
    input.value = "";
    draw();
    const button = [...buttons.children].find((node) => node.dataset.class === name);
    button?.focus();
    page.announce(`${name} can be taught: hold its button`);
  }

  function feed(event) {
    const [next, effects] = step(held, event, performance.now());
    held = next;
    for (const effect of effects) (effect.do === "begin" ? begin : end)(effect);
    if (effects.length > 0) draw();
  }

  function begin({ class: name }) {
    frames = 0;
    const body = { do: "teach", task: task.name, class: name };
    if (source.value) body.source = source.value;
    const hold = { body, heard: command({ ...body, hold: "begin" }) };
    begun = hold;
    outcome.replaceChildren();
    hold.heard.catch((error) => {
      if (begun !== hold) return;
      begun = null;
      feed({ kind: "lost", why: error.message });
      tell({ title: error.message, tone: "bad" });
    });
  }

  async function end({ class: name, why }) {
    const hold = begun;
    begun = null;
    if (!hold) return;
    if (why !== "released") page.announce(`Stopped: ${why}`);
    try {
      await hold.heard;
    } catch {
      return;
    }
    await finish({ ...hold.body, hold: "end" }, name);
  }

  async function finish(body, name) {
    learning = name;
    draw();
    try {
      const reply = await command(body, { keepalive: true });
      owed = null;
      if (reply.digest_before) lastLearnt = reply;
      tell(result(reply), reply);
    } catch (error) {
      if (error.status === 0) owed = { body, name };
      tell({ title: error.status === 0 ? "The connection was lost: the hold ends as soon as the device is back." : error.message, tone: "bad" });
    }
    learning = null;
    draw();
    page.changed();
  }

  async function takeBack() {
    undo.disabled = true;
    try {
      const reply = await command({ do: "undo", task: task.name });
      const said = result(reply);
      if (lastLearnt && reply.digest_after === lastLearnt.digest_before) said.same = true;
      lastLearnt = null;
      tell(said, reply);
    } catch (error) {
      tell({ title: error.message, tone: "bad" });
    }
    undo.disabled = false;
    page.changed();
  }

  function tell({ title, tone, why = [], next = [], same = false, contradicted = false }, reply = {}) {
    const digests = reply.digest_before
      ? h("p", { class: "digests" }, "Statistics ",
        h("code", { title: reply.digest_before }, digest(reply.digest_before)), " → ",
        h("code", { title: reply.digest_after }, digest(reply.digest_after)),
        same ? ": bit for bit what they were before" : null)
      : null;
    const trust = contradicted
      ? h("p", { class: "row" },
        h("button", { type: "button", onclick: () => page.review() }, "Review the labels"),
        h("button", { type: "button", class: "quiet", onclick: trustLabels }, "They are right: adapt anyway"))
      : null;
    outcome.replaceChildren(h("div", { class: "result", "data-tone": tone },
      h("p", { class: "title" }, title),
      reasons(why, tone),
      next.length > 0 ? h("div", null, h("p", { class: "small" }, "Next"), h("ul", { class: "why" }, next.map((line) => h("li", null, line)))) : null,
      trust, digests));
  }

  /** Why it went well is for who asks; why it did not is for everybody. */
  function reasons(lines, tone) {
    if (lines.length === 0) return null;
    const list = h("ul", { class: "why" }, lines.map((line) => h("li", null, line)));
    return tone === "good" ? h("details", null, h("summary", null, "Why"), list) : list;
  }

  async function trustLabels() {
    try {
      tell(result(await command({ do: "adapt", task: task.name, trust_labels: true })));
    } catch (error) {
      tell({ title: error.message, tone: "bad" });
    }
    page.changed();
  }

  function holdButton({ name }) {
    const title = h("span", { class: "name" }, name);
    const small = h("span", { class: "small" });
    const button = h("button", { type: "button", class: "hold", "data-class": name }, title, small);
    const toggles = () => tap.checked || (held !== IDLE && held.by === "toggle");
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || toggles()) return;
      // The release is ours wherever it happens.
      button.setPointerCapture(event.pointerId);
      feed({ kind: "press", class: name, by: `pointer ${event.pointerId}` });
    });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(kind, (event) => feed({ kind: "release", by: `pointer ${event.pointerId}` }));
    }
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (event.repeat) return;
      if (toggles()) feed({ kind: "toggle", class: name, by: "toggle" });
      else feed({ kind: "press", class: name, by: `key ${event.key}` });
    });
    button.addEventListener("keyup", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      feed({ kind: "release", by: `key ${event.key}` });
    });
    button.addEventListener("blur", () => {
      if (held !== IDLE && held.class === name && held.by !== "toggle") feed({ kind: "lost", why: "the button lost the focus" });
    });
    button.addEventListener("click", (event) => {
      // A click without a press is a screen reader's, or a voice's: it begins, and the next one ends.
      const pressed = event.detail > 0 && !tap.checked && (held === IDLE || held.by !== "toggle");
      if (!pressed) feed({ kind: "toggle", class: name, by: "toggle" });
    });
    button.update = (item, at) => {
      const mine = held !== IDLE && held.class === name;
      // One that is still to be ended is ours.
      const others = held === IDLE && learning === null && owed?.name !== name && task.teaching?.class === name;
      mark(button, "data-colour", at % COLOURS);
      mark(button, "data-held", mine || others);
      mark(button, "data-learning", learning === name);
      mark(button, "aria-pressed", mine ? "true" : "false");
      const resting = item.samples === 0 ? "hold while you show it" : count(item.samples, "sample");
      say(small, mine ? count(frames, "frame") : learning === name ? "learning…" : others ? `being taught: ${count(task.teaching.frames, "frame")}` : resting);
    };
    return button;
  }

  function draw() {
    if (!task) return;
    const known = task.classes.map(({ name, samples }) => ({ name, samples }));
    const more = page.names.of(task.name).filter((name) => known.every((other) => other.name !== name));
    const items = [...known, ...more.map((name) => ({ name, samples: 0 }))].map((item, at) => ({ ...item, at }));
    each(buttons, items, (item) => item.name, holdButton, (button, item) => button.update(item, item.at));
    const verb = tap.checked ? "Tap" : "Hold";
    const untaught = items.find((item) => item.samples === 0);
    say(lead, items.length === 0
      ? "Name what it should tell apart: two classes to begin with."
      : untaught && items.length >= 2
        ? `${verb} “${untaught.name}” while the camera sees it: a few seconds, moving it a little.`
        : items.length < 2
          ? "Add a second class: there must be something to tell it from."
          : `${verb} a class while the camera sees it. On release it has learnt it.`);
  }
  tap.addEventListener("change", () => {
    feed({ kind: "lost", why: "the way of teaching changed" });
    draw();
  });

  return {
    update(state) {
      if (task && task.name !== state.task.name) {
        feed({ kind: "lost", why: "another task was chosen" });
        outcome.replaceChildren();
        lastLearnt = null;
      }
      task = state.task;
      if (held !== IDLE && task.teaching?.class === held.class) frames = task.teaching.frames;
      if (owed && learning === null && owed.body.task === task.name) {
        const { body, name } = owed;
        owed = null;
        if (task.teaching?.class === name) finish(body, name);
        else tell({ title: `The connection was lost while “${name}” was held; the device has ended the hold by itself.`, tone: "fair" });
      }
      const places = [...new Set(task.looks.map((look) => look.source))];
      each(source, places, String, (name) => h("option", { value: name }, name));
      mark(sourceField, "hidden", places.length < 2);
      mark(undo, "hidden", !task.undo);
      say(undo, task.undo ? `Undo: ${task.undo}` : "");
      draw();
    },
    tick() {
      feed({ kind: "tick" });
    },
    lost(why) {
      feed({ kind: "lost", why });
    },
    holding: () => held !== IDLE,
  };
}
