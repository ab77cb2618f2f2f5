// The time line: playhead, events, evidence and attention of a question, seeking, zooming.
const line = () => one(".timeline");
const moveHead = (seconds) => {
  const bar = line();
  if (!bar) return;
  bar.style.setProperty("--at", Math.min(1, seconds / Number(bar.dataset.duration)));
  bar.setAttribute("aria-valuenow", String(Math.round(seconds)));
  bar.setAttribute("aria-valuetext", clock(seconds));
};

// What the question of the turn on show found here, and where its attention lies.
const askLine = (place) => {
  markEvidence(place);
  showAttention();
};
const markEvidence = (place) => {
  const holder = one(".evidence-marks");
  if (!holder) return;
  const duration = Number(line().dataset.duration);
  holder.replaceChildren();
  for (const chip of asked().turn?.querySelectorAll(".places .chip[data-start]") ?? []) {
    const { media, start, end } = placeOf(chip);
    if (media !== opened.media) continue;
    const mark = document.createElement("span");
    mark.style.left = `${(100 * start) / duration}%`;
    mark.style.width = `${(100 * Math.max(end - start, 0)) / duration}%`;
    if (place && place.start === start) mark.className = "current";
    holder.append(mark);
  }
};
let attended = "";
const showAttention = async () => {
  const { question } = asked();
  const wanted = `${opened.media} ${opened.reach} ${question}`;
  if (!one(".attended") || !question || opened.kind !== "video") return;
  if (attended === wanted && one(".attended").children.length) return;
  attended = wanted;
  one(".attention .lane > .nothing").textContent = "looking…";
  const found = await call(server, "density", { media: opened.media, question }).catch((error) => {
    const said = document.createElement("span");
    said.className = "nothing";
    said.textContent = error.message;
    return { html: said.outerHTML, words: "" };
  });
  if (attended !== wanted || !one(".attended")) return;
  morph(one(".attended"), found.html);
  one(".attention-words").textContent = found.words;
};

const growLine = async (before) => {
  const found = await call(server, "open_media", { media: before.media }).catch(() => ({}));
  const { timeline, cues } = found;
  if (!timeline || opened !== before) return;
  const heard = new Set(before.cues.map(({ start, text }) => `${start} ${text}`));
  const news = cues.filter(({ start, text }) => !heard.has(`${start} ${text}`));
  addCues(view.querySelector("video"), news, before.kind);
  before.cues = cues;
  const looks = line()?.style.cssText ?? "";
  const drawn = one(".attended")?.innerHTML ?? "";
  const words = one(".attention-words")?.textContent ?? "";
  morph(one(".time-panel"), timeline);
  if (!line()) return;
  line().style.cssText = looks;
  if (drawn) one(".attended").innerHTML = drawn;
  if (words) one(".attention-words").textContent = words;
  askLine(null);
  fillEvents();
};

// Each event that is wide enough shows its picture, those in sight first. Where events are too
// narrow, a film runs over them, a picture for every stretch of its width.
const WIDE_PX = 30;
const FILM_PX = 64;
let filling = 0;
const fillEvents = async () => {
  const mine = ++filling;
  const bar = line();
  if (!bar?.clientWidth) return;
  const events = [...bar.querySelectorAll(".event[data-thumbnail]")];
  const [left, right] = [bar.scrollLeft, bar.scrollLeft + bar.clientWidth];
  const away = ({ at, wide }) => Math.max(left - at - wide, at - right, 0);
  const wanted = [...wideEvents(events), ...film(bar, events)].sort((a, b) => away(a) - away(b));
  for (const { holder, id } of wanted.slice(0, 60)) {
    const url = await window.memqa.thumb(id).catch(() => null);
    if (mine !== filling) return;
    if (!url || !holder.isConnected || holder.querySelector("img")) continue;
    const picture = new Image();
    picture.alt = "";
    picture.src = url;
    holder.prepend(picture);
  }
};
const wideEvents = (events) =>
  events
    .filter((event) => event.clientWidth >= WIDE_PX && !event.querySelector("img"))
    .map((event) => ({ holder: event, id: event.dataset.evidence, at: event.offsetLeft, wide: event.clientWidth }));
const film = (bar, events) => {
  const lane = bar.querySelector(".row.events .lane");
  const old = lane.querySelector(".film");
  const wide = lane.clientWidth;
  const key = `${events.length} ${wide}`;
  if (old?.dataset.key === key) return unfilled(old);
  old?.remove();
  const narrow = events.filter((event) => event.clientWidth < WIDE_PX);
  if (!narrow.length || wide > 20 * bar.clientWidth) return [];
  const holder = document.createElement("div");
  holder.className = "film";
  holder.dataset.key = key;
  for (let at = 0; at < wide; at += FILM_PX) {
    const middle = at + FILM_PX / 2;
    const event = events.find((one) => one.offsetLeft <= middle && middle < one.offsetLeft + one.offsetWidth);
    if (!event || event.clientWidth >= WIDE_PX) continue;
    const frame = document.createElement("span");
    frame.style.left = `${(100 * at) / wide}%`;
    frame.style.width = `${(100 * Math.min(FILM_PX, wide - at)) / wide}%`;
    frame.dataset.of = event.dataset.evidence;
    holder.append(frame);
  }
  lane.append(holder);
  return unfilled(holder);
};
const unfilled = (holder) =>
  [...holder.children]
    .filter((frame) => !frame.firstChild)
    .map((frame) => ({ holder: frame, id: frame.dataset.of, at: frame.offsetLeft, wide: FILM_PX }));
new ResizeObserver(() => fillEvents()).observe(one(".time-panel"));
one(".time-panel").addEventListener("scrollend", () => fillEvents(), true);

const secondsAt = (event) => {
  const lane = line().querySelector(".lane").getBoundingClientRect();
  const share = (event.clientX - lane.left) / lane.width;
  return Math.min(1, Math.max(0, share)) * Number(line().dataset.duration);
};
let dragFrom = null;
const timePanel = one(".time-panel");
timePanel.addEventListener("pointerdown", (event) => {
  if (event.button === 0 && event.target.closest(".lane")) dragFrom = event;
});
timePanel.addEventListener("pointerup", (event) => {
  if (!dragFrom) return;
  const [from, moved] = [dragFrom, Math.abs(event.clientX - dragFrom.clientX)];
  dragFrom = null;
  if (moved > 24) return zoom(secondsAt(from), secondsAt(event));
  const mark = event.target.closest("[data-start]");
  seek(mark ? Number(mark.dataset.start) : secondsAt(event), true);
});
timePanel.addEventListener("dblclick", () => zoom(0, Number(line()?.dataset.duration ?? 0)));
const zoom = (a, b) => {
  const bar = line();
  if (!bar) return;
  const duration = Number(bar.dataset.duration);
  const [from, to] = [Math.min(a, b), Math.max(a, b)];
  const times = Math.min(60, duration / Math.max(to - from, 0.5));
  bar.style.setProperty("--zoom", times < 1.05 ? 1 : times);
  const lane = bar.querySelector(".lane");
  bar.scrollLeft = (from / duration) * lane.clientWidth;
  fillEvents();
};
// The keys of a slider: arrows go from event to event, Home and End to the ends, + and - zoom.
timePanel.addEventListener("keydown", (event) => {
  const bar = event.target.closest(".timeline");
  if (!bar) return;
  const now = Number(bar.getAttribute("aria-valuenow"));
  const duration = Number(bar.dataset.duration);
  const starts = [...bar.querySelectorAll(".event")].map((mark) => Number(mark.dataset.start));
  const scale = Number(bar.style.getPropertyValue("--zoom") || 1);
  const around = (times) => zoom(Math.max(0, now - duration / times / 2), Math.min(duration, now + duration / times / 2));
  const onward = () => starts.find((start) => start > now + 0.5);
  const back = () => starts.findLast((start) => start < now - 0.5);
  const go = (seconds) => seconds !== undefined && seek(seconds, false);
  const does = {
    ArrowRight: () => go(onward()), ArrowUp: () => go(onward()),
    ArrowLeft: () => go(back()), ArrowDown: () => go(back()),
    Home: () => go(0), End: () => go(duration),
    "+": () => around(scale * 2), "-": () => around(Math.max(1, scale / 2)),
  }[event.key];
  if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  does();
});
