// What each list of the page shows, and what can be done about its items.

import { button } from "./act.js";
import { List, NONE, link, made } from "./list.js";
import * as service from "./service.js";
import { ago, counted, duty, percent, place, span, whole } from "./words.js";

const name = (job) => job.filename || job.pictures || job.task_id;

/** Makes the lists; `done` is told what became of an action. */
export function lists(done) {
  const byId = (item) => item.task_id;
  return {
    lanes: new List("lanes", {
      key: (lane) => `${lane.queue} ${lane.priority}`,
      isCounted: false,
      cells: [
        (lane) => lane.queue,
        (lane) => lane.priority,
        (lane) => whole(lane.waiting),
        (lane) => (lane.oldest_seconds === undefined ? NONE : span(lane.oldest_seconds)),
      ],
    }),
    quarantine: new List("quarantine", {
      key: byId,
      cells: [picture, cause, starts, since, (job) => quarantineActs(job, done)],
    }),
    failed: new List("failed", { key: byId, cells: [picture, cause, model, since, (job) => (job.can_retry ? acts(retryButton(job, done, AGAIN)) : NONE)] }),
    started: new List("started", { key: byId, cells: [picture, model, starts, since, (job) => place(job.owner) || NONE] }),
    waiting: new List("waiting", {
      key: byId,
      cells: [picture, model, (job) => times(job.postponed), (job) => times(job.resent), since],
    }),
    workers: new List("workers", {
      key: (note) => note.process,
      cells: [(note) => place(note.process), duty, stateOf, (note) => (note.models ?? []).join(", ") || NONE, inHand],
    }),
    refused: new List("refused", {
      key: (each) => `${each.version} ${each.reason}`,
      cells: [(each) => each.version, (each) => each.reason, (each) => whole(each.children), refusedActs],
    }),
    trials: new List("trials", {
      key: (trial) => `${trial.model} ${trial.rollout.number}`,
      cells: [onTrial, share, compared, agreement, slowdown, errors, (trial) => whole(trial.followers), trialActs],
    }),
    lastTrials: new List("last-trials", { key: (each) => each.model, cells: [(each) => each.model, (each) => each.outcome] }),
    trainings: new List("trainings", {
      key: byId,
      cells: [trained, (each) => each.pictures, progress, right, (each, at) => ago(at - each.submitted_at), report, trainingActs],
      changes: (training) => JSON.stringify(training),
    }),
  };
}

function picture(job) {
  const id = made("code", job.task_id);
  id.className = "id";
  return made("span", link(service.pageOf("result", job.task_id), name(job)), id);
}

const cause = (job) => job.cause || "not known any more";
const model = (job) => job.model;
const since = (job, at) => ago(at - job.since);
const starts = (job) => whole(job.attempts);
const times = (n) => (n ? counted(n, "time") : NONE);
const inHand = (note) => (note.holds?.length ? counted(note.holds.length, "picture") : NONE);

function stateOf(note) {
  return note.reason ? `${note.state}: ${note.reason}` : note.state;
}

function acts(...buttons) {
  const cell = made("div", ...buttons);
  cell.className = "acts";
  return cell;
}

const AGAIN = "It is fetched and classified once more, as a new job. The failed one stays failed.";
const GRAVE = "It is classified once more, as a new job. The failed one stays failed. It may take its worker with it again.";

function retryButton(job, done, words) {
  return button("Retry", name(job), () => ({
    title: `Retry ${name(job)}`,
    words,
    commands: [`petiole jobs retry ${job.task_id}`],
    verb: "Retry",
    work: async () => done(`${name(job)} is tried again`, (await service.retry(job.task_id)).task_id),
  }));
}

function quarantineActs(job, done) {
  const away = () => ({
    title: `Purge ${name(job)}`,
    words: "The picture is deleted for ever. Nobody can find out any more what was wrong with it.",
    commands: [`petiole jobs purge ${job.task_id}`],
    verb: "Purge",
    isGrave: true,
    work: async () => {
      await service.purge(job.task_id);
      done(`${name(job)} is deleted`);
    },
  });
  return acts(retryButton(job, done, GRAVE), button("Purge", name(job), away));
}

const modelOf = (version) => version.replace(/@\d+$/, "");

function refusedActs({ version, reason }) {
  return acts(
    button("Commands", `for ${version}`, () => ({
      title: version,
      words: `${reason}. The version before it goes on answering. Go back to it, or publish a sound one:`,
      commands: [`petiole models show ${modelOf(version)}`, `petiole models rollback ${modelOf(version)}`],
    })),
  );
}

const versionOf = (trial) => `${trial.model}@${trial.rollout.version}`;
const onTrial = (trial) => versionOf(trial);
const share = ({ rollout }) => `${rollout.kind} on ${rollout.percent} %`;
const errors = (trial) => whole(trial.errors) + (trial.unserved ? `, ${whole(trial.unserved)} not served` : "");
const slowdown = (trial) => (trial.slowdown === undefined ? NONE : `${trial.slowdown.toFixed(2)} × production's`);

function compared({ compared: n, rollout }) {
  return rollout.gate ? `${whole(n)} of ${whole(rollout.gate.comparisons)}` : whole(n);
}

function agreement({ agreement: seen, rollout }) {
  const asked = rollout.gate ? `; at least ${percent(rollout.gate.agreement)}` : "";
  return (seen === undefined ? NONE : percent(seen)) + asked;
}

function trialActs(trial) {
  return acts(
    button("Commands", `for ${versionOf(trial)}`, () => ({
      title: `${trial.rollout.kind} of ${versionOf(trial)}`,
      words: "Look closer, let it answer everybody, or end the trial:",
      commands: [`petiole models show ${trial.model}`, `petiole models promote ${versionOf(trial)}`, `petiole models end ${trial.model}`],
    })),
  );
}

function trained(training) {
  const id = made("code", training.task_id);
  id.className = "id";
  if (!training.model_version) return made("span", training.model, id);
  return made("span", link(service.pageOf("models", training.model), `${training.model}@${training.model_version}`), id);
}

const WORDS = { PENDING: "waits for a training worker", STARTED: "begins", RETRY: "begins again", SUCCESS: "done", REVOKED: "cancelled" };

function progress({ state, progress: told, cause: why, model_version: version }) {
  if (state === "FAILURE") return made("span", why?.startsWith("failed") ? why : `failed: ${why ?? "nobody knows any more why"}`);
  if (state === "SUCCESS" && !version) return made("span", "done; nothing was published");
  if (!told) return made("span", WORDS[state] ?? state);
  const left = told.seconds_left === undefined ? "" : `, about ${span(told.seconds_left)} left`;
  const words = told.total ? `${told.phase}: ${whole(told.done)} of ${whole(told.total)}${left}` : told.phase;
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", told.phase);
  if (told.total) Object.assign(bar, { max: told.total, value: told.done });
  return made("span", words, bar);
}

const right = ({ top1, test_pictures: n }) => (top1 === undefined ? NONE : `${percent(top1)} of ${whole(n)}`);

/** Returns the place on the worker's machine; a page may not link to files. */
const report = (training) => (training.report ? made("code", decodeURI(training.report.replace(/^file:\/\//, ""))) : NONE);

function trainingActs(training) {
  if (["SUCCESS", "FAILURE", "REVOKED"].includes(training.state)) return NONE;
  return acts(
    button("Commands", `for the training of ${training.model}`, () => ({
      title: `Training of ${training.model}`,
      words: "What it has computed so far is kept for the next one. This cancels it:",
      commands: [`curl -X DELETE ${service.address}result/${training.task_id}`],
    })),
  );
}
