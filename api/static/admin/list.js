// A table that follows a list: a row stays the same element, and keeps its focus, while its job is in it.

/** What a cell says that has nothing to say; on a phone it is left out. */
export const NONE = "–";

export class List {
  #rows = new Map(); // By key: the row, its cells, and what each shows.

  /**
   * @param {string} name The section with the table.
   * @param {{key: (item: object) => string, cells: Array<(item: object, at: number) => string | Node>}} how
   *   A cell that is a text is kept up to date; one that is a node is made once, or anew when its item changes
   *   in what `changes` returns.
   */
  constructor(name, { key, cells, changes = () => "", isCounted = true }) {
    const section = document.getElementById(name);
    Object.assign(this, { key, cells, changes, isCounted, section });
    this.body = section.querySelector("tbody");
    this.heads = [...section.querySelectorAll("th")].map((head) => head.textContent);
  }

  /** Shows these items; there are `n` in all, and `more` says where the others are. */
  show(items, at, { n = items.length, more = "" } = {}) {
    const keys = new Set(items.map(this.key));
    for (const [key, { row }] of this.#rows) if (!keys.has(key)) this.#drop(key, row);
    items.forEach((item, i) => {
      const row = this.#updated(item, at);
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] ?? null);
    });
    this.section.querySelector(".n").textContent = n && this.isCounted ? n.toLocaleString("en") : "";
    this.section.querySelector("table").hidden = !items.length;
    this.section.querySelector(".none").hidden = items.length > 0;
    const rest = this.section.querySelector(".more");
    rest.hidden = n <= items.length;
    rest.textContent = `and ${(n - items.length).toLocaleString("en")} more${more}`;
  }

  #drop(key, row) {
    // Who worked with it goes on at the list's title, not at the top of the page.
    if (row.contains(document.activeElement)) this.section.querySelector("[tabindex]").focus();
    row.remove();
    this.#rows.delete(key);
  }

  #updated(item, at) {
    const key = this.key(item);
    if (!this.#rows.has(key)) this.#rows.set(key, this.#made());
    const known = this.#rows.get(key);
    const changed = known.change !== this.changes(item);
    known.change = this.changes(item);
    this.cells.forEach((cell, i) => show(known.cells[i], cell, item, at, changed));
    return known.row;
  }

  #made() {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    const cells = this.heads.map((head) => {
      const cell = document.createElement("td");
      cell.setAttribute("role", "cell");
      cell.dataset.head = head;
      return cell;
    });
    row.append(...cells);
    return { row, cells, change: null };
  }
}

function show(place, cell, item, at, changed) {
  if (place.firstElementChild && !changed) return;
  const content = cell(item, at);
  place.classList.toggle("empty", content === NONE);
  if (typeof content !== "string") place.replaceChildren(content);
  else if (place.textContent !== content) place.textContent = content;
}

/** Returns an element with these contents. */
export function made(tag, ...contents) {
  const element = document.createElement(tag);
  element.append(...contents);
  return element;
}

/** Returns a link. */
export function link(href, text) {
  const element = made("a", text);
  element.href = href;
  return element;
}
