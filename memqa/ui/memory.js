// The memory tab: frames of the elements that stand for most, and how the memory grows meanwhile.
const memoryPanel = one(".memory-panel");
const frames = new Map();
const frameAt = (media, at) => {
  const key = `${media} ${at}`;
  if (!frames.has(key)) {
    if (frames.size > 100) frames.delete(frames.keys().next().value);
    frames.set(key, call(server, "frame", { media, at, small: true }).then(({ url }) => url));
    const forget = () => frames.delete(key);
    frames.get(key).then((url) => url || forget(), forget);
  }
  return frames.get(key);
};
const fillFrames = async () => {
  const { media } = opened;
  grow();
  for (const holder of memoryPanel.querySelectorAll(".frame:not([data-filled])")) {
    const url = await frameAt(media, Number(holder.dataset.at)).catch(() => null);
    if (opened?.media !== media || !url || !holder.isConnected) continue;
    const picture = new Image();
    picture.alt = "";
    picture.src = url;
    holder.replaceChildren(picture);
    holder.dataset.filled = "";
  }
};
// Of the many stretches of the strip one is a stop of the Tab key; arrows go along them.
memoryPanel.addEventListener("keydown", (event) => {
  const held = event.target.closest(".held");
  if (!held || event.ctrlKey || event.metaKey || event.altKey) return;
  const strip = held.parentElement;
  const next = {
    ArrowRight: held.nextElementSibling, ArrowLeft: held.previousElementSibling,
    Home: strip.firstElementChild, End: strip.lastElementChild,
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  if (!next) return;
  for (const other of strip.children) other.tabIndex = other === next ? 0 : -1;
  next.focus();
});

// Totals are all that the memory keeps, so its course is drawn from when this page began to look.
const courses = new Map();
const grow = () => {
  const holder = one(".growth");
  if (!holder) return;
  const { media, seen, merged } = one(".memory").dataset;
  if (!courses.has(media)) courses.set(media, []);
  const course = courses.get(media);
  if (course.at(-1)?.seen > Number(seen)) course.length = 0; // it is being read anew
  if (course.at(-1)?.seen !== Number(seen)) course.push({ seen: Number(seen), merged: Number(merged) });
  if (course.length < 3) return;
  const [first, last] = [course[0], course.at(-1)];
  const across = (point) => (100 * (point.seen - first.seen)) / (last.seen - first.seen);
  const up = (point) => 28 - (26 * (point.merged - first.merged)) / Math.max(1, last.merged - first.merged);
  const points = course.map((point) => `${across(point).toFixed(1)},${up(point).toFixed(1)}`);
  holder.innerHTML = `<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points.join(" ")}"/></svg><p class="quiet"></p>`;
  holder.querySelector("p").textContent =
    `Merged while you watched: ${first.merged} to ${last.merged}, over frames ${first.seen} to ${last.seen}.`;
  holder.hidden = false;
};
