// Copying a piece of a page, with or without a clipboard.

const SAID_MS = 2000;

/** Copies the text of an element, and says so on the button that was pressed. */
export async function copyFrom(source, button, { selected }) {
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Plain HTTP has no clipboard: what is selected can be copied by hand.
    getSelection().selectAllChildren(source);
    said = selected;
  }
  button.textContent = said;
  setTimeout(() => (button.textContent = "Copy"), SAID_MS);
}
