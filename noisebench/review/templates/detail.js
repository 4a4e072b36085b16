// The chosen card at full size, with examples of both labels, the answers, and what is known of the sample.
"use strict";

const detail = document.getElementById("detail");

const ANSWERS = [
  ["K", "keep", "Keep"],
  ["R", "relabel", "Relabel"],
  ["S", "several", "Several fit"],
  ["N", "none", "None fits"],
  ["U", "unsure", "Unsure"],
];

function exampleRow(title, label) {
  const images = (examples[label] ?? []).map((source) => picture(source, "example"));
  return element("div", { class: "label" },
    element("span", { class: "images" }, ...images),
    element("span", { class: "words" }, element("small", {}, title), text(data.classes[label], "name")));
}

function answerButtons(card) {
  const verdict = decisions.get(card)?.verdict;
  return ANSWERS.map(([key, name, title]) => {
    const button = element("button", { type: "button", "data-answer": name, "aria-pressed": String(name === verdict),
      "aria-keyshortcuts": key }, title, " ", element("kbd", {}, key));
    button.addEventListener("click", () => answer(name));
    return button;
  });
}

// All classes but the given one; a choice is a decision only on Enter or on leaving the list with another value.
function classChoice(card) {
  const select = element("select", { id: "other" });
  const decision = decisions.get(card);
  data.classes.forEach((name, label) => {
    if (label !== data.given[card]) select.append(element("option", { value: label }, name));
  });
  select.value = String(decision?.corrected ?? data.suggested[card]);
  const take = () => answer("relabel", Number(select.value));
  select.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      take();
    } else if (event.key === "Escape") grid.focus();
    event.stopPropagation();
  });
  const button = element("button", { type: "button", class: "quiet" }, "Take");
  button.addEventListener("click", take);
  return element("div", { class: "other" },
    element("label", { for: "other" }, "Another class ", element("kbd", {}, "C")), select, button);
}

function facts(card) {
  const rows = [["id", text(data.ids[card])]];
  if (data.paths[card] && data.paths[card] !== data.ids[card]) rows.push(["path", text(data.paths[card])]);
  if (data.notes[card]) rows.push(["note", text(data.notes[card])]);
  for (const [id, label] of data.copies[card] ?? []) {
    const kind = label === data.classes[data.given[card]] ? "" : "other-label";
    rows.push(["same content", element("span", { class: kind }, text(id), " labelled ", text(label))]);
  }
  if (decisions.has(card)) {
    const number = (value) => (value === null ? "–" : value.toFixed(3));
    rows.push(
      ["p given", number(data.p_given[card])],
      ["p suggested", number(data.p_suggested[card])],
      ["suspicion", number(data.suspicion[card])],
      ["seeds that flag", `${Math.round(100 * (data.agreement[card] ?? 0))}%`],
      ["flagged by", data.flagged_by[card].replaceAll("|", ", ") || "no detector: drawn at random"],
    );
  }
  return element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function showDetail(card) {
  if (card === undefined) {
    detail.replaceChildren();
    return;
  }
  const source = thumbnail(card);
  detail.replaceChildren(
    element("div", { class: "large" }, source === null ? text(data.ids[card], "blank") : picture(source, "big")),
    element("div", { class: "labels" }, exampleRow("given label", data.given[card]),
      exampleRow("suggested label", data.suggested[card])),
    element("div", { class: "answers", role: "group", "aria-label": "Answer" }, ...answerButtons(card)),
    classChoice(card),
    facts(card),
  );
}
