// Draws a timeline into its canvas; drag or choose layers to look closer, double-click to see all again.
function timeline(box, data) {
  const canvas = box.querySelector("canvas"), pen = canvas.getContext("2d");
  const from = box.querySelector(".from"), to = box.querySelector(".to"), said = box.querySelector("output");
  const LEFT = 80, TOP = 58, BOTTOM = 26, GAP = 9;
  const end = data.edges[data.edges.length - 1];
  // Running sums of each state, so that a column of any width costs two looks.
  const sums = data.units.map(unit => unit.states.map(state => {
    const bytes = Uint8Array.from(atob(state.share), c => c.charCodeAt(0)), sum = new Float64Array(bytes.length + 1);
    for (let k = 0; k < bytes.length; k++)
      sum[k + 1] = sum[k] + bytes[k] / 255 * (data.edges[k + 1] - data.edges[k]);
    return sum;
  }));
  let view = [0, end], drag = null;

  function until(sum, cycle) {
    let low = 0, high = data.edges.length - 1;
    if (cycle >= end) return sum[high];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (data.edges[middle] <= cycle) low = middle; else high = middle;
    }
    return sum[low] + (sum[high] - sum[low]) * (cycle - data.edges[low]) / (data.edges[high] - data.edges[low]);
  }

  function step(range) {
    const raw = range / 8, power = Math.pow(10, Math.floor(Math.log10(raw)));
    return Math.max(1, [1, 2, 5, 10].find(k => k * power >= raw) * power);
  }

  function draw() {
    const scale = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
    const ink = getComputedStyle(box).color, soft = getComputedStyle(said).color;
    canvas.width = wide * scale; canvas.height = high * scale;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, wide, high);
    const columns = Math.max(1, Math.floor(wide - LEFT)), range = view[1] - view[0];
    const row = (high - TOP - BOTTOM) / data.units.length, place = cycle => LEFT + (cycle - view[0]) / range * columns;
    pen.font = "12px system-ui, sans-serif";
    data.units.forEach((unit, u) => {
      const base = TOP + (u + 1) * row - GAP / 2, tall = row - GAP;
      pen.fillStyle = ink; pen.textAlign = "right"; pen.textBaseline = "middle";
      pen.fillText(unit.name, LEFT - 8, base - tall / 2);
      const stacked = new Float64Array(columns);
      unit.states.forEach((state, s) => {
        pen.fillStyle = state.colour;
        let before = until(sums[u][s], view[0]);
        for (let x = 0; x < columns; x++) {
          const after = until(sums[u][s], view[0] + (x + 1) * range / columns);
          const part = Math.max(0, after - before) * columns / range * tall;
          if (part > 0.05) pen.fillRect(LEFT + x, base - stacked[x] - part, 1, part);
          stacked[x] += part; before = after;
        }
      });
    });
    pen.fillStyle = soft; pen.textAlign = "center"; pen.textBaseline = "top";
    for (let cycle = Math.ceil(view[0] / step(range)) * step(range); cycle <= view[1]; cycle += step(range)) {
      pen.fillRect(place(cycle), high - BOTTOM, 1, 5);
      pen.fillText(cycle.toLocaleString("en"), Math.min(place(cycle), wide - 30), high - BOTTOM + 8);
    }
    let free = -1;
    data.layers.forEach(layer => {
      if (layer.end <= view[0] || layer.start >= view[1]) return;
      const x = place(Math.max(layer.start, view[0]));
      pen.globalAlpha = 0.45; pen.fillStyle = ink;
      if (layer.start > view[0]) pen.fillRect(x, TOP - 4, 1, high - TOP - BOTTOM + 4);
      pen.globalAlpha = 1;
      const middle = (x + place(Math.min(layer.end, view[1]))) / 2;
      if (middle < free) return;
      free = middle + 22;
      pen.save(); pen.translate(middle, TOP - 6); pen.rotate(-Math.PI / 6);
      pen.textAlign = "left"; pen.textBaseline = "alphabetic";
      const name = layer.name.length > 18 ? "…" + layer.name.slice(-17) : layer.name;
      pen.fillText(name, 0, 0); pen.restore();
    });
    if (drag) {
      pen.globalAlpha = 0.2; pen.fillStyle = ink;
      pen.fillRect(Math.min(...drag), TOP, Math.abs(drag[1] - drag[0]), high - TOP - BOTTOM); pen.globalAlpha = 1;
    }
    said.textContent = `cycles ${Math.round(view[0]).toLocaleString("en")} to ${Math.round(view[1]).toLocaleString("en")}`;
  }

  function show(first, last) {
    view = [Math.max(0, first), Math.min(end, last)];
    if (view[1] - view[0] < 16) view = [Math.max(0, view[1] - 16), view[1]];
    draw();
  }
  const cycleAt = x => view[0] + (x - LEFT) / (canvas.clientWidth - LEFT) * (view[1] - view[0]);
  const inside = event => Math.min(Math.max(event.offsetX, LEFT), canvas.clientWidth);
  canvas.addEventListener("pointerdown", event => {
    drag = [inside(event), inside(event)]; canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => { if (drag) { drag[1] = inside(event); draw(); } });
  canvas.addEventListener("pointerup", () => {
    const [a, b] = [Math.min(...drag), Math.max(...drag)]; drag = null;
    if (b - a > 4) show(cycleAt(a), cycleAt(b)); else draw();
  });
  canvas.addEventListener("dblclick", () => show(0, end));
  for (const list of [from, to]) {
    data.layers.forEach((layer, k) => list.add(new Option(layer.name, k)));
    list.addEventListener("change", () => {
      const [a, b] = [Number(from.value), Number(to.value)].sort((x, y) => x - y);
      show(data.layers[a].start, data.layers[b].end);
    });
  }
  to.value = data.layers.length - 1;
  box.querySelector("button").addEventListener("click", () => show(0, end));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("resize", draw);
  draw();
}
