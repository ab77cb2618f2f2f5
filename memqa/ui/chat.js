// The chat: asking, following an answer while it is written, and the chats that were kept.
const { call, morph, hear, clock } = window.memqa;
const one = (selector) => element.querySelector(selector);
const log = one(".log");
const form = one(".composer");
const question = one("#memqa-question");
const live = one(".live");
const problem = one(".chat-error");
let chat = "";
let following = 0;
let at = null;

const load = async (wanted) => {
  const found = await call(server, "talk", { chat: wanted ?? "" });
  chat = found.chat;
  following += 1;
  morph(log, found.html);
  morph(one(".chats"), found.chats);
  one(".chats").value = chat;
  log.scrollTop = log.scrollHeight;
  setRunning(found.running);
  if (found.running) follow(found.version);
};

const setRunning = (running) => {
  element.querySelector(".chat").classList.toggle("running", running);
  one(".send").hidden = running;
  one(".stop").hidden = !running;
};

// One request waits at the server until the answer has grown; a reload simply waits again.
const follow = async (version) => {
  const mine = ++following;
  while (mine === following) {
    let news;
    try {
      news = await call(server, "follow", { chat, version });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      continue;
    }
    if (mine !== following) return;
    version = news.version;
    drawTurn(news.html);
    if (!news.running) {
      setRunning(false);
      showWhole(log.lastElementChild);
      live.textContent = news.said;
      morph(one(".chats"), news.chats);
      one(".chats").value = chat;
      window.memqa.tell("answered");
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
};

const drawTurn = (html) => {
  if (!html) return;
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const next = holder.content.firstElementChild;
  const old = log.querySelector(`[data-key="${CSS.escape(next.dataset.key)}"]`);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  if (old) {
    const shell = document.createElement("div");
    old.before(shell);
    shell.append(old);
    morph(shell, html);
    shell.replaceWith(...shell.childNodes);
  } else {
    log.append(next);
  }
  if (atEnd) log.scrollTop = log.scrollHeight;
};

// A finished answer is read from its question on.
const showWhole = (turn) => {
  if (turn) log.scrollTop = turn.offsetTop - log.offsetTop;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = question.value.trim();
  if (!words || element.querySelector(".chat").classList.contains("running")) return;
  problem.textContent = "";
  setRunning(true);
  try {
    const begun = await call(server, "ask", { chat, question: words, at });
    question.value = "";
    grow();
    chat = begun.chat;
    one(".start")?.remove();
    drawTurn(begun.html);
    log.scrollTop = log.scrollHeight;
    follow(begun.version);
  } catch (error) {
    problem.textContent = error.message;
    setRunning(false);
  }
});
one(".stop").addEventListener("click", () => call(server, "stop", { chat }).catch(() => {}));

const grow = () => {
  question.style.height = "auto";
  question.style.height = `${Math.min(question.scrollHeight, 160)}px`;
};
question.addEventListener("input", grow);
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

one(".chats").addEventListener("change", (event) => load(event.target.value));
one(".new-chat").addEventListener("click", async () => {
  await load("new");
  question.focus();
});

// "ask at 12:04": the question then means what was known by that moment.
const moment = one(".moment");
hear("time", ({ seconds, kind }) => {
  moment.hidden = kind === "document" || seconds == null;
  moment.dataset.seconds = seconds ?? "";
  if (at == null) one(".moment span").textContent = `ask at ${clock(seconds ?? 0)}`;
});
moment.addEventListener("click", () => {
  at = at == null ? Number(moment.dataset.seconds) : null;
  moment.setAttribute("aria-pressed", String(at != null));
  const seconds = at ?? Number(moment.dataset.seconds);
  one(".moment span").textContent = at == null ? `ask at ${clock(seconds)}` : `asking at ${clock(seconds)}`;
});

let ready = null;
hear("shelf", (scope) => {
  one(".scope-line").textContent = scope.line;
  question.placeholder = scope.placeholder;
  if (ready !== scope.ready && !log.querySelector(".turn")) load(chat).catch(() => {});
  ready = scope.ready;
});
// Where the stage takes room from the chat, what was clicked stays in sight.
new ResizeObserver(() => {
  log.querySelector(".chip[aria-current]")?.scrollIntoView({ block: "nearest" });
}).observe(log);
hear("forgotten", () => load(chat).catch(() => {}));
hear("connection", ({ lost }) => {
  one(".connection").hidden = !lost;
});
load().catch((error) => { problem.textContent = error.message; });
