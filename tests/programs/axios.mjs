// Sends a picture in the ways of axios: axios.mjs URL PICTURE
import { createReadStream, readFileSync } from "node:fs";
import axios from "axios";
import NodeForm from "form-data";
import { send } from "./send.mjs";

const [url, picture] = process.argv.slice(2);
const bytes = readFileSync(picture);
const image = bytes.toString("base64");
const form = new FormData();
form.append("image", new Blob([bytes], { type: "image/jpeg" }), "a.jpg");
const nodeForm = new NodeForm();
nodeForm.append("image", createReadStream(picture));
const multipart = { headers: { "Content-Type": "multipart/form-data" } };
const post = (body, options = {}) => async () => {
  const answer = await axios.post(url, body, { validateStatus: null, ...options });
  return [answer.status, JSON.stringify(answer.data)];
};

await send({
  FormData: post(form),
  "form-data": post(nodeForm, { headers: nodeForm.getHeaders() }),
  "an object as a form": post({ image: createReadStream(picture) }, multipart),
  bytes: post(bytes),
  "bytes with a type": post(bytes, { headers: { "Content-Type": "image/jpeg" } }),
  "stream, chunked": post(createReadStream(picture)),
  json: post({ image }),
  "url-encoded": post(new URLSearchParams({ image })),
});
