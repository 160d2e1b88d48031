// Follows a job: what the service says of it becomes the page's progress bar, table and chart.
"use strict";

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#6a51a3", "#7f7f7f", "#b15928"];
const SVG = "http://www.w3.org/2000/svg";
const card = document.querySelector("[data-job]");
const at = (id) => document.getElementById(id);
const shown = (value, unit) => (value === undefined ? "–" : `${value.toFixed(1)}${unit}`);

/** The latencies of this group by arm, one for each run. */
let series = new Map();
let group = "";

function follow() {
  const address = new URL(`/api/ws/${card.dataset.job}?all=true`, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  let ended = false;
  // Everything is told from the start.
  group = "";
  socket.onmessage = (message) => {
    const update = JSON.parse(message.data);
    if (update.type === "heartbeat") return;
    show(update);
    ended = ["completed", "failed", "cancelled"].includes(update.state);
  };
  socket.onclose = (close) => {
    // The page that the service makes of an ended job has its results.
    if (ended || close.code === 1000) location.reload();
    else if (close.code === 4004) at("message").textContent = close.reason;
    else setTimeout(follow, 2000);
  };
}

function show(update) {
  at("state").textContent = update.state;
  at("state").className = `badge ${update.state}`;
  at("message").textContent = update.message;
  at("group").textContent = update.current_benchmark;
  at("runs").textContent = `${update.current_run} of ${update.total_runs}`;
  at("progress").max = Math.max(update.total_runs, 1);
  at("progress").value = update.current_run;
  if (update.current_benchmark !== group || update.current_run === 0) {
    group = update.current_benchmark;
    series = new Map();
  }
  const position = ([arm]) => Number(arm.split("/").at(-1)) || 0;
  const arms = Object.entries(update.metrics).sort((a, b) => position(a) - position(b));
  if (arms.length === 0) return;
  at("arms").replaceChildren(...arms.map(row));
  for (const [arm, figures] of arms) {
    if (figures.latency_ms === undefined) continue;
    if (!series.has(arm)) series.set(arm, []);
    series.get(arm).push([update.current_run, figures.latency_ms]);
  }
  draw();
}

function row([arm, figures]) {
  const cells = [
    arm,
    shown(figures.ttft_ms, " ms"),
    shown(figures.latency_ms, " ms"),
    shown(figures.tokens_per_second, ""),
    String(figures.requests),
    String(figures.failures),
  ];
  const line = document.createElement("tr");
  line.append(...cells.map((text, index) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (index > 0) cell.className = "number";
    return cell;
  }));
  return line;
}

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw() {
  const [width, height, left, right, top, bottom] = [820, 260, 60, 190, 12, 34];
  const points = [...series.values()].flat();
  if (points.length === 0) return;
  const last = Math.max(...points.map(([run]) => run), 2);
  const most = Math.max(...points.map(([, value]) => value)) * 1.08;
  const x = (run) => left + ((run - 1) / (last - 1)) * (width - left - right);
  const y = (value) => height - bottom - (value / most) * (height - top - bottom);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, class: "lines", role: "img",
    "aria-label": `Total latency of ${series.size} arms over ${last} runs` });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const value = most * share;
    svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      element("text", { class: "axis", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, `${value.toFixed(0)} ms`));
  }
  svg.append(element("text", { class: "axis", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, "run"));
  [...series].slice(0, 10).forEach(([arm, values], index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = values.map(([run, value], number) => `${number ? "L" : "M"}${x(run)} ${y(value)}`).join("");
    svg.append(element("path", { d: path, stroke: colour }),
      ...values.map(([run, value]) => element("circle", { cx: x(run), cy: y(value), r: 3, fill: colour })),
      element("circle", { cx: width - right + 16, cy: top + 8 + index * 20, r: 5, fill: colour }),
      element("text", { x: width - right + 28, y: top + 12 + index * 20 }, arm));
  });
  at("chart").replaceChildren(svg);
}

if (card && !card.dataset.final) follow();
