// Reading a document: turning pages, the places that an answer or a search found, one by one.
const readingBar = one(".reading-bar");
const findBox = readingBar.querySelector("input");
const NOTHING = { hits: [], quotes: [], words: "" };
let found = NOTHING;
let hit = -1;
let place = null;

// The places of the answer on show; asked for once for each question and document.
let hitsOf = "";
let lookups = 0;
const loadHits = async () => {
  const { chat, key: turn } = asked();
  const { media } = opened;
  const wanted = `${media} ${chat} ${turn}`;
  if (hitsOf === wanted || findBox.value.trim()) return;
  const mine = ++lookups;
  const answered = turn ? await call(server, "hits", { media, chat, turn }).catch(() => null) : NOTHING;
  // Another document, or another answer, may have come on show meanwhile.
  if (mine !== lookups || findBox.value.trim()) return;
  hitsOf = answered ? wanted : "";
  found = { ...(answered ?? NOTHING), words: "" };
  hit = -1;
};
const forgetHits = () => {
  lookups += 1;
  findBox.value = "";
  [found, hit, place, hitsOf] = [NOTHING, -1, null, ""];
};
const showHits = async () => {
  await loadHits();
  drawHits();
};
const drawHits = () => {
  const total = found.hits.length;
  const words = one(".hits-words");
  const what = `${found.nearest ? "near " : ""}${total === 1 ? "place" : "places"}`;
  if (found.words && !total) words.textContent = "not found";
  else words.textContent = total ? (hit < 0 ? `${total} ${what}` : `${hit + 1} of ${total} ${what}`) : "";
  words.title = !found.words
    ? "Looked up for the answer"
    : found.nearest
      ? `“${found.words}” stands nowhere; these places are nearest to it`
      : `Found for “${found.words}”`;
  for (const button of readingBar.querySelectorAll("[data-hit]")) button.hidden = !total;
};

const read = async (wanted, mine) => {
  if (wanted.evidence) leaveFinding();
  await loadHits();
  if (mine !== shown) return;
  const at = found.hits.findIndex(({ evidence }) => evidence === wanted.evidence);
  if (wanted.evidence) hit = at;
  await turnTo(wanted, mine);
};
const turnTo = async (wanted, mine) => {
  const page = wanted.page ?? 1;
  const current = wanted.boxes?.length || wanted.chars ? wanted : covering(page);
  // Of what was found by its words, only the words are marked on other places.
  const elsewhere = found.words ? [] : found.hits.filter(({ chars }) => chars !== current?.chars);
  const others = elsewhere.flatMap(({ boxes }) => boxes);
  const leaf = await call(server, "leaf", {
    media: wanted.media, page, boxes: current?.boxes ?? [], chars: current?.chars ?? null,
    others: others.filter((box) => box.page === page), quotes: found.quotes ?? [],
  });
  if (mine !== undefined && mine !== shown) return;
  place = { media: wanted.media, page };
  drawLeaf(leaf.html);
  drawHits();
  markHere(page, current?.chars && (current.page ?? page) === page ? parseInt(current.chars) : null);
  const picture = view.querySelector("img");
  if (picture) await picture.decode().catch(() => {});
  bringIntoSight(view.querySelector(".box:not(.other), mark"));
  if (picture && (current || found.words) && found.quotes?.length) markQuotes(place);
};
// Whoever turns pages with the keyboard goes on from where they are.
const drawLeaf = (html) => {
  const stops = () => [...view.querySelectorAll(".page-bar button, .page-bar input, .sheet-frame")];
  const at = stops().indexOf(document.activeElement);
  view.innerHTML = html;
  const next = stops()[at];
  const target = next?.disabled ? view.querySelector("[data-page-input]") : next;
  target?.focus({ preventScroll: true });
};
// A passage may run over several pages; it stays marked while they are turned.
const covering = (page) => {
  const now = found.hits[hit];
  return now && now.page <= page && page <= now.page_end ? now : null;
};
const bringIntoSight = (target) => {
  const frame = view.querySelector(".sheet-frame");
  if (!target || !frame) return;
  const [at, around] = [target.getBoundingClientRect(), frame.getBoundingClientRect()];
  frame.scrollTop = Math.max(0, frame.scrollTop + at.top - around.top - frame.clientHeight / 4);
  if (at.left < around.left || at.right > around.right) {
    frame.scrollLeft += at.left - around.left - 16;
  }
};
const markQuotes = async (where) => {
  const { html } = await call(server, "quoted", { ...where, quotes: found.quotes }).catch(() => ({}));
  if (html && place === where) view.querySelector(".sheet.picture")?.insertAdjacentHTML("beforeend", html);
};

const step = (by) => {
  const total = found.hits.length;
  if (!total || opened?.kind !== "document") return;
  hit = hit < 0 ? (by > 0 ? 0 : total - 1) : (hit + by + total) % total;
  goTo(found.hits[hit]);
};
const goTo = async (wanted) => {
  const mine = ++shown;
  problem.textContent = "";
  try {
    await turnTo({ ...wanted, media: opened.media }, mine);
  } catch (error) {
    if (mine === shown) problem.textContent = error.message;
  }
};
readingBar.addEventListener("click", (event) => {
  const by = event.target.closest("[data-hit]")?.dataset.hit;
  if (by) step(Number(by));
  const larger = event.target.closest(".zoom");
  if (!larger) return;
  const pressed = larger.getAttribute("aria-pressed") !== "true";
  larger.setAttribute("aria-pressed", String(pressed));
  root.classList.toggle("larger", pressed);
  bringIntoSight(view.querySelector(".box:not(.other), mark"));
});
document.addEventListener("keydown", (event) => {
  const by = { n: 1, p: -1 }[event.key];
  if (!by || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog")) return;
  step(by);
});

// Finding in the document takes the place of the answer's places until it is cleared.
const leaveFinding = () => {
  if (!found.words) return;
  findBox.value = "";
  hitsOf = "";
};
readingBar.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = findBox.value.trim();
  if (!words) return backToAnswer();
  if (words === found.words && found.hits.length) return step(1);
  const { media } = opened;
  one(".hits-words").textContent = "finding…";
  const news = await call(server, "find", { media, words }).catch((error) => ({ error }));
  if (opened?.media !== media || findBox.value.trim() !== words) return;
  if (news.error) problem.textContent = news.error.message;
  found = { hits: [], ...news, words };
  hit = found.hits.length ? news.best : -1;
  drawHits();
  if (found.hits.length) goTo(found.hits[hit]);
});
const backToAnswer = async () => {
  hitsOf = "";
  await showHits();
};
findBox.addEventListener("search", () => { if (!findBox.value && found.words) backToAnswer(); });

view.addEventListener("click", (event) => {
  const button = event.target.closest("[data-turn]");
  if (button) goTo({ page: Number(button.dataset.turn) });
});
view.addEventListener("change", (event) => {
  if (event.target.dataset.pageInput === undefined) return;
  goTo({ page: Number(event.target.value) || 1 });
});
