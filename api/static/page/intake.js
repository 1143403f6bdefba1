// The ways in: dropped, pasted, chosen, a folder, the camera, an address, a sample.

const PICTURE = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic|heif)$/i;

/** Calls `take(files)` and `takeAddress(url)` with what a person gives. */
export function listen({ take, takeAddress }) {
  const drop = document.getElementById("drop");
  const files = document.getElementById("files");
  files.multiple = true;
  files.required = false;
  drop.addEventListener("submit", (event) => event.preventDefault());
  for (const input of [files, "folder-files", "camera-file"].map(element)) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = ""; // Else the same file could not be chosen twice.
    });
  }
  element("folder").addEventListener("click", () => element("folder-files").click());
  listenForDrops(drop, take, takeAddress);
  listenForPaste(take, takeAddress);
  listenForAddress(takeAddress);
  listenForSamples(take);
  listenForCamera(take);
}

const element = (name) => (typeof name === "string" ? document.getElementById(name) : name);

function listenForDrops(drop, take, takeAddress) {
  let depth = 0; // `dragleave` comes for every element below, too.
  const mark = () => drop.classList.toggle("over", depth > 0);
  addEventListener("dragenter", () => (depth++, mark()));
  addEventListener("dragleave", () => (depth--, mark()));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
    else takeText(event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text"), takeAddress);
  });
}

/** Returns the files of a drop; those of a folder are its pictures, at any depth. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = await Promise.all(entries.map(filesOf));
  return found.flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  // A reader gives a hundred entries at a time, and none at the end.
  for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
    found.push(...(await Promise.all(some.map(filesOf))).flat().filter((file) => isPicture(file)));
  }
  return found;
}

/** Tells whether a file of a folder is worth sending; one that was chosen by itself always is. */
export const isPicture = (file) => file.type.startsWith("image/") || PICTURE.test(file.name);

function listenForPaste(take, takeAddress) {
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const files = [...event.clipboardData.files];
    if (files.length) take(files);
    else takeText(event.clipboardData.getData("text"), takeAddress);
  });
}

function takeText(text, takeAddress) {
  const address = text.trim().split(/\s+/)[0];
  if (/^https?:\/\//i.test(address)) takeAddress(address);
}

function listenForAddress(takeAddress) {
  element("address").addEventListener("submit", (event) => {
    event.preventDefault();
    takeAddress(element("url").value);
    element("url").value = "";
  });
}

function listenForSamples(take) {
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", async () => {
      const response = await fetch(button.dataset.sample);
      const name = button.dataset.sample.split("/").pop();
      take([new File([await response.blob()], name, { type: "image/jpeg" })]);
    });
  }
}

function listenForCamera(take) {
  const dialog = element("camera-dialog");
  const video = dialog.querySelector("video");
  const status = dialog.querySelector("[role=status]");
  const shoot = element("shoot");
  element("camera").addEventListener("click", async () => {
    // On plain HTTP only the phone's own camera program can be asked.
    if (!navigator.mediaDevices) return element("camera-file").click();
    dialog.showModal();
    shoot.disabled = true;
    status.textContent = "Waiting for the camera …";
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      await video.play();
      status.textContent = "";
      shoot.disabled = false;
    } catch (error) {
      status.textContent = `The camera cannot be used: ${error.message}`;
    }
  });
  shoot.addEventListener("click", () => {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 }).then((blob) => {
      take([new File([blob], "camera.jpg", { type: "image/jpeg" })]);
      dialog.close();
    });
  });
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
}
