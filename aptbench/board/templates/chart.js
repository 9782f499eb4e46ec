// Line charts from the JSON beside them: legend buttons switch lines, pointer and arrow keys read values.
for (const figure of document.querySelectorAll("figure.chart")) {
  const data = JSON.parse(document.getElementById(figure.dataset.source).textContent);
  const NS = "http://www.w3.org/2000/svg";
  const W = Math.max(340, Math.min(960, figure.clientWidth || 960)), H = W < 600 ? 300 : 420;
  const L = 78, R = 24, T = 26, B = 46, every = W < 600 ? 1000 : 500;
  const x = data.x, shown = data.series.map(() => true);
  const make = (name, attributes, parent) => {
    const node = document.createElementNS(NS, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    parent.append(node);
    return node;
  };
  const svg = document.createElementNS(NS, "svg");
  for (const [k, v] of Object.entries({ viewBox: `0 0 ${W} ${H}`, role: "img", tabindex: 0, "aria-label": data.title })) svg.setAttribute(k, v);
  const legend = document.createElement("div"), output = document.createElement("output");
  legend.className = "legend";
  figure.prepend(legend, svg, output);
  output.textContent = data.hint;
  const low = x[0], high = x[x.length - 1];
  const px = (value) => L + (W - L - R) * (value - low) / (high - low);
  let at = -1, py = null;
  const step = (span) => {
    const power = 10 ** Math.floor(Math.log10(span / 5));
    return [1, 2, 5, 10].map((k) => k * power).find((s) => span / s <= 6);
  };
  const text = (words, place, parent) => { make("text", place, parent).textContent = words; };
  const path = (values) => values.map((v, k) => `${k ? "L" : "M"}${px(x[k]).toFixed(1)} ${py(v).toFixed(1)}`).join("");
  const draw = () => {
    svg.replaceChildren();
    const visible = data.series.filter((_, k) => shown[k]);
    const top = Math.max(...visible.flatMap((s) => s.high || s.y), 1e-9) * 1.04;
    const bottom = Math.min(0, ...visible.flatMap((s) => s.low || s.y)) * 1.04;
    py = (value) => H - B - (H - T - B) * (value - bottom) / (top - bottom);
    for (const band of data.bands) {
      make("rect", { x: px(band.low), y: T, width: px(band.high) - px(band.low), height: H - T - B, class: "place" }, svg);
      if (W > 600 || px(band.high) - px(band.low) > 7 * band.name.length) text(band.name, { x: (px(band.low) + px(band.high)) / 2, y: T - 8, class: "tick middle" }, svg);
    }
    for (let v = Math.ceil(bottom / step(top - bottom)) * step(top - bottom); v <= top; v += step(top - bottom)) {
      make("line", { x1: L, x2: W - R, y1: py(v), y2: py(v), class: "grid" }, svg);
      text(String(Number(v.toPrecision(6))), { x: L - 8, y: py(v) + 4, class: "tick end" }, svg);
    }
    for (let v = Math.ceil(low / every) * every; v <= high; v += every) {
      text(String(v), { x: px(v), y: H - B + 18, class: "tick middle" }, svg);
    }
    text(data.xlabel, { x: (L + W - R) / 2, y: H - 8, class: "tick middle" }, svg);
    text(data.ylabel, { x: -(T + H - B) / 2, y: 16, transform: "rotate(-90)", class: "tick middle" }, svg);
    for (const s of visible) {
      if (s.high) make("path", { d: `${path(s.high)}${path(s.low).split(/(?=[ML])/).reverse().join("").replace(/M/g, "L")}Z`, fill: s.colour, "fill-opacity": 0.2 }, svg);
    }
    for (const s of visible) {
      make("path", { d: path(s.y), fill: "none", stroke: s.colour, "stroke-width": 1.8, "stroke-dasharray": s.dash || "none" }, svg);
    }
    if (at >= 0) make("line", { x1: px(x[at]), x2: px(x[at]), y1: T, y2: H - B, class: "cursor" }, svg);
  };
  const read = (index) => {
    at = Math.max(0, Math.min(x.length - 1, index));
    const words = data.series.map((s, k) => shown[k] ? `${s.name} ${s.y[at]}${s.high ? ` [${s.low[at]}, ${s.high[at]}]` : ""}` : null);
    output.textContent = `${x[at]} ${data.xunit}: ${words.filter(Boolean).join("; ")}`;
    draw();
  };
  data.series.forEach((s, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    const mark = document.createElement("span");
    mark.className = "swatch";
    mark.style.background = s.colour;
    button.append(mark, s.name);
    button.addEventListener("click", () => {
      if (shown[k] && shown.filter(Boolean).length === 1) return; // one always stays
      shown[k] = !shown[k];
      button.setAttribute("aria-pressed", String(shown[k]));
      draw();
    });
    legend.append(button);
  });
  const point = (event) => {
    const box = svg.getBoundingClientRect();
    const value = low + (high - low) * ((event.clientX - box.left) / box.width * W - L) / (W - L - R);
    read(Math.round((value - low) / (x[1] - x[0])));
  };
  for (const kind of ["pointerdown", "pointermove"]) svg.addEventListener(kind, point);
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: 25, PageDown: -25 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    read(at < 0 ? 0 : at + move);
  });
  draw();
}
