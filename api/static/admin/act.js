// One dialog for everything that is done or could be: it says what happens, and the command that does the same.

import { copyFrom } from "../copying.js";
import { made } from "./list.js";

const element = (name) => document.getElementById(name);
let work = null;

/** Makes the dialog's buttons work. */
export function listen() {
  for (const button of element("act").querySelectorAll("[data-close]")) button.addEventListener("click", () => element("act").close());
  element("act-do").addEventListener("click", () => carryOut());
}

/**
 * Opens the dialog.
 *
 * @param {{title: string, words: string, commands: string[], verb?: string, isGrave?: boolean,
 *   work?: () => Promise<void>}} act Without `work` there are commands only.
 */
export function open(act) {
  work = act.work ?? null;
  element("act-title").textContent = act.title;
  element("act-words").textContent = act.words;
  element("act-or").hidden = !work;
  element("act-commands").replaceChildren(...act.commands.map((command) => made("li", ...commandLine(command))));
  element("act-problem").hidden = true;
  Object.assign(element("act-do"), { textContent: act.verb ?? "", hidden: !work, disabled: false });
  element("act-do").classList.toggle("grave", Boolean(act.isGrave));
  element("act-keep").hidden = !work;
  element("act").showModal();
  // What cannot be undone is not what Enter does at once.
  element(!work ? "act-close" : act.isGrave ? "act-keep" : "act-do").focus();
}

async function carryOut() {
  element("act-do").disabled = true;
  try {
    await work();
    element("act").close();
  } catch (error) {
    element("act-problem").textContent = `That did not work: ${error.message}.`;
    element("act-problem").hidden = false;
  }
  element("act-do").disabled = false;
}

/** Returns a button that opens the dialog; `about` is said after its text to those who do not see the row. */
export function button(text, about, act) {
  const unseen = made("span", ` ${about}`);
  unseen.className = "unseen";
  const opener = made("button", text, unseen);
  Object.assign(opener, { type: "button", className: "plain small" });
  opener.addEventListener("click", () => open(act()));
  return opener;
}

/** Returns a command, and a button that copies it. */
export function commandLine(command) {
  const code = made("code", command);
  const copy = made("button", "Copy");
  Object.assign(copy, { type: "button", className: "plain small" });
  copy.addEventListener("click", () => copyFrom(code, copy, { selected: "Selected: Ctrl+C" }));
  return [code, copy];
}
