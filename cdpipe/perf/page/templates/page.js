"use strict";
(() => {
  const form = document.getElementById("filter");
  const field = form.querySelector("input[type=search]");
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const said = form.querySelector("output");
  const folds = [...document.querySelectorAll("details.fold")];
  let items = null;

  // Names are read at the first use: a large suite has tens of thousands of rows.
  const read = () => [...document.querySelectorAll("[data-bounds]")].map((item) => ({
    item,
    name: item.querySelector(".name").textContent.trim(),
    bounds: item.dataset.bounds.split(" ").filter(Boolean),
    ofMatrix: item.closest(".matrix, .stage") !== null,
  }));

  // The address says what is chosen, so that it can be sent to somebody.
  const tell = (words, chosen) => {
    const asked = new URLSearchParams();
    if (words.length) asked.set("stage", words.join(" "));
    if (chosen.size) asked.set("class", [...chosen].join(","));
    const query = asked.toString();
    const address = `${location.pathname}${query && "?"}${query}${location.hash}`;
    try {
      history.replaceState(null, "", address);
    } catch {
      // Some browsers allow no other address of a page that is a file.
    }
  };

  const apply = () => {
    items ??= read();
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const active = words.length > 0 || chosen.size > 0;
    const known = new Set(), shown = new Set();
    for (const { item, name, bounds, ofMatrix } of items) {
      const lower = name.toLowerCase();
      const fits = words.every((word) => lower.includes(word)) &&
        (chosen.size === 0 || bounds.length === 0 || bounds.some((bound) => chosen.has(bound)));
      item.hidden = !fits;
      if (ofMatrix) {
        known.add(name);
        if (fits) shown.add(name);
      }
    }
    // To lay out thousands of rows takes seconds: then they stay folded, and the count says how many fit.
    const few = active && shown.size <= 100;
    for (const fold of folds) {
      if (few && !fold.open) {
        fold.open = true;
        fold.dataset.byFilter = "";
      } else if (!few && "byFilter" in fold.dataset) {
        fold.open = false;
        delete fold.dataset.byFilter;
      }
    }
    tell(words, chosen);
    said.textContent = active ? `${shown.size} of ${known.size} stages` : "";
  };

  let waiting = 0;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 80);
  };
  form.addEventListener("input", later);
  form.addEventListener("reset", later);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;

  const asked = new URLSearchParams(location.search);
  const wanted = (asked.get("class") ?? "").split(",");
  field.value = asked.get("stage") ?? "";
  for (const box of boxes) box.checked = wanted.includes(box.value);
  if (field.value || boxes.some((box) => box.checked)) apply();

  // A bar is one stop of the Tab key; the arrows move within it.
  for (const bar of document.querySelectorAll(".bar")) {
    [...bar.children].forEach((part, place) => { part.tabIndex = place ? -1 : 0; });
  }
  document.addEventListener("keydown", (event) => {
    const part = event.target.closest?.(".bar > a");
    if (!part) return;
    const parts = [...part.parentElement.children];
    const to = { ArrowRight: parts.indexOf(part) + 1, ArrowLeft: parts.indexOf(part) - 1, Home: 0, End: parts.length - 1 }[event.key];
    if (to === undefined || !parts[to]) return;
    event.preventDefault();
    part.tabIndex = -1;
    parts[to].tabIndex = 0;
    parts[to].focus();
  });

  // What an address leads to may lie in something closed or filtered out.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
      at.hidden = false;
    }
    target.scrollIntoView({ block: "nearest" });
    if (target.tabIndex === -1) target.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".bar > a, .matrix td > a");
    if (link && link.hash === location.hash) reveal();
  });
  reveal();
})();
