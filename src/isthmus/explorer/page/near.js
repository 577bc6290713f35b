// The rows whose codes are nearest to a code.
import { short } from "./atlas.js";
import { element, rowView } from "./rows.js";

const COUNT = 12;
const COLUMNS = 4;
const REST = 120; // milliseconds without a change before a search

export class Near {
  // `on.found(ids)` is told what was found, `on.pin(id)` what is to be pinned, `on.fail(error)` what went wrong.
  constructor(atlas, on) {
    Object.assign(this, { atlas, on, target: "point", codes: {} });
    this.list = document.getElementById("near");
    this.buttons = { point: document.getElementById("near-point"), own: document.getElementById("near-own") };
    for (const [target, button] of Object.entries(this.buttons)) button.addEventListener("click", () => this.aim(target));
  }

  aim(target) {
    this.target = target;
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", name === target);
    this.plan();
  }

  // Take a new code of a target, and search once it rests.
  set(target, code) {
    this.codes[target] = code;
    if (target === this.target) this.plan();
  }

  plan() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search().catch(this.on.fail), REST);
  }

  async search() {
    const code = this.codes[this.target];
    if (!code) return;
    const found = this.atlas.nearest(code, COUNT), asked = (this.asked = {});
    const rows = await Promise.all(found.map(({ id }) => this.atlas.row(id)));
    if (asked !== this.asked) return;
    this.list.replaceChildren(this.atlas.image ? this.pictures(found, rows) : this.table(found, rows));
    this.on.found(found.map(({ id }) => id));
  }

  pictures(found, rows) {
    const made = found.map(({ id, distance }, i) => {
      const view = rowView(this.atlas, ""), label = this.atlas.labelOf(id);
      view.show(rows[i]);
      view.element.setAttribute("aria-hidden", "true");
      const button = element("button", { title: `${this.atlas.title(id)}, at a distance of ${short(distance)}: pin it` });
      button.setAttribute("aria-label", `Pin ${this.atlas.title(id)}`);
      button.append(view.element, element("span", { textContent: label ?? short(distance) }));
      button.addEventListener("click", () => this.on.pin(id));
      return button;
    });
    return element("div", { className: "found" }, ...made);
  }

  table(found, rows) {
    const columns = this.atlas.facts.columns.slice(0, COLUMNS), heads = ["row", ...(this.atlas.labels ? ["label"] : []), ...columns.map(({ name }) => name)];
    const lines = found.slice(0, 8).map(({ id }, i) => {
      const button = element("button", { textContent: this.atlas.numbers[id].toLocaleString("en") });
      button.setAttribute("aria-label", `Pin ${this.atlas.title(id)}`);
      button.addEventListener("click", () => this.on.pin(id));
      const label = this.atlas.labels ? [element("td", { textContent: this.atlas.labelOf(id) })] : [];
      const cells = columns.map((_, j) => element("td", { textContent: short(rows[i][j]) }));
      return element("tr", {}, element("th", { scope: "row" }, button), ...label, ...cells);
    });
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col", textContent: text })));
    return element("div", { className: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines)));
  }
}
