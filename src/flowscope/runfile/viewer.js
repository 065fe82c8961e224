"use strict";
// One run, shown again. Everything the run said is put on the page as text, never as markup.
const run = JSON.parse(document.getElementById("run").textContent);
const events = run.journal, updates = run.updates, last = events.length;
const times = events.map((event) => event.at);
for (let n = 1; n < last; n++) times[n] = Math.max(times[n], times[n - 1]);
const start = times[0], end = times[last - 1], span = Math.max(end - start, 1);
const ICONS = { idle: "◌", pending: "◷", waiting: "◷", running: "▶", success: "✓", error: "✗", failed: "✗", skipped: "⊘", cancelled: "⊘", kept: "✓", lost: "✗" };
const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const element = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

function duration(ms) {
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  const s = ms / 1000;
  if (s < 59.95) return `${s.toFixed(s < 9.995 ? 2 : 1)}s`;
  const m = Math.floor(Math.round(s) / 60);
  return m < 60 ? `${m}m ${String(Math.round(s) % 60).padStart(2, "0")}s` : `${Math.floor(m / 60)}h ${String(m % 60).padStart(2, "0")}m`;
}
const clock = (at) => new Date(at).toISOString().slice(11, 23);
const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

// --- the state after any event: what was last said of each node, from the nearest keyframe on ---

const KEYFRAME = 400;
const keyframes = [{ place: 0, run: {}, nodes: new Map() }];
function said(picture, update) {
  for (const message of update[2]) {
    if (message.type === "NODE_UPDATE") picture.nodes.set(message.data.nodeId, message.data);
    else picture.run = message.data;
  }
}
{
  const picture = { run: {}, nodes: new Map() };
  updates.forEach((update, place) => {
    said(picture, update);
    if ((place + 1) % KEYFRAME === 0) keyframes.push({ place: place + 1, run: picture.run, nodes: new Map(picture.nodes) });
  });
}
function pictureAt(seq) {
  const from = keyframes[Math.floor(seq / KEYFRAME)];
  const picture = { run: from.run, nodes: new Map(from.nodes) };
  for (let place = from.place; place < seq; place++) said(picture, updates[place]);
  return picture;
}

const outputs = new Map(), payloads = new Map();
for (const [seq, nodeId, path, what, number] of run.payloads) {
  const key = `${what}\n${nodeId}`;
  if (!payloads.has(key)) payloads.set(key, []);
  payloads.get(key).push({ seq, path, value: run.values[number] });
}
for (const event of events) {
  if ((event.type === "NodeSucceeded" || event.type === "NodeAdopted") && "output" in event && !event.passed) {
    if (!outputs.has(event.nodeId)) outputs.set(event.nodeId, []);
    outputs.get(event.nodeId).push({ seq: event.seq, path: event.path || "", value: event.output });
  }
}
function payloadAt(what, nodeId, path, seq) {
  const found = [...(payloads.get(`${what}\n${nodeId}`) || []), ...(what === "output" ? outputs.get(nodeId) || [] : [])];
  return found.filter((one) => one.path === path && one.seq <= seq).sort((a, b) => a.seq - b.seq).pop();
}
const starts = new Map();
for (const event of events) if (event.type === "NodeStarted" || event.type === "NodeAdopted") { if (!starts.has(event.nodeId)) starts.set(event.nodeId, []); starts.get(event.nodeId).push([event.seq, event.path || ""]); }
const errors = events.filter((event) => ["NodeFailed", "NodeLost", "IterationFailed", "ExecutionFailed"].includes(event.type)).map((event) => event.seq);

// --- the page ---

const labels = new Map(run.graph.nodes.map((node) => [node.id, node]));
const name = run.execution.workflowName || run.execution.workflowId;
const pill = make("span", { class: "pill", id: "status" });
const where = make("div", { class: "where", id: "where", "aria-live": "off" });
const slider = make("input", { type: "range", min: 1, max: last, value: 1, "aria-label": "Event", id: "seek" });
const bars = make("canvas", { "aria-hidden": "true" });
const play = make("button", { class: "button primary", id: "play", title: "Play or pause (Space)", "aria-label": "Play" }, "▶");
const speed = make("select", { class: "button", "aria-label": "Speed", id: "speed" }, ...[0.5, 1, 2, 4, 8, 16, 32].map((n) => make("option", { value: n, selected: n === 1 }, `${n}×`)));
const theme = make("button", { class: "button", title: "Light or dark", "aria-label": "Light or dark", id: "theme" }, "◐");
const notes = [run.execution.detail && run.execution.detail.startsWith("imported") ? "imported" : "", run.data ? "" : "without data", run.blotted ? `${run.blotted} blotted out` : "", `exported ${new Date(run.exportedAt).toISOString().slice(0, 16).replace("T", " ")} UTC`].filter(Boolean);
document.body.append(make("header", {}, make("h1", {}, name), make("span", { class: "id", title: run.execution.executionId }, run.execution.executionId), pill, make("span", { class: "grow" }), make("span", { class: "note" }, notes.join(" · ")), theme));
const button = (id, text, title, act) => make("button", { class: "button", id, title, "aria-label": title, on: { click: act } }, text);
document.body.append(make("div", { class: "scrubber" },
  button("first", "|◂", "To the beginning", () => { halt(); show(1); }), button("back", "◂", "One event back (,)", () => { halt(); show(seq - 1); }),
  play, button("step", "▸", "One event on (.)", () => { halt(); show(seq + 1); }), button("next-error", "✗▸", "Next error (E)", nextError), speed,
  make("div", { class: "track", title: "Each bar: how long it took until those events; ▾ an error" }, bars, slider), where));
const stage = make("svg:svg", { role: "group", "aria-label": "The workflow", id: "graph" });
const world = make("svg:g");
stage.append(world);
document.body.append(make("main", {}, stage, make("div", { class: "hint" }, "drag to move · scroll to zoom · Space plays · , . step · E next error"), make("button", { class: "button fit", title: "Show all", on: { click: fit } }, "Fit")));
const side = make("aside", { "aria-label": "Inspector", id: "inspector" });
document.body.append(side);
const sheet = make("div", { class: "sheet", id: "sheet" });
const tabs = {};
const tablist = make("div", { class: "tabs", role: "tablist" });
for (const [id, text] of [["timeline", "Timeline"], ["events", `Events (${last.toLocaleString("en")})`], ["log", `Log (${run.log.length.toLocaleString("en")})`]]) {
  tabs[id] = make("button", { role: "tab", id: `tab-${id}`, on: { click: () => openTab(id) } }, text);
  tablist.append(tabs[id]);
}
tablist.append(make("span", { class: "legend", "aria-hidden": "true" }, ...[["queue", "queue"], ["run", "run"], ["wait", "wait, back-off"], ["down", "process down"], ["critical", "critical path"]].map(([kind, text]) => make("span", {}, make("i", { class: `i-${kind}` }), text))));
document.body.append(make("div", { class: "dock" }, tablist, sheet));

// --- the graph ---

const cards = new Map(), edges = [];
function cut(text, width) { const most = Math.floor(width / 7.2); return text.length > most ? text.slice(0, most - 1) + "…" : text; }
for (const node of run.graph.nodes) if (node.height > 84) draw(node, true);
const wires = make("svg:g");
world.append(wires);
for (const node of run.graph.nodes) if (node.height <= 84) draw(node, false);
function draw(node, body) {
  const y = body ? 24 : 36;
  const stripe = make("svg:rect", { class: "stripe", x: 0, y: 0, width: 5, height: node.height, rx: 2 });
  const badge = make("svg:text", { class: "badge", x: body ? node.width - 12 : 18, y: body ? 24 : 70, "text-anchor": body ? "end" : "start" });
  const card = make("svg:g", { class: body ? "card body" : "card", transform: `translate(${node.x} ${node.y})`, tabindex: 0, role: "button", "data-node": node.id, on: { click: () => select(node.id), keydown: (event) => { if (event.key === "Enter") select(node.id); } } },
    make("svg:rect", { class: "box", width: node.width, height: node.height, rx: 8 }), stripe,
    make("svg:text", { class: "title", x: 18, y: y - 8 }, cut(node.label, node.width - 40)), make("svg:text", { class: "kind", x: 18, y: y + 10 }, cut(node.type, node.width - 40)), badge, make("svg:title", {}, `${node.label} (${node.id})`));
  cards.set(node.id, { card, stripe, badge, node });
  world.append(card);
}
for (const edge of run.graph.edges) {
  const from = labels.get(edge.source), to = labels.get(edge.target);
  if (!from || !to) continue;
  const x1 = from.x + from.width, y1 = from.y + from.height / 2, x2 = to.x, y2 = to.y + to.height / 2, bend = Math.max(40, Math.abs(x2 - x1) / 2);
  const path = make("svg:path", { class: "edge", d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
  wires.append(path);
  if (edge.handle !== "output") wires.append(make("svg:text", { class: "handle", x: x1 + 8, y: y1 - 6 }, edge.handle));
  edges.push({ path, edge });
}
const taken = new Map();
for (const event of events) if (event.type === "NodeSucceeded" || event.type === "NodeAdopted") { if (!taken.has(event.nodeId)) taken.set(event.nodeId, []); taken.get(event.nodeId).push([event.seq, event.handle || "output"]); }
const view = { x: 0, y: 0, k: 1 };
function place() { world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`); }
function fit() {
  const box = stage.getBoundingClientRect(), nodes = run.graph.nodes;
  if (!nodes.length) return;
  const x1 = Math.min(...nodes.map((n) => n.x)), y1 = Math.min(...nodes.map((n) => n.y)), x2 = Math.max(...nodes.map((n) => n.x + n.width)), y2 = Math.max(...nodes.map((n) => n.y + n.height));
  view.k = Math.min(1.1, (box.width - 64) / (x2 - x1), (box.height - 64) / (y2 - y1));
  view.x = (box.width - (x2 - x1) * view.k) / 2 - x1 * view.k;
  view.y = (box.height - (y2 - y1) * view.k) / 2 - y1 * view.k;
  place();
}
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = stage.getBoundingClientRect(), k = Math.min(3, Math.max(0.03, view.k * Math.exp(-event.deltaY / 500)));
  const x = event.clientX - box.left, y = event.clientY - box.top;
  view.x = x - ((x - view.x) * k) / view.k; view.y = y - ((y - view.y) * k) / view.k; view.k = k;
  place();
}, { passive: false });
let drag = null;
stage.addEventListener("pointerdown", (event) => { drag = [event.clientX - view.x, event.clientY - view.y]; });
addEventListener("pointermove", (event) => { if (drag) { view.x = event.clientX - drag[0]; view.y = event.clientY - drag[1]; place(); } });
addEventListener("pointerup", () => { drag = null; });

// --- showing an instant ---

let seq = 1, picture = pictureAt(1), selected = null, chosenPath = null, tab = "timeline";
function word(entry) { return entry ? entry.detail || entry.status : "idle"; }
function colourOf(entry) { const text = word(entry); return text === "kept" ? "kept" : entry && entry.status === "pending" && text !== "queued" ? "waiting" : (entry && entry.status) || "idle"; }
function show(wanted) {
  seq = Math.min(Math.max(1, wanted), last);
  picture = pictureAt(seq);
  slider.value = seq;
  const facts = picture.run, status = facts.status || "running";
  pill.className = `pill s-${status}`;
  pill.textContent = `${ICONS[status] || ""} ${facts.detail || status}`;
  where.replaceChildren(make("b", {}, `+${duration(times[seq - 1] - start)}`), ` · ${seq.toLocaleString("en")} / ${last.toLocaleString("en")}`);
  for (const [id, { card, stripe, badge, node }] of cards) {
    const entry = picture.nodes.get(id), colour = colourOf(entry), fill = colour === "kept" ? "success" : colour;
    stripe.setAttribute("class", `stripe b-${fill}`);
    badge.setAttribute("class", `badge s-${colour}`);
    const more = !entry ? "" : entry.iterations ? ` ${entry.iterations.done + entry.iterations.failed}/${entry.iterations.total}` : entry.status === "success" || entry.status === "error" ? (entry.duration !== undefined ? ` ${duration(entry.duration)}` : "") : "";
    badge.textContent = `${ICONS[colour] || "◌"} ${word(entry)}${more}${entry && entry.attempt ? ` · ${entry.attempt}×` : ""}`;
    card.classList.toggle("now", colour === "running");
    card.classList.toggle("selected", id === selected);
    card.setAttribute("aria-label", `${node.label}: ${word(entry)}`);
  }
  for (const { path, edge } of edges) {
    const from = picture.nodes.get(edge.source), to = picture.nodes.get(edge.target);
    const handle = ((taken.get(edge.source) || []).filter(([at]) => at <= seq).pop() || [])[1];
    const active = from && (from.status === "success" ? handle === edge.handle : from.status === "error" && (edge.handle === "error" || (to && ["running", "success", "error"].includes(to.status))));
    const dead = from && ["success", "error", "skipped"].includes(from.status) && !active;
    path.setAttribute("class", `edge${active ? (to && to.status === "running" ? " into" : " taken") : dead ? " dead" : ""}`);
  }
  inspect();
  drawBars();
  if (tab === "timeline") moveCursor(); else drawRows();
}

function line(list, term, text) { if (text !== undefined && text !== null && text !== "") list.append(make("dt", {}, term), make("dd", {}, text)); }
function section(title, found, nothing) {
  side.append(make("h3", {}, title), found === undefined ? make("p", { class: "none" }, nothing) : make("pre", { "data-payload": title.toLowerCase() }, pretty(found)));
}
function inspect() {
  side.replaceChildren();
  if (!selected) return inspectRun();
  const node = labels.get(selected), entry = picture.nodes.get(selected);
  side.append(make("h2", {}, node.label), make("p", { class: "kind" }, `${node.type} · ${node.id}`), make("span", { class: `pill s-${colourOf(entry)}` }, `${ICONS[colourOf(entry)] || ""} ${word(entry)}`));
  const list = make("dl");
  if (entry) {
    line(list, "started", entry.startTime && `${clock(entry.startTime)} (+${duration(entry.startTime - start)})`);
    line(list, "took", entry.duration !== undefined ? duration(entry.duration) : undefined);
    line(list, "attempt", entry.attempt);
    line(list, "iterations", entry.iterations && `${entry.iterations.done} done, ${entry.iterations.failed} failed, of ${entry.iterations.total}`);
  }
  side.append(list);
  if (entry && entry.error) side.append(make("h3", {}, "Error"), make("div", { class: "fault" }, entry.error));
  const paths = [...new Set((starts.get(selected) || []).filter(([at]) => at <= seq).map(([, path]) => path))];
  let path = paths.includes(chosenPath) ? chosenPath : paths[paths.length - 1] || "";
  if (paths.length > 1) {
    const choice = make("select", { "aria-label": "Iteration", on: { change: (event) => { chosenPath = event.target.value; inspect(); } } }, ...paths.slice(-500).map((one) => make("option", { value: one, selected: one === path }, one || "top level")));
    side.append(make("h3", {}, `Iteration (${paths.length})`), choice);
  }
  if (!run.data) { side.append(make("h3", {}, "Data"), make("p", { class: "none" }, "Left out when this file was made.")); return; }
  const input = payloadAt("input", selected, path, seq), output = payloadAt("output", selected, path, seq);
  section("Input", input && input.value, "It has not started.");
  section("Output", output && output.value, "It has not answered.");
  const config = run.workflow && run.workflow.nodes.find((one) => one.id === selected);
  if (config && config.data && config.data.config) section("Config", config.data.config);
}
function inspectRun() {
  const facts = picture.run, first = events[0];
  side.append(make("h2", {}, name), make("p", { class: "kind" }, run.execution.executionId));
  const list = make("dl");
  line(list, "started", `${new Date(start).toISOString().slice(0, 23).replace("T", " ")} UTC`);
  line(list, "took", run.ended ? duration(end - start) : `${duration(end - start)} until exported`);
  line(list, "nodes", `${facts.completedNodes || 0} of ${facts.totalNodes || run.graph.nodes.length}`);
  line(list, "taken up from", first.parentExecutionId && `${first.parentExecutionId} (${first.origin || "sub-workflow"})`);
  line(list, "critical path", run.timeline.criticalPath.length ? `${run.timeline.criticalPath.length} nodes, ${duration(run.timeline.work)} of it running` : undefined);
  side.append(list);
  if (facts.error) side.append(make("h3", {}, "Error"), make("div", { class: "fault" }, facts.error));
  section("Input", first.input, "None.");
  const event = events[seq - 1];
  section("Event", event);
}
function select(id) { selected = selected === id ? null : id; chosenPath = null; show(seq); drawRows(); }

// --- the scrubber ---

let summedUp = null;
function summed(count) {
  if (summedUp && summedUp.count === count) return summedUp;
  const sums = new Array(count).fill(0), wrong = new Array(count).fill(0);
  const bucket = (n) => Math.min(count - 1, Math.floor(((n - 1) / Math.max(1, last - 1)) * count));
  for (let n = 1; n <= last; n++) sums[bucket(n)] += Math.max(0.2, Math.log1p(times[n - 1] - (n > 1 ? times[n - 2] : start)));
  for (const n of errors) wrong[bucket(n)] += 1;
  return (summedUp = { count, sums, wrong, most: Math.max(...sums, 1) });
}
function drawBars() {
  const box = bars.getBoundingClientRect(), ratio = devicePixelRatio || 1, width = Math.max(1, Math.round(box.width)), height = Math.max(1, Math.round(box.height));
  bars.width = width * ratio; bars.height = height * ratio;
  const pen = bars.getContext("2d"), style = getComputedStyle(document.documentElement), colour = (key) => style.getPropertyValue(key).trim();
  pen.scale(ratio, ratio);
  const count = Math.max(1, Math.floor(width / 4)), { sums, wrong, most } = summed(count), here = ((seq - 1) / Math.max(1, last - 1)) * width;
  for (let n = 0; n < count; n++) {
    const tall = Math.max(2, (sums[n] / most) * (height - 12));
    pen.fillStyle = colour(n * 4 < here ? "--accent" : "--strong");
    pen.globalAlpha = n * 4 < here ? 0.75 : 1;
    pen.fillRect(n * (width / count), height - 4 - tall, Math.max(1, width / count - 1), tall);
    if (wrong[n]) { pen.globalAlpha = 1; pen.fillStyle = colour("--f-error"); pen.beginPath(); pen.moveTo(n * (width / count), 0); pen.lineTo(n * (width / count) + 7, 0); pen.lineTo(n * (width / count) + 3.5, 7); pen.fill(); }
  }
  pen.globalAlpha = 1; pen.fillStyle = colour("--accent");
  pen.fillRect(Math.min(width - 2, here), 0, 2, height);
}
slider.addEventListener("input", () => { halt(); show(Number(slider.value)); });
let playing = null;
function halt() { if (playing) { clearTimeout(playing); playing = null; } play.textContent = "▶"; play.setAttribute("aria-label", "Play"); }
function go() {
  if (seq >= last) show(1);
  play.textContent = "❚❚"; play.setAttribute("aria-label", "Pause");
  let virtual = times[seq - 1], before = performance.now();
  const tick = () => {
    const now = performance.now(), factor = Number(speed.value);
    virtual += (now - before) * factor; before = now;
    // However long nothing happened, it is skipped after a second.
    if (seq < last && times[seq] - virtual > 1000 * factor) virtual = times[seq] - 1000 * factor;
    let to = seq;
    while (to < last && times[to] <= virtual) to++;
    if (to > seq) show(to);
    if (seq >= last) return halt();
    playing = setTimeout(tick, 16);
  };
  playing = setTimeout(tick, 16);
}
function toggle() { if (playing) halt(); else go(); }
function nextError() {
  halt();
  const found = errors.find((one) => one > seq) || errors[0];
  if (!found) return;
  const event = events[found - 1], node = event.nodeId || (event.error && event.error.nodeId);
  if (labels.has(node)) { selected = node; chosenPath = event.path || ""; }
  show(found); drawRows();
}
play.addEventListener("click", toggle);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return;
  if (event.key === " " && !(event.target instanceof HTMLButtonElement)) { event.preventDefault(); toggle(); }
  else if (event.key === "," ) { halt(); show(seq - 1); } else if (event.key === ".") { halt(); show(seq + 1); }
  else if (event.key === "e" || event.key === "E") nextError();
  else if (event.key === "Escape" && selected) select(selected);
});

// --- the dock ---

const ROW = 22;
const percent = (at) => `${((Math.min(Math.max(at, start), end) - start) / span) * 100}%`;
function openTab(id) { tab = id; for (const [one, element] of Object.entries(tabs)) element.setAttribute("aria-selected", one === id); drawRows(); sheet.scrollTop = id === "events" ? Math.max(0, (seq - 4) * ROW) : 0; drawRows(); }
function drawRows() { if (tab === "timeline") drawTimeline(); else if (tab === "events") drawEvents(); else drawLog(); }
const lanes = [];
function drawTimeline() {
  lanes.length = 0;
  const rows = run.timeline.nodes.filter((node) => !node.path || node.nodeId === selected).slice(0, 2000).map((node) => {
    const lane = make("div", { class: "lane" });
    for (const mark of run.timeline.marks) if (mark.until) { const band = make("div", { class: "mark", title: mark.kind === "stopped" ? `the process stopped here, resumed (epoch ${mark.epoch})` : mark.kind }); band.style.left = percent(mark.at); band.style.width = `${((mark.until - mark.at) / span) * 100}%`; lane.append(band); }
    for (const attempt of node.attempts || []) for (const part of attempt.segments) {
      const element = make("div", { class: `seg ${part.kind} ${attempt.status}`, title: `attempt ${attempt.attempt}: ${part.kind} ${duration(part.end - part.start)}` });
      element.style.left = percent(part.start); element.style.width = `${((part.end - part.start) / span) * 100}%`;
      lane.append(element);
    }
    if (!(node.attempts || []).length) { const tick = make("div", { class: "tick", title: node.status }); tick.style.left = percent(node.due); lane.append(tick); }
    const cursor = make("div", { class: "cursor" });
    lane.append(cursor); lanes.push(cursor);
    const slack = node.slack > 0.5 ? `, slack ${duration(node.slack)}` : "";
    return make("div", { class: `row${node.critical ? " critical" : ""}${node.nodeId === selected ? " selected" : ""}`, title: `${node.status}${node.critical ? ", on the critical path" : slack}`, on: { click: () => select(node.nodeId) } },
      make("span", { class: "name" }, make("span", { class: `s-${node.status}` }, `${ICONS[node.status] || ""} `), `${(labels.get(node.nodeId) || { label: node.nodeId }).label}${node.path ? ` · ${node.path}` : ""}`), lane, make("span", { class: "took" }, duration(node.end - node.due)));
  });
  sheet.replaceChildren(...rows);
  moveCursor();
}
function moveCursor() { const left = percent(times[seq - 1]); for (const cursor of lanes) cursor.style.left = left; }
function windowed(count, render) {
  const first = Math.max(0, Math.floor(sheet.scrollTop / ROW) - 20), most = Math.min(count, first + Math.ceil(sheet.clientHeight / ROW) + 40);
  const above = make("div", { class: "spacer" }), below = make("div", { class: "spacer" });
  above.style.height = `${first * ROW}px`; below.style.height = `${(count - most) * ROW}px`;
  const rows = [];
  for (let n = first; n < most; n++) rows.push(render(n));
  sheet.replaceChildren(above, ...rows, below);
}
function drawEvents() {
  windowed(last, (n) => {
    const event = events[n], what = event.error ? event.error.message : "output" in event ? JSON.stringify(event.output) : event.reason || "";
    return make("div", { class: `event${n + 1 === seq ? " here" : n + 1 > seq ? " later" : ""}`, on: { click: () => { halt(); if (labels.has(event.nodeId)) { selected = event.nodeId; chosenPath = event.path || ""; } show(n + 1); } } },
      make("span", { class: "soft" }, n + 1), make("span", { class: "soft" }, `+${duration(times[n] - start)}`), make("span", {}, event.type), make("span", {}, `${event.path ? event.path + "." : ""}${event.nodeId || ""} `, make("span", { class: "soft" }, String(what).slice(0, 300))));
  });
}
function drawLog() {
  if (!run.log.length) return sheet.replaceChildren(make("p", { class: "none event" }, "Nothing was logged."));
  windowed(run.log.length, (n) => {
    const one = run.log[n];
    return make("div", { class: "event" }, make("span", { class: "soft" }, one.level || "info"), make("span", { class: "soft" }, `+${duration((one.at || start) - start)}`), make("span", {}, `${one.path ? one.path + "." : ""}${one.nodeId}`), make("span", {}, one.text));
  });
}
sheet.addEventListener("scroll", () => { if (tab !== "timeline") drawRows(); });

function paint(dark) { document.documentElement.dataset.theme = dark ? "dark" : "light"; }
paint(matchMedia("(prefers-color-scheme: dark)").matches);
theme.addEventListener("click", () => { paint(document.documentElement.dataset.theme !== "dark"); drawBars(); });
addEventListener("resize", () => { drawBars(); });
const asked = Number(new URLSearchParams(location.hash.slice(1)).get("seq"));
openTab("timeline");
show(asked || last);
fit();
