// Where a row is made by hand: an image is drawn, a table row is typed.
import { element, Picture } from "./rows.js";
import { short } from "./atlas.js";

const MOST_FIELDS = 128;

export function editorOf(atlas, changed) {
  return atlas.image ? new Drawing(atlas, changed) : new Fields(atlas, changed);
}

export class Drawing {
  constructor(atlas, changed) {
    Object.assign(this, { atlas, changed, erases: false, ink: [255, 255, 255] });
    [this.height, this.width, this.channels] = atlas.image.shape;
    this.picture = new Picture(atlas, "Your own image");
    this.element = element("div", { className: "drawing" }, this.picture.element);
    this.drawable = [1, 3].includes(this.channels);
    if (this.drawable) this.listen(this.picture.element);
  }

  listen(canvas) {
    canvas.tabIndex = 0;
    canvas.setAttribute("aria-label", "Your own image. Draw with the pointer; arrows move the brush, Space paints.");
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.before = this.at(event);
      this.stroke(this.before);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.before) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) this.stroke(this.at(part));
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (this.before = null));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  at(event) {
    const box = this.picture.element.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.width, ((event.clientY - box.top) / box.height) * this.height];
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] };
    if (!steps[event.key]) return;
    event.preventDefault();
    this.brush ??= [this.width / 2, this.height / 2];
    this.brush = this.brush.map((value, axis) => Math.max(0, Math.min([this.width, this.height][axis], value + steps[event.key][axis])));
    if (event.key === " ") this.before = this.brush;
    if (event.key === " " || event.shiftKey) this.stroke(this.brush);
    else this.showBrush();
    this.before = null;
  }

  showBrush() {
    this.picture.show(this.row);
    this.picture.context.strokeStyle = "#e76300";
    this.picture.context.lineWidth = 0.5;
    this.picture.context.strokeRect(this.brush[0] - 1, this.brush[1] - 1, 2, 2);
  }

  // Paint along a line, softer towards the edge of the brush.
  stroke(to) {
    const from = this.before ?? to, radius = Math.max(0.8, Math.min(this.width, this.height) / 17);
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(to[0] - from[0], to[1] - from[1])));
    for (let step = 1; step <= steps; step++) {
      this.dab(from[0] + ((to[0] - from[0]) * step) / steps, from[1] + ((to[1] - from[1]) * step) / steps, radius);
    }
    if (this.before) this.before = to;
    this.set(this.row);
    this.changed(this.row);
  }

  dab(x, y, radius) {
    const { low, high } = this.atlas.image, reach = Math.ceil(radius + 1);
    for (let row = Math.max(0, Math.floor(y) - reach); row < Math.min(this.height, y + reach); row++) {
      for (let column = Math.max(0, Math.floor(x) - reach); column < Math.min(this.width, x + reach); column++) {
        const cover = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y)));
        for (let channel = 0; channel < this.channels; channel++) {
          const place = (row * this.width + column) * this.channels + channel;
          const ink = this.erases ? low : low + ((high - low) * this.ink[channel]) / 255;
          const painted = this.row[place] + cover * (ink - this.row[place]);
          const grows = this.channels === 1 && !this.erases;
          this.row[place] = grows ? Math.max(this.row[place], low + cover * (ink - low)) : painted;
        }
      }
    }
  }

  set(row) {
    this.row = row;
    this.picture.show(row);
  }

  blank() {
    return new Float32Array(this.atlas.width).fill(this.atlas.image.low);
  }

  // Move what is bright to the middle, as MNIST's digits are.
  centred() {
    const { low } = this.atlas.image, { height, width, channels, row } = this;
    let mass = 0, x = 0, y = 0;
    row.forEach((value, i) => {
      const cell = Math.floor(i / channels), light = value - low;
      mass += light;
      x += light * (cell % width);
      y += light * Math.floor(cell / width);
    });
    if (mass <= 0) return row;
    const right = Math.round((width - 1) / 2 - x / mass), down = Math.round((height - 1) / 2 - y / mass), moved = this.blank();
    row.forEach((value, i) => {
      const cell = Math.floor(i / channels), column = (cell % width) + right, line = Math.floor(cell / width) + down;
      if (column >= 0 && column < width && line >= 0 && line < height) moved[(line * width + column) * channels + (i % channels)] = value;
    });
    return moved;
  }
}

export class Fields {
  constructor(atlas, changed) {
    Object.assign(this, { atlas, changed });
    this.columns = atlas.facts.columns.slice(0, MOST_FIELDS);
    this.inputs = this.columns.map((column, i) => this.pair(column, i));
    const lines = this.columns.map((column, i) => {
      const name = element("span", { className: "name", title: column.name, textContent: column.name });
      return element("li", {}, name, this.inputs[i].slider, this.inputs[i].field);
    });
    this.element = element("ol", { className: "fields" }, ...lines);
  }

  pair(column, i) {
    const slider = element("input", { type: "range", min: column.low ?? 0, max: column.high ?? 1, step: "any" });
    const field = element("input", { type: "number", step: "any" });
    slider.setAttribute("aria-label", `${column.name}, slider`);
    field.setAttribute("aria-label", column.name);
    const take = (from, to) => () => {
      const value = from.valueAsNumber;
      if (Number.isNaN(value)) return;
      to.value = to === field ? Number(value.toPrecision(4)) : value;
      this.row[i] = value;
      this.changed(this.row);
    };
    slider.addEventListener("input", take(slider, field));
    field.addEventListener("input", take(field, slider));
    return { slider, field };
  }

  set(row) {
    this.row = row;
    this.inputs.forEach(({ slider, field }, i) => {
      slider.value = row[i];
      field.value = Number.isNaN(row[i]) ? "" : Number(row[i].toPrecision(4));
      field.placeholder = short(row[i]);
    });
  }

  blank() {
    return Float32Array.from(this.atlas.facts.columns, ({ mean }) => mean ?? 0);
  }
}
