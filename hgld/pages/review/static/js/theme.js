// Runs before the first paint: light or dark, and whether the hint was put away.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    root.dataset.theme = localStorage.getItem("review-theme") ?? (dark.matches ? "dark" : "light");
  };
  set();
  dark.addEventListener("change", set);
  root.classList.toggle("hint-off", localStorage.getItem("review-hint") === "off");
})();
