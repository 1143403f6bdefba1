// What the page knows: pictures, and for each the runs that were asked for (two when compared).

import { newKey } from "../client.js";

export const OPEN = new Set(["queued", "uploading", "PENDING", "STARTED", "RETRY"]);
const DOUBT = 0.5;

const isUnsure = (answer) => Boolean(answer?.verdict && answer.verdict !== "confident");

/** One picture under one model. */
export class Run {
  constructor(item, model, wanted) {
    Object.assign(this, { item, model, wanted });
    this.reset();
  }

  reset() {
    this.key = newKey();
    this.state = "queued";
    this.sent = 0;
    this.taskId = null;
    this.answer = null; // What the service said last.
    this.problem = null;
  }

  get isOpen() {
    return OPEN.has(this.state);
  }

  get hasFailed() {
    return ["FAILURE", "refused", "expired"].includes(this.state);
  }

  get best() {
    return this.answer?.predictions?.[0] ?? null;
  }

  /** Takes over what the service says of the task. */
  take(answer) {
    this.answer = answer;
    this.taskId = answer.task_id;
    this.state = answer.state;
    this.problem = answer.error ?? null;
    this.item.name ||= answer.filename ?? "";
  }

  fail(problem, state = "refused") {
    this.problem = problem;
    this.state = state;
  }
}

let count = 0;

/** One picture: a file, an address, or a result that somebody else asked for. */
export class Item {
  constructor({ name, file = null, address = null, note = "" }) {
    Object.assign(this, { name, file, address, note });
    this.number = ++count;
    this.runs = [];
    this.thumbnail = null;
    this.why = null; // Once it was asked for: what `Why` knows.
  }

  get isOpen() {
    return this.runs.some((run) => run.isOpen);
  }

  get hasFailed() {
    return this.runs.some((run) => run.hasFailed);
  }

  get isDoubtful() {
    return this.runs.some((run) => run.best && (isUnsure(run.answer) || run.best.probability < DOUBT));
  }

  get disagrees() {
    if (this.runs.length < 2) return false;
    const labels = this.runs.map((run) => run.best?.label).filter(Boolean);
    return new Set(labels).size > 1;
  }

  matches(text) {
    const words = [this.name, ...this.runs.map((run) => run.best?.label ?? "")];
    return words.join("\n").toLowerCase().includes(text.toLowerCase());
  }
}

const SOONEST_MS = 30;
const OF_EACH_MS = 0.1; // To look at all pictures takes as long: thousands are told of twice a second.

/** All pictures of the page; says which of them changed, the less often the more there are. */
export class Items extends EventTarget {
  #all = new Map();
  #changed = new Set();

  get all() {
    return [...this.#all.values()];
  }

  get size() {
    return this.#all.size;
  }

  add(item) {
    this.#all.set(item.number, item);
    this.changed(item);
  }

  remove(item) {
    this.#all.delete(item.number);
    for (const address of [item.thumbnail, item.why?.image]) {
      if (address?.startsWith("blob:")) URL.revokeObjectURL(address);
    }
    this.changed(item);
  }

  changed(item) {
    // A tab in the background draws no frames; it is told nonetheless, so that it goes on.
    const pause = Math.max(SOONEST_MS, OF_EACH_MS * this.size);
    if (!this.#changed.size) setTimeout(() => this.#tell(), pause);
    this.#changed.add(item);
  }

  #tell() {
    const changed = this.#changed;
    this.#changed = new Set();
    this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }
}
