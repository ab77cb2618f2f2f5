// The stage: the player or the page, and under it the time line or the outline. It moves only when
// a place is asked for.
const { call, morph, hear, tell, clock, placeOf } = window.memqa;
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
  }
  return thumbs.get(id);
};

const show = async (place) => {
  const mine = ++shown;
  problem.textContent = "";
  try {
    if (opened?.media !== place.media) {
      const found = await call(server, "open_media", { media: place.media });
      if (mine !== shown) return;
      draw(found);
    }
    if (opened.kind === "document") await turnTo(place, mine);
    else seek(inside(place), place.start != null);
    markCurrent(place);
  } catch (error) {
    if (mine === shown) problem.textContent = error.message;
  }
};

// A player asked for the very border of a shot may still show the picture before it.
const inside = ({ start, end }) =>
  start == null ? 0 : start + (end == null ? 0 : Math.min(0.05, (end - start) / 2));

const draw = (found) => {
  opened = { ...found, reach: reached[found.media] };
  root.classList.remove("nothing", "has-video", "has-audio", "has-document");
  root.classList.add(`has-${found.kind}`);
  document.querySelector("#memqa-desk").dataset.stage = found.kind;
  one(".title").textContent = found.name;
  one(".title-facts").textContent = found.facts;
  view.replaceChildren();
  morph(one(".time"), found.timeline);
  one(".outline-holder").replaceChildren();
  if (found.kind === "document") {
    choose("outline");
  } else {
    view.append(player(found));
    choose("time");
    fillEvents();
  }
  one('[data-below="time"]').hidden = found.kind === "document";
  tell("time", { seconds: found.kind === "document" ? null : 0, kind: found.kind });
};

const player = (found) => {
  const video = document.createElement("video");
  Object.assign(video, { controls: true, preload: "metadata", playsInline: true });
  video.setAttribute("aria-label", found.name);
  if (found.kind === "audio") video.classList.add("sound");
  if (found.cues.length) {
    const track = video.addTextTrack("subtitles", "What is said", "en");
    for (const { start, end, text } of found.cues) track.addCue(new VTTCue(start, end, text));
    track.mode = found.kind === "audio" ? "hidden" : "showing";
  }
  video.addEventListener("timeupdate", () => tick(video.currentTime));
  video.addEventListener("seeking", () => tick(video.currentTime));
  video.addEventListener("error", () => unplayable(found, video));
  if (found.url) video.src = found.url;
  else queueMicrotask(() => unplayable(found, video));
  return video;
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
const drawStill = async (seconds) => {
  const media = opened.media;
  tick(seconds);
  const { url } = await call(server, "frame", { media, at: seconds }).catch(() => ({ url: null }));
  const still = view.querySelector(".still");
  if (!still || opened.media !== media) return;
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

const turnTo = async (place, mine) => {
  const page = place.page ?? 1;
  const found = await call(server, "leaf", {
    media: place.media, page, boxes: place.boxes ?? [], chars: place.chars ?? null,
  });
  if (mine !== undefined && mine !== shown) return;
  view.innerHTML = found.html;
  const target = view.querySelector(".box, mark");
  const frame = view.querySelector(".sheet-frame");
  const picture = view.querySelector("img");
  if (picture) await picture.decode().catch(() => {});
  if (target && frame) {
    const offset = target.getBoundingClientRect().top - frame.getBoundingClientRect().top;
    frame.scrollTop = Math.max(0, offset - frame.clientHeight / 4);
  }
};

view.addEventListener("click", (event) => {
  const button = event.target.closest("[data-turn]");
  if (button) show({ media: opened.media, page: Number(button.dataset.turn) });
});
view.addEventListener("change", (event) => {
  if (event.target.dataset.pageInput === undefined) return;
  show({ media: opened.media, page: Number(event.target.value) || 1 });
});

// Under the player or page: time line or outline.
const choose = (name) => {
  for (const tab of element.querySelectorAll("[data-below]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.below === name));
    tab.tabIndex = tab.dataset.below === name ? 0 : -1;
  }
  one(".time").hidden = name !== "time";
  one(".outline-holder").hidden = name !== "outline";
  if (name === "outline" && opened && !one(".outline-holder").children.length) drawOutline();
};
const drawOutline = async () => {
  const media = opened.media;
  const { html } = await call(server, "outline", { media }).catch((error) => ({ html: "", error }));
  if (opened.media === media) one(".outline-holder").innerHTML = html;
};
one(".below-tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[data-below]");
  if (tab) choose(tab.dataset.below);
});
one(".below-tabs").addEventListener("keydown", (event) => {
  if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  const tabs = [...element.querySelectorAll("[data-below]:not([hidden])")];
  const next = tabs[(tabs.indexOf(event.target) + 1) % tabs.length];
  choose(next.dataset.below);
  next.focus();
});

// The time line: playhead, evidence of the last answer, seeking, zooming by dragging.
const line = () => one(".timeline");
const tick = (seconds) => {
  const bar = line();
  if (bar) {
    const duration = Number(bar.dataset.duration);
    bar.style.setProperty("--at", Math.min(1, seconds / duration));
    bar.setAttribute("aria-valuenow", String(Math.round(seconds)));
    bar.setAttribute("aria-valuetext", clock(seconds));
  }
  tell("time", { seconds, kind: opened?.kind });
};
const markCurrent = (place) => {
  const holder = one(".evidence-marks");
  if (!holder) return;
  const duration = Number(line().dataset.duration);
  const chips = document.querySelectorAll(`.turn:last-of-type .places .chip[data-start]`);
  holder.replaceChildren();
  for (const chip of chips) {
    const { media, start, end } = placeOf(chip);
    if (media !== opened.media) continue;
    const mark = document.createElement("span");
    mark.style.left = `${(100 * start) / duration}%`;
    mark.style.width = `${(100 * Math.max(end - start, 0)) / duration}%`;
    if (place && place.start === start) mark.className = "current";
    holder.append(mark);
  }
};
hear("answered", () => { if (opened && opened.kind !== "document") markCurrent(null); });

const fillEvents = async () => {
  const events = [...element.querySelectorAll(".event[data-thumbnail]")];
  const wide = events.filter((event) => event.clientWidth > 56).slice(0, 40);
  for (const event of wide) {
    if (event.querySelector("img") || !event.isConnected) continue;
    const url = await window.memqa.thumb(event.dataset.evidence).catch(() => null);
    if (!url) continue;
    const picture = new Image();
    picture.alt = "";
    picture.src = url;
    event.prepend(picture);
  }
};

const secondsAt = (event) => {
  const lane = line().querySelector(".lane").getBoundingClientRect();
  const share = (event.clientX - lane.left) / lane.width;
  return Math.min(1, Math.max(0, share)) * Number(line().dataset.duration);
};
let dragFrom = null;
const below = one(".time");
below.addEventListener("pointerdown", (event) => {
  if (event.button === 0 && event.target.closest(".lane")) dragFrom = event;
});
below.addEventListener("pointerup", (event) => {
  if (!dragFrom) return;
  const [from, moved] = [dragFrom, Math.abs(event.clientX - dragFrom.clientX)];
  dragFrom = null;
  if (moved > 24) return zoom(secondsAt(from), secondsAt(event));
  const mark = event.target.closest("[data-start]");
  seek(mark ? Number(mark.dataset.start) : secondsAt(event), true);
});
below.addEventListener("dblclick", () => zoom(0, Number(line()?.dataset.duration ?? 0)));
const zoom = (a, b) => {
  const bar = line();
  const duration = Number(bar.dataset.duration);
  const [from, to] = [Math.min(a, b), Math.max(a, b)];
  const times = Math.min(60, duration / Math.max(to - from, 0.5));
  bar.style.setProperty("--zoom", times < 1.05 ? 1 : times);
  const lane = bar.querySelector(".lane");
  bar.scrollLeft = (from / duration) * lane.clientWidth;
  fillEvents();
};
below.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !event.target.closest(".timeline")) return;
  event.preventDefault();
  const now = Number(line().getAttribute("aria-valuenow"));
  const starts = [...element.querySelectorAll(".event")].map((mark) => Number(mark.dataset.start));
  const next = step > 0 ? starts.find((start) => start > now + 0.5) : starts.findLast((start) => start < now - 0.5);
  if (next !== undefined) seek(next, false);
});

hear("show", show);
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
  history.replaceState(null, "", `${location.pathname}${location.search}`);
});
// The time line grows with what is remembered.
hear("shelf", async ({ reach, empty, ready }) => {
  reached = reach;
  root.classList.toggle("library-empty", empty);
  root.classList.toggle("nothing-ready", !empty && !ready);
  root.classList.remove("not-yet");
  if (!opened || opened.kind === "document" || reach[opened.media] === opened.reach) return;
  const before = opened;
  before.reach = reach[before.media];
  const { timeline } = await call(server, "open_media", { media: before.media }).catch(() => ({}));
  if (!timeline || opened !== before) return;
  const looks = line()?.style.cssText ?? "";
  morph(one(".time"), timeline);
  if (line()) line().style.cssText = looks;
  markCurrent(null);
  fillEvents();
});
one(".try-sample").addEventListener("click", () => tell("sample"));
one("#memqa-keys button").addEventListener("click", () => one("#memqa-keys").close());

if (location.hash.startsWith("#media=")) {
  const address = document.createElement("a");
  address.setAttribute("href", location.hash);
  show(placeOf(address));
}
