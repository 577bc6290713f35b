// How a row is shown: an image pixel by pixel, a table row as bars in the units of its columns.
import { short } from "./atlas.js";

const MOST_BARS = 64;

export function element(tag, options = {}, ...children) {
  const { dataset, ...others } = options;
  const made = Object.assign(document.createElement(tag), others);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

// Make what shows rows of an atlas: `show(row, rebuilt)`, of which images take the first and bars both.
export function rowView(atlas, name, options = {}) {
  if (atlas.image) return new Picture(atlas, name);
  return atlas.width > MOST_BARS ? new Chart(atlas, name) : new Bars(atlas, options.most);
}

// Channels that are no colours are shown beside each other.
function tiling([height, width, channels]) {
  const colours = channels === 3 || channels === 4;
  const across = colours ? 1 : Math.ceil(Math.sqrt(channels)), down = colours ? 1 : Math.ceil(channels / across);
  return { colours, across, width: across * (width + 1) - 1, height: down * (height + 1) - 1 };
}

export class Picture {
  constructor(atlas, name) {
    this.atlas = atlas;
    this.tiling = tiling(atlas.image.shape);
    const { width, height } = this.tiling;
    this.element = element("canvas", { className: "pixels", width, height });
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", name);
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.context = this.element.getContext("2d");
  }

  show(row) {
    const { low, high, shape } = this.atlas.image, [height, width, channels] = shape;
    const image = this.context.createImageData(this.tiling.width, this.tiling.height);
    const { data } = image, scale = 255 / (high - low || 1), { colours, across } = this.tiling;
    for (let i = 0; i < height * width; i++) {
      for (let channel = 0; channel < (colours ? 1 : channels); channel++) {
        const y = Math.floor(i / width) + Math.floor(channel / across) * (height + 1);
        const x = (i % width) + (channel % across) * (width + 1);
        const at = 4 * (y * this.tiling.width + x), from = i * channels + channel;
        for (let part = 0; part < 3; part++) data[at + part] = (row[from + (colours ? part : 0)] - low) * scale;
        data[at + 3] = colours && channels === 4 ? (row[from + 3] - low) * scale : 255;
      }
    }
    this.context.putImageData(image, 0, 0);
  }
}

// Where a value of a column lies, from 0 to 1 and a little beyond.
function share(column, value) {
  const span = column.high - column.low || 1;
  return Math.max(-0.04, Math.min(1.04, (value - column.low) / span));
}

export class Bars {
  constructor(atlas, most = MOST_BARS) {
    this.columns = atlas.facts.columns.slice(0, most);
    this.lines = this.columns.map((column) => {
      const bar = element("i", { className: "fill" }), mark = element("i", { className: "mark", hidden: true });
      const says = element("output", { className: "value" });
      const line = element("li", {}, element("span", { className: "name", title: column.name, textContent: column.name }));
      line.append(element("span", { className: "track" }, bar, mark), says);
      return { line, bar, mark, says };
    });
    const more = atlas.width - this.columns.length;
    const rest = more ? [element("li", { className: "note", textContent: `and ${more} more` })] : [];
    this.element = element("ol", { className: "bars" }, ...this.lines.map(({ line }) => line), ...rest);
  }

  show(row, rebuilt = null) {
    this.element.classList.toggle("two", rebuilt !== null);
    this.lines.forEach(({ bar, mark, says }, i) => {
      bar.style.width = `${100 * Math.max(0, Math.min(1, share(this.columns[i], row[i]) || 0))}%`;
      says.textContent = short(row[i]) + (rebuilt ? ` → ${short(rebuilt[i])}` : "");
      mark.hidden = !rebuilt;
      if (rebuilt) mark.style.left = `${100 * share(this.columns[i], rebuilt[i])}%`;
    });
  }
}

// Many columns: one thin bar for each, and marks where the rebuilt row is.
export class Chart {
  constructor(atlas, name) {
    this.columns = atlas.facts.columns;
    this.element = element("canvas", { className: "chart", width: 640, height: 200 });
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", name);
  }

  show(row, rebuilt = null) {
    const context = this.element.getContext("2d"), { width, height } = this.element, step = width / this.columns.length;
    const style = getComputedStyle(this.element), room = height - 8;
    context.clearRect(0, 0, width, height);
    this.columns.forEach((column, i) => {
      const tall = room * share(column, row[i]);
      context.fillStyle = style.getPropertyValue("--accent");
      context.globalAlpha = 0.55;
      context.fillRect(i * step, height - 4 - tall, Math.max(step * 0.8, 0.5), tall);
      context.globalAlpha = 1;
      context.fillStyle = style.getPropertyValue("--ink");
      if (rebuilt) context.fillRect(i * step, height - 5 - room * share(column, rebuilt[i]), Math.max(step, 1), 2);
    });
  }
}

// A code: few numbers as they are, many as bars up and down, each within its own range.
export function codeView(atlas) {
  if (atlas.size > 4) return codeBars(atlas);
  const text = element("p", { className: "code" });
  const show = (code) => text.replaceChildren(...[...code].map((value) => element("span", { textContent: short(value) })));
  return { element: text, show };
}

function codeBars(atlas) {
  const canvas = element("canvas", { className: "code", width: 160, height: 64 });
  canvas.setAttribute("role", "img");
  const show = (code) => {
    const context = canvas.getContext("2d"), { width, height } = canvas, step = width / atlas.size;
    canvas.setAttribute("aria-label", `code ${[...code.slice(0, 8)].map(short).join(", ")}${atlas.size > 8 ? " …" : ""}`);
    canvas.title = [...code.slice(0, 64)].map(short).join("  ");
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, width, height);
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(0, height / 2 - 0.5, width, 1);
    context.fillStyle = style.getPropertyValue("--accent");
    code.forEach((value, j) => {
      const { low, high } = atlas.ranges[j], reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
      const tall = (Math.max(-1, Math.min(1, value / reach)) * (height - 6)) / 2;
      const thick = Math.max(1, Math.min(step * 0.8, 14));
      context.fillRect(j * step + (step - thick) / 2, height / 2 - Math.max(tall, 0), thick, Math.max(Math.abs(tall), 1));
    });
  };
  return { element: canvas, show };
}
