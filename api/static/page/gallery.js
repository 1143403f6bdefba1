// All pictures: as cards while they are few, as rows of which only those in sight exist when not.

import { picture } from "./cards.js";
import { percent, state } from "./words.js";

const MOST_CARDS = 24;
const ROW = 60;
const BEYOND = 8; // Rows above and below what is in sight.
const element = (name) => document.getElementById(name);

export class Gallery {
  #cards = new Map();
  #shown = [];
  #inDialog = null;

  constructor(items, cards) {
    Object.assign(this, { items, cards });
    items.addEventListener("change", (event) => this.draw(event.detail));
    for (const name of ["filter", "show"]) element(name).addEventListener("input", () => this.draw());
    addEventListener("scroll", () => this.#drawRows(), { passive: true });
    addEventListener("resize", () => this.#drawRows());
    element("card-dialog").addEventListener("close", () => (this.#inDialog = null));
  }

  /** Returns the pictures that the filter lets through, the newest first. */
  get shown() {
    return this.#shown;
  }

  draw(changed = new Set()) {
    this.#shown = this.#filtered();
    const areCards = this.items.size <= MOST_CARDS;
    element("results").hidden = !this.items.size;
    document.body.classList.toggle("busy", this.items.size > 0);
    element("cards").hidden = !areCards;
    element("rows").hidden = areCards;
    element("nothing").hidden = Boolean(this.#shown.length) || !this.items.size;
    if (areCards) this.#drawCards(changed);
    else this.#drawRows();
    if (this.#inDialog) this.cards.draw(element("card-place").firstElementChild, this.#inDialog);
    this.#drawTotal();
  }

  #filtered() {
    const [words, kind] = [element("filter").value.trim(), element("show").value];
    const fits = {
      all: () => true,
      open: (item) => item.isOpen,
      doubt: (item) => item.isDoubtful,
      failed: (item) => item.hasFailed,
      differ: (item) => item.disagrees,
    }[kind];
    const found = this.items.all.filter((item) => fits(item) && (!words || item.matches(words))).reverse();
    // Where two models are compared, what they disagree on is what one looks for.
    const differ = found.filter((item) => item.disagrees);
    return differ.length ? [...differ, ...found.filter((item) => !item.disagrees)] : found;
  }

  #drawCards(changed) {
    const wanted = new Set(this.#shown);
    for (const [item, line] of this.#cards) {
      if (wanted.has(item)) continue;
      line.remove();
      this.#cards.delete(item);
    }
    this.#shown.forEach((item, n) => {
      let line = this.#cards.get(item);
      if (!line) {
        line = document.createElement("li");
        line.append(this.cards.make(item));
        this.#cards.set(item, line);
      } else if (changed.has(item)) this.cards.draw(line.firstElementChild, item);
      const there = element("cards").children[n];
      if (there !== line) element("cards").insertBefore(line, there ?? null);
    });
  }

  #drawRows() {
    const list = element("rows");
    if (list.hidden) return;
    for (const line of this.#cards.values()) line.remove();
    this.#cards.clear();
    list.style.height = `${ROW * this.#shown.length}px`;
    const above = -list.getBoundingClientRect().top / ROW;
    const first = Math.max(0, Math.floor(above) - BEYOND);
    const last = Math.min(this.#shown.length, Math.ceil(above + innerHeight / ROW) + BEYOND);
    const wanted = this.#shown.slice(first, last);
    while (list.children.length < wanted.length) list.append(this.#newRow());
    while (list.children.length > wanted.length) list.lastElementChild.remove();
    wanted.forEach((item, n) => this.#drawRow(list.children[n], item, first + n));
  }

  #newRow() {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const image = document.createElement("img");
    Object.assign(image, { alt: "", decoding: "async" });
    const spans = ["label", "name", "number"].map((name) => {
      const span = document.createElement("span");
      span.className = name;
      return span;
    });
    button.append(image, ...spans);
    button.addEventListener("click", () => this.open(line.item));
    line.append(button);
    return line;
  }

  #drawRow(line, item, place) {
    const best = item.runs[0].best;
    line.item = item;
    line.style.top = `${ROW * place}px`;
    line.setAttribute("aria-setsize", this.#shown.length);
    line.setAttribute("aria-posinset", place + 1);
    picture(line.querySelector("img"), item);
    const labels = item.runs.map((run) => run.best?.label ?? state(run));
    line.querySelector(".label").textContent = item.disagrees ? labels.join(" or ") : labels[0];
    line.querySelector(".name").textContent = item.name;
    line.querySelector(".number").textContent = best ? percent(best.probability) : "";
  }

  /** Shows one picture of the list as a card. */
  open(item) {
    this.#inDialog = item;
    element("card-place").replaceChildren(this.cards.make(item));
    element("card-dialog").showModal();
  }

  #drawTotal() {
    const all = this.items.size;
    let [over, failed] = [0, 0];
    for (const item of this.items.all) {
      if (!item.isOpen) over++;
      if (item.hasFailed) failed++;
    }
    const parts = [`${over} of ${all} done`];
    if (failed) parts.push(`${failed} failed`);
    if (this.#shown.length !== all) parts.push(`${this.#shown.length} shown`);
    const total = element("total");
    if (total.textContent !== parts.join(", ")) total.textContent = parts.join(", ");
    element("progress").value = all ? over / all : 0;
  }
}
