// The memory tab: frames of the elements that stand for most, and how the memory grows meanwhile.
const memoryPanel = one(".memory-panel");
const frames = new Map();
const frameAt = (media, at) => {
  const key = `${media} ${at}`;
  if (!frames.has(key)) {
    if (frames.size > 100) frames.delete(frames.keys().next().value);
    frames.set(key, call(server, "frame", { media, at, small: true }).then(({ url }) => url));
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
memoryPanel.addEventListener("click", (event) => {
  const mark = event.target.closest(".held");
  if (mark) seek(Number(mark.dataset.start), true);
});

// Totals are all that the memory keeps, so its course is drawn from when this page began to look.
const courses = new Map();
const grow = () => {
  const { media, seen, merged } = one(".memory").dataset;
  if (!courses.has(media)) courses.set(media, []);
  const course = courses.get(media);
  if (course.at(-1)?.seen !== Number(seen)) course.push({ seen: Number(seen), merged: Number(merged) });
  const holder = one(".growth");
  if (!holder || course.length < 3) return;
  const [first, last] = [course[0], course.at(-1)];
  const across = (point) => (100 * (point.seen - first.seen)) / (last.seen - first.seen);
  const up = (point) => 28 - (26 * (point.merged - first.merged)) / Math.max(1, last.merged - first.merged);
  const points = course.map((point) => `${across(point).toFixed(1)},${up(point).toFixed(1)}`);
  holder.innerHTML = `<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points.join(" ")}"/></svg><p class="quiet"></p>`;
  holder.querySelector("p").textContent =
    `Merged while you watched: ${first.merged} to ${last.merged}, over frames ${first.seen} to ${last.seen}.`;
  holder.hidden = false;
};
