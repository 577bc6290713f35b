// The decoded point: a code, its row, and a slider for each number of it.
import { short } from "./atlas.js";
import { latest } from "./backend.js";
import { element, rowView } from "./rows.js";

const FIRST = 8;

export class Point {
  // `on.code(code)` is told each code at once, `on.fail(error)` what went wrong.
  constructor(atlas, backend, on) {
    Object.assign(this, { atlas, on });
    this.view = rowView(atlas, "The decoded point");
    document.getElementById("point-row").append(this.view.element);
    this.took = document.getElementById("took");
    this.ask = latest((code) => this.timed(backend, code), (row) => this.view.show(row), on.fail);
    this.makeSliders(document.getElementById("sliders"));
  }

  async timed(backend, code) {
    const start = performance.now(), row = await backend.decode(code);
    performance.measure("decode", { start });
    this.took.textContent = `decoded in ${Math.max(1, Math.round(performance.now() - start))} ms`;
    return row;
  }

  // The numbers that vary most come first.
  makeSliders(group) {
    const { ranges } = this.atlas;
    const order = [...ranges.keys()].sort((a, b) => (this.atlas.size > FIRST ? ranges[b].spread - ranges[a].spread : a - b));
    this.sliders = new Map();
    const lines = order.map((j) => {
      const { low, high } = ranges[j], room = 0.1 * (high - low);
      const slider = element("input", { type: "range", min: low - room, max: high + room, step: "any" });
      slider.setAttribute("aria-label", `Code ${j + 1}`);
      slider.addEventListener("input", () => this.moved(j, slider.valueAsNumber));
      const says = element("output");
      this.sliders.set(j, { slider, says });
      return element("div", { className: "slider" }, element("span", { textContent: `${j + 1}` }), slider, says);
    });
    group.append(...lines);
    const others = lines.slice(FIRST);
    if (!others.length) return;
    others.forEach((line) => (line.hidden = true));
    const more = element("button", { textContent: `all ${lines.length} numbers` });
    more.addEventListener("click", () => {
      others.forEach((line) => (line.hidden = false));
      more.remove();
    });
    group.append(more);
  }

  moved(j, value) {
    const code = this.code.slice();
    code[j] = value;
    this.set(code);
  }

  set(code) {
    this.code = Float32Array.from(code);
    this.sliders.forEach(({ slider, says }, j) => {
      slider.value = code[j];
      says.textContent = short(code[j]);
    });
    this.on.code(this.code);
    return this.ask(this.code);
  }
}
