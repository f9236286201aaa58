// Elements made from data, never from markup: whatever a person typed becomes a text node, so a class may be called
// anything. Knows nothing of the daemon.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `on…` functions listen, `true` sets an empty attribute, `null` and `false` set none. */
export const h = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const svg = (tag, attributes, ...children) => make(document.createElementNS(SVG, tag), attributes, children);

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets a text only where it changed, so that a screen reader is not told the same twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets or takes away an attribute, only where it changed. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value === true ? "" : value)) {
    node.setAttribute(name, value === true ? "" : value);
  }
}

/** One child for each item, in order. Nodes are kept by key, so that what has the focus, or is held, stays what it is. */
export function each(parent, items, key, create, update) {
  const known = parent.kept ?? new Map();
  const now = new Map();
  for (const item of items) {
    const name = key(item);
    const node = known.get(name) ?? create(item);
    update?.(node, item);
    now.set(name, node);
  }
  for (const [name, node] of known) if (!now.has(name)) node.remove();
  let at = parent.firstChild;
  for (const node of now.values()) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  parent.kept = now;
}

/** Shows the newest picture of an address without flicker: the old one stays until the new one is decoded. */
export function picture(image, address) {
  if (image.wanted === address) return;
  image.wanted = address;
  if (!image.fetching) fetchPicture(image);
}

function fetchPicture(image) {
  const address = image.wanted;
  const fresh = new Image();
  image.fetching = true;
  const done = (whole) => {
    image.fetching = false;
    if (whole) {
      image.src = fresh.src;
      image.hidden = false;
      shaped(image, fresh);
    }
    if (image.wanted !== address) fetchPicture(image);
  };
  fresh.onload = () => done(true);
  fresh.onerror = () => done(false);
  fresh.src = address;
}

/** Tells what holds a picture its shape: width by height. */
export function shaped(image, { naturalWidth, naturalHeight } = image) {
  if (naturalHeight > 0) image.parentElement?.style.setProperty("--ratio", (naturalWidth / naturalHeight).toFixed(4));
}
