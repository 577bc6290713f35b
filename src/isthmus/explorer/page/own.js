// A row of the user's own: made by hand, opened from a file, or taken from a pin; noise on it; and what the model makes of it.
import { short } from "./atlas.js";
import { latest } from "./backend.js";
import { editorOf } from "./editor.js";
import { readRow } from "./files.js";
import { noisy } from "./noise.js";
import { element, rowView } from "./rows.js";

const get = (id) => document.getElementById(id);

export class Own {
  // `on.code(code)` is told where the row lies, `on.fail(error)` what went wrong.
  constructor(atlas, backend, on) {
    Object.assign(this, { atlas, on });
    this.editor = editorOf(atlas, () => this.update());
    this.seen = rowView(atlas, "Your own row with noise");
    this.rebuilt = rowView(atlas, "Your own row, rebuilt");
    const part = (title, view) => element("figure", {}, view.element, element("figcaption", { textContent: title }));
    this.seenPart = part("with noise", this.seen);
    const rebuilt = part(atlas.image ? "rebuilt" : "as the model sees it, and rebuilt (mark)", this.rebuilt);
    get("own").append(part(atlas.image ? "draw here" : "type here", this.editor), ...(atlas.image ? [this.seenPart] : []), rebuilt);
    get("own").classList.toggle("table", !atlas.image);
    this.ask = latest((row) => this.answered(backend, row), (answer) => this.show(answer), on.fail);
    this.listen();
  }

  listen() {
    const drawable = Boolean(this.editor.drawable);
    get("erase").hidden = get("centre").hidden = !drawable;
    get("ink-choice").hidden = !(drawable && this.editor.channels === 3);
    get("clear").addEventListener("click", () => this.set(this.editor.blank()));
    get("centre").addEventListener("click", () => this.set(this.editor.centred()));
    get("erase").addEventListener("click", () => {
      this.editor.erases = !this.editor.erases;
      get("erase").setAttribute("aria-pressed", this.editor.erases);
    });
    get("ink").addEventListener("input", () => {
      this.editor.ink = get("ink").value.match(/\w\w/g).map((part) => parseInt(part, 16));
    });
    get("noise").addEventListener("input", () => this.update());
    get("noise-kind").addEventListener("input", () => this.update());
    get("file").addEventListener("change", () => this.open(get("file").files[0]));
  }

  async open(file) {
    if (!file) return;
    try {
      const { row, says } = await readRow(file, this.atlas);
      this.set(row);
      this.on.said(`Opened ${says}.`);
    } catch (error) {
      this.on.fail(error);
    }
    get("file").value = "";
  }

  set(row) {
    this.editor.set(row);
    this.update();
  }

  update() {
    const amount = get("noise").valueAsNumber, kind = get("noise-kind").value;
    get("noise-says").textContent = `${Math.round(100 * amount)} %`;
    this.seenPart.hidden = amount === 0;
    const row = noisy(this.atlas, this.editor.row, kind, amount);
    this.seen.show(row);
    return this.ask(row);
  }

  async answered(backend, row) {
    const code = await backend.encode(row);
    return { row, code, rebuilt: await backend.decode(code) };
  }

  show({ row, code, rebuilt }) {
    this.code = code;
    this.atlas.image ? this.rebuilt.show(rebuilt) : this.rebuilt.show(row, rebuilt);
    const clean = this.editor.row, off = meanSquare(rebuilt, clean);
    const noise = this.seenPart.hidden ? "" : `; the noisy row is off by ${short(meanSquare(row, clean))}`;
    get("own-says").textContent = `Mean squared error of the rebuilt row: ${short(off)}${noise}.`;
    this.on.code(code);
  }
}

export function meanSquare(a, b) {
  let sum = 0, count = 0;
  a.forEach((value, i) => {
    if (Number.isNaN(b[i])) return;
    sum += (value - b[i]) ** 2;
    count++;
  });
  return count ? sum / count : NaN;
}
