// Sends a picture in the ways of fetch, as browsers and Node have it: fetch.mjs URL PICTURE
import { readFileSync } from "node:fs";
import { send } from "./send.mjs";

const [url, picture] = process.argv.slice(2);
const bytes = readFileSync(picture);
const form = new FormData();
form.append("image", new Blob([bytes]), "a.jpg");
const stream = () => new Blob([bytes], { type: "image/jpg" }).stream();
const post = (options) => async () => {
  const answer = await fetch(url, { method: "POST", ...options });
  return [answer.status, await answer.text()];
};

await send({
  form: post({ body: form }),
  bytes: post({ body: bytes }),
  blob: post({ body: new Blob([bytes], { type: "image/jpeg" }) }),
  stream: post({ body: stream(), duplex: "half" }),
  "url-encoded": post({ body: new URLSearchParams({ image: bytes.toString("base64") }) }),
});
