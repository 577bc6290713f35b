// Files that a user opens: an image, a row of a .csv file, a row of a .npy array. They never leave the browser.
const MOST_BYTES = 16 * 2 ** 20;

const TYPES = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array,
  u8: BigUint64Array, i8: BigInt64Array, f4: Float32Array, f8: Float64Array, b1: Uint8Array,
};

// Read the first row of a file; gives { row, says }.
export async function readRow(file, atlas) {
  if (file.size > MOST_BYTES) throw new Error(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB; at most 16 MB can be opened`);
  const name = file.name.toLowerCase();
  if (name.endsWith(".npy")) return fromNumbers(npy(await file.arrayBuffer(), file.name), file.name, atlas);
  if (name.endsWith(".csv")) return fromNumbers(csv(await file.text(), file.name, atlas), file.name, atlas);
  return { row: await picture(file, atlas), says: `${file.name}, brought to ${atlas.image?.shape.join(" × ")}` };
}

function fromNumbers({ values, rows }, name, atlas) {
  if (values.length < atlas.width) throw new Error(`${name} has ${values.length} numbers in a row, but the rows of this model have ${atlas.width}`);
  const row = Float32Array.from(values.slice(0, atlas.width), Number);
  if (row.some((value) => Math.abs(value) === Infinity)) throw new Error(`${name} has a number that is infinite or beyond float32`);
  return { row, says: rows > 1 ? `first of ${rows.toLocaleString("en")} rows of ${name}` : name };
}

// The format of NumPy: magic, version, length of the header, a header as a Python dictionary, the numbers.
export function npy(buffer, name) {
  const bytes = new Uint8Array(buffer), broken = new Error(`${name} is not an array of plain numbers as NumPy writes them`);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") throw broken;
  const view = new DataView(buffer), long = bytes[6] > 1;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true), start = (long ? 12 : 10) + length;
  const header = new TextDecoder("latin1").decode(bytes.subarray(long ? 12 : 10, start));
  const type = /'descr':\s*'[<|]([a-z]\d)'/.exec(header)?.[1], shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (!(type in TYPES) || shape === undefined || /'fortran_order':\s*True/.test(header)) throw broken;
  const sizes = shape.split(",").filter((text) => text.trim()).map(Number);
  const values = new TYPES[type](buffer.slice(start, start + Math.floor((bytes.length - start) / TYPES[type].BYTES_PER_ELEMENT) * TYPES[type].BYTES_PER_ELEMENT));
  if (!values.length || values.length < sizes.reduce((a, b) => a * b, 1)) throw broken;
  return { values, rows: sizes.length > 1 ? sizes[0] : 1, sizes };
}

// The first line of numbers; a line of names before it puts them into the order of the model's columns.
export function csv(text, name, atlas) {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/).filter((line) => line.trim());
  const cells = (line) => line.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  const isNumber = (cell) => cell === "" || Number.isFinite(Number(cell));
  const names = lines.length && !cells(lines[0]).every(isNumber) ? cells(lines.shift()) : null;
  if (!lines.length) throw new Error(`${name} has no row of numbers`);
  const found = cells(lines[0]), odd = found.find((cell) => !isNumber(cell));
  if (odd !== undefined) throw new Error(`${name} has a cell that is no number: ${odd.slice(0, 40)}`);
  const numbers = found.map((cell) => (cell === "" ? NaN : Number(cell)));
  const columns = names && atlas.facts.columns?.map((column) => names.indexOf(column.name));
  return { values: columns?.every((place) => place >= 0) ? columns.map((place) => numbers[place]) : numbers, rows: lines.length };
}

async function picture(file, atlas) {
  if (!atlas.image) throw new Error(`${file.name} is no .npy or .csv file, which rows of a table come in`);
  const [height, width, channels] = atlas.image.shape;
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is not an image that this browser can read`);
  });
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  const scale = Math.min(width / bitmap.width, height / bitmap.height), across = bitmap.width * scale, down = bitmap.height * scale;
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, (width - across) / 2, (height - down) / 2, across, down);
  const { data } = context.getImageData(0, 0, width, height), { low, high } = atlas.image;
  return Float32Array.from({ length: atlas.width }, (_, i) => {
    const at = 4 * Math.floor(i / channels), part = i % channels;
    const light = channels === 3 || channels === 4 ? data[at + part] : 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    return low + ((high - low) * light) / 255;
  });
}
