// What was classified before, in this browser alone: IndexedDB, with small pictures.

const MOST = 500;
const TRIM_AFTER = 100;

/** The history; where a browser keeps nothing (a private window), it is empty and says so. */
export class History {
  #sinceTrim = 0;
  #opened = new Promise((resolve) => {
    const request = indexedDB.open("petiole", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("tasks", { keyPath: "taskId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });

  async #run(mode, work) {
    const database = await this.#opened;
    if (!database) return undefined;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("tasks", mode);
      const request = work(transaction.objectStore("tasks"));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = () => reject(transaction.error);
    });
  }

  /** Returns what is kept, the newest first. */
  async all() {
    const found = (await this.#run("readonly", (tasks) => tasks.getAll())) ?? [];
    return found.sort((one, other) => other.at - one.at);
  }

  async one(taskId) {
    return this.#run("readonly", (tasks) => tasks.get(taskId));
  }

  /** Keeps a task, or what became of it. */
  async keep(entry) {
    await this.#run("readwrite", (tasks) => tasks.put(entry));
    if (++this.#sinceTrim >= TRIM_AFTER) await this.trim();
  }

  /** Lets the oldest go where there are too many. */
  async trim() {
    this.#sinceTrim = 0;
    for (const { taskId } of (await this.all()).slice(MOST)) await this.forget(taskId);
  }

  async forget(taskId) {
    await this.#run("readwrite", (tasks) => tasks.delete(taskId));
  }

  async clear() {
    await this.#run("readwrite", (tasks) => tasks.clear());
  }
}
