/**
 * A client of Petiole for browsers, as its own page uses it: one file, nothing else is needed.
 *
 *     import { Client } from "http://127.0.0.1:8000/static/client.js";
 *     const client = new Client("http://127.0.0.1:8000/");
 *     const answer = await client.classify(file, { top_k: 3 });
 *     console.log(answer.predictions[0].label);
 *
 * Every method rejects with a `ProblemError` when the service said no, and with an
 * `UnreachableError` when it said nothing.
 */

const POLL_SECONDS = 10;

/** The service's own word for what is wrong (RFC 9457). */
export class ProblemError extends Error {
  /**
   * @param {{type: string, title: string, status: number, detail: string}} problem
   * @param {number} retryAfterSeconds When it may be tried again; 0 where that is not said.
   */
  constructor(problem, retryAfterSeconds = 0) {
    super(problem.detail || problem.title);
    this.name = "ProblemError";
    this.problem = problem;
    this.status = problem.status;
    this.slug = (problem.type ?? "").replace(/^.*#/, "");
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Nothing came back: the service or the network is away. */
export class UnreachableError extends Error {
  constructor() {
    super("the service does not answer");
    this.name = "UnreachableError";
  }
}

/** Tells whether a job is over. */
export const isOver = (answer) => ["SUCCESS", "FAILURE", "REVOKED"].includes(answer.state);

export class Client {
  /** @param {string | URL} base The service's address, with the path that a proxy puts before it. */
  constructor(base) {
    this.base = new URL(String(base).replace(/\/?$/, "/"));
  }

  /**
   * Sends one picture.
   *
   * @param {Blob | string} picture A file, or the address of a picture.
   * @param {{model?: string, top_k?: number, priority?: string}} options
   * @param {{name?: string, key?: string, signal?: AbortSignal, onProgress?: (share: number) => void}} more
   *   `key` is the Idempotency-Key: with the same one a request can be sent again without harm.
   * @returns {Promise<object>} the task: `task_id`, `state`, `ahead`, `estimate_seconds`.
   */
  submit(picture, options = {}, { name, key = newKey(), signal, onProgress = () => {} } = {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch cannot say how much of a body was sent.
      request.open("POST", new URL("classify", this.base));
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("Idempotency-Key", key);
      request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
      request.onerror = request.ontimeout = () => reject(new UnreachableError());
      request.onabort = () => reject(new DOMException("given up", "AbortError"));
      request.onload = () => {
        const header = request.getResponseHeader("Retry-After");
        settle(request.status, request.responseText, header, resolve, reject);
      };
      signal?.addEventListener("abort", () => request.abort());
      request.send(body(picture, options, name, request));
    });
  }

  /** Returns what is known of a task, at once or as soon as it is over within the wait. */
  async result(taskId, { waitSeconds = 0, signal } = {}) {
    const query = waitSeconds ? `?wait=${waitSeconds}` : "";
    return this.#ask(`result/${encodeURIComponent(taskId)}${query}`, { signal });
  }

  /** Sends one picture and returns its document once it is over, whatever its end. */
  async classify(picture, options = {}, more = {}) {
    let answer = await this.submit(picture, options, more);
    while (!isOver(answer)) {
      answer = await this.result(answer.task_id, { waitSeconds: POLL_SECONDS, signal: more.signal });
    }
    return answer;
  }

  /**
   * Sends one picture and returns why its best label was given: `{explanation, image}`, figures and a
   * PNG as a Blob. The picture is sent for this alone; the service keeps neither it nor the map.
   */
  async explain(picture, options = {}, more = {}) {
    const answer = await this.classify(picture, { ...options, explain: true }, more);
    if (answer.error) throw new ProblemError(answer.error);
    try {
      let explanation;
      do {
        const query = `?wait=${POLL_SECONDS}`;
        explanation = await this.#ask(answer.explanation_url + query, { signal: more.signal });
      } while (!isOver(explanation));
      if (explanation.error) throw new ProblemError(explanation.error);
      const image = await fetch(new URL(explanation.image_url, this.base), { signal: more.signal });
      return { explanation, image: await image.blob() };
    } finally {
      await this.end(answer.task_id);
    }
  }

  /**
   * Opens one stream (`/events`) that tells what becomes of many tasks, and returns it; `close()` it.
   *
   * @param {string[]} taskIds
   * @param {{onOpen: Function, onAnswer: Function, onProblem: Function, onBreak: Function, onRefused: Function}} listener
   *   `onAnswer` gets what `result` would return, `onProblem` a problem with its `task_id`; after
   *   `onBreak` the browser goes on by itself, after `onRefused` it does not.
   */
  events(taskIds, listener) {
    const address = new URL("events", this.base);
    for (const taskId of taskIds) address.searchParams.append("task", taskId);
    const source = new EventSource(address);
    for (const kind of ["state", "end"]) {
      source.addEventListener(kind, (event) => listener.onAnswer(JSON.parse(event.data)));
    }
    source.addEventListener("open", () => listener.onOpen());
    source.addEventListener("problem", (event) => listener.onProblem(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) listener.onRefused();
      else listener.onBreak();
    });
    return source;
  }

  /** Cancels a task and returns its document; forgets one that is over and returns null. */
  async end(taskId) {
    return this.#ask(`result/${encodeURIComponent(taskId)}`, { method: "DELETE" });
  }

  /** Returns the models that can be asked for. */
  async models() {
    return (await this.#ask("models")).models;
  }

  /** Returns each kind of problem with its `advice`. */
  async problems() {
    return this.#ask("problems");
  }

  /** Returns what `/readyz` says; rejects with its problem when nothing can be classified. */
  async readiness() {
    return this.#ask("readyz");
  }

  async #ask(path, options = {}) {
    let response, text;
    try {
      response = await fetch(new URL(path, this.base), { headers: { Accept: "application/json" }, ...options });
      text = await response.text();
    } catch (error) {
      throw error.name === "AbortError" ? error : new UnreachableError();
    }
    return new Promise((resolve, reject) => {
      settle(response.status, text, response.headers.get("Retry-After"), resolve, reject);
    });
  }
}

/** Returns a new Idempotency-Key; `crypto.randomUUID` is missing on plain HTTP. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function body(picture, options, name, request) {
  if (typeof picture === "string") {
    request.setRequestHeader("Content-Type", "application/json");
    return JSON.stringify({ ...options, image_url: picture });
  }
  const form = new FormData();
  form.append("image", picture, name ?? picture.name ?? "image");
  for (const [option, value] of Object.entries(options)) form.append(option, value);
  return form;
}

function settle(status, text, retryAfter, resolve, reject) {
  let document = null;
  try {
    document = text ? JSON.parse(text) : null;
  } catch {
    document = { type: "about:blank", title: `HTTP ${status}`, status, detail: "the answer is no JSON" };
    status = Math.max(status, 500);
  }
  if (status < 400) resolve(document);
  else reject(new ProblemError(document ?? { title: `HTTP ${status}`, status }, Number(retryAfter) || 0));
}
