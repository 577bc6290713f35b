// What the points are coloured by: their label, their error, a number of their code.
import { short } from "./atlas.js";
import { element } from "./rows.js";

const MOST_NUMBERS = 16;

export class Colours {
  constructor(atlas, map) {
    Object.assign(this, { atlas, map });
    this.select = document.getElementById("colour");
    this.legend = document.getElementById("legend");
    const codes = [...atlas.ranges.keys()].slice(0, MOST_NUMBERS).map((j) => [`code ${j + 1}`, (id) => atlas.codes[id * atlas.size + j]]);
    const error = ["error of the row", (id) => atlas.errors[id]];
    const label = atlas.labels ? [["label", (id) => atlas.labels[id]]] : [];
    this.choices = [...label, error, ...codes];
    this.select.append(...this.choices.map(([name], i) => element("option", { value: i, textContent: name })));
    this.select.addEventListener("input", () => this.apply());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.apply());
  }

  apply() {
    const [name, value] = this.choices[this.select.value], classes = name === "label" && this.atlas.facts.labels.classes;
    if (classes) this.showClasses(classes);
    else this.showNumbers(Float32Array.from({ length: this.atlas.n }, (_, id) => value(id)));
  }

  ink(name) {
    const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return text.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
  }

  showClasses(classes) {
    const { map } = this, palette = new Uint8Array(4 * 256);
    const paint = () => {
      classes.forEach((_, i) => palette.set([...this.ink(`--label-${i % 10}`), map.hidden.has(i) ? 0 : 255], 4 * i));
      for (const i of map.hidden) palette.fill(0, 4 * i, 4 * i + 4);
      map.colour(this.atlas.labels, palette, true);
    };
    this.legend.replaceChildren(...classes.map((name, i) => {
      const swatch = element("span", { className: `swatch label-${i % 10}${i > 9 ? " second" : ""}` });
      const button = element("button", {}, swatch, name);
      button.setAttribute("aria-pressed", !map.hidden.has(i));
      button.addEventListener("click", () => {
        map.hidden.has(i) ? map.hidden.delete(i) : map.hidden.add(i);
        button.setAttribute("aria-pressed", !map.hidden.has(i));
        paint();
      });
      return element("li", {}, button);
    }));
    paint();
  }

  // From dark to bright between the 1st and the 99th percentile.
  showNumbers(values) {
    this.map.hidden.clear();
    const sorted = values.filter(Number.isFinite).sort();
    const low = sorted[Math.floor(0.01 * sorted.length)] ?? 0, high = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 1;
    const stops = Array.from({ length: 10 }, (_, i) => this.ink(`--number-${i}`)), palette = new Uint8Array(4 * 256).fill(255);
    for (let i = 0; i < 256; i++) {
      const place = (i / 255) * 9, before = Math.min(8, Math.floor(place)), share = place - before;
      for (let part = 0; part < 3; part++) palette[4 * i + part] = stops[before][part] * (1 - share) + stops[before + 1][part] * share;
    }
    const shades = Uint8Array.from(values, (value) => 255 * Math.max(0, Math.min(1, (value - low) / (high - low || 1))));
    this.map.colour(shades, palette, false);
    const bar = element("span", { className: "ramp" });
    this.legend.replaceChildren(element("li", { className: "ramps" }, short(low), bar, short(high)));
  }
}
