// A button that has a source give a picture now; it is there for a source that gives none by itself.

import { h, mark } from "./dom.js";
import { seen } from "./words.js";

/** The button. `page` has `send(body)` and `announce(text)`; `node.update(source)` takes the source's view. */
export function lookNow(page) {
  let name = "";
  let waiting = false;
  const node = h("button", { type: "button", class: "quiet", hidden: true, onclick: look }, "Look now");
  const draw = () => mark(node, "aria-disabled", waiting ? "true" : null);
  async function look() {
    if (waiting) return;
    waiting = true;
    draw();
    const reply = await page.send({ do: "sense", source: name });
    waiting = false;
    draw();
    if (reply) page.announce(seen(reply));
  }
  node.update = (source) => {
    name = source?.name ?? "";
    mark(node, "hidden", !source?.on_request);
    mark(node, "aria-label", `Look now: take a picture from ${name}`);
  };
  return node;
}
