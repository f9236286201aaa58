// The event stream, kept alive: whoever reads it is told at once when it breaks and when it is whole again, also when the
// daemon restarted or the network went without a word. Everything it calls is handed in. Knows nothing of elements.

/** How long to wait before the next attempt, milliseconds: quick at first, then every five seconds. */
export const backoff = (attempt) => Math.min(5000, 250 * 2 ** Math.min(attempt, 8));

/** Quiet for so long, milliseconds, and the device is asked whether it is still there. */
export const QUIET = 10_000;

/**
 * `deps`: `open(url)` gives an EventSource, `probe()` resolves with a view or rejects with a `status`, `later(ms, f)` and
 * `cancel(id)` are a timer. `told`: `view(view)`, `notice(notice)`, `link("live" | "lost" | "locked")`.
 */
export class Stream {
  #deps;
  #told;
  #source = null;
  #timer = null;
  #attempt = 0;
  #round = 0;

  constructor(deps, told) {
    this.#deps = deps;
    this.#told = told;
  }

  /** Connects, or connects anew. */
  start() {
    this.stop();
    const round = ++this.#round;
    const source = this.#deps.open("api/v1/events");
    this.#source = source;
    const mine = (f) => (event) => {
      if (round === this.#round) f(event);
    };
    source.addEventListener("open", mine(() => this.#alive()));
    source.addEventListener("error", mine(() => this.#broken()));
    source.addEventListener("view", mine((event) => {
      this.#alive();
      this.#told.view(JSON.parse(event.data));
    }));
    source.addEventListener("notice", mine((event) => {
      this.#alive();
      this.#told.notice(JSON.parse(event.data));
    }));
    this.#wait(QUIET, () => this.#ask());
  }

  /** Closes it; nobody is told anything more. */
  stop() {
    this.#round++;
    this.#source?.close();
    this.#source = null;
    this.#deps.cancel(this.#timer);
  }

  #alive() {
    this.#attempt = 0;
    this.#told.link("live");
    this.#wait(QUIET, () => this.#ask());
  }

  /** Asks a quiet device whether it is there: a dead network breaks no connection by itself. */
  async #ask() {
    const round = this.#round;
    try {
      const view = await this.#deps.probe();
      if (round !== this.#round) return;
      this.#alive();
      this.#told.view(view);
    } catch (error) {
      if (round === this.#round) this.#broken(error);
    }
  }

  async #broken(error) {
    this.stop();
    const round = this.#round;
    if (error === undefined) {
      // Why an event stream failed is not told; a plain request is told.
      this.#told.link("lost");
      try {
        await this.#deps.probe();
      } catch (reason) {
        error = reason;
      }
      if (round !== this.#round) return;
    }
    const locked = error?.status === 401;
    this.#told.link(locked ? "locked" : "lost");
    if (!locked) this.#wait(backoff(this.#attempt++), () => this.start());
  }

  #wait(milliseconds, then) {
    this.#deps.cancel(this.#timer);
    this.#timer = this.#deps.later(milliseconds, then);
  }
}
