// What this page asks of the service, and does to it.

import { ProblemError, UnreachableError } from "../client.js";

const BASE = new URL("../..", import.meta.url);

/** Returns the service as it is now. */
export const look = () => ask("admin");

/** Classifies a quarantined picture once more, as a new job; returns that. */
export const retry = (taskId) => ask(`jobs/${encodeURIComponent(taskId)}/retry`, { method: "POST" });

/** Deletes a quarantined picture for ever. */
export const purge = (taskId) => ask(`jobs/${encodeURIComponent(taskId)}`, { method: "DELETE" });

/** Returns the page of a task, or of a model. */
export const pageOf = (kind, name) => new URL(`${kind}/${encodeURIComponent(name)}`, BASE).pathname;

export const address = BASE.href;

async function ask(path, options = {}) {
  let response, text;
  try {
    const signal = AbortSignal.timeout(10_000);
    response = await fetch(new URL(path, BASE), { headers: { Accept: "application/json" }, signal, ...options });
    text = await response.text();
  } catch {
    throw new UnreachableError();
  }
  const document = read(text);
  if (!response.ok) throw new ProblemError(document ?? { title: `HTTP ${response.status}`, status: response.status });
  return document;
}

function read(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // A proxy before the service says such things.
  }
}
