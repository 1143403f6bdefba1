// The last minutes, as this page has seen them since it was opened: nobody else remembers them.

export const KEPT_SECONDS = 300;
const AVERAGED_SECONDS = 10;

export class History {
  #samples = []; // {at, waiting, accepted, ended}; `null` members while the service was away.

  /** Takes note of what a look has shown. */
  add(service) {
    const { at, load } = service;
    const waiting = load.lanes.reduce((sum, lane) => sum + lane.waiting, 0);
    const ended = Object.values(load.ended).reduce((sum, n) => sum + n, 0);
    this.#keep({ at, waiting, accepted: load.accepted, ended });
  }

  /** Takes note that the service did not answer. */
  addGap(seconds) {
    const last = this.#samples.at(-1);
    if (last) this.#keep({ at: last.at + seconds, waiting: null });
  }

  #keep(sample) {
    // Its clock was set back: what came before cannot be compared.
    if (this.#samples.length && sample.at <= this.#samples.at(-1).at) this.#samples = [];
    this.#samples.push(sample);
    this.#samples = this.#samples.filter((each) => each.at > sample.at - KEPT_SECONDS);
  }

  /** How many seconds are remembered. */
  get seconds() {
    return this.#samples.length ? this.#samples.at(-1).at - this.#samples[0].at : 0;
  }

  /** Points `{at, value}` of how many waited; `value` is null in a gap. */
  get waiting() {
    return this.#samples.map(({ at, waiting }) => ({ at, value: waiting }));
  }

  /** Points of how many came in (`accepted`) or went out (`ended`) a second. */
  flow(name) {
    return this.#samples.slice(1).map((sample, i) => ({ at: sample.at, value: between(this.#samples[i], sample, name) }));
  }

  /** Returns the mean of the last seconds, or null while nothing can be said. */
  rate(name) {
    const last = this.#samples.at(-1);
    const whole = this.#samples.slice(this.#samples.findLastIndex((each) => each.waiting === null) + 1);
    const first = whole.find((each) => each.at >= last?.at - AVERAGED_SECONDS);
    return first && first !== last ? between(first, last, name) : null;
  }
}

function between(first, last, name) {
  if (first.waiting === null || last.waiting === null) return null;
  // A job that is taken back at once was never there: the sum may fall by it.
  return Math.max(0, last[name] - first[name]) / (last.at - first.at);
}
