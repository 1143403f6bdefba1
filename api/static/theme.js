// Runs before the page is drawn, so that a chosen theme does not flash in the other one first.
(() => {
  const KEY = "petiole-theme";
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  const read = () => {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto"; // A browser that keeps nothing still shows the page.
    }
  };
  apply(read());
  document.documentElement.classList.add("scripted");
  addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    select.value = read();
    select.closest("label").hidden = false;
    select.addEventListener("change", () => {
      apply(select.value);
      try {
        localStorage.setItem(KEY, select.value);
      } catch {
        // The choice then holds for this page alone.
      }
    });
  });
})();
