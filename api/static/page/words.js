// What people read: states, shares, sizes, times.

export const percent = (share) => `${(100 * share).toFixed(share > 0.999 ? 0 : 1)} %`;
export const milliseconds = (ms) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));

export function megabytes(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Returns one line that says how far a run is. */
export function state(run) {
  switch (run.state) {
    case "queued":
      return "Waiting to be sent";
    case "uploading":
      return run.sent < 1 ? `Uploading ${Math.floor(100 * run.sent)} %` : "Uploaded";
    case "PENDING":
      return `Waiting${place(run.answer)}`;
    case "RETRY":
      return "Trying again";
    case "STARTED":
      return "Running";
    case "REVOKED":
      return run.answer?.reason === "deadline" ? "Expired: its deadline was over" : "Cancelled";
    case "expired":
      return "Expired: the result is no longer kept";
    case "FAILURE":
    case "refused":
      return run.problem.title;
    default:
      return "Done";
  }
}

function place({ ahead, estimate_seconds: seconds }) {
  const parts = [];
  if (ahead !== undefined) parts.push(ahead ? `${ahead} ahead` : "next");
  if (seconds !== undefined) parts.push(`about ${Math.max(1, Math.round(seconds))} s`);
  return parts.length ? `: ${parts.join(", ")}` : "";
}

/** Returns how far an answer can be trusted; nothing where its version cannot vouch for that. */
export function doubts({ verdict, label_set: labels, novelty }) {
  if (verdict === "unknown") return `Unknown: looks like nothing it was trained on${stranger(novelty)}`;
  if (verdict === "uncertain") return labels.length > 1 ? `Uncertain: ${either(labels)}` : "Uncertain";
  return verdict === "confident" ? "Confident" : "";
}

function stranger(novelty) {
  return novelty === undefined ? "" : `; of its own pictures ${percent(novelty)} look as strange`;
}

function either(labels) {
  return labels.length > 4 ? `one of ${labels.length} labels` : labels.join(" or ");
}

/** Returns which version answered, on what, how long each stage took, and what to mind. */
export function facts({ model, model_version: version, runtime, timings_ms: timings, warnings }) {
  const stages = ["queued", "download", "decode", "predict"].filter((stage) => timings[stage] > 0);
  const times = stages.map((stage) => `${stage} ${milliseconds(timings[stage])}`).join(", ");
  const mind = warnings ? ` · ${warnings.join("; ")}` : "";
  return `${model}@${version} on ${runtime} · ${milliseconds(timings.total)} ms (${times})${mind}`;
}
