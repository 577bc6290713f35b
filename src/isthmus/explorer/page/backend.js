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

class Onnx {
  static async start(atlas) {
    const runtime = await import("../runtime/ort.wasm.bundle.min.mjs");
    runtime.env.wasm.numThreads = 1;
    runtime.env.wasm.wasmPaths = new URL("../runtime/", import.meta.url).href;
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
    const width = shape.reduce((a, b) => a * b, 1);
    const tensor = new this.runtime.Tensor("float32", numbers, [numbers.length / width, ...shape]);
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
