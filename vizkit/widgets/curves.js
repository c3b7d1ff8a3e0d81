// Draws what `Curves` holds: axes with round numbers, lines and dots, numbered marks; above it the names of the lines,
// below it what the numbers stand for, and, where the mouse is, what the lines are there. Every text is set as text: a
// label is never markup.

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 46, RIGHT = 14, TOP = 8, BOTTOM = 38;  // pixels around the plot

function add(parent, tag, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function ticks(low, high, most, least) {  // round numbers: 1, 2 or 5 times a power of ten
  const rough = Math.max((high - low) / most, least), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
  const first = Math.ceil(low / step), last = Math.floor(high / step);
  return Array.from({ length: last - first + 1 }, (_, one) => Number(((first + one) * step).toPrecision(12)));
}

function bounds({ lines, least, most }) {
  const values = lines.flatMap((line) => line.points.map((point) => point[1]));
  if (!values.length) return null;
  const low = Math.min(...values), high = Math.max(...values), margin = 0.05 * (high - low) || 0.5;
  return [least ?? low - margin, most ?? high + margin];
}

function nearest(points, step) {
  return points.reduce((best, one) => (Math.abs(one[0] - step) < Math.abs(best[0] - step) ? one : best), points[0]);
}

const plainly = (value) => (Math.abs(value) < 10 ? value.toPrecision(3) : value.toFixed(1));

function swatch(line) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [["width", 22], ["height", 10], ["aria-hidden", true]]) svg.setAttribute(name, value);
  if (line.style === "o") add(svg, "circle", { cx: 11, cy: 5, r: 4, fill: line.colour });
  else add(svg, "path", { d: "M1 5H21", stroke: line.colour, "stroke-width": 2, ...dashes(line) });
  return svg;
}

function explained([number, step, words]) {
  const line = document.createElement("div"), bold = document.createElement("b");
  bold.textContent = number;
  line.append(bold, ` at step ${step}: ${words}`);
  return line;
}

export function spoken({ measured, lines }) {  // for those who cannot see it
  const one = (value) => value.toFixed(1);
  const told = lines.filter((line) => line.label && line.points.length).map(({ label, points }) =>
    points.length > 1 ? `${label} from ${one(points[0][1])} to ${one(points.at(-1)[1])}` : `${label} ${one(points[0][1])}`);
  return `${measured}: ${told.join(", ") || "empty axes, before the first step"}`;
}

const dashes = (line) => (line.style === "--" ? { "stroke-dasharray": "6 3" } : {});

function render({ model, el }) {
  const root = document.createElement("div"), legend = document.createElement("div");
  const svg = document.createElementNS(SVG, "svg"), readout = document.createElement("div");
  const turned = document.createElement("div");
  root.className = "vizkit-plot";
  legend.className = "vizkit-legend";
  readout.className = "vizkit-readout";
  turned.className = "vizkit-note";
  svg.setAttribute("role", "img");
  root.append(legend, svg, readout);
  el.append(root, turned);
  let place = null, waiting = 0;

  const name = ({ lines }) => {
    const named = lines.filter((line) => line.label);
    const key = JSON.stringify(named.map((line) => [line.label, line.style, line.colour]));
    if (legend.dataset.key === key) return;
    legend.dataset.key = key;
    legend.replaceChildren(...named.map((line) => {
      const one = document.createElement("span");
      one.append(swatch(line), document.createTextNode(line.label));
      return one;
    }));
  };

  const draw = () => {
    waiting = 0;
    const shown = model.get("shown"), width = svg.clientWidth, height = svg.clientHeight;
    if (!shown.lines || !width || !height) return;
    name(shown);
    turned.replaceChildren(...(shown.marks || []).map(explained));
    svg.setAttribute("aria-label", shown.words ?? spoken(shown));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    const [right, bottom] = [width - RIGHT, height - BOTTOM], range = bounds(shown), [low, high] = range || [0, 1];
    const x = (step) => LEFT + (step / shown.reach) * (right - LEFT);
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - TOP);
    for (const step of ticks(0, shown.reach, Math.max(2, (right - LEFT) / 55), 1)) {
      add(svg, "path", { class: "vizkit-grid", d: `M${x(step)} ${TOP}V${bottom}` });
      add(svg, "text", { x: x(step), y: bottom + 16, "text-anchor": "middle" }, String(step));
    }
    for (const value of range ? ticks(low, high, Math.max(2, (bottom - TOP) / 40), 0) : []) {
      add(svg, "path", { class: "vizkit-grid", d: `M${LEFT} ${y(value)}H${right}` });
      add(svg, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"));
    }
    add(svg, "path", { class: "vizkit-axes", d: `M${LEFT} ${TOP}V${bottom}H${right}` });
    add(svg, "text", { x: (LEFT + right) / 2, y: height - 5, "text-anchor": "middle" }, "step");
    const middle = (TOP + bottom) / 2;
    add(svg, "text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, shown.measured);
    let before = -99, row = 0;
    for (const [number, step, words] of shown.marks || []) {
      row = x(step) - before < 14 ? row + 1 : 0;
      before = x(step);
      add(svg, "path", { class: "vizkit-mark", d: `M${x(step)} ${TOP}V${bottom}` });
      const written = add(svg, "text", { class: "vizkit-number", x: x(step) + 4, y: TOP + 12 + 13 * row }, String(number));
      add(written, "title", {}, words);
    }
    for (const line of shown.lines) {
      if (line.style === "o") {
        for (const [step, value] of line.points) add(svg, "circle", { cx: x(step), cy: y(value), r: 4.5, fill: line.colour });
        continue;
      }
      const d = line.points.map(([step, value], one) => `${one ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
      const looks = { fill: "none", stroke: line.colour, "stroke-linejoin": "round", ...dashes(line) };
      const weight = line.faint ? { "stroke-width": 1, opacity: 0.35 } : { "stroke-width": 2 };
      add(svg, "path", { class: "vizkit-line", d: d.join(""), ...looks, ...weight });
    }
    readout.textContent = "";
    if (place === null || !range) return;
    const step = Math.max(0, Math.min(shown.reach, Math.round(((place - LEFT) / (right - LEFT)) * shown.reach)));
    const near = shown.lines.filter((line) => line.points.length && line.style !== "o" && !line.faint)
      .map((line) => [line, nearest(line.points, step)]);
    if (!near.length) return;
    add(svg, "path", { class: "vizkit-mark", d: `M${x(near[0][1][0])} ${TOP}V${bottom}` });
    for (const [line, [, value]] of near) add(svg, "circle", { cx: x(near[0][1][0]), cy: y(value), r: 3, fill: line.colour });
    readout.textContent = [`step ${near[0][1][0]}`, ...near.map(([line, point]) => `${line.label} ${plainly(point[1])}`)].join("\n");
    readout.classList.toggle("vizkit-at-left", place > width / 2);
  };

  const soon = () => { waiting ||= requestAnimationFrame(draw); };  // never twice for one picture of the screen
  const point = (event) => { place = event.type === "pointerleave" ? null : event.offsetX; soon(); };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerleave", point);
  model.on("change:shown", soon);
  const sized = new ResizeObserver(soon);
  sized.observe(svg);
  soon();
  return () => { sized.disconnect(); cancelAnimationFrame(waiting); model.off("change:shown", soon); };
}
export default { render };
