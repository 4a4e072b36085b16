// Tables of class "sortable": a click on a column head sorts descending, a second ascending, a third restores.
"use strict";

function sortValue(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = parseFloat(text.replaceAll(",", ""));
  if (text === "" || text === "–") return null;
  return Number.isNaN(number) ? text : number;
}

// Missing values come last in either order; numbers come before texts.
function compareValues(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
}

function sortBy(table, head) {
  const order = { none: "descending", descending: "ascending", ascending: "none" };
  const next = order[head.ariaSort ?? "none"];
  for (const other of head.parentElement.cells) other.ariaSort = "none";
  head.ariaSort = next;
  table.classList.toggle("sorted", next !== "none");
  const sign = next === "descending" ? -1 : 1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => a.dataset.position - b.dataset.position);
  if (next !== "none") {
    const values = new Map(rows.map((row) => [row, sortValue(row, head.cellIndex)]));
    rows.sort((a, b) => compareValues(values.get(a), values.get(b), sign));
  }
  table.tBodies[0].append(...rows);
}

function makeSortable(table) {
  [...table.tBodies[0].rows].forEach((row, position) => (row.dataset.position = position));
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
    head.ariaSort = "none";
  }
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
