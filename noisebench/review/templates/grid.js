// The grid of cards: only those in view are elements of the page, whatever their number.
"use strict";

const CARD = { width: 148, height: 204, gap: 12, overscan: 2 };
const grid = document.getElementById("grid");
const canvas = document.getElementById("canvas");
const visible = new Map(); // place in `shown` -> element

let shown = []; // cards in the order shown
let current = 0; // place in `shown`
let columns = 1;
let space = CARD.gap; // between columns

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A text of the data: isolated, so that its writing direction does not reach beyond it.
const text = (value, kind = "") => element("bdi", { class: kind, title: value, dir: "auto" }, value);

function picture(source, kind) {
  if (source === null || source === undefined) return element("span", { class: `blank ${kind}` }, "no image");
  const image = element("img", { class: kind, alt: "", draggable: "false" });
  image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < 100));
  image.src = `data:image/jpeg;base64,${source}`;
  return image;
}

const MARKS = { keep: "kept", relabel: "relabelled", several: "several fit", none: "none fits", unsure: "unsure" };

function describe(card) {
  const decision = decisions.get(card);
  const words = [`given ${data.classes[data.given[card]]}`, `suggested ${data.classes[data.suggested[card]]}`];
  if (decision) words.push(MARKS[decision.verdict]);
  else words.push("not reviewed");
  return words.join(", ");
}

function fill(option, card) {
  const decision = decisions.get(card);
  option.dataset.verdict = decision?.verdict ?? "";
  option.setAttribute("aria-label", describe(card));
  option.querySelector(".mark").textContent = decision ? MARKS[decision.verdict] : "";
  const to = decision?.verdict === "relabel" ? decision.corrected : data.suggested[card];
  option.querySelector(".to").replaceChildren("→ ", text(data.classes[to]));
}

function makeOption(place) {
  const card = shown[place];
  const option = element("div", { role: "option", class: "card", id: `card-${place}`, "aria-setsize": shown.length,
    "aria-posinset": place + 1 },
    element("div", { class: "image" }, picture(thumbnail(card), "thumbnail"), element("span", { class: "mark" })),
    element("div", { class: "from" }, text(data.classes[data.given[card]])),
    element("div", { class: "to" }));
  option.style.transform =
    `translate(${space + (place % columns) * (CARD.width + space)}px, ` +
    `${CARD.gap + Math.floor(place / columns) * (CARD.height + CARD.gap)}px)`;
  option.addEventListener("click", () => choose(place));
  fill(option, card);
  return option;
}

// Make elements of the cards in view, remove the others.
function draw() {
  const row = CARD.height + CARD.gap;
  const first = Math.max(0, Math.floor(grid.scrollTop / row) - CARD.overscan) * columns;
  const last = (Math.ceil((grid.scrollTop + grid.clientHeight) / row) + CARD.overscan) * columns;
  for (const [place, option] of visible) {
    if (place < first || place >= last) {
      option.remove();
      visible.delete(place);
    }
  }
  for (let place = first; place < Math.min(last, shown.length); place++) {
    if (visible.has(place)) continue;
    const option = makeOption(place);
    visible.set(place, option);
    canvas.append(option);
  }
  for (const [place, option] of visible) option.setAttribute("aria-selected", String(place === current));
}

// Lay the cards out anew: after another choice of cards, or another width.
function layOut() {
  columns = Math.max(1, Math.floor((grid.clientWidth - CARD.gap) / (CARD.width + CARD.gap)));
  space = Math.max(0, (grid.clientWidth - columns * CARD.width) / (columns + 1));
  canvas.style.height = `${Math.ceil(shown.length / columns) * (CARD.height + CARD.gap) + CARD.gap}px`;
  for (const option of visible.values()) option.remove();
  visible.clear();
  draw();
}

function reveal(place) {
  const row = CARD.height + CARD.gap;
  const top = Math.floor(place / columns) * row;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + row + CARD.gap > grid.scrollTop + grid.clientHeight) {
    grid.scrollTop = top + row + CARD.gap - grid.clientHeight;
  }
}

function refresh(card) {
  const place = shown.indexOf(card);
  if (visible.has(place)) fill(visible.get(place), card);
}

let waiting = false;
grid.addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
});
