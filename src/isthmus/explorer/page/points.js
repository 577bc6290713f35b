// The points of the map: drawn by the graphics card, or pixel by pixel where there is none.

const VERTEX = `
attribute vec2 place;
attribute float shade;
uniform vec2 scale, shift;
uniform float size;
varying float hue;
void main() {
  gl_Position = vec4(place * scale + shift, 0.0, 1.0);
  gl_PointSize = size + 1.0;
  hue = shade;
}`;

const FRAGMENT = `
precision highp float;
uniform sampler2D palette;
uniform float size, alpha, classes;
varying float hue;
void main() {
  vec4 colour = texture2D(palette, vec2(hue * 255.0 / 256.0 + 0.5 / 256.0, 0.5));
  if (colour.a == 0.0) discard;
  vec2 at = 2.0 * gl_PointCoord - 1.0;
  bool triangle = classes > 0.5 && hue * 255.0 > 9.5;
  float away = triangle ? max(at.y, 1.8 * abs(at.x) - at.y - 0.4) : length(at);
  float cover = alpha * clamp((1.0 - away) * (size + 1.0) * 0.5, 0.0, 1.0);
  gl_FragColor = vec4(colour.rgb * cover, cover);
}`;

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

class NoCard extends Error {}

function nameOf(gl) {
  const known = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(known ? known.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

// Rows in an order that keeps no class on top.
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 1;
  for (let i = n - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = state % (i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

function placesIn(order, points) {
  const places = new Float32Array(points.length);
  order.forEach((id, i) => {
    places[2 * i] = points[2 * id];
    places[2 * i + 1] = points[2 * id + 1];
  });
  return places;
}

export class CardPoints {
  // Where a program plays the card's part, plain pixels are faster, unless one insists.
  constructor(canvas, points, insists) {
    this.canvas = canvas;
    const options = { alpha: true, antialias: false, depth: false, failIfMajorPerformanceCaveat: !insists };
    const gl = (this.gl = canvas.getContext("webgl", options));
    if (!gl || (!insists && SOFTWARE.test(nameOf(gl)))) throw new NoCard();
    this.order = shuffled(points.length / 2);
    this.program = this.linked();
    gl.useProgram(this.program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.feed("place", placesIn(this.order, points), 2, gl.FLOAT, false);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [name, value] of [["MIN_FILTER", "NEAREST"], ["MAG_FILTER", "NEAREST"], ["WRAP_S", "CLAMP_TO_EDGE"], ["WRAP_T", "CLAMP_TO_EDGE"]]) {
      gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${name}`], gl[value]);
    }
  }

  linked() {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    return program;
  }

  feed(name, values, width, type, scaled) {
    const gl = this.gl, place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, type, scaled, 0, 0);
  }

  colour(shades, palette, classes) {
    const gl = this.gl;
    this.classes = classes;
    this.feed("shade", Uint8Array.from(this.order, (id) => shades[id]), 1, gl.UNSIGNED_BYTE, true);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette);
  }

  draw(view, size, alpha) {
    const { gl, canvas } = this, at = (name) => gl.getUniformLocation(this.program, name);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const scale = [(2 * view.zoom) / view.width, (2 * view.zoom) / view.height];
    gl.uniform2f(at("scale"), ...scale);
    gl.uniform2f(at("shift"), -view.x * scale[0], -view.y * scale[1]);
    gl.uniform1f(at("size"), (size * canvas.width) / view.width);
    gl.uniform1f(at("alpha"), alpha);
    gl.uniform1f(at("classes"), this.classes ? 1 : 0);
    gl.drawArrays(gl.POINTS, 0, this.order.length);
  }
}

// The pixels of a disc or a triangle, one behind the other in lines of a width.
function shapeOf(side, width, triangle) {
  const pixels = [], middle = (side - 1) / 2;
  for (let y = 0; y < side; y++) {
    const half = triangle ? (y + 1) / 2 : Math.sqrt((side / 2) ** 2 - (y - middle) ** 2);
    for (let x = 0; x < side; x++) if (Math.abs(x - middle) <= half) pixels.push(y * width + x);
  }
  return Int32Array.from(pixels);
}

export class PlainPoints {
  constructor(canvas, points) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.order = shuffled(points.length / 2);
    this.places = placesIn(this.order, points);
  }

  colour(shades, palette, classes) {
    const inks = new Uint32Array(palette.slice().buffer);
    this.inks = Uint32Array.from(this.order, (id) => inks[shades[id]]);
    this.second = Uint8Array.from(this.order, (id) => (classes && shades[id] > 9 ? 1 : 0));
  }

  draw(view, size) {
    const { canvas, places, inks, second } = this, { width, height } = canvas;
    if (this.image?.width !== width || this.image?.height !== height) {
      this.image = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const { pixels } = this, ratio = width / view.width, side = Math.max(1, Math.round(0.95 * size * ratio));
    const zoom = view.zoom * ratio, left = width / 2 - view.x * zoom - side / 2, top = height / 2 + view.y * zoom - side / 2;
    const shapes = [shapeOf(side, width, false), shapeOf(side, width, true)];
    pixels.fill(0);
    for (let i = 0; i < inks.length; i++) {
      const x = (left + places[2 * i] * zoom + 0.5) | 0, y = (top - places[2 * i + 1] * zoom + 0.5) | 0, ink = inks[i];
      if (!ink || x < 0 || y < 0 || x + side > width || y + side > height) continue;
      const shape = shapes[second[i]], start = y * width + x;
      for (let k = 0; k < shape.length; k++) pixels[start + shape[k]] = ink;
    }
    this.context.putImageData(this.image, 0, 0);
  }
}

// A renderer in a canvas of its own; `renderer=webgl` in the address insists on WebGL, `renderer=plain` does without.
export function startPoints(canvas, points) {
  const wanted = new URLSearchParams(location.search).get("renderer");
  if (wanted !== "plain") {
    try {
      return new CardPoints(canvas, points, wanted === "webgl");
    } catch (error) {
      if (!(error instanceof NoCard)) throw error;
    }
  }
  const plain = canvas.cloneNode();
  canvas.replaceWith(plain);
  return new PlainPoints(plain, points);
}
