// The settings: a dialog that is filled when it is opened; each choice is kept as soon as it is made.
const { call, morph, tell, hear } = window.memqa;
const one = (selector) => element.querySelector(selector);
const dialog = one("dialog");
const body = one(".settings-body");
const problem = one(".problem");

// What is being typed stays; what was typed is shown as it was kept.
const typed = new Set();
const draw = ({ html, note }) => {
  morph(body, html);
  one(".note").textContent = note;
  for (const box of body.querySelectorAll("input[data-setting][type=text]")) {
    if (!typed.has(box.dataset.setting)) box.value = box.getAttribute("value");
  }
  for (const list of body.querySelectorAll("select[data-setting]")) {
    list.value = list.querySelector("[selected]")?.value ?? "";
  }
};

let asked = 0; // looks and choices; only what came of the last one is drawn
const open = async () => {
  const mine = ++asked;
  dialog.showModal();
  problem.textContent = "";
  typed.clear();
  try {
    const found = await call(server, "look");
    if (mine === asked) draw(found);
  } catch (error) {
    if (mine === asked) problem.textContent = error.message;
  }
  examine();
};
let examined = 0;
const examine = async () => {
  const mine = ++examined;
  const found = await call(server, "doctor").catch((error) => ({ error }));
  if (mine !== examined) return;
  if (found.error) one(".doctor").textContent = found.error.message;
  else morph(one(".doctor"), found.html);
};

// What came of a choice stands beside it, until the next one.
const say = (of, text, isError) => {
  for (const other of body.querySelectorAll(".message")) other.textContent = "";
  const place = body.querySelector(`[data-message="${CSS.escape(of)}"]`) ?? problem;
  place.textContent = text;
  place.classList.toggle("error", isError || place === problem);
};
// One choice after another, so that each is made upon the one before.
let last = Promise.resolve();
const choose = (name, data, of) => {
  const mine = ++asked;
  last = last.then(() => keep(name, data, { of, mine }));
};
const keep = async (name, data, { of, mine }) => {
  try {
    const done = await call(server, name, data);
    if (mine === asked) draw(done);
    say(of, done.said, false);
    tell("settled");
    examine();
  } catch (error) {
    say(of, error.message, true);
  }
};

body.addEventListener("input", ({ target }) => {
  if (target.dataset.setting) typed.add(target.dataset.setting);
});
body.addEventListener("focusout", ({ target }) => typed.delete(target.dataset.setting));
body.addEventListener("change", (event) => {
  const { setting } = event.target.dataset;
  if (!setting) return;
  typed.delete(setting);
  const value = event.target.type === "checkbox" ? event.target.checked : event.target.value;
  choose("change", { name: setting, value }, setting);
});
body.addEventListener("submit", (event) => {
  if (event.target.matches(".leave")) return; // logging out leads away from the page
  event.preventDefault();
  const { port } = event.target.dataset;
  if (port) choose("use", { port, name: event.target.elements.model.value }, port);
});
body.addEventListener("click", async (event) => {
  const use = event.target.closest(".use");
  if (use) choose("use", { port: use.dataset.port, name: use.dataset.nameOf }, use.dataset.port === "preset" ? "presets" : use.dataset.port);
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const copied = await navigator.clipboard?.writeText(copy.dataset.copy).then(() => true, () => false);
    if (!copied) getSelection().selectAllChildren(copy.previousElementSibling);
    copy.textContent = copied ? "Copied" : "Marked";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }
});
one(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
hear("settings", open);
