// Which model answers, with how many labels and look-alikes, and which other one it is compared with.

const element = (name) => document.getElementById(name);

/** Fills the choices from what the service offers; `changed` is called after each change. */
export class Choices {
  constructor(changed) {
    for (const name of ["model", "other", "top-k", "neighbours"]) element(name).addEventListener("change", changed);
  }

  offer(models, asked) {
    for (const name of ["model", "other"]) {
      const groups = models.map((model) => group(model));
      const nothing = name === "other" ? [new Option("nothing", "")] : [];
      element(name).replaceChildren(...nothing, ...groups);
    }
    const known = [...element("model").options].some((option) => option.value === asked);
    const fallback = models.find((model) => model.default) ?? models[0];
    element("model").value = known ? asked : (fallback?.name ?? "");
    this.default = models.find((model) => model.default)?.name;
  }

  /** What every picture is asked for, whichever model answers. */
  get wanted() {
    const labels = Math.min(1000, Math.max(1, Math.round(Number(element("top-k").value)) || 5));
    const neighbours = Math.min(10, Math.max(0, Math.round(Number(element("neighbours").value)) || 0));
    return { top_k: labels, ...(neighbours && { neighbours }) };
  }

  /** The models that every picture goes to: one, or two that are compared. */
  get models() {
    const [model, other] = [element("model").value, element("other").value];
    return other && other !== model ? [model, other] : [model];
  }

  /** The options of a request, without those that would change nothing. */
  get options() {
    const [model] = this.models;
    return { ...this.wanted, ...(model && model !== this.default && { model }) };
  }
}

function group({ name, versions, aliases, rollout }) {
  const made = document.createElement("optgroup");
  made.label = name;
  const production = aliases.production ? `${name} (production: ${aliases.production})` : name;
  const marks = (version) => {
    const named = Object.entries(aliases).filter(([, number]) => number === version);
    const words = named.map(([alias]) => alias);
    if (rollout?.version === version) words.push(rollout.kind);
    return words.length ? ` (${words.join(", ")})` : "";
  };
  made.append(new Option(production, name));
  for (const version of [...versions].reverse()) {
    made.append(new Option(`${name}@${version}${marks(version)}`, `${name}@${version}`));
  }
  return made;
}
