// What a table's cell is made of, opened by the fragment #cell/TABLE/CONFIGURATION, so that it can be linked to.
"use strict";

const evidence = JSON.parse(document.getElementById("evidence").textContent);
const dialog = document.getElementById("cell");

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function drawing(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shown(value, digits) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return value.toFixed(digits);
}

const called = (name) => evidence.names[name] ?? name.replaceAll("_", " ");
const fragment = (table, config) => `#cell/${table}/${config}`;

// Dots on a line with labels: what was measured, one dot each, with bars where a deviation is given.
function dots(points, digits, label) {
  const low = Math.min(...points.map((p) => p.y - (p.std ?? 0)));
  const high = Math.max(...points.map((p) => p.y + (p.std ?? 0)));
  const [width, height, left, bottom] = [640, 190, 62, 58];
  const x = (i) => left + ((i + 0.5) * (width - left)) / points.length;
  const y = (value) => 12 + (1 - (value - low) / (high - low || 1)) * (height - bottom - 24);
  const plot = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const value of high > low ? [low, (low + high) / 2, high] : [low]) {
    plot.append(
      drawing("line", { x1: left, x2: width, y1: y(value), y2: y(value), class: "grid" }),
      drawing("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(digits)),
    );
  }
  points.forEach((point, i) => {
    if (point.std) plot.append(drawing("line", { x1: x(i), x2: x(i), y1: y(point.y - point.std), y2: y(point.y + point.std), class: "bar" }));
    const dot = drawing("circle", { cx: x(i), cy: y(point.y), r: 4.5, class: point.chosen ? "chosen" : "" });
    dot.append(drawing("title", {}, `${point.label}: ${point.y.toFixed(digits + 1)}`));
    plot.append(dot);
    const turned = points.length > 12 || point.label.length > 6;
    const place = turned
      ? { transform: `translate(${x(i) + 4} ${height - bottom + 12}) rotate(-40)`, "text-anchor": "end" }
      : { x: x(i), y: height - bottom + 14, "text-anchor": "middle" };
    plot.append(drawing("text", place, point.label));
  });
  return plot;
}

function trialsTable(ids, metric, digits) {
  const { columns, rows } = evidence.trials;
  const order = ["seed", metric, ...columns.filter((name) => name !== "seed" && name !== metric)];
  const used = order.map((name) => columns.indexOf(name)).filter((i) => ids.some((id) => rows[id][i] !== null));
  const aligned = (i) => (ids.some((id) => typeof rows[id][i] === "string") ? "" : "number");
  const heads = used.map((i) => element("th", { scope: "col", class: aligned(i), title: evidence.metrics[columns[i]] ?? "" }, called(columns[i])));
  const lines = ids.map((id) =>
    element("tr", {},
      ...used.map((i) => element("td", { class: aligned(i), "data-value": rows[id][i] ?? "" }, shown(rows[id][i], columns[i] === "seconds" ? 1 : digits + 1))),
      element("td", {}, element("code", {}, id))));
  const table = element("table", { class: "sortable" },
    element("thead", {}, element("tr", {}, ...heads, element("th", { scope: "col" }, "trial"))),
    element("tbody", {}, ...lines));
  makeSortable(table);
  return element("div", { class: "frame", tabindex: "0" }, table);
}

function triedTable(name, tried, config, digits) {
  const lines = tried.map((one) =>
    element("tr", one.config === config ? { class: "chosen" } : {},
      element("td", {}, element("a", { href: fragment(name, one.config) }, one.label)),
      element("td", { "data-value": one.mean }, `${shown(one.mean, digits)}${one.std === null ? "" : ` ± ${one.std.toFixed(digits)}`}`),
      element("td", {}, String(one.n))));
  const heads = ["tried", "mean ± deviation", "n"].map((text) => element("th", { scope: "col" }, text));
  const table = element("table", { class: "sortable" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
  makeSortable(table);
  return table;
}

function configuration(fields) {
  const lines = [];
  for (const [name, value] of Object.entries(fields)) {
    const text = value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.entries(value).filter(([, inner]) => inner !== null).map(([key, inner]) => `${key} ${typeof inner === "object" ? Object.values(inner).join(" ") : inner}`).join(", ")
      : String(value);
    lines.push(element("dt", {}, name), element("dd", {}, text));
  }
  return element("dl", { class: "fields" }, ...lines);
}

function sql(title, text) {
  const copy = element("button", { type: "button" }, "copy");
  copy.addEventListener("click", () => navigator.clipboard?.writeText(text).then(() => (copy.textContent = "copied")));
  return element("div", { class: "sql" }, element("h4", {}, title, " ", copy), element("pre", {}, text));
}

function heading(table, cell, config, own) {
  const where = [...cell.row, cell.column].join(", ");
  const measured = own === undefined ? cell.text : `${shown(own.mean, table.decimals)}${own.std === null ? "" : ` ± ${own.std.toFixed(table.decimals)}`}`;
  const asides = own === undefined ? cell.asides : [own.label, "not the best of its column"];
  const ids = evidence.blocks[table.block][config] ?? [];
  const parts = [`${ids.length} ${ids.length === 1 ? "seed" : "seeds"}`, ...asides];
  const published = cell.published && own === undefined
    ? element("p", {}, `Published: ${cell.published.text} ${cell.published.at && `(${cell.published.at})`} `, element("span", { class: "verdict", "data-verdict": cell.published.verdict }, cell.published.verdict))
    : null;
  return [
    element("p", { class: "where" }, table.title),
    element("h3", { id: "cell-title" }, where),
    element("p", { class: "measured" }, element("strong", {}, measured), ` ${called(table.metric)}; ${parts.join(", ")}`),
    published,
  ].filter((part) => part !== null);
}

function contents(name, config) {
  const table = evidence.tables[name];
  const found = Object.entries(table?.cells ?? {}).find(([best, cell]) => best === config || cell.tried.some((one) => one.config === config));
  if (found === undefined) return null;
  const [best, cell] = found;
  const own = best === config ? undefined : cell.tried.find((one) => one.config === config);
  const ids = evidence.blocks[table.block][config] ?? [];
  const { columns, rows } = evidence.trials;
  const [seed, metric] = [columns.indexOf("seed"), columns.indexOf(table.metric)];
  const measured = ids.filter((id) => rows[id][metric] !== null);
  const parts = heading(table, cell, config, own);
  if (measured.length) parts.push(element("h4", {}, "Its trials, by seed"), dots(measured.map((id) => ({ label: String(rows[id][seed]), y: rows[id][metric] })), table.decimals, `${called(table.metric)} of each seed`), trialsTable(ids, table.metric, table.decimals));
  if (cell.tried.length) parts.push(element("h4", {}, `What it was chosen among, by block ${table.chosen_by}`), dots(cell.tried.map((one) => ({ label: one.label, y: one.mean, std: one.std, chosen: one.config === best })), table.decimals, "mean and deviation of each value tried"), triedTable(name, cell.tried, config, table.decimals));
  parts.push(
    element("h4", {}, "Its configuration"), configuration(evidence.configs[config]),
    sql("The SQL of the number", table.cell_sql.replaceAll("$config_id", `'${config}'`)),
    sql("The SQL of its trials", table.trials_sql.replaceAll("$config_id", `'${config}'`)));
  return parts;
}

// Leaves the fragment with the dialog, but not the place on the page.
function leave() {
  dialog.close();
  if (location.hash.startsWith("#cell/")) history.replaceState(null, "", location.pathname + location.search);
}

function show() {
  const [kind, name, config] = location.hash.slice(1).split("/");
  const parts = kind === "cell" ? contents(decodeURIComponent(name), config) : null;
  if (parts === null) return dialog.open && dialog.close();
  const close = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", leave);
  dialog.replaceChildren(close, ...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

for (const cell of document.querySelectorAll("td[data-config]")) {
  const link = element("a", { href: fragment(cell.closest("table").id, cell.dataset.config) });
  link.append(...cell.childNodes);
  cell.append(link);
}
dialog.addEventListener("cancel", leave);
dialog.addEventListener("click", (event) => event.target === dialog && leave());
addEventListener("hashchange", show);
show();
