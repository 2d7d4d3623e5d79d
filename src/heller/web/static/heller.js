// What pages can do beyond links and forms. Everything here can be missing: pages stay readable and forms work.
(() => {
  const lang = document.documentElement.lang;

  const copy = async (button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.getAttribute("aria-label");
    button.classList.add("copied");
    button.setAttribute("aria-label", document.body.dataset.copied);
    setTimeout(() => {
      button.classList.remove("copied");
      button.setAttribute("aria-label", label);
    }, 1500);
  };

  const units = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "always" });
  const refreshTimes = () => {
    for (const time of document.querySelectorAll("time[data-shown=relative]")) {
      const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
      const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length * 1.5) ?? units.at(-1);
      time.textContent = relative.format(Math.round(seconds / size), unit);
    }
  };

  // Days and instants come in UTC; here they are written in the reader's own zone.
  const local = {
    when: new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" }),
    day: new Intl.DateTimeFormat(lang, { dateStyle: "medium" }),
  };
  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[data-shown=when], time[data-shown=day]")) {
      time.textContent = local[time.dataset.shown].format(new Date(time.dateTime));
    }
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const charts = new Map();
  const draw = (figure) => {
    const source = figure.querySelector("script[type='application/json']");
    if (!source || typeof Chart === "undefined") return;
    const { type, labels, series, stacked, unit } = JSON.parse(source.textContent);
    const palette = [1, 2, 3, 4, 5, 6].map((i) => colour(`--chart-${i}`));
    const text = colour("--chart-text");
    const grid = colour("--chart-grid");
    const number = new Intl.NumberFormat(lang);
    charts.get(figure)?.destroy();
    charts.set(figure, new Chart(figure.querySelector("canvas"), {
      type,
      data: {
        labels,
        datasets: series.map(({ name, values }, i) => ({
          label: name, data: values, backgroundColor: palette[i % palette.length], borderColor: palette[i % palette.length],
          borderWidth: type === "line" ? 2 : 0, pointRadius: 0, borderRadius: 2, maxBarThickness: 28,
        })),
      },
      options: {
        animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        scales: {
          x: { stacked, grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 }, border: { color: grid } },
          y: { stacked, beginAtZero: true, grid: { color: grid }, border: { display: false },
               ticks: { color: text, precision: 0, maxTicksLimit: 6, callback: (value) => number.format(value) } },
        },
        plugins: {
          legend: { display: series.length > 1, position: "bottom", labels: { color: text, boxWidth: 10, boxHeight: 10 } },
          tooltip: { filter: (item) => item.parsed.y !== 0,
                     callbacks: { label: (item) => `${item.dataset.label}: ${number.format(item.parsed.y)} ${unit ?? ""}` } },
        },
      },
    }));
  };
  const drawAll = (root) => root.querySelectorAll("[data-chart]").forEach(draw);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    const theme = event.target.closest("[data-theme]");
    if (theme) {
      event.preventDefault();
      const secure = location.protocol === "https:" ? "; secure" : "";
      document.cookie = `theme=${theme.dataset.theme}; path=/; max-age=31536000; samesite=lax${secure}`;
      document.documentElement.dataset.themeChoice = theme.dataset.theme;
      document.documentElement.dataset.bsTheme = theme.dataset.theme === "system"
        ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : theme.dataset.theme;
      document.querySelectorAll("[data-theme]").forEach((link) => link.toggleAttribute("aria-current", false));
      document.querySelectorAll(`[data-theme="${theme.dataset.theme}"]`).forEach((link) => link.setAttribute("aria-current", "true"));
      drawAll(document);
    }
  });

  // <form data-confirm="text">: ask first. <form data-confirm-word="word">: the button works once the word was typed.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-confirm-word]");
    if (form) form.querySelector("[type=submit]").disabled = event.target.value.trim() !== form.dataset.confirmWord;
  });

  document.addEventListener("htmx:afterSettle", (event) => { refreshTimes(); localTimes(document); drawAll(event.target); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
  setInterval(refreshTimes, 30000);
  localTimes(document);
  drawAll(document);
})();
