// Why a picture was given its label: asked on request, shown on its card, deleted on the service at once.

import { ProblemError } from "../client.js";
import { percent } from "./words.js";

const CANNOT = "this service makes no explanations";

export class Why {
  constructor(client, items) {
    Object.assign(this, { client, items });
  }

  /** Sends the picture of a card once more, to the version that labelled it, for its map. */
  async ask(item) {
    const { model, model_version: version } = item.runs[0].answer;
    this.#set(item, { words: "Making the map…", isOpen: true });
    try {
      const options = { model: `${model}@${version}`, top_k: 1 };
      const { explanation, image } = await this.client.explain(item.file ?? item.address, options, { name: item.name });
      this.#set(item, { words: said(explanation), explanation, image: URL.createObjectURL(image) });
    } catch (error) {
      const isOff = error instanceof ProblemError && error.slug === "invalid-option";
      this.#set(item, { words: `No map: ${isOff ? CANNOT : error.message}`, hasFailed: true });
    }
  }

  #set(item, why) {
    item.why = why;
    this.items.changed(item);
  }
}

/** Returns what the map shows, and whether it is to be believed. */
function said({ label, probability, method, explains, deletion, random_deletion: random }) {
  const what = `Yellow speaks for ${label} (${percent(probability)}), by ${method}.`;
  const figures = `Taking it away first: ${deletion.toFixed(2)}; places at random: ${random.toFixed(2)}`;
  return explains ? `${what} ${figures}.` : `${what} It explains little. ${figures}.`;
}

/** Draws the map of a picture on its card. */
export function drawWhy(figure, item) {
  const { why } = item;
  figure.hidden = !why;
  if (!why) return;
  const image = figure.querySelector("img");
  image.hidden = !why.image;
  if (why.image && image.src !== why.image) {
    image.src = why.image;
    image.alt = `Where the picture speaks for ${why.explanation.label}`;
  }
  figure.querySelector("figcaption").textContent = why.words;
}
