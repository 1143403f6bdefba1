// One stream for all open tasks of this tab: the service tells what becomes of them.

import { UnreachableError } from "../client.js";

const MOST = 100; // Tasks of one stream; those behind them in the queue are not over before.
const REOPEN_MS = 300; // Pictures come in bunches, and each bunch would open a stream of its own.

/** Follows runs; what it cannot follow it hands to `otherwise`. */
export class Stream {
  #open = new Map(); // By task id, in the order in which they were accepted.
  #told = new Set(); // The tasks that the present stream tells of.
  #source = null;
  #timer = null;
  #openedAt = -Infinity;

  /** @param {{well: Function, take: Function, lose: Function, trouble: Function, otherwise: Function}} listener */
  constructor(client, listener) {
    Object.assign(this, { client, listener });
  }

  watch(run) {
    this.#open.set(run.taskId, run);
    this.#reopenSoon();
  }

  #reopenSoon() {
    const isFull = this.#told.size >= MOST;
    if (isFull || this.#timer) return;
    this.#timer = setTimeout(() => this.#reopen(), Math.max(0, this.#openedAt + REOPEN_MS - performance.now()));
  }

  #reopen() {
    this.#timer = null;
    this.#openedAt = performance.now();
    this.#source?.close();
    this.#told = new Set([...this.#open.keys()].slice(0, MOST));
    this.#source = this.#told.size ? this.client.events([...this.#told], this) : null;
  }

  // What the client calls.

  onOpen() {
    this.listener.well();
  }

  onAnswer(answer) {
    const run = this.#open.get(answer.task_id);
    if (!run) return;
    this.listener.take(run, answer);
    if (!run.isOpen) this.#leave(run);
  }

  onProblem(problem) {
    const run = this.#open.get(problem.task_id);
    if (!run) return;
    this.listener.lose(run, problem);
    this.#leave(run);
  }

  /** The browser opens it again by itself. */
  onBreak() {
    this.listener.trouble(new UnreachableError());
  }

  /** The service has no place for a stream, or has told everything: what is left is asked for. */
  onRefused() {
    const left = [...this.#told].map((taskId) => this.#open.get(taskId)).filter(Boolean);
    for (const run of left) this.#leave(run);
    for (const run of left) this.listener.otherwise(run);
  }

  #leave(run) {
    this.#open.delete(run.taskId);
    this.#told.delete(run.taskId);
    if (this.#told.size) return;
    this.#source?.close();
    this.#source = null;
    if (this.#open.size) this.#reopenSoon();
  }
}
