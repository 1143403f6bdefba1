// The operator's page: it looks at the service every two seconds while somebody looks at it.

import * as act from "./act.js";
import { History, KEPT_SECONDS } from "./history.js";
import { link } from "./list.js";
import { lists } from "./lists.js";
import { draw } from "./plot.js";
import * as service from "./service.js";
import { ago, classifiers, counted, megabytes, percent, rate, readiness, span, whole } from "./words.js";

const LOOK_SECONDS = 2;
const LEAST_SECONDS = 60; // The width of a plot whose page has just been opened.
const MORE_WORKERS = ".venv/bin/celery -A tasks worker -Q classify -n more@%h --concurrency 2";

const element = (name) => document.getElementById(name);

function write(name, text) {
  if (element(name).textContent !== text) element(name).textContent = text;
}

const history = new History();
const tables = lists(done);
let seenAt = 0; // When the service answered last, by this computer's clock.
let isAway = false;
let turn = Promise.resolve();
const said = {}; // What was announced last, by subject.

/** Looks once; one who asks meanwhile gets a look of his own afterwards. */
function look() {
  turn = turn.then(lookOnce);
  return turn;
}

async function lookOnce() {
  try {
    const { service: state, trials, last_trials: lastTrials, models_missing: missing } = await service.look();
    seenAt = Date.now();
    history.add(state);
    showLoad(state);
    showJobs(state);
    showWorkers(state);
    showTrials(state, trials, lastTrials, missing);
    tables.trainings.show(state.trainings, state.at);
    banner("");
    announceState(state);
  } catch (error) {
    if (!["UnreachableError", "ProblemError"].includes(error.name)) throw error;
    history.addGap(LOOK_SECONDS);
    showAway(error);
  }
}

function showLoad({ load, workers }) {
  const waiting = load.lanes.reduce((sum, lane) => sum + lane.waiting, 0);
  const oldest = Math.max(...load.lanes.map((lane) => lane.oldest_seconds ?? -1));
  const ready = workers.filter((note) => note.queue === "classify" && note.state === "ready").length;
  const [comes, goes] = [history.rate("accepted"), history.rate("ended")];
  write("waiting-number", whole(waiting));
  write("oldest", waiting ? `the oldest for ${span(oldest)}` : "nothing waits");
  write("in-work", whole(load.in_work));
  write("hands", counted(ready, "ready child", "ready children"));
  write("rate-in", comes === null ? "–" : rate(comes));
  write("rate-out", goes === null ? "–" : rate(goes));
  // How fast they left says nothing while nobody takes them.
  const isEstimated = waiting && load.jobs_per_second && readiness(workers).isReady;
  const left = isEstimated ? `, empty in ${span(Math.max(1, load.open_jobs / load.jobs_per_second))}` : "";
  write("time-left", `pictures a second${left}`);
  write("room", percent(Math.floor((100 * load.open_jobs) / load.max_open_jobs) / 100, 0));
  write("room-words", `${whole(load.open_jobs)} of ${whole(load.max_open_jobs)}, ${megabytes(load.open_bytes)}`);
  showPlots(waiting, comes, goes);
}

function showPlots(waiting, comes, goes) {
  const width = Math.min(KEPT_SECONDS, Math.max(LEAST_SECONDS, history.seconds));
  const depth = draw(element("depth"), [{ name: "depth", points: history.waiting }], width);
  const flow = draw(
    element("flow"),
    [
      { name: "in", points: history.flow("accepted") },
      { name: "out", points: history.flow("ended") },
    ],
    width,
  );
  write("depth-top", whole(depth));
  write("flow-top", whole(flow));
  write("depth-words", `now ${whole(waiting)}`);
  write("flow-words", comes === null ? "not known yet" : `now ${rate(comes)} in, ${rate(goes)} out`);
  const isNew = history.seconds < KEPT_SECONDS - 2 * LOOK_SECONDS;
  const known = isNew ? `; this page was opened ${ago(history.seconds)} and knows of nothing before` : "";
  write("window", `The last ${span(width)}${known}.`);
}

function showJobs({ at, load, jobs }) {
  const waiting = load.lanes.reduce((sum, lane) => sum + lane.waiting, 0);
  tables.lanes.show(load.lanes.filter((lane) => lane.waiting), at);
  tables.quarantine.show(jobs.quarantined, at, { n: jobs.in_quarantine, more: ": petiole jobs quarantine" });
  element("quarantine-words").hidden = !jobs.in_quarantine;
  tables.failed.show(jobs.failed, at);
  tables.started.show(jobs.started, at, { n: load.in_work, more: ": petiole jobs list" });
  tables.waiting.show(jobs.waiting, at, { n: waiting, more: ": petiole jobs list" });
}

function showWorkers({ at, workers, refused }) {
  tables.workers.show(workers, at);
  tables.refused.show(refused, at);
  element("no-worker").hidden = classifiers(workers).length > 0;
}

function showTrials({ at }, trials, lastTrials, missing) {
  tables.trials.show(trials, at);
  tables.lastTrials.show(lastTrials, at);
  element("models-missing").hidden = !missing;
  write("models-missing", missing ? `Nothing is known of trials: ${missing}.` : "");
}

function showAway(error) {
  const why = error.problem ? `${error.problem.title}: ${error.message}.` : "The service does not answer.";
  const old = seenAt ? ` What is below is from ${ago((Date.now() - seenAt) / 1000)}.` : "";
  banner(`${why}${old} This page asks again every ${LOOK_SECONDS} s.`);
  write("status", error.problem ? "Not known: the service cannot say." : "Away.");
  if (!isAway) announce("away", why);
  isAway = true;
}

function banner(words) {
  element("banner").hidden = !words;
  write("trouble", words);
}

function announceState(state) {
  const { isReady, words } = readiness(state.workers);
  write("status", words);
  element("status").classList.toggle("bad", !isReady);
  if (isAway) announce("away", "The service answers again.");
  isAway = false;
  announce("ready", words);
  const kept = state.jobs.in_quarantine;
  announce("quarantine", kept ? `${counted(kept, "picture")} in quarantine.` : "");
  announce("refused", state.refused.length ? `${counted(state.refused.length, "version")} refused.` : "");
}

/** Says to those who cannot see it what has changed, once. */
function announce(subject, words) {
  const isNew = said[subject] !== words && (words || said[subject]);
  if (isNew) element("news").append(paragraph(words || `${subject}: none any more.`));
  while (element("news").childElementCount > 5) element("news").firstElementChild.remove();
  said[subject] = words;
}

/** Says what became of an action, with a link to the task that came of it, and looks at once. */
function done(words, taskId) {
  const line = paragraph(words + (taskId ? ": " : "."));
  if (taskId) line.append(link(service.pageOf("result", taskId), taskId));
  element("done").replaceChildren(...line.childNodes);
  element("done").hidden = false;
  announce("done", words);
  look();
}

function paragraph(words) {
  const made = document.createElement("p");
  made.textContent = words;
  return made;
}

async function follow() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((resolve) => setTimeout(resolve, LOOK_SECONDS * 1000));
  }
}

act.listen();
element("start-worker").append(...act.commandLine(MORE_WORKERS));
follow();
