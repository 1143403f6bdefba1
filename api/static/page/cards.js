// One picture as a card: what it is, how sure that is, and what can be done with it.

import { drawNeighbours } from "./neighbours.js";
import { drawWhy } from "./why.js";
import { doubts, facts, percent, state } from "./words.js";

const copy = (name) => document.getElementById(name).content.firstElementChild.cloneNode(true);

/** Makes cards; `actions` are called with the picture: `end`, `retry`, `why`, `forget`. */
export class Cards {
  constructor(actions, advice) {
    Object.assign(this, { actions, advice });
  }

  make(item) {
    const card = copy("card");
    this.draw(card, item);
    return card;
  }

  /** Draws the card anew, in place, so that a focus on it stays. */
  draw(card, item) {
    const best = item.runs[0]?.best;
    card.classList.toggle("compared", item.runs.length > 1);
    card.setAttribute("aria-label", `${item.name}: ${best ? best.label : state(item.runs[0])}`);
    picture(card.querySelector(".thumbnail"), item);
    text(card.querySelector("h3"), item.disagrees ? "They disagree" : best ? best.label : state(item.runs[0]));
    text(card.querySelector(".name"), item.name);
    const note = card.querySelector(".note");
    text(note, item.note);
    note.hidden = !item.note;
    const runs = card.querySelector(".runs");
    while (runs.children.length < item.runs.length) runs.append(copy("run"));
    item.runs.forEach((run, n) => this.#drawRun(runs.children[n], run));
    drawWhy(card.querySelector(".why"), item);
    this.#drawActions(card.querySelector("footer"), item);
  }

  #drawRun(part, run) {
    const line = part.querySelector(".state");
    const isDone = run.state === "SUCCESS";
    const compared = run.item.runs.length > 1;
    text(line, isDone ? (compared ? `${run.best.label} ${percent(run.best.probability)}` : "") : this.#said(run));
    line.classList.toggle("bad", run.hasFailed);
    const progress = part.querySelector("progress");
    progress.hidden = !run.isOpen;
    if (run.state === "uploading" && run.sent < 1) progress.value = run.sent;
    else progress.removeAttribute("value");
    progress.setAttribute("aria-label", state(run));
    const verdict = part.querySelector(".verdict");
    text(verdict, isDone ? doubts(run.answer) : "");
    verdict.classList.toggle("calm", run.answer?.verdict === "confident");
    bars(part.querySelector(".bars"), run.answer?.predictions ?? []);
    drawNeighbours(part.querySelector(".looks-like"), run.answer?.neighbours ?? []);
    text(part.querySelector(".facts"), isDone ? facts(run.answer) : compared ? run.model : "");
  }

  #said(run) {
    if (!run.hasFailed) return state(run);
    return [run.problem.detail, this.advice(run.problem)].filter(Boolean).join(". ");
  }

  #drawActions(footer, item) {
    const can = [];
    if (item.isOpen) can.push(["Cancel", () => this.actions.end(item)]);
    else {
      const again = item.file || item.address;
      if (again && item.runs.some((run) => run.state !== "SUCCESS")) can.push(["Retry", () => this.actions.retry(item)]);
      if (again && item.runs.length === 1 && item.runs[0].best && (!item.why || item.why.hasFailed)) {
        can.push(["Why?", () => this.actions.why(item)]);
      }
      can.push(["Forget", () => this.actions.forget(item)]);
    }
    const task = item.runs.find((run) => run.taskId)?.taskId;
    const names = [...can.map(([name]) => name), task ?? ""].join();
    if (footer.dataset.names === names) return; // A button that has the focus keeps it.
    footer.dataset.names = names;
    footer.replaceChildren(...can.map(([name, act]) => button(name, item, act)), ...(task ? [link(task, item)] : []));
  }
}

function button(name, item, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "plain small";
  made.textContent = name;
  made.setAttribute("aria-label", `${name} ${item.name}`);
  made.addEventListener("click", act);
  return made;
}

function link(task, item) {
  const made = document.createElement("a");
  made.href = `?task=${task}`;
  made.textContent = "Link";
  made.className = "link";
  made.setAttribute("aria-label", `Link to the result of ${item.name}`);
  return made;
}

function bars(list, predictions) {
  const key = JSON.stringify(predictions);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...predictions.map(({ label, probability }) => {
      const line = document.createElement("li");
      const [name, share] = [label, percent(probability)].map((words) => {
        const span = document.createElement("span");
        span.textContent = words;
        return span;
      });
      const meter = document.createElement("meter");
      Object.assign(meter, { min: 0, max: 1, value: probability });
      meter.setAttribute("aria-label", `${label}: ${share.textContent}`);
      line.append(name, share, meter);
      return line;
    }),
  );
}

function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
  element.hidden = !words;
}

/** Shows the picture; the file itself is read only when it comes into sight. */
export function picture(image, item) {
  item.thumbnail ??= item.file ? URL.createObjectURL(item.file) : null;
  if (!item.thumbnail) image.removeAttribute("src");
  else if (image.src !== item.thumbnail) image.src = item.thumbnail;
  image.hidden = !item.thumbnail;
  // What the service reads and this browser does not, such as HEIC, has no broken picture beside it.
  image.onerror = () => {
    item.thumbnail = "";
    image.hidden = true;
  };
}
