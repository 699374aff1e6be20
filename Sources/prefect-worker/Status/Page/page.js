"use strict";
// Every text of the worker reaches the page as a text node or an attribute, so none is read as HTML.

const PERIOD = 3000, TIMEOUT = 8000, MINUTES = 60;
const byID = (id) => document.getElementById(id);
let last, failingSince;

// Characters that reverse or control the text around them are shown as escapes, as in the worker's log.
const visible = (text) => text.replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
  (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) made.append(typeof child === "string" ? visible(child) : child);
  return made;
}

function drawing(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

// The time since a moment, by the worker's own clock.
function age(since, now) {
  const seconds = (Date.parse(now) - Date.parse(since)) / 1000;
  return Number.isFinite(seconds) ? duration(Math.max(0, seconds)) : "";
}

const clock = (time) => new Date(time).toLocaleTimeString();

function outage(what, reason, since, now, isBad) {
  const detail = since ? `for ${age(since, now)}, since ${new Date(since).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" })}` : "";
  return element("li", isBad ? { class: "bad" } : {}, element("strong", {}, what), ": ", reason,
    element("span", { class: "detail" }, detail));
}

function showOutages(report) {
  const pools = report.pools ?? [], connections = report.connections ?? {};
  const items = [];
  if (report.reason) items.push(outage("This worker", report.reason, null, report.time, true));
  for (const pool of pools) {
    if (pool.trouble) items.push(outage(`Work pool ${pool.name}`, pool.trouble, pool.trouble_since, report.time, true));
  }
  const sockets = [["Events from the API", connections.events_from_api]];
  for (const pool of pools) sockets.push([`Worker channel of ${pool.name}`, pool.channel]);
  for (const [name, socket] of sockets) {
    if (socket?.reason) {
      items.push(outage(`${name} (requests do its work)`, socket.reason, socket.since, report.time, false));
    }
  }
  if (items.length === 0) items.push(element("li", {}, "Nothing."));
  byID("outages").replaceChildren(...items);
}

function row(table, cells) {
  const labels = [...byID(table).querySelectorAll("th")].map((cell) => cell.textContent);
  return element("tr", { role: "row" }, ...cells.map(([content, kind], index) =>
    element("td", { role: "cell", "data-label": labels[index], ...(kind ? { class: kind } : {}) },
      ...[content].flat())));
}

function show(table, rows) {
  byID(table).hidden = rows.length === 0;
  byID(table).tBodies[0].replaceChildren(...rows.map((cells) => row(table, cells)));
}

function showPools(report) {
  show("pools", (report.pools ?? []).map((pool) => {
    const stages = Object.entries(pool.runs ?? {}).filter(([, count]) => count > 0);
    const state = pool.trouble ? ["unavailable", "short bad-text"] : pool.paused ? ["paused", "short"] : ["ready", "short good-text"];
    return [
      [element("bdi", {}, pool.name)], state,
      [`${pool.slots?.used ?? 0} of ${pool.slots?.limit ?? "any number"}`, "short"],
      [stages.map(([stage, count]) => `${count} ${stage}`).join(", ") || "none"],
      [pool.worker],
    ];
  }));
}

function showRuns(report) {
  const { count = 0, oldest = [] } = report.runs_in_flight ?? {};
  byID("listed").textContent = oldest.length < count
    ? `${plural(count, "run")}. These ${oldest.length} are the longest in their stages.` : plural(count, "run");
  show("runs", oldest.map((run) => [
    [[element("bdi", {}, run.name), element("code", { class: "detail" }, run.id)]],
    [run.stage, "short"], [age(run.since, report.time), "short"], [run.pool],
    [run.infrastructure ? element("code", {}, run.infrastructure) : ""],
  ]));
}

// A logarithmic scale shows milliseconds and hours in one chart.
const FLOOR = 0.01;
const TICKS = [[0.1, "100 ms"], [1, "1 s"], [10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [86400, "1 d"],
  [2592000, "30 d"], [1e9, "30 years"]];

function showChart(id, minutes) {
  const figure = byID(id), caption = figure.querySelector("figcaption");
  const width = Math.max(240, caption.clientWidth), height = 144;
  const [left, right, top, bottom] = [56, width, 8, height - 20];
  const runs = minutes.reduce((sum, minute) => sum + minute.count, 0);
  const highest = Math.max(0, ...minutes.map((minute) => minute.max));
  const ticks = TICKS.filter((_, index) => index < 3 || TICKS[index - 1][0] < highest);
  const ceiling = ticks.at(-1)[0];
  const y = (value) => {
    const share = Math.log(Math.max(value, FLOOR) / FLOOR) / Math.log(ceiling / FLOOR);
    return bottom - Math.max(share * (bottom - top), 1);
  };
  const summary = runs === 0 ? "No run." : `${plural(runs, "run")}, maximum ${duration(highest)}.`;
  const chart = drawing("svg", { role: "img", "aria-label": summary, viewBox: `0 0 ${width} ${height}` });
  for (const [value, label] of ticks) {
    chart.append(drawing("line", { x1: left, x2: right, y1: y(value), y2: y(value) }),
      drawing("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, label));
  }
  chart.append(drawing("line", { x1: left, x2: right, y1: bottom, y2: bottom }),
    drawing("text", { x: left, y: height - 4 }, "1 h ago"),
    drawing("text", { x: right, y: height - 4, "text-anchor": "end" }, "now"));
  const step = (right - left) / MINUTES;
  for (const minute of minutes) {
    const bars = drawing("g", {});
    bars.append(drawing("title", {}, `${plural(minute.minutes_ago, "minute")} ago: ${plural(minute.count, "run")}, `
      + `median ${duration(minute.median)}, maximum ${duration(minute.max)}`));
    for (const kind of ["max", "median"]) {
      const [x, edge] = [right - (minute.minutes_ago + 1) * step, y(minute[kind])];
      bars.append(drawing("rect", { class: kind, x: x + 0.5, width: step - 1, y: edge, height: bottom - edge }));
    }
    chart.append(bars);
  }
  caption.querySelector(".summary").textContent = summary;
  figure.replaceChildren(caption, chart);
}

function showAll() {
  const state = last.ready ? last.state : `${last.state}, not ready`;
  byID("state").textContent = [state, last.claiming === "paused" ? "paused" : "", clock(last.time ?? Date.now())].filter(Boolean).join(" · ");
  showOutages(last);
  showPools(last);
  showRuns(last);
  showChart("lateness", last.last_hour?.lateness ?? []);
  showChart("start_latency", last.last_hour?.start_latency ?? []);
}

async function refresh() {
  try {
    const answer = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    last = await answer.json();
    failingSince = undefined;
    byID("notice").textContent = "";
    showAll();
  } catch (error) {
    failingSince ??= Date.now();
    byID("notice").textContent = `The worker has not answered since ${clock(failingSince)} (${error.message}). `
      + (last ? "This page shows its last answer." : "");
  }
}

async function keepRefreshing() {
  if (!document.hidden) await refresh();
  setTimeout(keepRefreshing, PERIOD);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
addEventListener("resize", () => { if (last) showAll(); });
keepRefreshing();
