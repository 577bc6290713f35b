// The map of codes: points on a canvas; the pointer, a finger or the arrow keys say which row to show.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const box = document.getElementById("map");
  const canvas = box.querySelector("canvas");
  const tip = box.querySelector(".tip");
  const said = document.getElementById("map-said");
  const choice = document.getElementById("map-colour");
  const context = canvas.getContext("2d");
  const margin = 16;

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const points = new Float32Array(bytes(data.points));
  const rows = new Uint32Array(bytes(data.rows));
  const errors = new Float32Array(bytes(data.errors));
  const members = data.members ? new Uint8Array(bytes(data.members)) : null;
  const colours = data.colours ? new Uint8Array(bytes(data.colours)) : null;
  const values = data.values ? new Float32Array(bytes(data.values)) : null;
  const cells = data.cells ? new Float32Array(bytes(data.cells)) : null;
  const sheets = (data.sheets || []).map((address) => {
    const image = new Image();
    image.src = address;
    return image;
  });
  const ranks = rankOf(errors);
  const hidden = new Set();
  const order = Array.from({ length: data.count }, (_, i) => i).sort((a, b) => mixed(a) - mixed(b));
  let selected = -1;
  let places = [];

  // Points are drawn in an order that hides no label behind the others.
  function mixed(i) {
    return (Math.imul(i + 1, 2654435761) >>> 0) / 2 ** 32;
  }

  function rankOf(numbers) {
    const sorted = Array.from(numbers.keys()).sort((a, b) => numbers[a] - numbers[b]);
    const found = new Float32Array(numbers.length);
    sorted.forEach((place, rank) => { found[place] = rank / Math.max(1, numbers.length - 1); });
    return found;
  }

  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function palette() {
    const labels = Array.from({ length: 10 }, (_, i) => variable(`--label-${i}`));
    const numbers = Array.from({ length: 17 }, (_, i) => variable(`--number-${i}`));
    return { labels, numbers, ink: variable("--ink"), ground: variable("--sunk") };
  }

  function colourOf(i, look) {
    if (choice && choice.value === "error") return look.numbers[Math.round(ranks[i] * 16)];
    if (colours) return `rgb(${colours[3 * i]} ${colours[3 * i + 1]} ${colours[3 * i + 2]})`;
    return look.labels[members[i] % 10];
  }

  function shown(i) {
    return !(members && hidden.has(members[i]));
  }

  function place() {
    const width = canvas.clientWidth - 2 * margin;
    const height = canvas.clientHeight - 2 * margin;
    places = Array.from({ length: data.count }, (_, i) => [
      margin + points[2 * i] * width,
      margin + (1 - points[2 * i + 1]) * height,
    ]);
  }

  function dot(i, size) {
    const [x, y] = places[i];
    context.beginPath();
    if (members && members[i] >= 10) {
      context.moveTo(x, y - 1.3 * size);
      context.lineTo(x + 1.2 * size, y + size);
      context.lineTo(x - 1.2 * size, y + size);
      context.closePath();
    } else {
      context.arc(x, y, size, 0, 2 * Math.PI);
    }
  }

  function draw() {
    const scale = window.devicePixelRatio || 1;
    const look = palette();
    const size = canvas.clientWidth < 500 ? 2.1 : 2.9;
    canvas.width = Math.round(canvas.clientWidth * scale);
    canvas.height = Math.round(canvas.clientHeight * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.globalAlpha = 0.8;
    for (const i of order) {
      if (!shown(i)) continue;
      dot(i, size);
      context.fillStyle = colourOf(i, look);
      context.fill();
    }
    context.globalAlpha = 1;
    if (selected < 0) return;
    dot(selected, size + 2.5);
    context.fillStyle = colourOf(selected, look);
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = look.ink;
    context.stroke();
  }

  const short = (number) => (Math.abs(number) >= 1000 ? Math.round(number).toLocaleString("en") : `${Number(number.toPrecision(3))}`);

  function sentence(i) {
    const label = data.classes.length ? `, label ${data.classes[members[i]]}` : "";
    const value = values ? `, label ${short(values[i])}` : "";
    return `row ${rows[i]}${label}${value}, mean squared error ${short(errors[i])}`;
  }

  function thumbnails(i) {
    const figure = document.createElement("div");
    figure.className = "pair";
    const [width, height] = data.cell;
    const by = Math.max(1, Math.floor(96 / Math.max(width, height)));
    sheets.forEach((sheet, which) => {
      const one = document.createElement("canvas");
      one.width = width * by;
      one.height = height * by;
      const brush = one.getContext("2d");
      brush.imageSmoothingEnabled = false;
      const left = (i % data.across) * width;
      const top = Math.floor(i / data.across) * height;
      brush.drawImage(sheet, left, top, width, height, 0, 0, one.width, one.height);
      const caption = document.createElement("span");
      caption.textContent = which ? "rebuilt" : "original";
      const part = document.createElement("div");
      part.append(one, caption);
      figure.append(part);
    });
    return figure;
  }

  function numbers(i) {
    const table = document.createElement("table");
    const width = data.columns.length;
    data.columns.forEach((name, column) => {
      const line = table.insertRow();
      const start = 2 * width * i;
      const texts = [name, short(cells[start + column]), short(cells[start + width + column])];
      texts.forEach((text) => { line.insertCell().textContent = text; });
    });
    const head = table.createTHead().insertRow();
    ["column", "original", "rebuilt"].forEach((text) => { head.insertCell().textContent = text; });
    return table;
  }

  function select(i, aloud) {
    selected = i;
    draw();
    tip.hidden = i < 0;
    if (i < 0) return;
    const line = document.createElement("p");
    line.textContent = sentence(i);
    tip.replaceChildren(sheets.length ? thumbnails(i) : numbers(i), line);
    const [x, y] = places[i];
    const left = x + 14 + tip.offsetWidth > box.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
    const top = Math.min(Math.max(4, y - tip.offsetHeight / 2), box.clientHeight - tip.offsetHeight - 4);
    const inside = Math.max(4, Math.min(left, box.clientWidth - tip.offsetWidth - 4));
    tip.style.transform = `translate(${Math.round(inside)}px, ${Math.round(top)}px)`;
    if (aloud) said.textContent = sentence(i);
  }

  function nearest(x, y, reach, fits = () => true) {
    let found = -1;
    let least = reach * reach;
    for (let i = 0; i < data.count; i += 1) {
      const across = places[i][0] - x;
      const down = places[i][1] - y;
      const distance = across * across + down * down;
      if (distance < least && shown(i) && fits(across, down, i)) {
        found = i;
        least = distance;
      }
    }
    return found;
  }

  function pointed(event) {
    const frame = canvas.getBoundingClientRect();
    select(nearest(event.clientX - frame.left, event.clientY - frame.top, event.pointerType === "touch" ? 36 : 20));
  }

  const towards = {
    ArrowRight: (across, down) => across > 1 && Math.abs(down) <= across,
    ArrowLeft: (across, down) => across < -1 && Math.abs(down) <= -across,
    ArrowDown: (across, down) => down > 1 && Math.abs(across) <= down,
    ArrowUp: (across, down) => down < -1 && Math.abs(across) <= -down,
  };

  function pressed(event) {
    if (event.key === "Escape") return select(-1);
    const fits = towards[event.key];
    if (!fits) return undefined;
    event.preventDefault();
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const [x, y] = selected < 0 ? middle : places[selected];
    const next = selected < 0 ? nearest(x, y, Infinity) : nearest(x, y, Infinity, (a, d, i) => i !== selected && fits(a, d));
    return next >= 0 ? select(next, true) : undefined;
  }

  function toggled(button) {
    const member = Number(button.dataset.member);
    if (!hidden.delete(member)) hidden.add(member);
    button.setAttribute("aria-pressed", String(!hidden.has(member)));
    select(selected >= 0 && shown(selected) ? selected : -1);
  }

  function laidOut() {
    place();
    select(selected);
  }

  canvas.addEventListener("pointermove", pointed);
  canvas.addEventListener("pointerdown", pointed);
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && select(-1));
  canvas.addEventListener("keydown", pressed);
  canvas.addEventListener("blur", () => select(-1));
  document.querySelectorAll("[data-member]").forEach((button) => button.addEventListener("click", () => toggled(button)));
  if (choice) choice.addEventListener("change", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(laidOut).observe(box);
  Promise.all(sheets.map((sheet) => sheet.decode())).then(() => { box.dataset.ready = "yes"; });
})();
