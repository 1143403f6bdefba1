// Sends pictures, a few at once, and follows their tasks until they are over.

import { ProblemError, UnreachableError, isOver } from "../client.js";
import { Stream } from "./stream.js";

const SENDERS = 3; // With those that wait, no more connections than a browser opens to one host.
const FOLLOWERS = 2; // Of those that no stream tells of.
const WAIT_SECONDS = 5;
const RETRY_SECONDS = 3;
const GONE = 410;
const PATIENCE = new Set([408, 425, 429, 502, 503, 504]);

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export class Sender extends EventTarget {
  #queue = [];
  #open = []; // In the order in which they were accepted, which is that in which they end.
  #sending = 0;
  #following = 0;
  #wake = null;
  #trouble = null;

  constructor(client, items, maxWaitSeconds) {
    super();
    Object.assign(this, { client, items, waitSeconds: Math.min(WAIT_SECONDS, maxWaitSeconds) });
    this.stream = new Stream(client, {
      well: () => this.#well(),
      take: (run, answer) => this.#take(run, answer),
      lose: (run, problem) => this.#lose(run, problem),
      trouble: (error) => this.#say({ error, until: Date.now() + RETRY_SECONDS * 1000 }),
      otherwise: (run) => this.#ask(run),
    });
  }

  send(run) {
    this.#queue.push(run);
    this.#pump();
  }

  follow(run) {
    this.stream.watch(run);
  }

  #ask(run) {
    this.#open.push(run);
    this.#pump();
  }

  #take(run, answer) {
    run.take(answer);
    this.#well();
    this.items.changed(run.item);
  }

  #lose(run, problem) {
    run.fail(problem, problem.status === GONE ? "expired" : "refused");
    this.items.changed(run.item);
  }

  /** Tries at once what waits for the service to come back. */
  retryNow() {
    this.#wake?.();
  }

  /** Cancels a run that is open, or forgets one that is over. */
  async end(run) {
    if (!run.taskId) {
      run.state = "REVOKED";
      run.upload?.abort();
      // Sent again, it would stand in the queue twice.
      const place = this.#queue.indexOf(run);
      if (place >= 0) this.#queue.splice(place, 1);
    } else {
      const document = await this.client.end(run.taskId);
      if (document) run.take(document);
    }
    this.items.changed(run.item);
  }

  #pump() {
    for (; this.#sending < SENDERS && this.#queue.length; this.#sending++) {
      this.#drain(this.#queue, (run) => this.#submit(run)).finally(() => this.#sending--);
    }
    for (; this.#following < FOLLOWERS && this.#open.length; this.#following++) {
      this.#drain(this.#open, (run) => this.#look(run)).finally(() => this.#following--);
    }
  }

  async #drain(queue, work) {
    for (let run; (run = queue.shift()); ) await work(run);
  }

  async #submit(run) {
    while (["queued", "uploading"].includes(run.state)) {
      try {
        run.take(await this.#upload(run));
        this.#well();
        if (!isOver(run.answer)) this.follow(run);
      } catch (error) {
        await this.#bear(run, error);
      }
      this.items.changed(run.item);
    }
  }

  #upload(run) {
    run.state = "uploading";
    run.upload = new AbortController();
    this.items.changed(run.item);
    const { file, address, name } = run.item;
    const options = { ...run.wanted, ...(run.model && { model: run.model }) };
    return this.client.submit(file ?? address, options, {
      name,
      key: run.key,
      signal: run.upload.signal,
      onProgress: (share) => {
        run.sent = share;
        this.items.changed(run.item);
      },
    });
  }

  async #look(run) {
    if (!run.isOpen) return;
    try {
      run.take(await this.client.result(run.taskId, { waitSeconds: this.waitSeconds }));
      this.#well();
      // One that is not over goes to the front: those behind it will not be over before.
      if (run.isOpen) this.#open.unshift(run);
    } catch (error) {
      await this.#bear(run, error);
      if (run.isOpen) this.#open.unshift(run);
    }
    this.items.changed(run.item);
  }

  /** Waits where waiting helps, and gives a run up where it does not. */
  async #bear(run, error) {
    if (error.name === "AbortError" || !run.isOpen) return;
    const isPassing = error instanceof UnreachableError || (error instanceof ProblemError && PATIENCE.has(error.status));
    if (!isPassing) {
      this.#lose(run, error.problem ?? { title: "This page failed", detail: String(error), status: 0 });
      return;
    }
    if (run.state === "uploading") run.state = "queued";
    await this.#pause(error, error.retryAfterSeconds || RETRY_SECONDS);
  }

  async #pause(error, seconds) {
    this.#say({ error, until: Date.now() + seconds * 1000 });
    const woken = new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => (before?.(), resolve());
    });
    await Promise.race([sleep(seconds), woken]);
  }

  #well() {
    this.#wake = null;
    if (this.#trouble) this.#say(null);
  }

  #say(trouble) {
    this.#trouble = trouble;
    this.dispatchEvent(new CustomEvent("trouble", { detail: trouble }));
  }
}
