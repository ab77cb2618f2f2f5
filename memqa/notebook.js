// The notebook's widget: it draws what the kernel sends and asks it for answers and places. Nothing
// is fetched from anywhere; clips arrive as bytes beside a message.
const EVERY_MS = 20_000; // how often a view says that it is still there
const PATIENCE_MS = 6_000;
const UNHEARD =
  "The kernel does not answer: it is busy with another cell, or this cell has to be run again.";

const make = (tag, given = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const parsed = (html) => {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
};

const skeleton = () =>
  make(
    "section",
    { class: "memqa-cell", "aria-label": "memqa", "data-lm-suppress-shortcuts": "true" },
    make("ul", { class: "shelf", "aria-label": "Media" }),
    make("p", { class: "empty facts", hidden: "" }, 'Nothing here yet. Add something: lib.add("talk.mp4")'),
    make("div", { class: "log", role: "log", "aria-live": "off", "aria-label": "Questions and answers" }),
    make("p", { class: "problem main", role: "alert" }),
    make(
      "form",
      { class: "composer" },
      make("textarea", { rows: "1", "aria-label": "Question", placeholder: "Ask your media", autocomplete: "off" }),
      make("button", { type: "submit", class: "ask" }, "Ask"),
      make("button", { type: "button", class: "stop", hidden: "" }, "Stop"),
    ),
    make("p", { class: "scope facts" }),
    make("p", { class: "live", "aria-live": "polite" }),
  );

// A place, as an anchor in an answer describes it.
const placeOf = (anchor) => {
  const { start, end, page, boxes, chars } = anchor.dataset;
  const number = (told) => (told === undefined ? null : Number(told));
  return {
    media: new URLSearchParams(anchor.getAttribute("href").slice(1)).get("media"),
    start: number(start),
    end: number(end),
    page: number(page),
    boxes: boxes ? JSON.parse(boxes) : [],
    chars: chars ?? null,
  };
};

// Light or dark is what stands behind the cell, whatever the front end calls it.
const isDark = (node) => {
  for (let one = node; one; one = one.parentElement ?? one.getRootNode().host) {
    const [r, g, b, a = 1] = (getComputedStyle(one).backgroundColor.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    if (a > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 128;
  }
  return false;
};

const render = ({ model, el }) => {
  const root = skeleton();
  const one = (selector) => root.querySelector(selector);
  const [log, shelf, form, question] = [".log", ".shelf", ".composer", "textarea"].map(one);
  const view = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  let number = 0;
  let wanted = null; // the place asked for last, and where it is to be shown
  let address = null; // of the clip that is shown
  let waiting = null; // for the kernel to say that it heard the last message
  let asked = "";

  const say = (message) => {
    model.send({ view, ...message });
    if (message.do === "here") return;
    clearTimeout(waiting);
    waiting = setTimeout(() => tell(UNHEARD), PATIENCE_MS);
  };
  const tell = (text) => { one(".problem.main").textContent = text; };
  const heard = () => {
    clearTimeout(waiting);
    if (one(".problem.main").textContent === UNHEARD) tell("");
  };

  const setRunning = (running) => {
    one(".ask").hidden = running;
    one(".stop").hidden = !running;
  };

  // Only what changed is drawn anew, and keeps the keyboard's place.
  const drawShelf = ({ items, scope }) => {
    const before = new Map([...shelf.children].map((item) => [item.dataset.key, item]));
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.tick : null;
    const rows = items.map(({ key, html }) => {
      const old = before.get(key);
      if (old?.drawn === html) return old;
      const item = parsed(html);
      item.drawn = html;
      return item;
    });
    shelf.replaceChildren(...rows);
    if (focused) shelf.querySelector(`[data-tick="${CSS.escape(focused)}"]`)?.focus();
    one(".empty").hidden = rows.length > 0;
    one(".scope").textContent = scope;
  };

  const drawTurn = (html) => {
    const next = parsed(html);
    const old = log.querySelector(`[data-key="${CSS.escape(next.dataset.key)}"]`);
    if (old) old.replaceWith(next);
    else log.append(next);
  };

  const shown = {
    turns: ({ html, running }) => {
      log.replaceChildren(...html.map(parsed));
      setRunning(running);
    },
    shelf: drawShelf,
    turn: ({ html, running, said }) => {
      drawTurn(html);
      setRunning(running);
      if (!running) one(".live").textContent = said;
    },
    problem: ({ text }) => {
      tell(text);
      setRunning(false);
      question.value ||= asked; // to be mended or asked again
    },
    place: (message, blobs) => {
      if (message.view === view && message.number === number) drawPlace(message, blobs);
    },
  };
  const hear = (message, blobs) => {
    heard();
    shown[message.what]?.(message, blobs ?? []);
  };

  // Places: some seconds that play here, or a page with the passage marked.
  const drawPlace = (message, blobs) => {
    const viewer = wanted?.viewer;
    if (!viewer?.isConnected) return;
    const caption = make("p", { class: "facts" }, message.caption ?? "");
    if (message.kind === "problem") {
      viewer.replaceChildren(make("p", { class: "problem", role: "alert" }, message.text));
    } else if (message.kind === "document") {
      viewer.replaceChildren(parsed(message.html), caption);
      showMark(viewer);
    } else {
      viewer.replaceChildren(player(message, blobs), caption);
    }
    viewer.removeAttribute("aria-busy");
    viewer.hidden = false;
  };
  const player = ({ kind, mime, caption }, [blob]) => {
    forget();
    address = URL.createObjectURL(new Blob([blob], { type: mime }));
    const media = make(kind === "audio" ? "audio" : "video", { controls: "", playsinline: "", "aria-label": caption });
    media.src = address;
    media.play().catch(() => {}); // a front end that forbids it leaves the button
    return media;
  };
  const forget = () => {
    if (address) URL.revokeObjectURL(address);
    address = null;
  };
  const showMark = async (viewer) => {
    const frame = viewer.querySelector(".sheet-frame");
    await viewer.querySelector("img")?.decode().catch(() => {});
    const mark = viewer.querySelector(".box, mark");
    if (!mark || !frame) return;
    const below = mark.getBoundingClientRect().top - frame.getBoundingClientRect().top;
    frame.scrollTop = Math.max(0, below - frame.clientHeight / 4);
  };
  const show = (place, viewer) => {
    number += 1;
    wanted = { ...place, viewer };
    viewer.setAttribute("aria-busy", "true");
    if (!viewer.childElementCount) viewer.append(make("p", { class: "facts" }, "fetching…"));
    viewer.hidden = false;
    say({ do: "show", number, ...place });
  };

  root.addEventListener("click", (event) => {
    const target = event.target;
    const chip = target.closest(".thumb")?.closest("li").querySelector(".chip") ?? target.closest("a.chip");
    if (chip) {
      event.preventDefault();
      for (const other of root.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      chip.setAttribute("aria-current", "true");
      show(placeOf(chip), chip.closest(".turn").querySelector(".viewer"));
    }
    const leaf = target.closest("[data-turn]");
    if (leaf) turnTo(leaf, Number(leaf.dataset.turn));
  });
  const turnTo = (inside, page) => {
    const { media } = inside.closest(".leaf").dataset;
    show({ media, page, boxes: [], chars: null }, inside.closest(".viewer"));
  };
  root.addEventListener("change", ({ target }) => {
    if (target.dataset.tick) say({ do: "tick", media: target.dataset.tick, ticked: target.checked });
    if (target.dataset.pageInput !== undefined) turnTo(target, Number(target.value) || 1);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = question.value.trim();
    if (!words || one(".ask").hidden) return;
    asked = words;
    question.value = "";
    tell("");
    setRunning(true);
    say({ do: "ask", question: words });
  });
  one(".stop").addEventListener("click", () => say({ do: "stop" }));
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  // The notebook's own keys stay out of what is typed here.
  root.addEventListener("keydown", (event) => event.stopPropagation());

  const shade = () => { root.style.colorScheme = isDark(el) ? "dark" : "light"; };
  const shadeSoon = () => { shade(); setTimeout(shade, 400); };
  const themes = new MutationObserver(shadeSoon);
  themes.observe(document.body, { attributes: true });
  themes.observe(document.documentElement, { attributes: true });
  const size = new ResizeObserver(shade);
  size.observe(root);

  el.append(root);
  shadeSoon();
  model.on("msg:custom", hear);
  say({ do: "hello" });
  const beat = setInterval(() => say({ do: "here" }), EVERY_MS);
  return () => {
    clearInterval(beat);
    clearTimeout(waiting);
    themes.disconnect();
    size.disconnect();
    forget();
    model.off("msg:custom", hear);
    model.send({ do: "gone", view });
  };
};

export default { render };
