// Pictures that are too large for the service are made smaller here, and thumbnails are drawn.

import { megabytes } from "./words.js";

const SIDE = 2048; // Many times what a model looks at.
const THUMBNAIL = 128;

/** Returns the file as it can be sent, and a note where it was changed. */
export async function fitting(file, maxBytes) {
  if (file.size <= maxBytes) return { file, note: "" };
  let small;
  try {
    small = await drawn(file, SIDE, 0.9);
  } catch {
    return { file, note: "" }; // The service says what is wrong with it.
  }
  const note = `Made smaller here: ${megabytes(file.size)} → ${megabytes(small.size)}`;
  return { file: new File([small], file.name.replace(/\.\w+$/, ".jpg"), { type: "image/jpeg" }), note };
}

/** Returns a small picture for the history, or null for what this browser cannot show. */
export async function thumbnail(file) {
  try {
    return await drawn(file, THUMBNAIL, 0.7);
  } catch {
    return null;
  }
}

/** Draws a picture with its longer side at most `side`, upright as its EXIF data says. */
async function drawn(file, side, quality) {
  const whole = await createImageBitmap(file);
  const scale = Math.min(1, side / Math.max(whole.width, whole.height));
  const [width, height] = [whole.width, whole.height].map((n) => Math.max(1, Math.round(n * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(whole, 0, 0, width, height);
  whole.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality });
}
