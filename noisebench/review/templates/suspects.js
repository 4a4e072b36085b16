// Which cards are shown, what keys do, and how decisions are made.
"use strict";

const by = (id) => document.getElementById(id);
const filters = { given: by("given"), suggested: by("suggested"), status: by("status"), search: by("search") };
const order = () => document.querySelector("input[name=order]:checked").value;
const conflicting = new Set(data.conflicts);

function showWarning(message) {
  by("warning").textContent = message;
  by("warning").hidden = false;
}

function matches(card) {
  const { given, suggested, status, search } = filters;
  const decision = decisions.get(card);
  if (given.value !== "" && data.given[card] !== Number(given.value)) return false;
  if (suggested.value !== "" && data.suggested[card] !== Number(suggested.value)) return false;
  if (status.value === "open" && decision) return false;
  if (status.value === "done" && !decision) return false;
  if (status.value === "conflict" && !conflicting.has(card)) return false;
  if (VERDICTS.includes(status.value) && decision?.verdict !== status.value) return false;
  const wanted = search.value.trim().toLowerCase();
  return wanted === "" || `${data.ids[card]}\n${data.paths[card]}`.toLowerCase().includes(wanted);
}

// How the reviewer comes to a card. Filters by label or name choose cards of another kind than the rest, and
// equal images come first: these are no random cards.
function view(card) {
  if (order() === "random") return "random";
  const { given, suggested, search, status } = filters;
  const chosen = given.value !== "" || suggested.value !== "" || search.value.trim() !== "";
  return chosen || conflicting.has(card) || !["", "open", "done"].includes(status.value) ? "filter" : "list";
}

function update(keep) {
  const isRandom = order() === "random";
  for (const each of Object.values(filters)) each.disabled = isRandom;
  shown = isRandom ? data.random : [...data.conflicts, ...data.listed].filter(matches);
  current = Math.max(0, keep === undefined ? 0 : shown.indexOf(keep));
  const open = shown.findIndex((card) => !decisions.has(card));
  if (keep === undefined && open >= 0) current = open;
  by("empty").hidden = shown.length > 0;
  by("shown").textContent = `${shown.length.toLocaleString("en")} ${shown.length === 1 ? "card" : "cards"}`;
  grid.scrollTop = 0;
  layOut();
  choose(current);
}

function count() {
  const random = data.random.filter((card) => decisions.has(card)).length;
  const total = data.ids.length;
  by("bar").value = decisions.size / total;
  const number = (value) => value.toLocaleString("en");
  by("counts").textContent =
    `${number(decisions.size)} of ${number(total)} reviewed · random ${number(random)} of ${number(data.random.length)}`;
  by("export").disabled = decisions.size === 0;
}

function choose(place) {
  if (shown.length === 0) {
    grid.removeAttribute("aria-activedescendant");
    showDetail(undefined);
    return;
  }
  current = Math.min(Math.max(place, 0), shown.length - 1);
  reveal(current);
  draw();
  grid.setAttribute("aria-activedescendant", `card-${current}`);
  showDetail(shown[current]);
}

function answer(verdict, label) {
  const card = shown[current];
  if (card === undefined) return;
  const corrected = verdict === "relabel" ? label ?? data.suggested[card] : null;
  decide(card, verdict, corrected, view(card));
  refresh(card);
  count();
  by("live").textContent = `${data.ids[card]}: ${MARKS[verdict]}`;
  const next = shown.findIndex((each, place) => place > current && !decisions.has(each));
  choose(next < 0 ? current + 1 : next);
  grid.focus({ preventScroll: true });
}

function takeBack() {
  const card = undo();
  if (card === undefined) return;
  refresh(card);
  count();
  by("live").textContent = `${data.ids[card]}: undone`;
  const place = shown.indexOf(card);
  if (place >= 0) choose(place);
}

const page = () => columns * Math.max(1, Math.floor(grid.clientHeight / (CARD.height + CARD.gap)));
const MOVES = {
  ArrowLeft: () => current - 1,
  ArrowRight: () => current + 1,
  ArrowUp: () => (current >= columns ? current - columns : current),
  ArrowDown: () => (current + columns < shown.length ? current + columns : current),
  PageUp: () => current - page(),
  PageDown: () => current + page(),
  Home: () => 0,
  End: () => shown.length - 1,
};
const LETTERS = {
  ...Object.fromEntries(ANSWERS.map(([key, name]) => [key.toLowerCase(), () => answer(name)])),
  z: takeBack,
  c: () => by("other")?.focus(),
  "?": () => by("help").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || by("help").open || by("cards").hidden) return;
  if (event.target.closest("input, select, textarea, [role=tab]")) return;
  const move = MOVES[event.key];
  const letter = by("shortcuts").checked ? LETTERS[event.key.toLowerCase()] : undefined;
  if (move) choose(move());
  else if (letter) letter();
  else return;
  event.preventDefault();
}

function showTab(name) {
  for (const each of ["cards", "overview"]) {
    by(each).hidden = each !== name;
    by(`tab-${each}`).setAttribute("aria-selected", String(each === name));
    by(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
  if (name === "cards") layOut();
}

function showPair(given, suggested) {
  document.querySelector("input[name=order][value=list]").checked = true;
  Object.assign(filters.given, { value: given });
  Object.assign(filters.suggested, { value: suggested });
  Object.assign(filters.status, { value: "" });
  filters.search.value = "";
  showTab("cards");
  update();
  grid.focus();
}

function reset() {
  for (const each of Object.values(filters)) each.value = "";
  document.querySelector("input[name=order][value=list]").checked = true;
  update(shown[current]);
}

function fillSelects() {
  const cards = [...data.conflicts, ...data.listed];
  for (const name of ["given", "suggested"]) {
    const counts = new Map();
    for (const card of cards) counts.set(data[name][card], (counts.get(data[name][card]) ?? 0) + 1);
    for (const label of [...counts.keys()].sort((a, b) => a - b)) {
      filters[name].append(element("option", { value: label }, `${data.classes[label]} (${counts.get(label)})`));
    }
  }
}

async function onLoad(event) {
  const file = event.target.files[0];
  if (file === undefined) return;
  const found = loadDecisions(await file.text());
  event.target.value = "";
  if (found === null) showWarning(`${file.name} is no file of decisions.`);
  else if (found.left > 0) {
    showWarning(`${found.taken} decisions loaded; ${found.left} do not fit the cards of this page and are left out.`);
  } else by("warning").hidden = true;
  count();
  update();
}

function start() {
  const problem = openStorage();
  if (problem) showWarning(problem);
  fillSelects();
  by("reviewer").value = storage?.getItem("noisebench/reviewer") ?? "";
  by("reviewer").addEventListener("input", (event) => storage?.setItem("noisebench/reviewer", event.target.value));
  by("filters").addEventListener("submit", (event) => event.preventDefault());
  by("filters").addEventListener("input", () => update());
  for (const id of ["reset", "empty-reset"]) by(id).addEventListener("click", reset);
  by("load").addEventListener("click", () => by("load-file").click());
  by("load-file").addEventListener("change", onLoad);
  by("export").addEventListener("click", () =>
    saveFile(`decisions-${data.name}.csv`, decisionsAsCsv(by("reviewer").value)));
  by("help-open").addEventListener("click", () => by("help").showModal());
  by("help-close").addEventListener("click", () => by("help").close());
  for (const name of ["cards", "overview"]) {
    by(`tab-${name}`).addEventListener("click", () => showTab(name));
    by(`tab-${name}`).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = name === "cards" ? "overview" : "cards";
      showTab(other);
      by(`tab-${other}`).focus();
    });
  }
  for (const button of document.querySelectorAll("button[data-given]")) {
    button.addEventListener("click", () => showPair(button.dataset.given, button.dataset.suggested));
  }
  document.addEventListener("keydown", onKey);
  addEventListener("resize", layOut);
  addEventListener("beforeunload", (event) => {
    if (storage === null && unsaved > 0) event.preventDefault();
  });
  count();
  update();
  grid.focus({ preventScroll: true });
}

start();
