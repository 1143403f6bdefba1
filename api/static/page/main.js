// The page: takes pictures in, sends them, shows what comes back, remembers it here.

import { Client, ProblemError } from "../client.js";
import { Banner } from "./banner.js";
import { Cards } from "./cards.js";
import { Choices } from "./choices.js";
import * as code from "./code.js";
import { Gallery } from "./gallery.js";
import { History } from "./history.js";
import * as intake from "./intake.js";
import { Item, Items, Run } from "./items.js";
import * as keys from "./keys.js";
import { Past } from "./past.js";
import { saveCsv, saveJson } from "./save.js";
import { Sender } from "./sender.js";
import { fitting } from "./shrink.js";
import { Why } from "./why.js";
import { state } from "./words.js";

const AT_ONCE = 100;
const element = (name) => document.getElementById(name);
const { maxBytes, maxWait } = document.body.dataset;
const client = new Client(new URL("../../", import.meta.url));
const items = new Items();
const sender = new Sender(client, items, Number(maxWait));
const advised = new Map();
const advice = (problem) => advised.get(problem.type) ?? "";
const past = new Past(new History(), open);
const why = new Why(client, items);
const cards = new Cards({ end, retry, forget, why: (item) => why.ask(item) }, advice);
const gallery = new Gallery(items, cards);
const banner = new Banner(client, { isBusy: () => items.all.some((item) => item.isOpen), retryNow: () => sender.retryNow(), advice });
let lastAddress = null;
const choices = new Choices(() => drawCode());
const drawCode = code.show(() => ({ base: client.base.href, options: choices.options, address: lastAddress }));

async function take(files) {
  const isFirst = !items.size;
  const chosen = files.length > 1 ? files.filter(intake.isPicture) : files;
  for (const [n, each] of chosen.entries()) {
    // The size of a file is asked of the disk: with thousands the page would stand still meanwhile.
    if (n % AT_ONCE === AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve));
    const { file, note } = await fitting(each, Number(maxBytes));
    lastAddress = null;
    add(new Item({ name: each.webkitRelativePath || each.name, file, note }));
  }
  drawCode();
  if (isFirst) requestAnimationFrame(() => setTimeout(() => element("results").scrollIntoView({ block: "nearest" }), 60));
  if (chosen.length < files.length) news(`${files.length - chosen.length} files are no pictures and were left out.`);
}

function takeAddress(address) {
  lastAddress = address;
  add(new Item({ name: address.split(/[?#]/)[0].split("/").pop() || address, address }));
  drawCode();
}

function add(item) {
  item.runs = choices.models.map((model) => new Run(item, model, choices.wanted));
  items.add(item);
  item.runs.forEach((run) => sender.send(run));
}

/** Shows the result of a task that was asked for elsewhere or earlier. */
function open(taskId, { name = "", thumbnail = null } = {}) {
  const there = items.all.find((item) => item.runs.some((run) => run.taskId === taskId));
  if (there) return;
  const item = new Item({ name });
  item.thumbnail = thumbnail;
  const run = new Run(item, "", choices.wanted);
  Object.assign(run, { taskId, state: "PENDING", answer: { task_id: taskId } });
  item.runs = [run];
  items.add(item);
  sender.follow(run);
}

async function end(item) {
  for (const run of item.runs.filter((each) => each.isOpen)) await attempt(item, () => sender.end(run));
}

function retry(item) {
  for (const run of item.runs.filter((each) => each.state !== "SUCCESS")) {
    run.reset();
    sender.send(run);
  }
  items.changed(item);
}

async function forget(item) {
  for (const { taskId } of item.runs.filter((run) => run.taskId)) {
    if (!(await attempt(item, () => client.end(taskId)))) return;
    await past.forget(taskId);
  }
  items.remove(item);
  news(`${item.name} is forgotten.`);
}

/** Does what was asked for; one that is gone already is as good as done. */
async function attempt(item, act) {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof ProblemError && [404, 410].includes(error.status)) return true;
    item.note = `That did not work: ${error.message}`;
    items.changed(item);
    return false;
  }
}

function news(words) {
  element("news").textContent = words;
}

/** Says each change of state once to those who cannot see it, and remembers each end. */
function follow(changed) {
  const lines = [];
  for (const item of changed) {
    for (const run of item.runs) {
      if (run.said === run.state) continue;
      run.said = run.state;
      if (run.state === "SUCCESS" && run.best) lines.push(`${item.name}: ${run.best.label}`);
      else if (!["uploading", "SUCCESS"].includes(run.state)) lines.push(`${item.name}: ${state(run)}`);
      if (run.taskId) past.keep(item, run);
    }
  }
  if (lines.length) news(lines.slice(-3).join(". "));
}

async function begin() {
  intake.listen({ take, takeAddress });
  keys.listen({ copy: code.copy });
  items.addEventListener("change", (event) => follow(event.detail));
  sender.addEventListener("trouble", (event) => banner.tell(event.detail));
  element("csv").addEventListener("click", () => saveCsv(gallery.shown));
  element("json").addEventListener("click", () => saveJson(gallery.shown));
  element("clear").addEventListener("click", () => items.all.filter((item) => !item.isOpen).forEach((item) => items.remove(item)));
  addEventListener("online", () => sender.retryNow());
  const query = new URLSearchParams(location.search);
  query.getAll("task").forEach((taskId) => open(taskId));
  await Promise.all([banner.look(), offer(query.get("model")), learnAdvice()]);
  await past.begin();
}

async function offer(asked) {
  try {
    choices.offer(await client.models(), asked);
    drawCode();
  } catch (error) {
    banner.tell({ error, until: Date.now() + 5000 });
    setTimeout(() => offer(asked).then(() => banner.tell(null)), 5000);
  }
}

async function learnAdvice() {
  try {
    for (const problem of await client.problems()) advised.set(problem.type, problem.advice);
  } catch {
    setTimeout(learnAdvice, 5000);
  }
}

begin();
