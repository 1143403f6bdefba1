// A small plot: lines over the last minutes, drawn by hand, for a library would weigh more than this page.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 80;
const EDGE = 2;

/**
 * Draws lines into an `svg` element; time ends at its right edge.
 *
 * @param {SVGElement} svg
 * @param {Array<{name: string, points: Array<{at: number, value: number | null}>}>} lines
 * @param {number} seconds How much time its width is.
 * @returns {number} the value at its upper edge.
 */
export function draw(svg, lines, seconds) {
  const top = niceTop(Math.max(0, ...lines.flatMap(({ points }) => points.map((point) => point.value ?? 0))));
  const end = Math.max(...lines.map(({ points }) => points.at(-1)?.at ?? 0));
  const x = (at) => WIDTH * (1 - (end - at) / seconds);
  const y = (value) => HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value / top);
  const runs = lines.flatMap(({ name, points }) => unbroken(points).map((run) => polyline(name, run, x, y)));
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren(floor(HEIGHT - EDGE), floor(EDGE), ...runs);
  return top;
}

/** Returns the runs of points between gaps. */
function unbroken(points) {
  const runs = [[]];
  for (const point of points) {
    if (point.value === null) runs.push([]);
    else runs.at(-1).push(point);
  }
  return runs.filter((run) => run.length > 1);
}

function polyline(name, run, x, y) {
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("class", name);
  line.setAttribute("points", run.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  return line;
}

function floor(y) {
  const line = document.createElementNS(SVG, "line");
  const ends = { class: "floor", x1: 0, x2: WIDTH, y1: y, y2: y };
  for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
  return line;
}

/** Returns the next 1, 2 or 5 times a power of ten, so that the scale seldom changes. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value);
}
