// The explorer: loads the atlas, starts what decodes, and lets the parts of the page speak with each other.
import { loadAtlas, short } from "./atlas.js";
import { startBackend } from "./backend.js";
import { Colours } from "./colours.js";
import { MapView } from "./map.js";
import { Near } from "./near.js";
import { Own } from "./own.js";
import { Pins } from "./pins.js";
import { Point } from "./point.js";
import { element, rowView } from "./rows.js";

const get = (id) => document.getElementById(id);

function fail(error) {
  get("alert").textContent = String(error.message ?? error);
  get("alert").hidden = false;
}

function say(text) {
  get("alert").hidden = true;
  get("said").textContent = text;
}

function factsOf({ facts }) {
  const count = (value) => value.toLocaleString("en");
  const { shown, total } = facts.rows, numbers = facts.code.size === 1 ? "1 number" : `${count(facts.code.size)} numbers`;
  const rows = shown < total ? `${count(shown)} of ${count(total)} rows` : `${count(shown)} rows`;
  const what = facts.image ? facts.image.shape.filter((side, i) => i < 2 || side > 1).join(" × ") : `${count(facts.shape[0])} columns`;
  const explained = facts.explained === null ? "" : ` · ${(100 * facts.explained).toFixed(1)} % of the variance rebuilt`;
  return `${facts.model} · ${what} → ${numbers} · ${rows}${explained}`;
}

// What is shown beside the pointer: the row under it.
class Tip {
  constructor(atlas) {
    this.atlas = atlas;
    this.box = get("tip");
    this.view = rowView(atlas, "", { most: 8 });
    this.title = element("strong");
    this.error = element("span", { className: "note" });
    this.box.append(this.view.element, element("div", {}, this.title, element("br"), this.error));
    this.box.classList.toggle("picture", Boolean(atlas.image));
  }

  async show(id, place) {
    this.id = id;
    if (id === null) {
      this.box.hidden = true;
      return;
    }
    const row = await this.atlas.row(id);
    if (this.id !== id) return;
    this.view.show(row);
    this.title.textContent = this.atlas.title(id);
    this.error.textContent = `error ${short(this.atlas.errors[id])}`;
    this.box.hidden = false;
    const { clientWidth, clientHeight } = this.box.parentElement, { offsetWidth, offsetHeight } = this.box;
    const left = place[0] + 18 + offsetWidth > clientWidth ? place[0] - 18 - offsetWidth : place[0] + 18;
    const top = Math.max(6, Math.min(clientHeight - offsetHeight - 6, place[1] - offsetHeight / 2));
    this.box.style.transform = `translate(${Math.max(6, left)}px, ${top}px)`;
  }
}

function startMap(atlas, parts) {
  const tip = new Tip(atlas);
  const map = new MapView(get("map"), atlas, {
    hover: (id, place) => tip.show(id, place).catch(fail),
    pin: (id) => parts.pin(id),
    probe: (x, y) => parts.point.set(atlas.codeAt(x, y, get("rest").value, parts.point.code)),
  });
  for (const mode of ["decode", "pan"]) {
    get(`mode-${mode}`).addEventListener("click", () => {
      map.mode = mode;
      for (const other of ["decode", "pan"]) get(`mode-${other}`).setAttribute("aria-pressed", other === mode);
    });
  }
  get("rest-choice").hidden = atlas.size < 3;
  return map;
}

// Two rows to begin with: one in the midst of the map, and one of another label, or far away.
function firstRows(atlas) {
  const first = atlas.grid.some(0, 0, 1)[0].id;
  const away = (id) => Math.hypot(atlas.points[2 * id], atlas.points[2 * id + 1]);
  const others = Array.from({ length: Math.min(atlas.n, 500) }, (_, i) => i).filter((id) => away(id) > 0.3 && away(id) < 0.9);
  const second = others.find((id) => atlas.labels && atlas.labels[id] !== atlas.labels[first]) ?? others[0];
  return second === undefined ? [first] : [first, second];
}

async function start() {
  const atlas = await loadAtlas();
  const backend = await startBackend(atlas);
  get("facts").textContent = factsOf(atlas);
  document.querySelector("main").hidden = false;
  if (!atlas.image) document.querySelector(".column").append(document.querySelector(".near"));
  const parts = {
    pin: (id) => {
      say(`${parts.pins.ids.includes(id) ? "Unpinned" : "Pinned"} ${atlas.title(id)}.`);
      return parts.pins.toggle(id);
    },
  };
  const map = startMap(atlas, parts);
  parts.near = new Near(atlas, { found: (near) => map.mark({ near }), pin: parts.pin, fail });
  parts.point = new Point(atlas, backend, {
    fail,
    code: (code) => {
      map.mark({ point: atlas.size > 1 ? atlas.toMap(code) : [atlas.toMap(code)[0], map.marks.point[1]] });
      parts.near.set("point", code);
    },
  });
  parts.own = new Own(atlas, backend, {
    fail,
    said: say,
    code: (code) => {
      map.mark({ own: atlas.toMap(code) });
      parts.near.set("own", code);
    },
  });
  parts.pins = new Pins(atlas, backend, {
    fail,
    changed: (ids) => map.mark({ pins: [...ids] }),
    path: (codes) => map.mark({ path: codes && codes.map((code) => atlas.toMap(code)) }),
    go: (code) => parts.point.set(code),
    edit: (row) => parts.own.set(row),
  });
  new Colours(atlas, map).apply();
  const rows = firstRows(atlas);
  parts.own.set(await atlas.row(rows.at(-1)));
  await Promise.all([...rows.map((id) => parts.pins.toggle(id)), parts.point.set(atlas.code(rows[0]))]);
  globalThis.explorer = { atlas, backend, map, ...parts };
  document.documentElement.dataset.ready = "true";
}

start().catch(fail);
