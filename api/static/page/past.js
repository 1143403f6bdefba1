// The list of earlier pictures, below the page.

import { thumbnail } from "./shrink.js";
import { percent } from "./words.js";

const element = (name) => document.getElementById(name);

export class Past {
  #kept = new Map(); // Of this page: what is in the history already, by task.

  constructor(history, open) {
    Object.assign(this, { history, open });
    element("history").addEventListener("toggle", () => element("history").open && this.#draw());
    element("forget-all").addEventListener("click", async () => {
      await history.clear();
      this.#draw();
    });
  }

  /** Goes on with what was not over when the page was left. */
  async begin() {
    await this.history.trim();
    for (const entry of await this.history.all()) {
      if (entry.state === "open") this.open(entry.taskId, { name: entry.name, thumbnail: address(entry.thumbnail) });
    }
  }

  /** Keeps a task under its picture's name; called for each change of its state. */
  async keep(item, run) {
    const state = run.isOpen ? "open" : run.state;
    if (this.#kept.get(run.taskId) === state || state === "expired") return;
    this.#kept.set(run.taskId, state);
    item.small ??= item.file ? thumbnail(item.file) : Promise.resolve(null);
    const before = await this.history.one(run.taskId);
    const small = (await item.small) ?? before?.thumbnail ?? null;
    if (this.#kept.get(run.taskId) !== state) return; // It went on meanwhile.
    const { label = "", probability = 0 } = run.best ?? {};
    const at = before?.at ?? Date.now();
    await this.history.keep({ taskId: run.taskId, name: item.name, state, label, probability, at, thumbnail: small });
    if (element("history").open) this.#draw();
  }

  async forget(taskId) {
    this.#kept.set(taskId, "forgotten");
    await this.history.forget(taskId);
    if (element("history").open) this.#draw();
  }

  async #draw() {
    const entries = await this.history.all();
    for (const image of element("past").querySelectorAll("img[src]")) URL.revokeObjectURL(image.src);
    element("past").replaceChildren(...entries.map((entry) => this.#line(entry)));
    element("forget-all").hidden = !entries.length;
  }

  #line(entry) {
    const line = document.createElement("li");
    const image = document.createElement("img");
    Object.assign(image, { alt: "", loading: "lazy" });
    if (entry.thumbnail) image.src = address(entry.thumbnail);
    const link = document.createElement("a");
    link.href = `?task=${entry.taskId}`;
    link.textContent = entry.label ? `${entry.label} ${percent(entry.probability)} · ${entry.name}` : entry.name;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.open(entry.taskId, { name: entry.name, thumbnail: address(entry.thumbnail) });
      element("results").scrollIntoView();
    });
    line.append(image, link);
    return line;
  }
}

const address = (blob) => (blob ? URL.createObjectURL(blob) : null);
