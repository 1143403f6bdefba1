// The answers as a file: CSV for a spreadsheet, JSON for a program.

/** Saves one row for each run of the pictures. */
export function saveCsv(items) {
  const rows = runsOf(items).map((run) => [
    run.item.name,
    run.model,
    run.state,
    run.best?.label ?? "",
    run.best?.probability ?? "",
    run.answer?.model_version ?? "",
    run.problem?.title ?? "",
    run.taskId ?? "",
  ]);
  const head = ["name", "model", "state", "label", "probability", "version", "problem", "task_id"];
  save("petiole.csv", "text/csv", [head, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n");
}

export function saveJson(items) {
  const found = runsOf(items).map((run) => ({ name: run.item.name, ...(run.answer ?? { state: run.state, error: run.problem }) }));
  save("petiole.json", "application/json", JSON.stringify(found, null, 2));
}

const runsOf = (items) => items.flatMap((item) => item.runs);

function field(value) {
  let text = String(value);
  // A spreadsheet would run what begins like this as a formula; a name is never one.
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
