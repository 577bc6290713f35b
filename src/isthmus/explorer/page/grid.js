// Points of the plane in cells, so that those near a place are found without a look at all of them.
const SIDE = 256;

export class Grid {
  constructor(points) {
    this.points = points;
    const n = points.length / 2;
    this.low = [Infinity, Infinity];
    this.high = [-Infinity, -Infinity];
    for (let i = 0; i < 2 * n; i++) {
      this.low[i % 2] = Math.min(this.low[i % 2], points[i]);
      this.high[i % 2] = Math.max(this.high[i % 2], points[i]);
    }
    this.step = [0, 1].map((axis) => (this.high[axis] - this.low[axis]) / SIDE || 1);
    const cells = Uint32Array.from({ length: n }, (_, i) => this.cell(points[2 * i], 0) * SIDE + this.cell(points[2 * i + 1], 1));
    this.starts = new Uint32Array(SIDE * SIDE + 1);
    for (const cell of cells) this.starts[cell + 1]++;
    for (let i = 0; i < SIDE * SIDE; i++) this.starts[i + 1] += this.starts[i];
    const next = this.starts.slice();
    this.ids = new Uint32Array(n);
    cells.forEach((cell, i) => (this.ids[next[cell]++] = i));
  }

  cell(value, axis) {
    return Math.max(0, Math.min(SIDE - 1, Math.floor((value - this.low[axis]) / this.step[axis])));
  }

  // All points within a radius.
  within(x, y, radius, shown = () => true) {
    const found = [];
    const [left, right] = [this.cell(x - radius, 0), this.cell(x + radius, 0)];
    const [bottom, top] = [this.cell(y - radius, 1), this.cell(y + radius, 1)];
    for (let column = left; column <= right; column++) {
      for (let at = this.starts[column * SIDE + bottom]; at < this.starts[column * SIDE + top + 1]; at++) {
        const id = this.ids[at];
        const distance = Math.hypot(this.points[2 * id] - x, this.points[2 * id + 1] - y);
        if (distance <= radius && shown(id)) found.push({ id, distance });
      }
    }
    return found;
  }

  nearest(x, y, radius, shown) {
    return this.within(x, y, radius, shown).reduce((best, one) => (!best || one.distance < best.distance ? one : best), null)?.id ?? null;
  }

  // The nearest points, however far they are.
  some(x, y, count) {
    const wanted = Math.min(count, this.ids.length);
    const away = Math.hypot(Math.max(this.low[0] - x, x - this.high[0], 0), Math.max(this.low[1] - y, y - this.high[1], 0));
    for (let radius = away + Math.max(...this.step) / 2; ; radius *= 1.6) {
      const found = this.within(x, y, radius);
      if (found.length >= wanted) return found.sort((a, b) => a.distance - b.distance).slice(0, wanted);
    }
  }
}
