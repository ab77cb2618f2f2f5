// What all parts of the page share: calls to Python, gentle redrawing, and one listener for every
// anchor that leads to a place (`#media=ID&t=724`, `#media=ID&page=37`). Loaded by each part,
// set up once.
(() => {
  if (window.memqa) return;

  const call = async (server, name, data = {}) => {
    let found;
    let cause;
    try {
      found = await server[name](data);
    } catch (error) {
      cause = error;
    }
    // What Gradio could not ask, it only tells the console.
    if (!found) await lose(cause);
    tell("connection", { lost: false });
    if (found && found.error) throw new Error(found.error);
    return found;
  };

  // A session that has ended leads to where one logs in; a server that refuses, as where too much is
  // asked at once, still runs.
  const lose = async (cause) => {
    const page = await fetch(location.pathname, { method: "HEAD" }).catch(() => null);
    if (page?.status === 401) location.reload();
    const lost = !page?.ok;
    tell("connection", { lost });
    const said = lost
      ? "memqa does not answer; is it still running?"
      : "memqa did not take this; try it again in a moment, or open the page anew.";
    throw new Error(said, { cause });
  };

  const tell = (name, detail) =>
    document.dispatchEvent(new CustomEvent(`memqa:${name}`, { detail }));
  const hear = (name, heard) =>
    document.addEventListener(`memqa:${name}`, (event) => heard(event.detail));

  // Redraw in place: nodes that stay keep their focus, their scroll and whether they are unfolded.
  // Children with data-key are matched by key, the others by their position.
  const morph = (target, html) => {
    const wanted = document.createElement("template");
    wanted.innerHTML = html;
    morphChildren(target, wanted.content);
  };
  const morphChildren = (target, wanted) => {
    const keyed = new Map();
    for (const child of target.children) {
      if (child.dataset.key) keyed.set(child.dataset.key, child);
    }
    let at = target.firstChild;
    for (const next of [...wanted.childNodes]) {
      const key = next.dataset?.key;
      let match = key ? keyed.get(key) : at;
      if (match && (match.nodeName !== next.nodeName || (!key && match.dataset?.key))) match = null;
      if (!match) {
        target.insertBefore(next, at);
        continue;
      }
      if (match === at) at = at.nextSibling;
      else target.insertBefore(match, at);
      morphNode(match, next);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };
  const morphNode = (node, next) => {
    if (node.nodeType !== Node.ELEMENT_NODE) {
      if (node.nodeValue !== next.nodeValue) node.nodeValue = next.nodeValue;
      return;
    }
    if (node.isEqualNode(next)) return;
    for (const { name } of [...node.attributes]) {
      const kept = (name === "open" && node.nodeName === "DETAILS") || name === "data-filled";
      if (!kept && !next.hasAttribute(name)) node.removeAttribute(name);
    }
    for (const { name, value } of [...next.attributes]) {
      if (name === "open" && node.nodeName === "DETAILS") continue;
      if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    }
    if (node.nodeName === "INPUT" && node.type === "checkbox") {
      node.checked = next.hasAttribute("checked");
    }
    if (!node.hasAttribute("data-filled")) morphChildren(node, next);
  };

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (number) => String(number).padStart(2, "0");
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };

  // A place, from an anchor with data attributes or from the address alone.
  const placeOf = (anchor) => {
    const named = new URLSearchParams(anchor.getAttribute("href").slice(1));
    const { start, end, page, boxes, chars, evidence } = anchor.dataset;
    const time = start ?? named.get("t");
    const leaf = page ?? named.get("page");
    return {
      media: named.get("media"),
      start: time == null ? null : Number(time),
      end: end == null ? null : Number(end),
      page: leaf == null ? null : Number(leaf),
      boxes: boxes ? JSON.parse(boxes) : [],
      chars: chars ?? null,
      evidence: evidence ?? null,
    };
  };
  const show = (anchor) => {
    history.replaceState(history.state, "", `${location.pathname}${location.search}${anchor.getAttribute("href")}`);
    for (const other of document.querySelectorAll(".chip[aria-current]")) {
      other.removeAttribute("aria-current");
    }
    if (anchor.classList.contains("chip")) anchor.setAttribute("aria-current", "true");
    hidePopover();
    tell("show", placeOf(anchor));
  };
  // The place that the page's own address names, as an anchor.
  const addressed = () => {
    const anchor = document.createElement("a");
    anchor.setAttribute("href", location.hash);
    return anchor;
  };
  addEventListener("hashchange", () => {
    if (location.hash.startsWith("#media=")) show(addressed());
  });
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest?.('a[href^="#media="]');
    if (!anchor || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    show(anchor);
  });

  // What a chip or a mark on the time line stands for, before it is clicked.
  const popover = document.createElement("div");
  popover.className = "popover";
  popover.id = "memqa-popover";
  popover.setAttribute("role", "tooltip");
  popover.hidden = true;
  let waiting = 0;
  let approached = 0;
  let told = null;
  const hidePopover = () => {
    approached += 1;
    clearTimeout(waiting);
    popover.hidden = true;
    told?.removeAttribute("aria-describedby");
    told = null;
  };
  const described = async (source) => {
    const text = document.createElement("p");
    text.textContent = source.dataset.quote;
    const parts = [text];
    if (source.dataset.thumbnail !== undefined && window.memqa.thumb) {
      const url = await window.memqa.thumb(source.dataset.evidence).catch(() => null);
      if (url) {
        const picture = document.createElement("img");
        picture.alt = "";
        picture.src = url;
        parts.unshift(picture);
        await picture.decode().catch(() => {});
      }
    }
    return parts;
  };
  const showPopover = async (source) => {
    const mine = approached;
    const parts = await described(source);
    if (mine !== approached || !source.isConnected) return;
    popover.replaceChildren(...parts);
    told = source;
    source.setAttribute("aria-describedby", popover.id);
    (document.querySelector("#memqa-desk") ?? document.body).append(popover);
    popover.hidden = false;
    const from = source.getBoundingClientRect();
    const size = popover.getBoundingClientRect();
    const left = Math.min(from.left, innerWidth - size.width - 8);
    const above = from.top - size.height - 6;
    popover.style.left = `${Math.max(8, left)}px`;
    popover.style.top = `${above > 8 ? above : from.bottom + 6}px`;
  };
  const approach = (event) => {
    const source = event.target.closest?.("[data-quote]");
    hidePopover();
    if (source) waiting = setTimeout(() => showPopover(source), 300);
  };
  document.addEventListener("pointerover", approach);
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(":focus-visible")) approach(event);
  });
  document.addEventListener("focusout", hidePopover);
  document.documentElement.addEventListener("pointerleave", hidePopover);
  document.addEventListener("scroll", hidePopover, true);

  // Keys that work wherever nothing is being typed.
  const typing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hidePopover();
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (typing(event.target)) return;
    const onControl = event.target.closest?.("button, a, summary, input, video, [role=slider]");
    // Space scrolls what can be scrolled and has the focus.
    if (event.key === " " && (onControl || event.target.matches?.("[tabindex='0']"))) return;
    if (["ArrowLeft", "ArrowRight"].includes(event.key) && event.target.closest?.("video, [role=slider]")) return;
    const key = KEYS[event.key];
    if (!key) return;
    event.preventDefault();
    key();
  });
  const KEYS = {
    "/": () => document.querySelector("#memqa-question")?.focus(),
    "?": () => document.querySelector("#memqa-keys")?.showModal(),
    " ": () => tell("player", { toggle: true }),
    ArrowLeft: () => tell("player", { by: -5 }),
    ArrowRight: () => tell("player", { by: 5 }),
    "[": () => neighbour(-1),
    "]": () => neighbour(1),
  };
  const neighbour = (step) => {
    const chips = [...document.querySelectorAll(".turn:last-of-type .places .chip")];
    if (!chips.length) return;
    const now = chips.findIndex((chip) => chip.getAttribute("aria-current"));
    show(chips[now < 0 ? 0 : (now + step + chips.length) % chips.length]);
  };

  // On a narrow window the three columns become tabs.
  const desk = () => document.querySelector("#memqa-desk");
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.("[data-tab]");
    if (tab) openTab(tab.dataset.tab);
  });
  const openTab = (name) => {
    if (!desk()) return;
    desk().dataset.open = name;
    for (const tab of document.querySelectorAll("[data-tab]")) {
      tab.setAttribute("aria-pressed", String(tab.dataset.tab === name));
    }
  };

  window.memqa = { call, tell, hear, morph, morphNode, clock, placeOf, addressed, openTab, thumb: null };
})();
