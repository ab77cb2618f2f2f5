// The stage: the player or the page, and under or beside it the time line, the outline and the
// memory. It moves only when a place is asked for. `line.js`, `reading.js` and `memory.js` run after
// this file, in the same scope.
const { call, morph, hear, tell, clock, placeOf, addressed } = window.memqa;
const one = (selector) => element.querySelector(selector);
const root = one(".stage");
const view = one(".view");
const problem = one(".stage-error");
let opened = null;
let reached = {};
let shown = 0;

const thumbs = new Map();
window.memqa.thumb = (id) => {
  if (!thumbs.has(id)) {
    if (thumbs.size > 300) thumbs.delete(thumbs.keys().next().value);
    thumbs.set(id, call(server, "thumb", { id }).then(({ url }) => url));
    // What failed is asked for anew the next time.
    thumbs.get(id).catch(() => thumbs.delete(id));
  }
  return thumbs.get(id);
};

const show = async (place) => {
  const mine = ++shown;
  problem.textContent = "";
  turnAsked = turnOf(document.querySelector(".turn .chip[aria-current]"));
  try {
    if (opened?.media !== place.media) {
      const found = await call(server, "open_media", { media: place.media });
      if (mine !== shown) return;
      draw(found);
    }
    if (opened.kind === "document") await read(place, mine);
    else seek(inside(place), place.start != null);
    if (opened.kind !== "document") askLine(place);
  } catch (error) {
    if (mine === shown) problem.textContent = error.message;
  }
};

// The turn whose evidence is shown: where the last chip was clicked, else the newest.
let turnAsked = null;
const turnOf = (chip) => chip?.closest(".turn") ?? turnAsked;
const asked = () => {
  if (!turnAsked?.isConnected) turnAsked = [...document.querySelectorAll(".turn")].at(-1) ?? null;
  return {
    turn: turnAsked,
    key: turnAsked?.dataset.key ?? "",
    question: turnAsked?.querySelector(".question")?.textContent ?? "",
    chat: document.querySelector(".chats")?.value ?? "",
  };
};

// A player asked for the very border of a shot may still show the picture before it.
const inside = ({ start, end }) =>
  start == null ? 0 : start + (end == null ? 0 : Math.min(0.05, (end - start) / 2));

const draw = (found) => {
  opened = { ...found, reach: reached[found.media] };
  const isDocument = found.kind === "document";
  root.classList.remove("nothing", "has-video", "has-audio", "has-document");
  root.classList.add(`has-${found.kind}`);
  document.querySelector("#memqa-desk").dataset.stage = found.kind;
  one(".title").textContent = found.name;
  one(".title-facts").textContent = found.facts;
  one(".subtitles").hidden = true;
  one(".reading-bar").hidden = !isDocument;
  view.replaceChildren();
  forgetHits();
  morph(one(".time-panel"), found.timeline);
  one(".outline-panel").replaceChildren();
  one(".memory-panel").replaceChildren();
  one('[data-below="time"]').hidden = isDocument;
  if (!isDocument) view.append(player(found));
  choose(chosen[isDocument ? "read" : "watched"]);
  tell("time", { seconds: isDocument ? null : 0, kind: found.kind, media: found.media });
};

const player = (found) => {
  const video = document.createElement("video");
  Object.assign(video, { controls: true, preload: "metadata", playsInline: true });
  video.setAttribute("aria-label", found.name);
  if (found.kind === "audio") video.classList.add("sound");
  addCues(video, found.cues, found.kind);
  video.addEventListener("timeupdate", () => tick(video.currentTime));
  video.addEventListener("seeking", () => tick(video.currentTime));
  video.addEventListener("error", () => unplayable(found, video));
  if (found.url) video.src = found.url;
  else queueMicrotask(() => unplayable(found, video));
  return video;
};

// What is said comes as it is heard, also after the player was opened.
const addCues = (video, cues, kind) => {
  if (!cues.length) return;
  one(".subtitles").hidden = false;
  let [track] = video.textTracks;
  if (!track) {
    track = video.addTextTrack("subtitles", "What is said", "en");
    track.mode = kind === "audio" ? "hidden" : "showing";
  }
  for (const { start, end, text } of cues) track.addCue(new VTTCue(start, end, text));
};

// A file that the browser cannot decode is still shown, picture by picture.
const unplayable = (found, video) => {
  if (video.dataset.still !== undefined) return;
  video.dataset.still = "";
  video.hidden = true;
  const note = document.createElement("p");
  note.className = "quiet note";
  note.textContent = found.unplayable;
  const still = document.createElement("img");
  still.className = "still";
  still.alt = "";
  view.replaceChildren(still, note, video);
  const wanted = Number(video.dataset.wanted ?? 0);
  drawStill(wanted);
};
// One picture is fetched at a time, and next the one that was asked for last.
let wantedStill = null;
let isDrawing = false;
const drawStill = async (seconds) => {
  tick(seconds);
  wantedStill = { media: opened.media, seconds };
  if (isDrawing) return;
  isDrawing = true;
  while (wantedStill) {
    const now = wantedStill;
    wantedStill = null;
    await drawOne(now);
  }
  isDrawing = false;
};
const drawOne = async ({ media, seconds }) => {
  const { url } = await call(server, "frame", { media, at: seconds }).catch(() => ({ url: null }));
  const still = view.querySelector(".still");
  if (!still || opened?.media !== media) return;
  still.hidden = !url;
  if (url) {
    still.src = url;
    still.alt = `${opened.name} at ${clock(seconds)}`;
  }
};

const seek = (seconds, flash) => {
  const video = view.querySelector("video");
  if (!video) return;
  video.dataset.wanted = seconds;
  if (video.dataset.still !== undefined) return drawStill(seconds);
  const jump = () => { video.currentTime = seconds; };
  if (video.readyState >= 1) jump();
  else video.addEventListener("loadedmetadata", jump, { once: true });
  tick(seconds);
  if (flash) {
    view.classList.remove("arrived");
    requestAnimationFrame(() => view.classList.add("arrived"));
  }
};
const tick = (seconds) => {
  moveHead(seconds);
  markHere(seconds);
  tell("time", { seconds, kind: opened?.kind, media: opened?.media });
};

one(".subtitles").addEventListener("click", async () => {
  const { name, text } = await call(server, "subtitles", { media: opened.media }).catch((error) => {
    problem.textContent = error.message;
    return {};
  });
  if (text === undefined) return;
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: "text/vtt" }));
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
});

// Under the player, beside or under the page: time line, outline, memory. What a person picked for
// what is read and for what is watched stays.
let below = "time";
const chosen = { read: "outline", watched: "time" };
const pick = (name) => {
  chosen[opened?.kind === "document" ? "read" : "watched"] = name;
  choose(name);
};
const choose = (name) => {
  below = name;
  for (const tab of element.querySelectorAll("[data-below]")) {
    const chosen = tab.dataset.below === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    one(`.${tab.dataset.below}-panel`).hidden = !chosen;
  }
  fill();
};
const fill = () => {
  if (!opened) return;
  if (below === "time") fillEvents();
  else if (below === "outline") fillPanel("outline", asked());
  else fillPanel("memory");
};
let fills = 0;
const fillPanel = async (name, { chat, key } = {}) => {
  const mine = ++fills;
  const { media } = opened;
  const panel = one(`.${name}-panel`);
  const found = await call(server, name, { media, chat, turn: key }).catch((error) => ({ error }));
  if (mine !== fills || opened?.media !== media) return;
  if (found.error) {
    panel.textContent = found.error.message;
    return;
  }
  morph(panel, found.html);
  if (name === "memory") fillFrames();
  else markHere();
};
one(".below-tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[data-below]");
  if (tab) pick(tab.dataset.below);
});
one(".below-tabs").addEventListener("keydown", (event) => {
  const tabs = [...element.querySelectorAll("[data-below]:not([hidden])")];
  const now = tabs.indexOf(event.target);
  const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const tab = tabs[(next + tabs.length) % tabs.length];
  pick(tab.dataset.below);
  tab.focus();
});

// The entry of the outline that is on the stage now: the smallest that covers the moment, or the
// page and, where a passage is on show, its first character.
let here = [0, null];
const markHere = (at = here[0], char = at === here[0] ? here[1] : null) => {
  here = [at, char];
  const panel = one(".outline-panel");
  if (panel.hidden) return;
  const covers = ({ dataset }) =>
    Number(dataset.from) <= at && at <= Number(dataset.to) &&
    (char == null || (Number(dataset.char) <= char && char < Number(dataset.charEnd)));
  const before = panel.querySelector(".here");
  const entry = [...panel.querySelectorAll("li[data-from]")].filter(covers).at(-1);
  if (entry === before) return;
  before?.classList.remove("here");
  before?.querySelector("a").removeAttribute("aria-current");
  if (!entry) return;
  entry.classList.add("here");
  entry.querySelector("a").setAttribute("aria-current", "location");
  const [line, around] = [entry.firstElementChild.getBoundingClientRect(), panel.getBoundingClientRect()];
  if (line.top < around.top || line.bottom > around.bottom) {
    panel.scrollTop += line.top - around.top - around.height / 3;
  }
};

hear("show", show);
hear("answered", () => {
  turnAsked = null;
  if (!opened) return;
  if (opened.kind === "document") showHits();
  else askLine(null);
  if (below === "outline") fill();
});
hear("player", ({ toggle, by }) => {
  const video = view.querySelector("video");
  if (!video) return;
  if (by) seek(Math.max(0, Number(video.dataset.still !== undefined ? video.dataset.wanted : video.currentTime) + by), false);
  if (toggle && video.dataset.still === undefined) video.paused ? video.play() : video.pause();
});
// What was watched live is over, and can be played from now on.
hear("reopen", ({ media }) => {
  if (opened?.media !== media) return;
  const at = Number(view.querySelector("video")?.dataset.wanted ?? 0);
  opened = null;
  show({ media, start: at || null, end: null });
});
hear("forgotten", ({ media }) => {
  if (opened?.media !== media) return;
  opened = null;
  shown += 1;
  view.replaceChildren();
  root.classList.add("nothing");
  delete document.querySelector("#memqa-desk").dataset.stage;
  tell("time", { seconds: null });
  history.replaceState(null, "", `${location.pathname}${location.search}`);
});
// Time line, outline and memory grow with what is remembered.
hear("shelf", async ({ reach, empty, ready }) => {
  reached = reach;
  root.classList.toggle("library-empty", empty);
  root.classList.toggle("nothing-ready", !empty && !ready);
  root.classList.remove("not-yet");
  if (!opened || reach[opened.media] === opened.reach) return;
  const before = opened;
  before.reach = reach[before.media];
  if (before.kind !== "document") await growLine(before);
  if (opened === before && below !== "time") fill();
});
one(".try-sample").addEventListener("click", () => tell("sample"));
one("#memqa-keys button").addEventListener("click", () => one("#memqa-keys").close());

// What else runs in this scope is set up by then.
queueMicrotask(() => {
  if (!location.hash.startsWith("#media=")) return;
  show(placeOf(addressed()));
});
