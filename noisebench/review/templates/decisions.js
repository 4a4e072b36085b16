// The data of the page, and the reviewer's decisions: kept in this browser, written to a file on demand.
"use strict";

const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
const data = parsed("data");
const examples = parsed("examples");
const VERDICTS = ["keep", "relabel", "several", "none", "unsure"];

// Thumbnails lie in the page in chunks; one is decoded when a card of it is first shown.
const chunks = new Map();
function thumbnail(card) {
  const number = Math.floor(card / data.chunk);
  if (!chunks.has(number)) chunks.set(number, parsed(`images-${number}`));
  return chunks.get(number)[card % data.chunk];
}

const decisions = new Map(); // card -> { verdict, corrected, view, cards, decided }
const history = [];
let storage = null;
let unsaved = 0;

const storageKey = (card) => `${data.key}:${data.ids[card]}`;

function isDecision(value) {
  const label = value?.corrected;
  return VERDICTS.includes(value?.verdict) && (label === null || Number.isInteger(label) && label in data.classes);
}

// Return a message if decisions cannot be kept.
function openStorage() {
  try {
    storage = window.localStorage;
    storage.setItem(`${data.key}?`, "1");
    storage.removeItem(`${data.key}?`);
  } catch {
    storage = null;
    return "This browser keeps nothing for this page: save your decisions before you close it.";
  }
  for (let card = 0; card < data.ids.length; card++) {
    try {
      const value = JSON.parse(storage.getItem(storageKey(card)));
      if (isDecision(value)) decisions.set(card, value);
    } catch {
      storage.removeItem(storageKey(card));
    }
  }
  return null;
}

function store(card, decision) {
  if (decision === undefined) decisions.delete(card);
  else decisions.set(card, decision);
  unsaved += 1;
  try {
    if (decision === undefined) storage?.removeItem(storageKey(card));
    else storage?.setItem(storageKey(card), JSON.stringify(decision));
  } catch {
    showWarning("This browser's storage is full: save your decisions before you close the page.");
    storage = null;
  }
}

// `view` says how the reviewer came to the card: only random orders tell something of the cards not seen.
// A card keeps the view of its first decision on this page. `cards` names the page: after another ranking, a random
// card is a random card no longer.
function decide(card, verdict, corrected, view) {
  const before = decisions.get(card);
  history.push([card, before]);
  const decided = new Date().toISOString().slice(0, 19) + "Z";
  const first = before?.cards === data.cards ? before.view : view;
  store(card, { verdict, corrected, view: first, cards: data.cards, decided });
}

// Return the card of the last decision, which is taken back; undefined if there is none.
function undo() {
  const last = history.pop();
  if (last !== undefined) store(...last);
  return last?.[0];
}

function csvCell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function decisionsAsCsv(reviewer) {
  const head = ["id", "sha256", "given", "suggested", "verdict", "corrected", "reviewer", "view", "decided", "cards"];
  const lines = [...decisions].sort(([a], [b]) => a - b).map(([card, each]) => [
    data.ids[card], data.sha256[card], data.classes[data.given[card]], data.classes[data.suggested[card]],
    each.verdict, each.corrected === null ? "" : data.classes[each.corrected], reviewer, each.view, each.decided,
    each.cards ?? "",
  ]);
  return [head, ...lines].map((line) => line.map(csvCell).join(",") + "\n").join("");
}

// Return the rows of a CSV text as lists of cells.
function csvRows(text) {
  const rows = [];
  let row = [];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (cells.lastIndex < text.length) {
    const match = cells.exec(text);
    if (match === null) return null;
    row.push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
    if (match[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

// Take in the decisions of a saved file; return how many, and how many do not fit the cards, or null for another file.
// A decision fits if its card has the same content and the same given label.
function loadDecisions(text) {
  const [head, ...lines] = csvRows(text.replace(/^\uFEFF/, "")) ?? [];
  if (!["id", "sha256", "given", "verdict"].every((name) => head?.includes(name))) return null;
  const places = new Map(data.ids.map((id, card) => [id, card]));
  let taken = 0;
  for (const line of lines) {
    const row = Object.fromEntries(head.map((name, place) => [name, line[place] ?? ""]));
    const card = places.get(row.id);
    const label = row.corrected ? data.classes.indexOf(row.corrected) : null;
    const { verdict, decided = "", cards = "" } = row;
    const value = { verdict, corrected: label, view: row.view || "filter", decided, cards };
    const fits = card !== undefined && row.sha256 === data.sha256[card] && row.given === data.classes[data.given[card]];
    if (!fits || !isDecision(value) || (verdict === "relabel") !== (label !== null)) continue;
    history.push([card, decisions.get(card)]);
    store(card, value);
    taken += 1;
  }
  return { taken, left: lines.length - taken };
}

function saveFile(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  unsaved = 0;
}
