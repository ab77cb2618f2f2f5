// The settings: a dialog that is filled when it is opened; each choice is kept as soon as it is made.
const { call, morph, tell, hear } = window.memqa;
const one = (selector) => element.querySelector(selector);
const dialog = one("dialog");
const body = one(".settings-body");
const problem = one(".problem");

const draw = ({ html, note }) => {
  morph(body, html);
  one(".note").textContent = note;
  // What was typed is shown as it was kept.
  for (const box of body.querySelectorAll("input[data-setting][type=text]")) box.value = box.getAttribute("value");
  for (const list of body.querySelectorAll("select[data-setting]")) {
    list.value = list.querySelector("[selected]")?.value ?? "";
  }
};

const open = async () => {
  dialog.showModal();
  problem.textContent = "";
  try {
    draw(await call(server, "look"));
  } catch (error) {
    problem.textContent = error.message;
  }
  examine();
};
const examine = async () => {
  try {
    const { html } = await call(server, "doctor");
    morph(one(".doctor"), html);
  } catch (error) {
    one(".doctor").textContent = error.message;
  }
};

// What came of a choice stands beside it, until the next one.
const say = (of, text, isError) => {
  for (const other of body.querySelectorAll(".message")) other.textContent = "";
  const place = body.querySelector(`[data-message="${CSS.escape(of)}"]`) ?? problem;
  place.textContent = text;
  place.classList.toggle("error", isError || place === problem);
};
const choose = async (name, data, of) => {
  try {
    const done = await call(server, name, data);
    draw(done);
    say(of, done.said, false);
    tell("settled");
    examine();
  } catch (error) {
    say(of, error.message, true);
  }
};

body.addEventListener("change", (event) => {
  const { setting } = event.target.dataset;
  if (!setting) return;
  const value = event.target.type === "checkbox" ? event.target.checked : event.target.value;
  choose("change", { name: setting, value }, setting);
});
body.addEventListener("submit", (event) => {
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
