// Runs before the first paint: says that scripts work, and follows the system where nobody chose a theme.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    const choice = root.dataset.themeChoice;
    root.dataset.bsTheme = choice === "system" ? (system.matches ? "dark" : "light") : choice;
  };
  root.classList.add("js");
  follow();
  system.addEventListener("change", follow);
})();
