// Pinned rows side by side, and the way from one to another.
import { short } from "./atlas.js";
import { latest } from "./backend.js";
import { codeView, element, rowView } from "./rows.js";

const MOST = 6;
const STEPS = 9;
const get = (id) => document.getElementById(id);

export class Pins {
  // `on.changed(ids)` is told what is pinned, `on.path(codes)` the way, `on.go(code)` and `on.edit(row)` what was asked for.
  constructor(atlas, backend, on) {
    Object.assign(this, { atlas, backend, on, ids: [] });
    this.list = get("pins");
    this.strip = get("walk-strip");
    this.from = get("walk-from");
    this.to = get("walk-to");
    this.at = get("walk-at");
    for (const select of [this.from, this.to]) select.addEventListener("input", () => this.layWay());
    this.at.addEventListener("input", () => on.go(this.between(this.at.valueAsNumber)));
    this.ask = latest((codes) => backend.decode(codes), (rows) => this.showWay(rows), on.fail);
  }

  async toggle(id) {
    if (this.ids.includes(id)) return this.remove(id);
    if (this.ids.length === MOST) this.remove(this.ids[0]);
    this.ids.push(id);
    const card = this.list.appendChild(element("article", { className: "pin", dataset: { id } }));
    this.renumber();
    try {
      const [row, rebuilt] = await Promise.all([this.atlas.row(id), this.backend.decode(this.atlas.code(id).slice())]);
      this.fill(card, id, row, rebuilt);
    } catch (error) {
      this.on.fail(error);
    }
    return null;
  }

  remove(id) {
    this.ids = this.ids.filter((other) => other !== id);
    this.list.querySelector(`[data-id="${id}"]`)?.remove();
    this.renumber();
  }

  fill(card, id, row, rebuilt) {
    const { atlas } = this, title = atlas.title(id), code = codeView(atlas);
    const button = (text, label, run) => {
      const made = element("button", { textContent: text });
      made.setAttribute("aria-label", `${label} ${title}`);
      made.addEventListener("click", run);
      return made;
    };
    const buttons = element("div", { className: "tools" });
    buttons.append(
      button("Go", "Move the point to", () => this.on.go(atlas.code(id))),
      button("Edit", "Edit a copy of", () => this.on.edit(row.slice())),
      button("×", "Unpin", () => this.remove(id)),
    );
    const error = element("p", { className: "note", textContent: `error ${short(atlas.errors[id])}` });
    card.append(element("h3", {}, element("b", { className: "flag" }), ` ${title}`), this.shown(row, rebuilt, code), error, buttons);
    code.show(atlas.code(id));
    this.renumber();
  }

  shown(row, rebuilt, code) {
    const original = rowView(this.atlas, "Original", { most: 8 });
    if (!this.atlas.image) {
      original.show(row, rebuilt);
      return element("div", { className: "pair" }, original.element, code.element);
    }
    const other = rowView(this.atlas, "Rebuilt");
    original.show(row);
    other.show(rebuilt);
    return element("div", { className: "pair" }, original.element, code.element, other.element);
  }

  renumber() {
    this.list.querySelectorAll(".pin").forEach((card, i) => {
      const flag = card.querySelector(".flag");
      if (flag) flag.textContent = i + 1;
    });
    this.list.dataset.hint = this.ids.length ? "" : "Click points on the map to pin their rows here.";
    get("walk").hidden = this.ids.length < 2;
    this.offerEnds();
    this.on.changed(this.ids);
    this.layWay();
  }

  // Both ends stay what they are if they can; else the way goes from the first pin to the last.
  offerEnds() {
    const kept = this.ids.map(String), before = [this.from.value, this.to.value];
    for (const select of [this.from, this.to]) {
      select.replaceChildren(...this.ids.map((id, i) => element("option", { value: id, textContent: `${i + 1}` })));
    }
    const [from, to] = before[0] === before[1] || !before.every((id) => kept.includes(id)) ? [kept[0], kept.at(-1)] : before;
    Object.assign(this.from, { value: from });
    Object.assign(this.to, { value: to });
  }

  ends() {
    return this.ids.length > 1 ? [this.from, this.to].map((select) => this.atlas.code(Number(select.value))) : null;
  }

  between(share) {
    const [a, b] = this.ends();
    return a.map((value, j) => value + share * (b[j] - value));
  }

  layWay() {
    const ends = this.ends();
    this.on.path(ends);
    if (!ends) return;
    const { size } = this.atlas, codes = new Float32Array(STEPS * size);
    for (let step = 0; step < STEPS; step++) codes.set(this.between(step / (STEPS - 1)), step * size);
    this.ask(codes);
  }

  showWay(rows) {
    const step = (i) => rows.subarray(i * this.atlas.width, (i + 1) * this.atlas.width);
    if (!this.atlas.image) return this.showChanges(step(0), step(STEPS - 1));
    const made = Array.from({ length: STEPS }, (_, i) => {
      const view = rowView(this.atlas, `${Math.round((100 * i) / (STEPS - 1))} % of the way`);
      view.show(step(i));
      view.element.addEventListener("click", () => {
        this.at.value = i / (STEPS - 1);
        this.on.go(this.between(i / (STEPS - 1)));
      });
      return view.element;
    });
    return this.strip.replaceChildren(...made);
  }

  // The columns that change most on the way, by their own spread.
  showChanges(first, last) {
    const { columns } = this.atlas.facts, change = columns.map(({ spread }, i) => Math.abs(last[i] - first[i]) / (spread || 1));
    const most = [...columns.keys()].sort((a, b) => change[b] - change[a]).slice(0, 6);
    const says = (i) => element("li", {}, element("span", { textContent: columns[i].name }), ` ${short(first[i])} → ${short(last[i])}`);
    this.strip.replaceChildren(element("ul", { className: "changes" }, ...most.map(says)));
  }
}
