// The chat: asking, following an answer while it is written, and the chats that were kept.
const { call, morph, hear, clock } = window.memqa;
const one = (selector) => element.querySelector(selector);
const log = one(".log");
const form = one(".composer");
const question = one("#memqa-question");
const live = one(".live");
const problem = one(".chat-error");
let chat = "";
let stamp = "";
let following = 0;
let moves = 0; // chats opened and questions begun here
let opening = Promise.resolve();
let at = null;

const load = (wanted, { quiet = false } = {}) => {
  const mine = quiet ? moves : ++moves;
  const loaded = call(server, "talk", { chat: wanted ?? "", quiet }).then((found) => {
    // What was looked up before another chat was opened, or a question begun, does not know it.
    if (mine === moves) show(found, quiet);
  });
  if (!quiet) opening = loaded.catch(() => {});
  return loaded;
};

const show = (found, quiet = false) => {
  const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  ({ chat, stamp } = found);
  following += 1;
  morph(log, found.html);
  nameChats(found.chats);
  one(".chat-more").hidden = !found.kept;
  if (!quiet || wasAtEnd) log.scrollTop = log.scrollHeight;
  setRunning(found.running);
  if (found.running) follow(found.version);
};

const nameChats = (html) => {
  morph(one(".chats"), html);
  one(".chats").value = chat;
};

const isRunning = () => element.querySelector(".chat").classList.contains("running");
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
    // Nothing is told of a chat that was deleted elsewhere: what is left of it is looked up.
    if (!news.html) return void load(chat, { quiet: true }).catch(() => setRunning(false));
    drawTurn(news.html);
    if (!news.running) {
      setRunning(false);
      showWhole(log.lastElementChild);
      live.textContent = news.said;
      nameChats(news.chats);
      one(".chat-more").hidden = false;
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
  // A turn that was kept has another name from then on; it may stand here under both.
  const named = (key) => log.querySelector(`.turn[data-key="${CSS.escape(key ?? "")}"]`);
  const was = named(next.dataset.was);
  if (was && named(next.dataset.key)) was.remove();
  else if (was) was.dataset.key = next.dataset.key;
  const old = named(next.dataset.key);
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

// The chat that was asked for last is the one that is asked, even where it is still being opened.
const settled = async () => {
  for (let waited; waited !== opening;) {
    waited = opening;
    await waited;
  }
};
let beginning = null;
const begin = async (verb, data) => {
  if (isRunning()) return false;
  beginning = beginNow(verb, data);
  return beginning;
};
const beginNow = async (verb, data) => {
  problem.textContent = "";
  setRunning(true);
  await settled();
  setRunning(true);
  const mine = ++moves;
  try {
    const found = await call(server, verb, { chat, ...data });
    if (mine === moves) drawBegun(found);
    else await comeBackTo(found.chat);
    return true;
  } catch (error) {
    problem.textContent = error.message;
    // It may be another tab's answer that stands in the way.
    if (mine === moves) await load(chat, { quiet: true }).catch(() => setRunning(false));
    return false;
  }
};
const drawBegun = (found) => {
  moves += 1;
  chat = found.chat;
  one(".start")?.remove();
  drawTurn(found.html);
  log.scrollTop = log.scrollHeight;
  follow(found.version);
};
// Meanwhile something was opened: another chat, which stays, or the same without this question.
const comeBackTo = async (asked) => {
  await settled();
  if (chat === asked) await load(chat, { quiet: true }).catch(() => {});
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = question.value.trim();
  if (!words || isRunning()) return;
  write("");
  // A moment is one of the video that is on show.
  const of = at == null ? null : media;
  if (await begin("ask", { question: words, at, media: of })) forgetMoment();
  // What was written since then stays too.
  else write([words, question.value].filter(Boolean).join("\n"));
});
const stop = async () => {
  await beginning; // on its way a stop could overtake its question
  await call(server, "stop", { chat }).catch(() => {});
};
one(".stop").addEventListener("click", stop);

// What can be done with a turn, with a branch of its walk, and with the chat.
const ACTS = {
  copy: async (button) => {
    await copyText(button.dataset.text);
    sayBriefly(button, "Copied");
  },
  again: (button) => begin("ask", asOf(button)),
  steer: (button) =>
    begin("steer", { ...asOf(button), node: button.dataset.node, media: button.dataset.media }),
  suggest: (button) => begin("ask", { question: button.dataset.question, at: null }),
  export: async () => {
    const address = `${location.origin}${location.pathname}`;
    const { name, text } = await call(server, "export", { chat, address });
    save(name, text);
    closeMore();
  },
  drop: async () => {
    const mine = ++moves;
    const found = await call(server, "drop", { chat });
    if (mine !== moves) return;
    show(found);
    closeMore();
    live.textContent = "The chat is deleted.";
    question.focus();
  },
  close: () => closeMore(),
};
const asOf = (button) => {
  const { question: words, at: moment, of } = button.closest(".turn").dataset;
  return { question: words, at: moment == null ? null : Number(moment), media: of ?? null };
};
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  Promise.resolve(ACTS[button.dataset.act](button)).catch(tellProblem);
});
const closeMore = () => {
  one(".drop-chat").open = false;
  one(".chat-more").open = false;
};
for (const elsewhere of ["click", "focusin"]) {
  document.addEventListener(elsewhere, (event) => {
    if (!event.target.closest?.(".chat-more")) closeMore();
  });
}

// Browsers give a clipboard only to pages of this machine or behind https.
const copyText = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const holder = document.createElement("textarea");
  holder.value = text;
  holder.className = "sr";
  element.append(holder);
  holder.select();
  const copied = document.execCommand("copy");
  holder.remove();
  if (!copied) throw new Error("The browser does not let this page copy; select the text instead.");
};
const sayBriefly = (button, words) => {
  const before = button.textContent;
  button.textContent = words;
  live.textContent = words;
  setTimeout(() => { button.textContent = before; }, 1500);
};
const save = (name, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

// How an answer was found is fetched when it is unfolded.
log.addEventListener("toggle", async (event) => {
  const how = event.target;
  const holder = how.matches(".how[open]") ? how.querySelector(".way") : null;
  if (!holder || holder.hasAttribute("data-filled")) return;
  try {
    const { html } = await call(server, "way", { chat, turn: how.dataset.way });
    holder.innerHTML = html;
    holder.setAttribute("data-filled", "");
  } catch (error) {
    holder.textContent = error.message;
  }
}, true);

const write = (words) => {
  question.value = words;
  grow();
};
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
  if (event.key === "ArrowUp" && !question.value) {
    const asked = [...log.querySelectorAll(".turn")].at(-1)?.dataset.question;
    if (!asked) return;
    event.preventDefault();
    write(asked);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
  // In another box, Escape is about what is written there.
  const box = event.target.closest?.("input:not([type=checkbox]), textarea, select");
  if ((box && box !== question) || document.querySelector("dialog[open]")) return;
  if (one(".chat-more").open) {
    closeMore();
    one(".chat-more > summary").focus();
  } else if (isRunning()) {
    stop();
  }
});

const tellProblem = (error) => { problem.textContent = error.message; };
one(".chats").addEventListener("change", (event) => load(event.target.value).catch(tellProblem));
one(".new-chat").addEventListener("click", () =>
  load("new").then(() => question.focus()).catch(tellProblem));

// "ask at 12:04": the question then means what was known by that moment, once, and only while the
// button says so.
const moment = one(".moment");
let media = null;
const drawMoment = () => {
  moment.setAttribute("aria-pressed", String(at != null));
  const seconds = at ?? Number(moment.dataset.seconds);
  moment.querySelector("span").textContent = `${at == null ? "ask" : "asking"} at ${clock(seconds)}`;
};
const forgetMoment = () => {
  at = null;
  drawMoment();
};
hear("time", (now) => {
  moment.hidden = now.kind === "document" || now.seconds == null;
  moment.dataset.seconds = now.seconds ?? "";
  if (moment.hidden || now.media !== media) at = null;
  media = now.media;
  drawMoment();
});
moment.addEventListener("click", () => {
  at = at == null ? Number(moment.dataset.seconds) : null;
  drawMoment();
});

let line = null;
hear("shelf", (scope) => {
  one(".scope-line").textContent = scope.line;
  question.placeholder = scope.placeholder;
  // An empty chat offers questions about what is ticked.
  if (line !== scope.line && !log.querySelector(".turn")) load(chat, { quiet: true }).catch(() => {});
  line = scope.line;
});
one(".scope-line").addEventListener("click", () => {
  window.memqa.openTab("library");
  const shelf = document.querySelector("#memqa-shelf .shelf");
  const fold = shelf?.querySelector(".unfold-shelf");
  if (fold?.offsetParent && !shelf.classList.contains("unfolded")) fold.click();
  shelf?.querySelector("[data-tick]")?.focus();
});

// What another tab asked, or deleted, shows here too.
const pulse = async () => {
  clearTimeout(beat);
  if (!document.hidden && chat && !isRunning()) {
    const news = await call(server, "pulse").catch(() => null);
    if (news && news.stamp !== stamp && !isRunning()) await load(chat, { quiet: true }).catch(() => {});
  }
  clearTimeout(beat);
  beat = setTimeout(pulse, 2000);
};
let beat = setTimeout(pulse, 2000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) pulse(); });

// Where the stage takes room from the chat, what was clicked stays in sight.
new ResizeObserver(() => {
  log.querySelector(".chip[aria-current]")?.scrollIntoView({ block: "nearest" });
}).observe(log);
hear("forgotten", () => load(chat).catch(() => {}));
hear("connection", ({ lost }) => {
  one(".connection").hidden = !lost;
});
load().catch(tellProblem);
