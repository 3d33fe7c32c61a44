"use strict";
// Goes through what the audit found. All text goes in as text, never as HTML; nothing is asked of any other machine.
// A decision is shown once the table on the disk holds it.

const AHEAD = 3, KEPT = 12;
const NUMBERED = 9;
const $ = (id) => document.getElementById(id);
let photos = [], classes = [], place = 0;
let places = new Map(); // row → place
let isAhead = false;
let work = Promise.resolve(); // keys are done one after the other, however quickly they come
const ready = new Map(); // place → what is shown of it, once it is there

async function ask(path, body) {
  const how = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, how);
  } catch {
    throw new Error("The command has ended, so nothing is written any more. Start it again with --resume.");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(typeof told.detail === "string" ? told.detail : `the command answers with ${answer.status}`);
  }
  return answer;
}

const told = async (path, body) => (await ask(path, body)).json();

async function picture(src) {
  const image = new Image();
  image.src = src;
  await image.decode().catch(() => {});
  return image;
}

function make(name, text, parts = []) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...parts);
  return made;
}

async function cell({ row, label, path, src }) {
  const image = await picture(src);
  image.alt = `Photo labelled ${label}`;
  const frame = make("span", "", [image]);
  frame.className = "frame";
  const caption = make("figcaption", label);
  if (path) caption.append(Object.assign(make("span", path), { className: "file" }), Object.assign(make("b"), { className: "known" }));
  const item = make("li", "", [make("figure", "", [frame, caption])]);
  item.dataset.row = row;
  return item;
}

async function load(at) {
  const photo = photos[at];
  const shown = await told(`/shown/${at}`);
  const pictures = await Promise.all(shown.pictures.map(picture));
  pictures.forEach((image, i) => {
    image.alt = i ? "The face in it, larger" : `The photo to decide on, labelled ${photo.label || "nothing"}`;
  });
  const [copies, near] = await Promise.all([shown.copies, shown.near].map((list) => Promise.all(list.map(cell))));
  return { pictures, copies, near };
}

function fetched(at) {
  if (!ready.has(at)) {
    const coming = load(at);
    coming.catch(() => ready.delete(at)); // to be tried again
    ready.set(at, coming);
  }
  return ready.get(at);
}

// What comes next is fetched one after the other, so that a decision need not wait behind it.
async function fetchAhead() {
  if (isAhead) return;
  isAhead = true;
  try {
    for (let by = 1; by <= AHEAD; by++) {
      const from = place;
      for (const at of [from + by, from - by]) if (photos[at]) await fetched(at);
      if (place !== from) by = 0;
    }
  } catch {
    // said when it is to be shown
  }
  isAhead = false;
  for (const at of ready.keys()) if (Math.abs(at - place) > KEPT) ready.delete(at);
}

function worded({ kind, label }) {
  return { keep: "Kept", drop: "Dropped", relabel: `Relabelled to ${label}` }[kind] || "";
}

function summed() {
  const decided = photos.filter((photo) => photo.decision.kind).length;
  $("progress").textContent = `${decided} of ${photos.length} decided`;
  $("bar").max = photos.length;
  $("bar").value = decided;
}

function mark() {
  const { label, decision } = photos[place];
  const words = worded(decision);
  $("decision").textContent = words || "Not decided";
  $("decision").classList.toggle("set", Boolean(words));
  for (const button of $("classes").querySelectorAll("button")) {
    const name = classes[button.value];
    button.classList.toggle("own", name === label);
    choose(button, decision.kind === "relabel" && decision.label === name);
  }
  choose(document.querySelector("[data-do=keep]"), decision.kind === "keep");
  choose(document.querySelector("[data-do=drop]"), decision.kind === "drop");
  summed();
}

function choose(button, is) {
  button.classList.toggle("chosen", is);
  button.setAttribute("aria-pressed", String(is));
}

async function show(at, before = "") {
  const shown = await fetched(at);
  place = at;
  const photo = photos[at];
  $("place").textContent = `Photo ${at + 1} of ${photos.length}`;
  $("findings").replaceChildren(...photo.findings.map((text) => Object.assign(make("span", text), { className: "tag" })));
  $("pictures").replaceChildren(...shown.pictures.map((image) => make("figure", "", [image])));
  $("label").textContent = photo.label || "nothing";
  $("path").textContent = photo.path;
  $("copies").hidden = !shown.copies.length;
  $("copies").querySelector("ul").replaceChildren(...shown.copies);
  for (const copy of shown.copies) {
    const known = photos[places.get(Number(copy.dataset.row))];
    copy.querySelector(".known").textContent = known ? worded(known.decision) : "";
  }
  $("near").hidden = !shown.near.length;
  $("near").querySelector("h2").textContent = `Nearest photos labelled ${photo.label}`;
  $("near").querySelector("ul").replaceChildren(...shown.near);
  $("suggestion").hidden = !photo.has_suggestion;
  hideSuggestion();
  mark();
  document.body.dataset.place = at;
  const decided = worded(photo.decision);
  say(`${before} Photo ${at + 1} of ${photos.length}, labelled ${photo.label || "nothing"}: ${photo.findings.join(", ")}. ${decided}`);
  fetchAhead();
}

function hideSuggestion() {
  $("suggested").hidden = true;
  $("suggested").querySelectorAll("h2, p, ul").forEach((each) => each.replaceChildren());
  document.querySelector("[data-do=suggest]").setAttribute("aria-expanded", "false");
}

async function suggest() {
  if (!photos[place].has_suggestion) return say("The probe was not asked about this photo.");
  if (!$("suggested").hidden) return hideSuggestion();
  const found = await told(`/suggestion/${place}`);
  const cells = await Promise.all(found.near.map(cell));
  $("suggested").querySelector("p").textContent = found.told;
  const agrees = found.label === photos[place].label;
  $("suggested").querySelector("h2").textContent = agrees ? "The probe agrees" : `Nearest photos labelled ${found.label}`;
  $("suggested").querySelector("ul").replaceChildren(...cells);
  $("suggested").hidden = false;
  document.querySelector("[data-do=suggest]").setAttribute("aria-expanded", "true");
  say(found.told);
}

function say(text) {
  $("said").textContent = text.trim();
}

function complain(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

async function decide(kind, label = null) {
  const step = await told("/decide", { place, kind, label });
  photos[step.place].decision = step.decision;
  const words = `${worded(step.decision)}.`;
  if (place + 1 < photos.length) return show(place + 1, words);
  mark();
  const open = photos.filter((photo) => !photo.decision.kind).length;
  say(`${words} That was the last photo; ${open ? `${open} are not decided` : "all are decided"}.`);
}

async function undo() {
  const step = await told("/undo", {});
  if (!step) return say("Nothing was decided since the command was started.");
  photos[step.place].decision = step.decision;
  await show(step.place, "Taken back.");
}

async function move(by) {
  const at = place + by;
  if (!photos[at]) return say(by > 0 ? "That was the last photo." : "This is the first photo.");
  await show(at);
}

async function nextOpen() {
  const order = [...photos.keys()].map((i) => (place + 1 + i) % photos.length);
  const at = order.find((i) => !photos[i].decision.kind);
  if (at === undefined) return say("All are decided.");
  await show(at);
}

const doing = {
  keep: () => decide("keep"),
  drop: () => decide("drop"),
  undo,
  back: () => move(-1),
  next: () => move(1),
  open: nextOpen,
  suggest,
};
const keys = { k: "keep", d: "drop", u: "undo", s: "suggest", n: "open", " ": "next", ArrowRight: "next", ArrowLeft: "back" };

// One after the other. What goes wrong is said, and nothing is taken for written.
function run(act) {
  work = work.then(act).then(() => complain(""), (error) => complain(error.message));
  return work;
}

function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !$("keys").checked) return;
    const within = event.target.closest("select, input, textarea");
    const presses = event.key === " " && event.target.closest("button");
    if (within || presses || (event.repeat && event.key.length === 1)) return;
    const number = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
    if (event.key === "l" && !$("more").hidden) $("further").focus();
    else if (classes[number] !== undefined) run(() => decide("relabel", classes[number]));
    else if (keys[event.key]) run(doing[keys[event.key]]);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const act = button.dataset.do;
    if (act) run(doing[act]);
    else relabel(button === $("give") ? Number($("further").value) : Number(button.value));
    if (act !== "suggest") $("place").focus(); // or the next space would press the button again
  });
  $("further").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      relabel(Number($("further").value));
      $("place").focus();
    }
    if (event.key === "Escape") $("place").focus();
  });
}

const relabel = (at) => run(() => decide("relabel", classes[at]));

function list() {
  const numbered = classes.slice(0, NUMBERED).map((name, i) => {
    const button = make("button", "", [make("kbd", String(i + 1)), make("span", name)]);
    button.type = "button";
    button.value = i;
    button.setAttribute("aria-keyshortcuts", String(i + 1));
    return make("li", "", [button]);
  });
  $("classes").replaceChildren(...numbered);
  const further = classes.slice(NUMBERED).map((name, i) => Object.assign(make("option", name), { value: i + NUMBERED }));
  $("further").replaceChildren(...further);
  $("more").hidden = !further.length;
}

async function start() {
  document.querySelector("main").hidden = false;
  const all = await told("/photos");
  photos = all.photos;
  classes = all.classes;
  places = new Map(photos.map((photo, at) => [photo.row, at]));
  $("table").textContent = all.table;
  list();
  listen();
  const open = photos.findIndex((photo) => !photo.decision.kind);
  await show(open < 0 ? 0 : open);
}

run(start);
