// The page: the event stream in, the sections updated, what changes slowly fetched when it may have changed. Read this
// first; then the section you are looking for by its name.

import * as api from "./api.js";
import { advice } from "./advice.js";
import { each, h, mark, say } from "./dom.js";
import { gallery } from "./gallery.js";
import { history } from "./history.js";
import { honest } from "./honest.js";
import { live } from "./live.js";
import { names } from "./names.js";
import { sources } from "./sources.js";
import { start } from "./start.js";
import { Stream } from "./stream.js";
import { teach } from "./teach.js";
import { result, sentence } from "./words.js";

const at = (id) => document.getElementById(id);
const HISTORY = 50;
const WAITING = 24;
const SUSPECTS = 12;
/** What changes slowly is fetched at most so often, milliseconds. */
const PATIENCE = 1500;

let view = null;
let skew = 0;
let linked = "connecting";
let wanted = new URLSearchParams(location.hash.slice(1)).get("task");
let fetched = "";
let fetching = false;
let soon = null;
let quiet = null;

const page = {
  names: names(sessionStorage),
  announce(text) {
    say(at("said"), text);
    clearTimeout(quiet);
    quiet = setTimeout(() => say(at("said"), ""), 9000);
  },
  /** The reply, or null after saying why there is none. */
  async send(body) {
    try {
      return await api.command(body);
    } catch (error) {
      if (error.status === 401) lock();
      page.announce(error.message);
      return null;
    }
  },
  async adapt(body) {
    const reply = await page.send(body);
    if (reply) page.announce(result(reply).title);
    page.changed();
  },
  choose(task) {
    wanted = task;
    globalThis.history.replaceState(null, "", `#${new URLSearchParams({ task })}`);
    draw();
  },
  /** Something was done: fetch anew what changes slowly. */
  changed() {
    fetched = "";
    refresh();
  },
  review: () => sections.advice.review(),
  gallery: null,
};
page.gallery = gallery(page);

const sections = {
  live: live(at("live"), page),
  teach: teach(at("teach"), page),
  honest: honest(at("honest"), page),
  advice: advice(at("advice"), page),
  history: history(at("history"), page),
  sources: sources(at("sources"), page),
  start: start(at("start"), page),
};

const stream = new Stream(
  {
    open: (url) => new EventSource(url),
    probe: () => api.get("api/v1/status", { signal: AbortSignal.timeout(5000) }),
    later: (milliseconds, then) => setTimeout(then, milliseconds),
    cancel: (timer) => clearTimeout(timer),
  },
  {
    view(next) {
      // A new version has a new page; nobody is interrupted while holding.
      if (view && view.version !== next.version && !sections.teach.holding()) location.reload();
      if (view && view.started !== next.started) fetched = "";
      view = next;
      skew = Date.parse(next.time) - Date.now();
      draw();
    },
    notice(notice) {
      if (["drifted", "problem", "source_lost", "label_wanted"].includes(notice.event)) page.announce(notice.message);
    },
    link(state) {
      if (state === linked) return;
      linked = state;
      if (state !== "live") sections.teach.lost("the connection was lost");
      if (state === "locked") lock();
      draw();
    },
  },
);

const WORDS = { connecting: "connecting…", live: "live", lost: "reconnecting…", locked: "locked" };

function draw() {
  say(at("link"), WORDS[linked]);
  mark(at("link"), "data-link", linked);
  mark(document.body, "data-link", linked);
  if (linked === "locked" || !view) return;
  mark(at("login"), "hidden", true);
  const task = view.tasks.find(({ name }) => name === wanted) ?? view.tasks[0] ?? null;
  const state = { view, task, now: new Date(Date.now() + skew).toISOString() };
  say(at("device"), view.device);
  document.title = task ? `${task.name} · ${view.device}` : `${view.device} · acclimate`;
  const troubles = at("degraded");
  mark(troubles, "hidden", view.degraded.length === 0);
  each(troubles, view.degraded, String, (line) => h("p", null, sentence(line)));
  const tabs = at("tasks");
  mark(tabs, "hidden", view.tasks.length < 2);
  each(tabs, view.tasks, ({ name }) => name, ({ name }) => h("button", { type: "button", onclick: () => page.choose(name) }, name),
    (tab, { name }) => mark(tab, "aria-current", name === task?.name ? "true" : null));
  sections.start.update(state);
  mark(at("task"), "hidden", !task);
  if (!task) return;
  for (const section of ["live", "teach", "advice", "history", "sources"]) sections[section].update(state);
  refresh();
}

/** Fetches what changes slowly, where something happened that may have changed it; never two at once. */
async function refresh() {
  const task = view?.tasks.find(({ name }) => name === wanted) ?? view?.tasks[0];
  if (!task || linked === "locked" || document.hidden) return;
  const key = JSON.stringify([task.name, task.generation, task.verdict, task.new_labels, task.unlabelled, task.undo, task.adapting, task.drifted]);
  if (key === fetched || fetching || soon) return;
  fetching = true;
  fetched = key;
  const of = (...rest) => api.address("tasks", task.name, ...rest);
  const attempts = await Promise.allSettled([
    task.generation === undefined ? Promise.resolve(null) : api.get(of("evaluation")),
    api.get(of("heads")),
    api.get(`${of("adaptations")}?limit=${HISTORY}`),
    api.samplesOf(task.name, { filter: task.drifted ? "unlabelled" : "useful", limit: WAITING }),
    api.samplesOf(task.name, { filter: "suspect", limit: SUSPECTS }),
  ]);
  fetching = false;
  if (attempts.some(({ reason }) => reason?.status === 401)) lock();
  const [evaluation, heads, adaptations, useful, suspects] = attempts.map(({ value }) => value ?? null);
  sections.honest.show(task, evaluation, heads);
  sections.history.show(task, adaptations ?? [], heads ?? [], new Date(Date.now() + skew).toISOString());
  sections.advice.show(useful ?? [], suspects ?? []);
  if (attempts.some(({ reason }) => reason?.status === 0)) fetched = "";
  soon = setTimeout(() => {
    soon = null;
    refresh();
  }, PATIENCE);
}

/** A form for the token, where one is needed. */
function lock(message = "") {
  linked = "locked";
  stream.stop();
  for (const id of ["task", "start", "tasks", "degraded"]) mark(at(id), "hidden", true);
  say(at("link"), WORDS.locked);
  mark(at("link"), "data-link", linked);
  const section = at("login");
  if (!section.hidden && message === "") return;
  const input = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  section.replaceChildren(
    h("h2", { id: "login-title" }, "This device asks for its token"),
    h("p", null, h("code", null, "acclimate page --lan"), " on the device prints it, and a QR code that opens this page at once."),
    h("form", { class: "inline", onsubmit: (event) => {
      event.preventDefault();
      unlock(input.value.trim());
    } }, h("label", { for: "token" }, "Token"), input, h("button", { type: "submit" }, "Open")),
    h("p", { class: "wrong", role: "alert" }, message));
  section.hidden = false;
  input.focus();
}

async function unlock(token) {
  try {
    await api.login(token);
  } catch (error) {
    lock(error.status === 401 || error.status === 403 ? "That is not this device's token." : error.message);
    return;
  }
  linked = "connecting";
  mark(at("login"), "hidden", true);
  stream.start();
}

addEventListener("hashchange", () => {
  const task = new URLSearchParams(location.hash.slice(1)).get("task");
  if (task) wanted = task;
  draw();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) draw();
});
setInterval(() => {
  sections.teach.tick();
  if (!document.hidden && linked !== "locked") draw();
}, 1000);

// A token in the address is traded for a cookie, and is gone from the address bar and the browser's history before anything
// else happens.
const token = new URLSearchParams(location.hash.slice(1)).get("t");
if (token) {
  globalThis.history.replaceState(null, "", location.pathname + location.search);
  unlock(token);
} else {
  stream.start();
}
