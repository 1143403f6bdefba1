// Which training pictures a picture looks like, as an answer names them; nearest first.

/** Draws them into a part of a card; nothing where there are none. */
export function drawNeighbours(part, neighbours) {
  const key = JSON.stringify(neighbours);
  if (part.dataset.key === key) return;
  part.dataset.key = key;
  part.hidden = !neighbours.length;
  part.querySelector("ul").replaceChildren(...neighbours.map(line));
}

function line({ label, distance, name, thumbnail_url: address }) {
  const made = document.createElement("li");
  if (address) {
    const image = document.createElement("img");
    // One that is gone leaves its label.
    Object.assign(image, { src: address, alt: "", loading: "lazy", onerror: () => image.remove() });
    made.append(image);
  }
  const words = document.createElement("span");
  words.textContent = label;
  const far = document.createElement("small");
  far.textContent = distance.toFixed(2);
  far.title = "Distance: 0 is the same picture, 1 has nothing in common";
  if (name) made.title = name;
  made.append(words, far);
  return made;
}
