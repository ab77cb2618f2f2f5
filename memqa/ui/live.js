// Watching live: the camera of this device, recorded here and sent piece by piece, or an address
// that memqa watches itself. What is watched stands in the stage, whichever tab began it.
const { call, tell, hear, clock, openTab } = window.memqa;
const one = (selector) => element.querySelector(selector);
const dialog = one("dialog");
const problem = one(".live-problem");
const doing = one(".live-doing");
const told = one(".live-told");
const live = one(".live-view");
const [preview, picture, waiting] = ["video", ".live-picture", ".live-waiting"].map(one);
const screen = one(".live-screen");
const KINDS = ["video/webm;codecs=vp8,opus", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
const PIECE_MS = 1000;
let camera = null;     // the recording of this tab
let followed = null;   // the job that stands in the stage
let going = [];
let asked = null;      // the address that the dialog waits for
let stopping = null;   // the job that was told to stop
let isShown = false;
let reached = {};
let timer = 0;

const stage = () => document.querySelector("#memqa-stage .stage");
const isStopping = () => followed !== null && stopping === followed;
const theOne = () => going.find(({ job }) => job === followed);

const look = async () => {
  clearTimeout(timer);
  const isOwn = camera?.job === followed && !isStopping();
  const wanted = isShown && !isOwn && !document.hidden ? followed : null;
  const found = await call(server, "look", { job: followed, picture: wanted }).catch(() => null);
  if (found) await draw(found);
  clearTimeout(timer);
  if (going.length || followed) timer = setTimeout(look, 1000);
};

const draw = async (found) => {
  const before = theOne();
  going = found.going;
  if (!followed && going.length) follow(going.at(-1).job);
  // It may be told of what was followed when this was asked.
  if (found.over && found.over.job === followed) return leave(found.over, before?.name);
  if (found.over?.error) complain(found.over.error);
  const now = theOne();
  if (!now) return;
  if (now.picture) picture.src = now.picture;
  drawBar(now);
  if (now.media && now.media !== before?.media) arrived(now);
};

const follow = (job) => {
  followed = job;
  picture.removeAttribute("src");
  const named = new URLSearchParams(location.hash.slice(1)).get("media");
  const other = document.querySelector("#memqa-desk").dataset.stage && !asked && !camera;
  showIt(!other || named === theOne()?.media);
};

// From now on there is something to ask, and a time line that grows.
const arrived = ({ media }) => {
  if (asked === followed) {
    waitFor(null);
    dialog.close();
    openTab("ask");
  }
  if (isShown) tell("show", { media, start: null, end: null, page: null, boxes: [] });
};

// While an address is being reached, it cannot be asked for again.
const waitFor = (job) => {
  asked = job;
  const button = one(".live-address button");
  if (button) button.disabled = asked !== null;
  doing.textContent = asked ? "Connecting…" : "";
};

const showIt = (shown) => {
  isShown = shown;
  const place = stage()?.querySelector(".view");
  if (place && live.nextElementSibling !== place) place.before(live);
  const isOn = Boolean(followed || camera);
  live.hidden = !isOn;
  stage()?.classList.toggle("is-live", isOn && shown);
  // A narrow window gives the stage room only where something stands in it.
  const desk = document.querySelector("#memqa-desk");
  if (isOn && shown) desk.dataset.stage ??= "video";
  else if (stage()?.classList.contains("nothing")) delete desk.dataset.stage;
  live.querySelector(".live-back").hidden = shown;
  drawScreen();
};
const drawScreen = () => {
  const isOwn = Boolean(camera) && camera.job === followed && !isStopping();
  preview.hidden = !isOwn;
  picture.hidden = isOwn || !picture.getAttribute("src");
  waiting.hidden = isOwn || !picture.hidden;
  screen.hidden = !isShown;
};

const drawBar = (now) => {
  const text = (selector, words) => { live.querySelector(selector).textContent = words; };
  const seconds = camera?.job === now.job ? (performance.now() - camera.began) / 1000 : now.seconds;
  const word = isStopping() ? "Stopping" : "Live";
  text(".live-clock", isStopping() ? "" : clock(seconds));
  text(".live-word", word);
  tellOnce(`${word}: ${now.name}`);
  text(".live-name", now.name);
  const reach = reached[now.media]?.startsWith("can be asked") ? reached[now.media] : now.line;
  text(".live-line", isStopping() ? "what was seen is being put in order" : reach);
  text(".live-waiting", now.line ? `${now.line}…` : "Connecting…");
  live.querySelector(".live-stop").hidden = isStopping();
  live.classList.toggle("stopping", isStopping());
  drawScreen();
};
const tellOnce = (words) => {
  if (told.textContent !== words) told.textContent = words;
};

// It is over: the player takes the place of the picture, or the dialog says what went wrong.
const leave = ({ job, media, error }, name) => {
  if (camera?.job === job) release();
  const wasAsked = asked === job;
  [followed, stopping] = [null, null];
  if (wasAsked) waitFor(null);
  tellOnce(name ? `No longer watched: ${name}` : "");
  going = going.filter((other) => other.job !== job);
  showIt(false);
  if (error) {
    complain(error);
    if (wasAsked) one('[name="address"]')?.select();
  } else if (media) {
    tell("reopen", { media });
  }
  if (going.length) look();
};

const say = (words) => { problem.textContent = words; };

const complain = (words) => {
  if (!dialog.open) dialog.showModal();
  say(words);
};

// The camera of this device.
const WHY = {
  NotAllowedError: "The camera was not allowed; allow it for this page in the browser's address bar, then start again.",
  NotFoundError: "No camera, or no microphone, was found; plug it in, or go without sound.",
  NotReadableError: "Another program holds the camera or the microphone; close it there, then start again.",
};
const openCamera = async () => {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    throw new Error("The browser gives this page no camera; it does so only at 127.0.0.1, or over https.");
  }
  const video = { width: { ideal: 1280 }, height: { ideal: 720 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: one(".live-sound").checked });
  } catch (error) {
    throw new Error(WHY[error.name] ?? `The camera cannot be opened: ${error.message}`);
  }
};

const startCamera = async () => {
  say("");
  const stream = await openCamera();
  try {
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 1_500_000 });
    const { recording } = await call(server, "record", { kind: recorder.mimeType || mimeType || "" });
    camera = { stream, recorder, recording, job: null, began: performance.now(), number: 0, last: Promise.resolve() };
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    throw error;
  }
  const mine = camera;
  const { recorder } = mine;
  recorder.addEventListener("dataavailable", ({ data }) => send(data));
  recorder.addEventListener("stop", () => camera === mine && end(mine));
  // A camera that is unplugged ends its own recording, whatever else is watched here.
  for (const track of stream.getTracks()) track.addEventListener("ended", () => stopCamera(mine));
  recorder.start(PIECE_MS);
  preview.srcObject = stream;
  preview.muted = true;
  preview.play().catch(() => {});
  dialog.close();
  openTab("ask");
  if (followed) return;
  showIt(true);
  drawBar({ job: null, name: "Camera", line: "starting", seconds: 0 });
};

// One piece after another, in their order.
const send = (data) => {
  const mine = camera;
  if (!mine || !data.size) return;
  mine.last = mine.last.then(async () => {
    if (camera !== mine) return;
    try {
      const piece = await encoded(data);
      const { job, over } = await call(server, "piece", { recording: mine.recording, number: mine.number, piece });
      if (over) return release();
      mine.number += 1;
      if (!mine.job) {
        mine.job = job;
        follow(job);
        look();
      }
    } catch (error) {
      if (camera !== mine) return;
      release();
      complain(error.message);
    }
  });
};
const encoded = (data) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.lastIndexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(data);
  });

const end = async (mine) => {
  await mine.last;
  await call(server, "end", { recording: mine.recording }).catch(console.warn);
  if (camera === mine) release();
};
const release = () => {
  const mine = camera;
  camera = null;
  for (const track of mine.stream.getTracks()) track.stop();
  if (mine.recorder.state !== "inactive") mine.recorder.stop();
  preview.srcObject = null;
  showIt(isShown && Boolean(followed));
};

const stopCamera = (mine) => {
  if (camera !== mine) return;
  stopping = mine.job ?? stopping;
  const now = theOne();
  if (now) drawBar(now);
  if (mine.recorder.state !== "inactive") mine.recorder.stop();
};
const stop = async () => {
  if (camera && (!followed || camera.job === followed)) return stopCamera(camera);
  const job = followed;
  if (!job) return;
  stopping = job;
  const now = theOne();
  if (now) drawBar(now);
  try {
    await call(server, "stop", { job });
  } catch (error) {
    if (stopping === job) stopping = null;
    complain(error.message);
    look();
  }
};

// What begins and ends it.
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-watch-live]")) return;
  if (!asked) say("");
  dialog.showModal();
});
one(".live-close").addEventListener("click", () => dialog.close());
one(".live-camera").addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  await startCamera().catch((error) => say(error.message));
  button.disabled = false;
});
one(".live-address")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (asked) return;
  say("");
  waitFor("soon");
  try {
    const { job } = await call(server, "watch", { address: one('[name="address"]').value });
    waitFor(job);
    follow(job);
    look();
  } catch (error) {
    waitFor(null);
    say(error.message);
  }
});
live.addEventListener("click", (event) => {
  if (event.target.closest(".live-stop")) stop();
  if (event.target.closest(".live-back")) {
    const media = theOne()?.media;
    if (media) tell("show", { media, start: null, end: null, page: null, boxes: [] });
    else showIt(true);
  }
});
hear("show", ({ media, start }) => {
  const chosen = start == null && going.find((other) => other.media === media);
  if (chosen && chosen.job !== followed) {
    if (asked === followed) waitFor(null);
    followed = chosen.job;
    picture.removeAttribute("src");
    drawBar(chosen);
  }
  if (followed) showIt(Boolean(chosen));
});
hear("shelf", ({ reach }) => {
  reached = reach;
  const isGoing = document.querySelector("#memqa-shelf .card.live");
  if (isGoing && !followed) look();
});
// "Now" is no place in a player that a question could be asked at.
hear("time", ({ seconds, kind, media }) => {
  if (followed && isShown && seconds != null) tell("time", { seconds: null, kind, media });
});
addEventListener("beforeunload", (event) => { if (camera) event.preventDefault(); });
look();
