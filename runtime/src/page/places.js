// Where a head looks, as `attention` answers it: places of a picture and what each adds to a class. As cells to be drawn, and
// in words for who does not see them. Pure.

/** Weaker places are not drawn: they say nothing. */
const FAINT = 0.06;

/** Places further from their middle than this, on average, are everywhere: those of a whole square are at 0.41. */
const EVERYWHERE = 0.36;

/** The places as parts of the picture, in fractions, clipped to it: `{x, y, width, height, value}`. */
export function cells({ grid: [rows, columns], values, region: [left, top, width, height] }) {
  const found = [];
  const [w, h] = [width / columns, height / rows];
  values.forEach((value, at) => {
    const [x, y] = [left + (at % columns) * w, top + Math.floor(at / columns) * h];
    const [right, bottom] = [Math.min(x + w, 1), Math.min(y + h, 1)];
    const [from, down] = [Math.max(x, 0), Math.max(y, 0)];
    if (Math.abs(value) < FAINT || right <= from || bottom <= down) return;
    found.push({ x: from, y: down, width: right - from, height: bottom - down, value });
  });
  return found;
}

/** The middle of what speaks for (`sign` 1) or against (-1), and how far from it that lies on average; null where nothing
 * does. */
export function middle(places, sign) {
  let [mass, x, y, squares] = [0, 0, 0, 0];
  for (const place of places) {
    const weight = Math.max(0, sign * place.value) * place.width * place.height;
    const [cx, cy] = [place.x + place.width / 2, place.y + place.height / 2];
    mass += weight;
    x += weight * cx;
    y += weight * cy;
    // A place is an area, not a point.
    squares += weight * (cx * cx + cy * cy + (place.width ** 2 + place.height ** 2) / 12);
  }
  if (mass === 0) return null;
  const [mx, my] = [x / mass, y / mass];
  return { x: mx, y: my, spread: Math.sqrt(Math.max(0, squares / mass - mx * mx - my * my)) };
}

/** A part of a picture in words: `the upper left`. */
export function part({ x, y, spread }) {
  if (spread > EVERYWHERE) return "all of the picture";
  const across = x < 0.42 ? "left" : x > 0.58 ? "right" : "";
  const down = y < 0.42 ? "upper" : y > 0.58 ? "lower" : "";
  if (down && across) return `the ${down} ${across}`;
  if (across) return `the ${across}`;
  return { upper: "the top", lower: "the bottom", "": "the middle" }[down];
}

/** What the places say, in a sentence or two. */
export function words(record) {
  const places = cells(record);
  const [speaks, against] = [middle(places, 1), middle(places, -1)];
  if (!speaks) return against ? `No place speaks for ${record.class}.` : `No place says more of ${record.class} than another.`;
  const [where, other] = [part(speaks), against && part(against)];
  const begins = `For ${record.class} it looks ${speaks.spread > EVERYWHERE ? "at" : "mostly at"} ${where}`;
  return other && other !== where ? `${begins}; ${other} speaks against.` : `${begins}.`;
}
