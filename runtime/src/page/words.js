// What the page says, from what the daemon answers. Pure: no element, no clock, no network. Honest: nothing here is put
// more strongly than the record puts it.

/** `0.913` as `91 %`; a share that is not all is never shown as 100 %, nor one that is not nothing as 0 %. */
export const percent = (share) => `${number(share)}\u00a0%`;

function number(share) {
  const whole = Math.round(share * 100);
  if (whole === 100 && share < 1) return share >= 0.995 ? "> 99" : "99";
  return whole === 0 && share > 0 ? "< 1" : `${whole}`;
}

/** A change of a share: `91 → 96 %`. */
export const change = (before, after) => `${number(before)} → ${percent(after)}`;

/** `1 frame`, `14 frames`. */
export const count = (of, one, many = `${one}s`) => `${of.toLocaleString("en")} ${of === 1 ? one : many}`;

/** `38 ms`, `1.2 s`. */
export const time = (milliseconds) =>
  milliseconds < 1 ? "< 1 ms" : milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;

/** How long ago: `just now`, `for 12 s`, `for 4 min`. `now` and `then` are RFC 3339. */
export function since(then, now) {
  const seconds = Math.floor((Date.parse(now) - Date.parse(then)) / 1000);
  if (!Number.isFinite(seconds)) return "";
  return seconds < 2 ? "just now" : `for ${span(seconds)}`;
}

/** `3 min ago`. */
export function ago(then, now) {
  const seconds = Math.floor((Date.parse(now) - Date.parse(then)) / 1000);
  if (!Number.isFinite(seconds)) return "";
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return count(Math.floor(seconds / 86_400), "day");
}

/** The beginning of a digest, enough to compare by eye. */
export const digest = (whole) => String(whole ?? "").slice(0, 8);

/** How sure an answer is: `[word, tone]`. */
export function sureness(state) {
  if (state.unknown) return ["Unlike everything it was taught", "unknown"];
  if (state.confidence >= 0.95) return ["Sure", "good"];
  if (state.confidence >= 0.8) return ["Fairly sure", "good"];
  if (state.confidence >= 0.6) return ["Not quite sure", "fair"];
  return ["Guessing", "poor"];
}

/** The proof in a verdict, or that there is none. */
export function proof(record) {
  const { comparison, evaluation } = record;
  if (record.unproved || (!comparison && !evaluation)) return "not yet proved";
  if (comparison) {
    const kept = `on ${count(comparison.groups, "group")} it was not fitted on`;
    const better = comparison.candidate_accuracy > comparison.in_service_accuracy;
    return `${better ? "proved" : "proved no worse"}: ${change(comparison.in_service_accuracy, comparison.candidate_accuracy)} ${kept}`;
  }
  const kept = record.ungrouped
    ? count(evaluation.samples, "sample")
    : count(evaluation.groups, "group");
  return `proved: ${percent(evaluation.accuracy)} right on ${kept} it was not fitted on`;
}

/** One sentence about a verdict. */
export function verdict(record) {
  switch (record.verdict) {
    case "activated":
      return `Put in service; ${proof(record)}`;
    case "rejected":
      return `Not put in service: ${record.because[0] ?? "it was not good enough"}`;
    case "not_enough_samples":
      return "Kept, but there is not enough yet to learn from";
    default:
      return record.verdict;
  }
}

/** What came of a command: `{title, tone, why, next}`. */
export function result(reply) {
  const { adaptation } = reply;
  if ("frames" in reply && adaptation) {
    const from = count(reply.frames, "frame");
    const learnt = { why: adaptation.because, next: adaptation.next, contradicted: contradicted(adaptation) };
    switch (adaptation.verdict) {
      case "activated":
        return { title: `Learnt from ${from} in ${time(reply.milliseconds)}; ${proof(adaptation)}.`, tone: "good", ...learnt };
      case "rejected":
        return { title: `${from} kept, but the new head was not put in service.`, tone: "bad", ...learnt };
      default:
        return { title: `${from} kept. There is not enough yet to learn from.`, tone: "fair", ...learnt };
    }
  }
  if (adaptation) {
    const tone = { activated: "good", rejected: "bad" }[adaptation.verdict] ?? "fair";
    return { title: `${verdict(adaptation)}.`, tone, why: adaptation.because, next: adaptation.next, contradicted: contradicted(adaptation) };
  }
  if ("digest_after" in reply) {
    const back = reply.generation === null || reply.generation === undefined ? "no head is in service" : `generation ${reply.generation} is in service again`;
    return { title: `Taken back: ${count(reply.samples, "sample")}; ${back}.`, tone: "good", why: [], next: [] };
  }
  return { title: sentence(reply.done ?? "Done"), tone: "good", why: [], next: [] };
}

const contradicted = (adaptation) => adaptation.verdict === "rejected" && adaptation.reasons.includes("labels_contradict");

/** A capital and a full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const begun = trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** What an accuracy rests on: `between 88 and 100 %`. */
export const between = ([low, high]) => `between ${number(low)} and ${percent(high)}`;

/** New labels after which a drift is learnt from: as many as the daemon waits for. */
const AFTER_DRIFT = 5;

/** What to do once what is seen is no longer what was learnt. */
export function drift({ new_labels: labels }) {
  const seen = "What it sees is no longer what it learnt from, as after a change of light";
  if (labels === 0) return `${seen}: label five of the newest pictures below.`;
  const left = AFTER_DRIFT - labels;
  return left > 0 ? `${seen}: label ${left} more of the newest pictures below.` : `${seen}. Enough is labelled: let it learn from it.`;
}

/** What a device on a line gives, and what was lost of it: in parts. */
export function lineWords(line) {
  const lost = line.lost + line.unreadable > 0 ? `${count(Math.max(line.lost, line.unreadable), "loss", "losses")}` : null;
  return [line.device ?? null, line.gives ?? null, lost].filter(Boolean);
}

/** Why a source says nothing. */
export function health(source) {
  if (source.on_request && source.frames === 0 && source.health !== "lost") return "gives a picture when it is asked";
  switch (source.health) {
    case "running":
      return source.frames === 0 ? `waiting for its first ${source.kind === "serial" ? "window" : "picture"}` : "running";
    case "starting":
      return "starting…";
    case "ended":
      return "has given all it had";
    case "lost":
      return `lost: ${source.reason ?? "no reason given"}`;
    default:
      return source.health;
  }
}

/** What a look came to, in a sentence. */
export function seen({ source, said }) {
  const answers = said.filter(({ state }) => state).map(({ task, state }) => `${task}: ${state.unknown ? "unknown" : `${state.class}, ${percent(state.confidence)}`}`);
  return answers.length === 0 ? `${source} gave a picture` : `${source} gave a picture. ${answers.join("; ")}`;
}

/** A task's name from what a person typed, as the daemon wants it; empty where nothing is left. */
export const taskName = (text) =>
  text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);

/** A name that is free, from one that may not be. */
export function free(source, names) {
  const base = taskName(source) || "task";
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!names.includes(name)) return name;
  }
}
