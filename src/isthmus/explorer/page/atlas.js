// Rows, their codes and where these lie on the map.
import { Grid } from "./grid.js";

const KEPT_CHUNKS = 400;

async function binary(name, Type) {
  return new Type(await (await got(name)).arrayBuffer());
}

async function got(name) {
  const answer = await fetch(`data/${name}`);
  if (!answer.ok) throw new Error(`${name} cannot be loaded (${answer.status})`);
  return answer;
}

export async function loadAtlas() {
  const facts = await (await got("atlas.json")).json();
  const labelType = facts.labels?.classes ? Uint8Array : Float32Array;
  const [codes, errors, numbers, labels] = await Promise.all([
    binary("codes.bin", Float32Array),
    binary("errors.bin", Float32Array),
    binary("numbers.bin", Uint32Array),
    facts.labels ? binary("labels.bin", labelType) : null,
  ]);
  return new Atlas(facts, codes, errors, numbers, labels);
}

export class Atlas {
  constructor(facts, codes, errors, numbers, labels) {
    Object.assign(this, { facts, codes, errors, numbers, labels });
    this.n = facts.rows.shown;
    this.size = facts.code.size;
    this.width = facts.shape.reduce((a, b) => a * b, 1);
    this.image = facts.image;
    this.ranges = this.rangesOfCode();
    this.frame = this.frameOf(this.places());
    this.points = this.onMap(this.places());
    this.grid = new Grid(this.points);
    this.chunks = new Map();
  }

  code(id) {
    return this.codes.subarray(id * this.size, (id + 1) * this.size);
  }

  // Low, high and spread of each number of the code.
  rangesOfCode() {
    const { n, size, codes } = this;
    return Array.from({ length: size }, (_, j) => {
      let low = Infinity, high = -Infinity, sum = 0, squares = 0;
      for (let i = 0; i < n; i++) {
        const value = codes[i * size + j];
        low = Math.min(low, value);
        high = Math.max(high, value);
        sum += value;
        squares += value * value;
      }
      const spread = Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2));
      return { low, high: high > low ? high : low + 1, mean: sum / n, spread };
    });
  }

  // Places in the plane, two numbers for each row; codes of one number are spread out sideways.
  places() {
    const places = new Float32Array(2 * this.n);
    for (let i = 0; i < this.n; i++) {
      const [x, y] = this.planeOf(this.code(i));
      places[2 * i] = x;
      places[2 * i + 1] = this.size > 1 ? y : (((i + 1) * 0.618034) % 1) - 0.5;
    }
    return places;
  }

  planeOf(code) {
    const { mean, directions } = this.facts.plane;
    let x = 0, y = 0;
    for (let j = 0; j < this.size; j++) {
      x += (code[j] - mean[j]) * directions[0][j];
      y += (code[j] - mean[j]) * directions[1][j];
    }
    return [x, y];
  }

  // Centre and half-width of nearly all points; the axes have one scale unless that would leave the map empty.
  frameOf(places) {
    const spans = [0, 1].map((axis) => {
      const values = places.filter((_, i) => i % 2 === axis).sort();
      const cut = Math.floor(this.n * 0.0005);
      const low = values[cut], high = values[this.n - 1 - cut];
      return { centre: (low + high) / 2, half: (high - low) / 2 || 0.5 };
    });
    const [a, b] = spans.map((span) => span.half);
    if (this.size > 1 && Math.max(a, b) < 4 * Math.min(a, b)) spans.forEach((span) => (span.half = Math.max(a, b)));
    return { centre: spans.map((span) => span.centre), half: spans.map((span) => span.half), fit: [a / spans[0].half, b / spans[1].half] };
  }

  onMap(places) {
    const { centre, half } = this.frame;
    return places.map((value, i) => (value - centre[i % 2]) / half[i % 2]);
  }

  toMap(code) {
    return [...this.onMap(Float32Array.from(this.planeOf(code)))];
  }

  toPlane(x, y) {
    const { centre, half } = this.frame;
    return [centre[0] + x * half[0], centre[1] + y * half[1]];
  }

  // The code at a place of the map. What the plane does not say is as nearby rows have it, as it was, or the mean.
  codeAt(x, y, rest, current) {
    const { mean, directions } = this.facts.plane;
    const base = rest === "kept" ? current : rest === "mean" ? Float32Array.from(mean) : this.blend(x, y);
    const wanted = this.toPlane(x, y), there = this.planeOf(base);
    return base.map((value, j) => value + (wanted[0] - there[0]) * directions[0][j] + (wanted[1] - there[1]) * directions[1][j]);
  }

  // Mean code of the nearest points of the map; weights fall to zero at the farthest, so that it moves smoothly.
  blend(x, y) {
    const near = this.grid.some(x, y, 16);
    const reach = Math.max(...near.map((one) => one.distance)) || 1;
    const sum = new Float64Array(this.size);
    let total = 0;
    for (const { id, distance } of near) {
      const weight = (1 - (distance / reach) ** 2) ** 2 + 1e-6;
      this.code(id).forEach((value, j) => (sum[j] += weight * value));
      total += weight;
    }
    return Float32Array.from(sum, (value) => value / total);
  }

  // The rows whose codes are nearest, by Euclidean distance.
  nearest(code, count) {
    const best = [];
    for (let i = 0, at = 0; i < this.n; i++, at += this.size) {
      const limit = best.length < count ? Infinity : best[count - 1].distance;
      let distance = 0;
      for (let j = 0; j < this.size && distance < limit; j++) distance += (this.codes[at + j] - code[j]) ** 2;
      if (distance >= limit) continue;
      if (best.length === count) best.pop();
      let place = best.length;
      while (place && best[place - 1].distance > distance) place--;
      best.splice(place, 0, { id: i, distance });
    }
    return best.map(({ id, distance }) => ({ id, distance: Math.sqrt(distance) }));
  }

  // A row, once its chunk is there.
  async row(id) {
    const { chunk, type } = this.facts.rows;
    const place = Math.floor(id / chunk);
    if (!this.chunks.has(place)) this.chunks.set(place, this.loadChunk(place, type));
    if (this.chunks.size > KEPT_CHUNKS) this.chunks.delete(this.chunks.keys().next().value);
    const values = await this.chunks.get(place);
    const start = (id - place * chunk) * this.width;
    return Float32Array.from(values.subarray(start, start + this.width));
  }

  async loadChunk(place, type) {
    const packed = (await got(`rows/${place}.gz`)).body.pipeThrough(new DecompressionStream("gzip"));
    const bytes = await new Response(packed).arrayBuffer();
    return type === "uint8" ? new Uint8Array(bytes) : new Float32Array(bytes);
  }

  // What a row is called.
  title(id) {
    const label = this.labelOf(id);
    return `row ${this.numbers[id].toLocaleString("en")}${label === null ? "" : ` · label ${label}`}`;
  }

  labelOf(id) {
    if (!this.labels) return null;
    const { classes } = this.facts.labels;
    return classes ? classes[this.labels[id]] : short(this.labels[id]);
  }
}

// A number in about four digits.
export function short(value) {
  if (value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return value.toExponential(1).replace("-", "−").replace("e+", "e");
  const text = value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3);
  return text.replace("-", "−");
}
