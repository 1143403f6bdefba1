// What is wrong with the service as a whole, and when it is tried again.

const READINESS_SECONDS = 10;
const element = (name) => document.getElementById(name);

export class Banner {
  #trouble = null; // What a request met, until one succeeds.
  #unready = null; // What `/readyz` says.

  constructor(client, { isBusy, retryNow, advice }) {
    Object.assign(this, { client, isBusy, advice });
    element("banner").querySelector("button").addEventListener("click", retryNow);
    setInterval(() => this.#draw(), 1000);
    setInterval(() => (this.isBusy() || this.#unready) && !document.hidden && this.look(), READINESS_SECONDS * 1000);
  }

  tell(trouble) {
    this.#trouble = trouble;
    this.#draw();
  }

  /** Asks whether pictures can be classified at all. */
  async look() {
    try {
      await this.client.readiness();
      this.#unready = null;
    } catch (error) {
      this.#unready = error;
    }
    this.#draw();
  }

  #draw() {
    const words = this.#words();
    const banner = element("banner");
    const line = banner.querySelector("p");
    if (line.textContent !== words) line.textContent = words;
    banner.hidden = !words;
    banner.querySelector("button").hidden = !this.#trouble;
  }

  #words() {
    if (!this.#trouble) return this.#unready ? this.#said(this.#unready) : "";
    const { error, until } = this.#trouble;
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    return `${this.#said(error)} ${seconds ? `Next try in ${seconds} s.` : "Trying again …"}`;
  }

  #said(error) {
    if (!navigator.onLine) return "This computer is offline. Nothing is lost: pictures are sent when it is back.";
    if (error.name === "UnreachableError") return "The service does not answer. Nothing is lost: pictures are sent when it is back.";
    const { title, detail } = error.problem;
    return [`${title}: ${detail}.`, this.advice(error.problem)].filter(Boolean).join(" ");
  }
}
