// What the page says about what the daemon answered: held against the records that the command line prints.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as words from "../../runtime/src/page/words.js";

const golden = (name) => JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url)));
const plain = (text) => text.replaceAll("\u00a0", " ");
const learnt = (adaptation) => ({ frames: 14, milliseconds: 38.2, adaptation, digest_before: "a", digest_after: "b" });

test("a proved head is said to be proved, with the groups it was not fitted on", () => {
  const adaptation = golden("adapt-activated");
  Object.assign(adaptation.comparison, { in_service_accuracy: 0.91, candidate_accuracy: 0.96, groups: 40 });
  const { title, tone } = words.result(learnt(adaptation));
  assert.equal(plain(title), "Learnt from 14 frames in 38 ms; proved: 91 → 96 % on 40 groups it was not fitted on.");
  assert.equal(tone, "good");
});

test("a head that is as good as the one before is not called better", () => {
  const { title } = words.result(learnt(golden("adapt-activated")));
  assert.equal(plain(title), "Learnt from 14 frames in 38 ms; proved no worse: 100 → 100 % on 30 groups it was not fitted on.");
});

test("what is not proved is never called proved", () => {
  const adaptation = { ...golden("adapt-activated"), unproved: true };
  assert.equal(words.proof(adaptation), "not yet proved");
  assert.equal(words.proof({ comparison: null, evaluation: null }), "not yet proved");
  const first = { ...golden("adapt-activated"), comparison: null };
  assert.equal(plain(words.proof(first)), "proved: 100 % right on 30 groups it was not fitted on");
  assert.match(words.proof({ ...first, ungrouped: true }), /on 30 samples/);
});

test("a rejected head says why, what to do next, and that the labels contradict", () => {
  const { title, why, next, contradicted, tone } = words.result(learnt(golden("adapt-rejected")));
  assert.match(title, /^14 frames kept, but .* not put in service/);
  assert.match(why[0], /contradict the older ones/);
  assert.match(next[0], /review them/);
  assert.deepEqual([contradicted, tone], [true, "bad"]);
});

test("too little to learn from is no failure", () => {
  const { title, next, tone } = words.result(learnt(golden("adapt-not-enough-samples")));
  assert.match(title, /14 frames kept\. There is not enough yet/);
  assert.deepEqual([next, tone], [["label samples of one more class"], "fair"]);
});

test("every other reply has its words", () => {
  assert.match(words.result({ adaptation: golden("adapt-rejected") }).title, /^Not put in service: the new labels contradict/);
  assert.equal(words.result({ samples: 14, generation: 2, digest_before: "a", digest_after: "b" }).title, "Taken back: 14 samples; generation 2 is in service again.");
  assert.match(words.result({ samples: 1, generation: null, digest_before: "a", digest_after: "b" }).title, /1 sample; no head is in service/);
  assert.equal(words.result({ done: "labelled 3 samples" }).title, "Labelled 3 samples.");
});

test("a share is rounded but never to all or nothing", () => {
  const shares = [[0, "0 %"], [0.001, "< 1 %"], [0.914, "91 %"], [0.9941, "99 %"], [0.999, "> 99 %"], [1, "100 %"]];
  for (const [share, text] of shares) assert.equal(plain(words.percent(share)), text);
  assert.equal(plain(words.change(0.91, 0.999)), "91 → > 99 %");
  assert.equal(plain(words.between([0.86, 1])), "between 86 and 100 %");
});

test("unknown is unknown, however probable its likeliest class", () => {
  const tone = (confidence, unknown) => words.sureness({ confidence, unknown })[1];
  assert.deepEqual([tone(0.99, true), tone(0.99, false), tone(0.7, false), tone(0.4, false)], ["unknown", "good", "fair", "poor"]);
});

test("times are told as people tell them", () => {
  const now = "2026-11-29T12:00:00Z";
  assert.equal(words.since("2026-11-29T11:59:59.5Z", now), "just now");
  assert.equal(words.since("2026-11-29T11:56:00Z", now), "for 4 min");
  assert.equal(words.ago("2026-11-27T11:00:00Z", now), "2 days ago");
  assert.equal(words.ago("no time", now), "");
  assert.deepEqual([0.2, 38.2, 1234].map(words.time), ["< 1 ms", "38 ms", "1.2 s"]);
});

test("a lost source says its reason", () => {
  assert.equal(words.health({ health: "lost", reason: "no answer" }), "lost: no answer");
  assert.equal(words.health({ health: "running", frames: 0 }), "waiting for its first picture");
  assert.equal(words.health({ health: "starting", frames: 0, on_request: true }), "gives a picture when it is asked");
});

test("a drift says how many labels it takes", () => {
  assert.match(words.drift({ new_labels: 0 }), /no longer what it learnt from.*label five of the newest pictures/);
  assert.match(words.drift({ new_labels: 3 }), /label 2 more of the newest/);
  assert.match(words.drift({ new_labels: 7 }), /let it learn/);
});

test("what a look came to is said for every task", () => {
  const state = { class: "open", confidence: 0.93, unknown: false };
  const said = [{ task: "gate", state }, { task: "belt", state: { ...state, unknown: true } }, { task: "new" }];
  assert.equal(plain(words.seen({ source: "yard", said })), "yard gave a picture. gate: open, 93 %; belt: unknown");
  assert.equal(words.seen({ source: "yard", said: [] }), "yard gave a picture");
});

test("a task's name is made from what a person typed", () => {
  assert.equal(words.taskName("  Hof-Tür (Süd) "), "hof-tur-sud");
  assert.equal(words.taskName("門"), "");
  assert.equal(words.taskName("x".repeat(90)).length, 64);
});

test("a device on a line says what it gives, and what was lost of it", () => {
  const line = { gives: "3 channels at 62.5 Hz", lost: 0, unreadable: 0 };
  assert.deepEqual(words.lineWords(line), ["3 channels at 62.5 Hz"]);
  assert.deepEqual(words.lineWords({ ...line, device: "fan 1.0", lost: 2, unreadable: 1 }), ["fan 1.0", "3 channels at 62.5 Hz", "2 losses"]);
  assert.equal(words.health({ kind: "serial", health: "running", frames: 0 }), "waiting for its first window");
});
