// What an operator reads: numbers, ages, processes, states.

const NUMBERS = new Intl.NumberFormat("en");

export const whole = (n) => NUMBERS.format(n);
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const rate = (perSecond) => (perSecond < 9.95 ? perSecond.toFixed(1) : perSecond.toFixed(0));

/** Returns `one picture` or `3 pictures`. */
export const counted = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

export function megabytes(bytes) {
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Returns a span of time with its largest unit alone: `0 s`, `12 s`, `3 min`, `2 h`, `5 d`. */
export function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export const ago = (seconds) => `${span(seconds)} ago`;

/** Returns the host and the process id that a worker process goes by. */
export function place(process) {
  const [, host, id] = /^[^:]*:(.*):([^:]*)$/.exec(process) ?? [null, process, ""];
  return id ? `${host}, process ${id}` : host;
}

/** Returns what a worker process is for. */
export function duty({ queue, consumes }) {
  if (queue === "consumer") return `main process, takes from ${(consumes ?? []).join(", ") || "no queue"}`;
  return { classify: "child, classifies", downloads: "downloads" }[queue] ?? queue;
}

/** Returns the processes that classify, or take pictures for those that do. */
export function classifiers(workers) {
  return workers.filter((each) => each.queue === "classify" || each.consumes?.includes("classify"));
}

/** Says in one line whether pictures are classified now, and whether that is as it should be. */
export function readiness(workers) {
  const children = workers.filter((each) => each.queue === "classify");
  const ready = children.filter((each) => each.state === "ready");
  const takers = classifiers(workers).filter((each) => each.queue !== "classify");
  if (!children.length && !takers.length) return { isReady: false, words: "Nothing is classified: no worker runs." };
  if (!ready.length) return { isReady: false, words: `Nothing is classified: no child has a warm model${because(children)}.` };
  if (!takers.some((each) => each.state === "ready")) {
    return { isReady: false, words: `Nothing is classified: no worker takes pictures${because(takers)}.` };
  }
  return { isReady: true, words: `Ready: ${whole(ready.length)} of ${counted(children.length, "child", "children")} with a warm model.` };
}

function because(notes) {
  const reasons = [...new Set(notes.map((each) => each.reason).filter(Boolean))];
  return reasons.length ? ` (${reasons.join("; ")})` : "";
}
