// The map: points, what is marked on them, and how pointer, wheel and keys move about.
import { startPoints } from "./points.js";

const STILL = 4; // pixels that a click may wander
const NEAR = 14; // pixels within which a point is meant

export class MapView {
  // `on` has hover(id, x, y), pin(id), probe(x, y): what the map tells.
  constructor(root, atlas, on) {
    Object.assign(this, { root, atlas, on, mode: "decode", pointers: new Map() });
    this.marks = { point: [0, 0], own: null, pins: [], near: [], path: null, hover: null };
    this.surface = root.querySelector("#map-surface");
    this.context = this.surface.getContext("2d");
    const canvas = document.createElement("canvas");
    canvas.className = "points";
    canvas.setAttribute("aria-hidden", "true");
    root.prepend(canvas);
    this.renderer = startPoints(canvas, atlas.points);
    this.view = { x: 0, y: 0, zoom: 1, width: 1, height: 1 };
    this.hidden = new Set();
    this.listen();
  }

  listen() {
    const { surface } = this;
    new ResizeObserver(() => this.resize()).observe(this.root);
    surface.addEventListener("pointerdown", (event) => this.down(event));
    surface.addEventListener("pointermove", (event) => this.move(event));
    surface.addEventListener("pointerup", (event) => this.up(event));
    surface.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    surface.addEventListener("pointerleave", () => this.hover(null));
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
    surface.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    surface.addEventListener("keydown", (event) => this.key(event));
    const zooms = { "zoom-in": () => this.zoomBy(1.5), "zoom-out": () => this.zoomBy(1 / 1.5), "zoom-fit": () => this.fit() };
    for (const [id, run] of Object.entries(zooms)) document.getElementById(id).addEventListener("click", run);
  }

  resize() {
    const { width, height } = this.root.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    const first = this.view.width === 1;
    Object.assign(this.view, { width, height });
    for (const canvas of [this.surface, this.renderer.canvas]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    first ? this.fit() : this.draw();
  }

  fit() {
    const { width, height } = this.view, [x, y] = this.atlas.frame.fit;
    this.home = Math.min((width - 60) / (2 * x), (height - 60) / (2 * y));
    Object.assign(this.view, { x: 0, y: 0, zoom: this.home });
    this.draw();
  }

  toPixels([x, y]) {
    const { view } = this;
    return [view.width / 2 + (x - view.x) * view.zoom, view.height / 2 - (y - view.y) * view.zoom];
  }

  toMap([left, top]) {
    const { view } = this;
    return [view.x + (left - view.width / 2) / view.zoom, view.y - (top - view.height / 2) / view.zoom];
  }

  // Pointer -------------------------------------------------------------------------------------------------------

  at(event) {
    const { left, top } = this.surface.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  down(event) {
    const place = this.at(event);
    this.surface.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, place);
    const pans = this.mode === "pan" || event.shiftKey || event.button > 0;
    this.gesture = { start: place, pans: pans && !this.onHandle(place), moved: this.pointers.size > 1 };
  }

  onHandle(place) {
    const [x, y] = this.toPixels(this.marks.point);
    return Math.hypot(x - place[0], y - place[1]) < NEAR;
  }

  move(event) {
    const place = this.at(event), before = this.pointers.get(event.pointerId);
    if (!before) return this.hover(this.pointAt(place), place);
    if (this.pointers.size > 1) this.pinch(event.pointerId, place);
    this.pointers.set(event.pointerId, place);
    const { gesture } = this;
    gesture.moved ||= Math.hypot(place[0] - gesture.start[0], place[1] - gesture.start[1]) > STILL;
    if (!gesture.moved || this.pointers.size > 1) return null;
    this.hover(null);
    return gesture.pans ? this.panBy(place[0] - before[0], place[1] - before[1]) : this.on.probe(...this.toMap(place));
  }

  up(event) {
    const place = this.at(event);
    this.pointers.delete(event.pointerId);
    if (this.gesture?.moved || this.pointers.size) return;
    const id = this.pointAt(place);
    if (id === null) this.on.probe(...this.toMap(place));
    else this.on.pin(id);
  }

  pinch(id, place) {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = this.pointers.get(id);
    const span = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    this.panBy((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    this.zoomBy(span(place) / (span(before) || 1), [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2]);
  }

  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    this.zoomBy(Math.exp(-Math.max(-100, Math.min(100, pixels)) * 0.0025), this.at(event));
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const others = { "+": () => this.zoomBy(1.25), "=": () => this.zoomBy(1.25), "-": () => this.zoomBy(0.8), 0: () => this.fit(), Enter: () => this.pinNearest() };
    const step = steps[event.key], run = others[event.key];
    if (event.ctrlKey || event.metaKey || !(step || run)) return;
    event.preventDefault();
    if (run) run();
    else if (event.shiftKey) this.panBy(-40 * step[0], 40 * step[1]);
    else this.on.probe(this.marks.point[0] + (8 * step[0]) / this.view.zoom, this.marks.point[1] + (8 * step[1]) / this.view.zoom);
  }

  pinNearest() {
    this.on.pin(this.atlas.grid.some(...this.marks.point, 1)[0].id);
  }

  panBy(right, down) {
    this.view.x -= right / this.view.zoom;
    this.view.y += down / this.view.zoom;
    this.draw();
  }

  zoomBy(factor, place = [this.view.width / 2, this.view.height / 2]) {
    const fixed = this.toMap(place);
    this.view.zoom = Math.max(this.home / 4, Math.min(this.home * 400, this.view.zoom * factor));
    const moved = this.toMap(place);
    this.view.x += fixed[0] - moved[0];
    this.view.y += fixed[1] - moved[1];
    this.draw();
  }

  pointAt(place) {
    return this.atlas.grid.nearest(...this.toMap(place), NEAR / this.view.zoom, (id) => this.isShown(id));
  }

  isShown(id) {
    return !this.hidden.size || !this.hidden.has(this.atlas.labels?.[id]);
  }

  hover(id, place) {
    if (this.marks.hover !== id) this.mark({ hover: id });
    this.surface.style.cursor = id === null ? "" : "pointer";
    this.on.hover(id, place);
  }

  // Drawing -------------------------------------------------------------------------------------------------------

  colour(shades, palette, classes) {
    this.renderer.colour(shades, palette, classes);
    this.draw();
  }

  mark(marks) {
    Object.assign(this.marks, marks);
    this.draw();
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  paint() {
    const { view, atlas } = this, closer = Math.max(1, view.zoom / this.home);
    const size = Math.min(12, Math.max(2.4, 7 - Math.log10(atlas.n)) * closer ** 0.4);
    const alpha = Math.min(0.9, Math.max(0.45, 4000 / atlas.n) * closer ** 0.3);
    this.renderer.draw(view, size, alpha);
    this.paintMarks();
  }

  paintMarks() {
    const { context, marks, view, atlas } = this, ratio = this.surface.width / view.width;
    const ink = getComputedStyle(this.root);
    const colour = (name) => ink.getPropertyValue(`--${name}`);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    this.paintAxes(colour);
    const at = (id) => this.toPixels([atlas.points[2 * id], atlas.points[2 * id + 1]]);
    if (marks.path) this.line(marks.path.map((place) => this.toPixels(place)), colour("ink"));
    for (const id of marks.near) this.ring(at(id), 6, colour("card"), colour("accent"), 2);
    if (marks.hover !== null) this.ring(at(marks.hover), 7, colour("card"), colour("ink"), 2);
    marks.pins.forEach((id, i) => this.flag(at(id), String(i + 1), colour("ink"), colour("card")));
    if (marks.own) this.diamond(this.toPixels(marks.own), colour("card"), colour("ink"));
    this.handle(this.toPixels(marks.point), colour);
  }

  line(places, colour) {
    const { context } = this;
    context.beginPath();
    places.forEach((place) => context.lineTo(...place));
    Object.assign(context, { strokeStyle: colour, lineWidth: 1.5 });
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  ring(place, radius, halo, colour, width) {
    const { context } = this;
    for (const [stroke, thick] of [[halo, width + 2.5], [colour, width]]) {
      context.beginPath();
      context.arc(...place, radius, 0, 7);
      Object.assign(context, { strokeStyle: stroke, lineWidth: thick });
      context.stroke();
    }
  }

  flag([x, y], text, ink, paper) {
    const { context } = this;
    this.ring([x, y], 4, paper, ink, 2);
    context.beginPath();
    context.roundRect(x - 9, y - 28, 18, 18, 6);
    context.fillStyle = ink;
    context.fill();
    context.beginPath();
    context.moveTo(x, y - 5);
    context.lineTo(x - 4, y - 11);
    context.lineTo(x + 4, y - 11);
    context.fill();
    Object.assign(context, { fillStyle: paper, font: "600 12px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
    context.fillText(text, x, y - 18.5);
  }

  diamond([x, y], halo, colour) {
    const { context } = this;
    context.beginPath();
    for (const [right, down] of [[0, -8], [8, 0], [0, 8], [-8, 0]]) context.lineTo(x + right, y + down);
    context.closePath();
    Object.assign(context, { strokeStyle: halo, lineWidth: 3, fillStyle: colour });
    context.stroke();
    context.fill();
  }

  handle([x, y], colour) {
    const { context } = this;
    this.ring([x, y], 11, colour("card"), colour("accent"), 3);
    context.beginPath();
    context.arc(x, y, 2.5, 0, 7);
    context.fillStyle = colour("accent");
    context.fill();
  }

  // Ticks along the edges, in the units of the code.
  paintAxes(colour) {
    const { context, view, atlas } = this;
    Object.assign(context, { fillStyle: colour("soft"), strokeStyle: colour("line"), lineWidth: 1, font: "11px system-ui, sans-serif" });
    for (const axis of atlas.size > 1 ? [0, 1] : [0]) {
      const { centre, half } = atlas.frame, length = axis ? view.height : view.width;
      const low = centre[axis] + half[axis] * ((axis ? view.y : view.x) - length / 2 / view.zoom);
      const high = low + (half[axis] * length) / view.zoom;
      for (const { value, text } of ticks(low, high, length / 110)) {
        const share = (value - low) / (high - low);
        this.tick(axis, axis ? length * (1 - share) : length * share, text);
      }
    }
    const [across, up] = atlas.facts.plane.titles.map((title) => this.fitting(title, view.width - 90));
    Object.assign(context, { textBaseline: "bottom", textAlign: "right" });
    context.fillText(`${across} →`, view.width - 8, view.height - 20);
    Object.assign(context, { textBaseline: "top", textAlign: "left" });
    if (atlas.size > 1) context.fillText(`↑ ${up}`, 8, 8);
  }

  fitting(title, room) {
    return this.context.measureText(title).width < room ? title : title.replace(/ of the codes.*/, "");
  }

  tick(axis, place, text) {
    const { context, view } = this;
    if (place < 24 || place > (axis ? view.height : view.width) - 24) return;
    context.beginPath();
    context.moveTo(...(axis ? [0, place] : [place, view.height]));
    context.lineTo(...(axis ? [5, place] : [place, view.height - 5]));
    context.stroke();
    Object.assign(context, axis ? { textAlign: "left", textBaseline: "middle" } : { textAlign: "center", textBaseline: "bottom" });
    context.fillText(text, ...(axis ? [8, place] : [place, view.height - 6]));
  }
}

// Round numbers between two others, about as many as wanted.
function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(wanted, 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step * 1.001))), found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    const text = step >= 1e5 || digits > 6 ? (k * step).toExponential(1) : (k * step).toFixed(digits);
    found.push({ value: k * step, text: k ? text.replace("-", "−") : "0" });
  }
  return found;
}
