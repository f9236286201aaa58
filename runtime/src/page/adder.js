// Adding a source: the cameras of the device with what each sees, a camera of the network by its address, or pictures that
// something else posts.

import * as api from "./api.js";
import { h, mark, picture, say } from "./dom.js";
import { free } from "./words.js";

/** What adds sources. `page` has `send(body)`, `announce(text)`; `names()` are those that are taken. */
export function adder(page, names) {
  let looked = false;
  const found = h("ul", { class: "picks" });
  const none = h("p", { class: "small", role: "status" }, "Looking for cameras…");
  const again = h("button", { type: "button", class: "quiet", onclick: look }, "Look again");
  const address = h("input", {
    type: "url", id: `address-${++made}`, required: true, maxlength: "2048", autocomplete: "off", spellcheck: "false",
    placeholder: "its address (HTTP or RTSP)",
  });
  const name = h("input", {
    type: "text", id: `source-name-${made}`, required: true, maxlength: "64", autocomplete: "off", value: "camera",
    pattern: "[a-z0-9\\-]+", title: "a-z, 0-9 and -",
  });
  const shown = h("img", { class: "frame", alt: "what the camera at this address sees", hidden: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const node = h("div", { class: "stack adder" },
    h("p", { class: "field" }, h("label", { for: name.id }, "Name of the source"), name),
    found,
    h("div", { class: "row" }, none, again),
    h("form", { class: "inline", onsubmit: addAddress },
      h("label", { for: address.id }, "A camera of the network"), address,
      h("button", { type: "button", class: "quiet", onclick: tryAddress }, "Show it"),
      h("button", { type: "submit" }, "Use it")),
    h("span", { class: "screen preview" }, shown),
    h("p", { class: "row" }, h("button", { type: "button", class: "quiet", onclick: () => add({ kind: "http" }, "posted") },
      "Pictures that I or a program hand over")),
    wrong);

  async function look() {
    looked = true;
    again.disabled = true;
    say(none, "Looking for cameras…");
    try {
      const cameras = await api.get("api/v1/cameras");
      found.replaceChildren(...cameras.map(card));
      say(none, cameras.length > 0 ? "" : "No camera is plugged in.");
    } catch (error) {
      say(none, error.message);
    }
    mark(none, "hidden", none.textContent === "");
    again.disabled = false;
  }

  function card({ device, name: title, formats, problem }) {
    const image = h("img", { class: "frame", alt: `what ${device} sees`, hidden: true });
    if (!problem) picture(image, api.cameraOf(device));
    return h("li", null, h("button", { type: "button", class: "pick", disabled: Boolean(problem), onclick: () => add({ device }, "camera") },
      h("span", { class: "screen" }, image), h("b", null, title || device), h("span", { class: "small" }, problem ?? `${device} · ${formats[0] ?? ""}`)));
  }

  function tryAddress() {
    if (!address.reportValidity()) return;
    wrong.textContent = "";
    mark(shown, "hidden", true);
    const seen = api.cameraOf(address.value.trim());
    shown.onload = () => mark(shown, "hidden", false);
    // Why a picture failed is not told; a plain request is told.
    shown.onerror = () => api.get(seen).catch((error) => {
      wrong.textContent = error.message;
    });
    shown.src = `${seen}&n=${++looks}`;
  }

  function addAddress(event) {
    event.preventDefault();
    add({ device: address.value.trim() }, "camera");
  }

  async function add(what, usual) {
    if (!name.reportValidity()) return;
    wrong.textContent = "";
    const wanted = name.value.trim();
    const source = wanted === "camera" ? free(usual, names()) : wanted;
    try {
      await api.command({ do: "add_source", source, ...what });
    } catch (error) {
      wrong.textContent = error.message;
      return;
    }
    address.value = "";
    name.value = "camera";
    mark(shown, "hidden", true);
    page.announce(`${source} was added`);
    node.closest("details")?.removeAttribute("open");
  }

  node.update = () => {
    if (!looked && node.offsetParent !== null) look();
  };
  return node;
}

let made = 0;
let looks = 0;
