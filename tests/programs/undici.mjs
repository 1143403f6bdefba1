// Sends a picture in the ways of undici: undici.mjs URL PICTURE
import { createReadStream, readFileSync } from "node:fs";
import { FormData, request } from "undici";
import { send } from "./send.mjs";

const [url, picture] = process.argv.slice(2);
const bytes = readFileSync(picture);
const form = new FormData();
form.append("image", new Blob([bytes], { type: "image/jpeg" }), "a.jpg");
const post = (body, headers = {}) => async () => {
  const answer = await request(url, { method: "POST", body, headers });
  return [answer.statusCode, await answer.body.text()];
};

await send({
  form: post(form),
  bytes: post(bytes),
  "stream, chunked": post(createReadStream(picture), { "content-type": "image/jpeg" }),
  json: post(JSON.stringify({ image: bytes.toString("base64") }), {
    "content-type": "application/json",
  }),
});
