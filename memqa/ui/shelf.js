// The shelf: adding files, the cards and what their buttons do. Cards are written by Python and
// asked for anew while something is going on; only what changed is redrawn.
const { call, morph, morphNode, tell, hear } = window.memqa;
const one = (selector) => element.querySelector(selector);
const list = one(".cards");
const sending = one(".sending");
const status = one(".shelf-status");
let version = "";
const mine = new Set();  // jobs added in this tab, of which nothing was said yet
let busy = true;
let timer = 0;

const look = async () => {
  clearTimeout(timer);
  try {
    const before = version;
    const found = await call(server, "look", { version, mine: [...mine] });
    for (const job of found.told ?? []) mine.delete(job);
    if (found.said) say(found.said);
    // What changed is told from one version on; another look was drawn meanwhile.
    if (version !== before) version = "";
    else if (!found.same) draw(found);
  } catch (error) {
    console.warn(error);
  }
  clearTimeout(timer);
  timer = setTimeout(look, document.hidden ? 8000 : busy ? 900 : 4000);
};

const draw = (found) => {
  busy = found.busy;
  version = drawCards(found.keys, found.cards) ? found.version : "";
  morph(one(".above"), found.above);
  morph(one(".disk"), found.foot);
  element.querySelector(".shelf").classList.toggle("empty", found.empty && !sending.children.length);
  searching.hidden = !found.many;
  if (!found.many) searchBox.value = "";
  filter();
  for (const frame of list.querySelectorAll("[data-poster]:not([data-filled])")) seen.observe(frame);
  tell("shelf", found.scope);
};

// Python sends the order of the cards, and those that changed; says whether all were at hand.
const drawCards = (keys, changed) => {
  const there = new Map([...list.children].map((card) => [card.dataset.key, card]));
  let at = list.firstElementChild;
  let complete = true;
  for (const key of keys) {
    let card = there.get(key);
    there.delete(key);
    const html = changed[key];
    if (!card && !html) {
      complete = false;
      continue;
    }
    if (html) {
      const wanted = document.createElement("template");
      wanted.innerHTML = html;
      const next = wanted.content.firstElementChild;
      if (card) morphNode(card, next);
      else card = next;
    }
    if (card === at) at = at.nextElementSibling;
    else list.insertBefore(card, at);
  }
  for (const gone of there.values()) gone.remove();
  return complete;
};

// Searching hides the other cards as one types; nothing is asked of Python.
const searching = one(".searching");
const searchBox = one(".search-box");
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const matching = () => [...list.children].filter((card) => !card.hidden);
const filter = () => {
  const words = plain(searchBox.value).split(/\s+/).filter(Boolean);
  for (const card of list.children) {
    const name = plain(card.dataset.name ?? "");
    card.hidden = !words.every((word) => name.includes(word));
  }
  const shown = matching();
  const able = shown.filter((card) => card.querySelector("[data-tick]"));
  one(".found-line").hidden = !words.length;
  const told = `${shown.length} of ${list.children.length} shown`;
  if (one(".found").textContent !== told) one(".found").textContent = told;
  one(".only-these").hidden = !able.length;
  one(".no-match").hidden = !words.length || shown.length > 0;
};
searchBox.addEventListener("input", filter);
searchBox.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !searchBox.value) return;
  event.preventDefault();
  searchBox.value = "";
  filter();
});
one(".only-these").addEventListener("click", () => {
  const media = matching().filter((card) => card.querySelector("[data-tick]")).map((card) => card.dataset.media);
  attempt("tick_only", { media });
});

// Posters are asked for as they come into sight, one after another, so that a long shelf does not
// crowd out an answer.
const posters = new Map();
const wanted = new Set();
let isFilling = false;
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) wanted.add(target);
    else wanted.delete(target);
  }
  if (!isFilling) fillPosters();
}, { rootMargin: "200px" });
const seeAgain = (frame) => {
  if (!frame.isConnected || frame.hasAttribute("data-filled")) return;
  seen.unobserve(frame);
  seen.observe(frame);
};
const fillPosters = async () => {
  isFilling = true;
  for (const frame of wanted) {
    wanted.delete(frame);
    if (!frame.isConnected || frame.hasAttribute("data-filled")) continue;
    const id = frame.dataset.poster;
    if (!posters.has(id)) {
      posters.set(id, null);
      const { url, may_come } = await call(server, "poster", { media: id }).catch(() => ({ may_come: true }));
      posters.set(id, url);
      if (may_come) setTimeout(() => { posters.delete(id); seeAgain(frame); }, 5000);
    }
    if (!posters.get(id)) continue;
    const picture = new Image();
    picture.alt = "";
    picture.src = posters.get(id);
    frame.replaceChildren(picture);
    frame.setAttribute("data-filled", "");
    seen.unobserve(frame);
  }
  isFilling = false;
};

let quiet = 0;
const say = (text, isError = false) => {
  status.textContent = text;
  status.classList.toggle("error", isError);
  clearTimeout(quiet);
  if (text) quiet = setTimeout(() => { status.textContent = ""; }, isError ? 20_000 : 10_000);
};
const attempt = async (name, data) => {
  try {
    const done = await call(server, name, data);
    for (const job of done.jobs ?? []) mine.add(job);
    say(done.said ?? "");
    return done;
  } catch (error) {
    say(error.message, true);
    version = "";
    return null;
  } finally {
    look();
  }
};

// Files from the browser go up one after another, each with a card of its own.
const queue = [];
let isSending = false;
const send = async (files) => {
  for (const file of files) queue.push([file, drawSending(file)]);
  if (queue.length) memqaOpenLibrary();
  if (isSending) return;
  isSending = true;
  while (queue.length) await sendOne(...queue.shift());
  isSending = false;
};
const memqaOpenLibrary = () => window.memqa.openTab("library");

const drawSending = (file) => {
  const card = document.createElement("li");
  card.className = "card working";
  const name = Object.assign(document.createElement("span"), { className: "name", textContent: file.name });
  const line = Object.assign(document.createElement("p"), { className: "line", textContent: "waiting to be copied" });
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.setAttribute("aria-label", `copying ${file.name}`);
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Cancel" });
  button.setAttribute("aria-label", `Cancel: ${file.name}`);
  button.onclick = () => card.remove();  // until its turn comes; then it stops the copying
  const actions = Object.assign(document.createElement("div"), { className: "actions" });
  actions.append(button);
  card.append(name, line, bar, actions);
  sending.append(card);
  element.querySelector(".shelf").classList.remove("empty");
  return { card, line, bar, button };
};

const sendOne = (file, { card, line, bar, button }) =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const end = () => { card.remove(); resolve(); };
    const fail = (words) => {
      line.textContent = words;
      line.className = "error";
      line.setAttribute("role", "alert");
      bar.remove();
      card.className = "card failed";
      button.textContent = "Dismiss";
      button.onclick = () => card.remove();
      resolve();
    };
    let isCancelled = false;
    button.onclick = () => {
      isCancelled = true;
      button.disabled = true;
      if (request.readyState === XMLHttpRequest.DONE) return; // what becomes of it is stopped below
      request.abort();
      end();
    };
    if (!card.isConnected) return end();
    if (!file.size) return fail(`${file.name} is empty: there is nothing in it to remember.`);
    request.upload.onprogress = (event) => {
      const share = event.loaded / event.total;
      bar.value = share;
      line.textContent = `copying ${Math.round(100 * share)}\u00a0%`;
    };
    request.onload = async () => {
      if (request.status === 413) return fail(`${file.name} is larger than this page takes${one(".path-box") ? "; put it on this machine and give its path instead" : ""}.`);
      if ([429, 507].includes(request.status)) return fail(`${file.name} was not taken. ${request.responseText}`);
      if (request.status !== 200) return fail(`${file.name} could not be copied (the server said ${request.status}); try again.`);
      const [path] = JSON.parse(request.responseText);
      try {
        const done = await call(server, "add_upload", { path, name: file.name });
        for (const job of done.jobs ?? []) mine.add(job);
        say(done.said ?? "");
        if (isCancelled) await attempt("cancel", { job: done.jobs?.[0] });
        await look();
        end();
      } catch (error) {
        fail(error.message);
      }
    };
    request.onerror = () => fail(`${file.name} could not be copied; is memqa still running?`);
    request.open("POST", new URL("gradio_api/upload", document.baseURI));
    const form = new FormData();
    form.append("files", file, file.name);
    line.textContent = "copying";
    request.send(form);
  });

one("input[type=file]").addEventListener("change", (event) => {
  send([...event.target.files]);
  event.target.value = "";
});

// Drop anywhere on the page, files as well as whole folders.
const filesOf = async (entry) => {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const inner of some) if (!inner.name.startsWith(".")) found.push(...(await filesOf(inner)));
  }
};
const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
let depth = 0;
const hover = (change) => {
  depth = Math.max(0, depth + change);
  document.querySelector("#memqa-desk")?.classList.toggle("dropping", depth > 0);
};
addEventListener("dragenter", (event) => { if (carriesFiles(event)) hover(1); });
addEventListener("dragleave", (event) => { if (carriesFiles(event)) hover(-1); });
addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
addEventListener("drop", async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  hover(-depth);
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return send([...event.dataTransfer.files]);
  const read = await Promise.allSettled(entries.map(filesOf));
  send(read.flatMap(({ value }) => value ?? []));
  const unread = entries.filter((_, at) => read[at].status === "rejected").map(({ name }) => name);
  if (unread.length) say(`${unread.join(", ")} could not be read here; add the files one by one, or give a path.`, true);
});

one(".path-box")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = one(".path-box input");
  if (await attempt("add_path", { path: input.value })) input.value = "";
});

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) {
    const { do: verb, of: key, job, path } = button.dataset;
    attempt(verb, { key, job, path }).then((done) => {
      if (done && verb === "forget") tell("forgotten", { media: key });
    });
  }
  if (event.target.closest(".keep")) {
    event.target.closest(".forget").open = false;
    event.target.closest(".more").open = false;
  }
  const { collection, remove, ticks } = event.target.closest("[data-collection], [data-remove], [data-ticks]")?.dataset ?? {};
  if (collection) {
    const isAsked = event.target.closest("[data-collection]").getAttribute("aria-pressed") === "true";
    attempt("ask_collection", { name: collection, off: isAsked });
  }
  if (remove) attempt("remove_collection", { name: remove });
  if (ticks) attempt("tick_only", ticks === "none" ? { media: [] } : {});
  if (event.target.closest(".open-settings")) tell("settings");
  if (event.target.closest(".unfold-shelf")) {
    const unfolded = one(".shelf").classList.toggle("unfolded");
    one(".unfold-shelf").setAttribute("aria-expanded", String(unfolded));
  }
  if (event.target.closest(".open") && one(".shelf").classList.contains("unfolded")) {
    one(".shelf").classList.remove("unfolded");
  }
});
element.addEventListener("submit", async (event) => {
  if (!event.target.matches(".keep-form")) return;
  event.preventDefault();
  const input = event.target.elements.name;
  if (await attempt("keep_collection", { name: input.value })) input.value = "";
});
// Opened by hand, so that the field has the focus before the next key comes.
element.addEventListener("click", (event) => {
  const summary = event.target.closest(".keep-as > summary");
  if (!summary) return;
  event.preventDefault();
  summary.parentElement.open = !summary.parentElement.open;
  if (summary.parentElement.open) summary.parentElement.querySelector("input").focus();
});
element.addEventListener("change", (event) => {
  const { tick } = event.target.dataset;
  if (tick) attempt("tick", { media: tick, ticked: event.target.checked });
});
hear("settled", () => look());
hear("sample", () => { memqaOpenLibrary(); attempt("sample"); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
look();
