// The daemon's API, as DAEMON speaks it: commands by POST, everything else by GET. Every address is relative, so that the
// page works below any prefix. Knows nothing of elements.

/** What the daemon said no to. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** An address below the page's own, each part escaped. */
export const address = (...parts) => `api/v1/${parts.map(encodeURIComponent).join("/")}`;

/** Where the newest frame of a source is; `stamp` tells one frame from the next. */
export const frameOf = (source, stamp) => `${address("sources", source, "frame")}?n=${encodeURIComponent(stamp)}`;

/** Where what a camera of the device or of the network sees is. */
export const cameraOf = (device) => `api/v1/cameras/picture?${new URLSearchParams({ device })}`;

/** Where a sample's picture is. */
export const pictureOf = (task, sample) => address("tasks", task, "samples", sample, "picture");

/** Samples of a task: `filter`, `limit`, `label`, `guess`. */
export const samplesOf = (task, query) => get(`${address("tasks", task, "samples")}?${new URLSearchParams(query)}`);

/** The answer of a GET. */
export const get = (path, options) => ask(path, { cache: "no-store", ...options });

/** Asks the daemon to do something; see `Command`. */
export const command = (body, options) =>
  ask("api/v1/command", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...options,
  });

/** Trades a token for a cookie that scripts cannot read. */
export const login = (token) =>
  ask("api/v1/session", {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });

/** Hands a picture to a source of kind `http`. */
export const hand = (source, file) =>
  ask(address("sources", source, "frame"), {
    method: "POST",
    headers: { "content-type": file.type || "image/jpeg" },
    body: file,
  });

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, "unreachable", "the device does not answer");
  }
  const text = await answer.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new Refused(answer.status, "invalid", "the answer is not the device's: is something in between?");
  }
  if (answer.ok) return body;
  throw new Refused(answer.status, body?.error?.code ?? "failed", body?.error?.message ?? `the device answered ${answer.status}`);
}
