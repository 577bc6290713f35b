// What turns codes into rows and rows into codes: the model behind the server, or ONNX Runtime within the page.

class Server {
  constructor(atlas) {
    this.atlas = atlas;
  }

  static async start(atlas) {
    return new Server(atlas);
  }

  decode(codes) {
    return this.ask("decode", codes);
  }

  encode(rows) {
    return this.ask("encode", rows);
  }

  async ask(what, numbers) {
    const headers = { "content-type": "application/octet-stream" };
    const answer = await fetch(what, { method: "POST", headers, body: numbers });
    if (!answer.ok) throw new Error(await answer.text());
    return new Float32Array(await answer.arrayBuffer());
  }
}

// How numbers become the type that a graph takes.
const TYPES = {
  float32: (numbers) => numbers,
  float64: (numbers) => Float64Array.from(numbers),
  uint8: (numbers) => Uint8Array.from(numbers, Math.round),
  uint16: (numbers) => Uint16Array.from(numbers, Math.round),
  int16: (numbers) => Int16Array.from(numbers, Math.round),
  int32: (numbers) => Int32Array.from(numbers, Math.round),
  int64: (numbers) => BigInt64Array.from(numbers, (value) => BigInt(Math.round(value) || 0)),
};

class Onnx {
  static async start(atlas) {
    const runtime = await import("../runtime/ort.wasm.bundle.min.mjs");
    runtime.env.wasm.numThreads = 1;
    runtime.env.wasm.wasmPaths = { wasm: new URL("../runtime/ort-wasm-simd-threaded.wasm", import.meta.url).href };
    const backend = new Onnx();
    const open = (name) => runtime.InferenceSession.create(new URL(`../data/${name}.onnx`, import.meta.url).href);
    Object.assign(backend, { atlas, runtime, before: Promise.resolve(), decoder: await open("decoder"), encoder: await open("encoder") });
    return backend;
  }

  decode(codes) {
    return this.run(this.decoder, codes, [this.atlas.size]);
  }

  encode(rows) {
    return this.run(this.encoder, rows, this.atlas.facts.shape);
  }

  // One run at a time: a session cannot be entered twice.
  run(session, numbers, shape) {
    const answer = this.before.then(() => this.once(session, numbers, shape));
    this.before = answer.catch(() => null);
    return answer;
  }

  async once(session, numbers, shape) {
    const { type } = session.inputMetadata[0], count = numbers.length / shape.reduce((a, b) => a * b, 1);
    if (!(type in TYPES)) throw new Error(`rows of type ${type} cannot be encoded within the browser`);
    const tensor = new this.runtime.Tensor(type, TYPES[type](numbers), [count, ...shape]);
    const answer = await session.run({ [session.inputNames[0]]: tensor });
    return answer[session.outputNames[0]].data;
  }
}

export function startBackend(atlas) {
  return { server: Server, onnx: Onnx }[document.documentElement.dataset.backend].start(atlas);
}

// Ask for the latest argument only: what has come while an answer was under way takes the place of what waited.
export function latest(run, show, fail) {
  let waiting = null, busy = false;
  return async (argument) => {
    waiting = { argument };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const { argument: asked } = waiting;
        waiting = null;
        show(await run(asked), asked);
      }
    } catch (error) {
      fail(error);
    } finally {
      busy = false;
    }
  };
}
