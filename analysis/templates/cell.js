// The dialog with the trials behind a table's cell; its address is the fragment #cell/TABLE/CONFIGURATION.
"use strict";

const evidence = JSON.parse(document.getElementById("evidence").textContent);
const dialog = document.getElementById("cell");

const fragment = (table, config) => `#cell/${encodeURIComponent(table)}/${config}`;
const label = (name) => evidence.names[name] ?? name.replaceAll("_", " ");
const deviation = (cell, digits) => (cell.std === null ? "" : ` ± ${cell.std.toFixed(digits)}`);

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function svgElement(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function format(value, digits) {
  if (value === null) return "–";
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(digits) : String(value);
}

function tableOf(heads, rows) {
  const head = element("thead", {}, element("tr", {}, ...heads));
  const table = element("table", { class: "sortable" }, head, element("tbody", {}, ...rows));
  makeSortable(table);
  return element("div", { class: "frame", role: "region", "aria-label": "Table", tabindex: "0" }, table);
}

// A dot for each point over its label, with a bar where it has a deviation.
function dots(points, digits, description) {
  const low = Math.min(...points.map((point) => point.y - (point.std ?? 0)));
  const high = Math.max(...points.map((point) => point.y + (point.std ?? 0)));
  const [width, height, left, bottom] = [640, 190, 62, 58];
  const x = (place) => left + ((place + 0.5) * (width - left)) / points.length;
  const y = (value) => 12 + (1 - (value - low) / (high - low || 1)) * (height - bottom - 24);
  const plot = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });
  for (const value of high > low ? [low, (low + high) / 2, high] : [low]) {
    plot.append(
      svgElement("line", { x1: left, x2: width, y1: y(value), y2: y(value), class: "grid" }),
      svgElement("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(digits)),
    );
  }
  const turned = points.length > 12 || points.some((point) => point.label.length > 6);
  points.forEach((point, place) => {
    if (point.std) {
      const [y1, y2] = [y(point.y - point.std), y(point.y + point.std)];
      plot.append(svgElement("line", { x1: x(place), x2: x(place), y1, y2, class: "bar" }));
    }
    const name = svgElement("title", {}, `${point.label}: ${point.y.toFixed(digits + 1)}`);
    const kind = point.chosen ? "chosen" : "";
    plot.append(svgElement("circle", { cx: x(place), cy: y(point.y), r: 4.5, class: kind }, name));
    const at = turned
      ? { transform: `translate(${x(place) + 4} ${height - bottom + 12}) rotate(-40)`, "text-anchor": "end" }
      : { x: x(place), y: height - bottom + 14, "text-anchor": "middle" };
    plot.append(svgElement("text", at, point.label));
  });
  return plot;
}

function trials(ids, metric, digits) {
  const { columns, rows } = evidence.trials;
  const order = ["seed", metric, ...columns.filter((name) => name !== "seed" && name !== metric)];
  const used = order.map((name) => columns.indexOf(name)).filter((i) => ids.some((id) => rows[id][i] !== null));
  const kind = (i) => (ids.some((id) => typeof rows[id][i] === "string") ? "" : "number");
  const heads = used.map((i) => {
    const title = evidence.metrics[columns[i]] ?? "";
    return element("th", { scope: "col", class: kind(i), title }, label(columns[i]));
  });
  const lines = ids.map((id) => {
    const cells = used.map((i) => {
      const text = format(rows[id][i], columns[i] === "seconds" ? 1 : digits + 1);
      return element("td", { class: kind(i), "data-value": rows[id][i] ?? "" }, text);
    });
    return element("tr", {}, ...cells, element("td", {}, element("code", {}, id)));
  });
  return tableOf([...heads, element("th", { scope: "col" }, "trial")], lines);
}

function candidates(name, cell, config, digits) {
  const lines = cell.tried.map((one) =>
    element("tr", one.config === config ? { class: "chosen" } : {},
      element("td", {}, element("a", { href: fragment(name, one.config) }, one.label)),
      element("td", { "data-value": one.mean }, format(one.mean, digits) + deviation(one, digits)),
      element("td", { class: "number" }, String(one.n))));
  return tableOf(["tried", "mean ± deviation", "n"].map((text) => element("th", { scope: "col" }, text)), lines);
}

function configuration(fields) {
  const inner = (value) => (typeof value === "object" ? Object.values(value).join(" ") : value);
  const lines = Object.entries(fields).flatMap(([name, value]) => {
    const parts = Object.entries(value ?? {}).filter(([, part]) => part !== null);
    const text = typeof value === "object" ? parts.map(([key, part]) => `${key} ${inner(part)}`).join(", ") : value;
    return [element("dt", {}, name), element("dd", {}, String(text))];
  });
  return element("dl", { class: "fields" }, ...lines);
}

function sql(title, text) {
  const copy = element("button", { type: "button" }, "copy");
  const confirm = () => (copy.textContent = "copied");
  copy.addEventListener("click", () => navigator.clipboard?.writeText(text).then(confirm));
  return element("div", { class: "sql" }, element("h4", {}, title, " ", copy), element("pre", {}, text));
}

// `candidate` is the one to show where that is not the cell's best.
function heading(table, cell, seeds, candidate) {
  const measured = candidate
    ? format(candidate.mean, table.decimals) + deviation(candidate, table.decimals)
    : cell.text;
  const asides = candidate ? [candidate.label, "not the best of its column"] : cell.asides;
  const words = [`${seeds} ${seeds === 1 ? "seed" : "seeds"}`, ...asides].join(", ");
  const parts = [
    element("p", { class: "where" }, table.title),
    element("h3", { id: "cell-title" }, [...cell.row, cell.column].join(", ")),
    element("p", { class: "measured" }, element("strong", {}, measured), ` ${label(table.metric)}; ${words}`),
  ];
  if (cell.published && !candidate) {
    const { text, at, verdict } = cell.published;
    const mark = element("span", { class: "verdict", "data-verdict": verdict }, verdict);
    parts.push(element("p", {}, `Published: ${text} ${at && `(${at}) `}`, mark));
  }
  return parts;
}

function contents(name, config) {
  const table = evidence.tables[name];
  const matches = ([best, cell]) => best === config || cell.tried.some((one) => one.config === config);
  const entry = Object.entries(table?.cells ?? {}).find(matches);
  if (entry === undefined) return null;
  const [best, cell] = entry;
  const candidate = best === config ? undefined : cell.tried.find((one) => one.config === config);
  const ids = evidence.blocks[table.block][config] ?? [];
  const { columns, rows } = evidence.trials;
  const [seed, metric] = [columns.indexOf("seed"), columns.indexOf(table.metric)];
  const measured = ids.filter((id) => rows[id][metric] !== null);
  const parts = heading(table, cell, measured.length, candidate);
  if (measured.length) {
    const points = measured.map((id) => ({ label: String(rows[id][seed]), y: rows[id][metric] }));
    parts.push(
      element("h4", {}, "Trials by seed"),
      dots(points, table.decimals, `${label(table.metric)} of each seed`),
      trials(ids, table.metric, table.decimals),
    );
  }
  if (cell.tried.length) {
    const points = cell.tried.map((one) => ({ ...one, y: one.mean, chosen: one.config === best }));
    parts.push(
      element("h4", {}, `What it was chosen among, by block ${table.chosen_by}`),
      dots(points, table.decimals, "mean and deviation of each value tried"),
      candidates(name, cell, config, table.decimals),
    );
  }
  return [
    ...parts,
    element("h4", {}, "Configuration"),
    configuration(evidence.configs[config]),
    sql("SQL of the number", table.cell_sql.replaceAll("$config_id", `'${config}'`)),
    sql("SQL of the trials", table.trials_sql.replaceAll("$config_id", `'${config}'`)),
  ];
}

// Remove the fragment without scrolling the page.
function closeDialog() {
  dialog.close();
  if (location.hash.startsWith("#cell/")) history.replaceState(null, "", location.pathname + location.search);
}

function show() {
  const [kind, name, config] = location.hash.slice(1).split("/");
  const parts = kind === "cell" ? contents(decodeURIComponent(name), config) : null;
  if (parts === null) {
    dialog.close();
    return;
  }
  const close = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", closeDialog);
  dialog.replaceChildren(close, ...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

for (const cell of document.querySelectorAll("td[data-config]")) {
  const link = element("a", { href: fragment(cell.closest("table").id, cell.dataset.config) }, ...cell.childNodes);
  cell.append(link);
}
dialog.addEventListener("cancel", closeDialog);
dialog.addEventListener("click", (event) => event.target === dialog && closeDialog());
addEventListener("hashchange", show);
show();
