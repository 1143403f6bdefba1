// Keys, for those who would rather not use a mouse; they can be turned off.

const KEY = "petiole-keys";
const element = (name) => document.getElementById(name);

export function listen(actions) {
  const toggle = element("keys");
  toggle.checked = stored() !== "off";
  toggle.addEventListener("change", () => store(toggle.checked ? "on" : "off"));
  element("help-link").addEventListener("click", (event) => {
    event.preventDefault();
    element("help").showModal();
  });
  for (const button of document.querySelectorAll("dialog [data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !toggle.checked) return;
    if (event.target.closest("input, textarea, select, dialog[open]")) return;
    const act = { u: () => element("files").click(), "/": () => element("filter").focus(), j: () => step(1), k: () => step(-1), c: actions.copy, "?": () => element("help").showModal() }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function step(by) {
  const cards = [...document.querySelectorAll("#cards .card, #rows button")];
  const now = cards.indexOf(document.activeElement.closest(".card, #rows button"));
  cards[Math.min(cards.length - 1, Math.max(0, now + by))]?.focus();
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // A browser that keeps nothing has the keys on.
  }
}

function store(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // The choice then holds for this page alone.
  }
}
