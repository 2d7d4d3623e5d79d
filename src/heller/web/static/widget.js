// <script src="(where heller is)/widget.js" data-token="..." async></script>
// shows the available credits where it stands. Optional: data-lang, data-target (a selector), data-seconds (refresh).
// dispatchEvent(new Event("heller:refresh")) asks again at once, for example after a spend.
(() => {
  const script = document.currentScript;
  const { token, lang, target, seconds } = script.dataset;
  const url = new URL("widget/balance", script.src);
  if (lang || navigator.language) url.searchParams.set("lang", (lang || navigator.language).slice(0, 2));

  const style = new CSSStyleSheet();
  style.replaceSync(`
    :host { display: inline-block; font: 500 .875rem/1.4 system-ui, sans-serif; color-scheme: light dark; }
    .box { display: inline-flex; gap: .6em; align-items: baseline; padding: .35em .8em; border-radius: 999px;
           border: 1px solid light-dark(#cfd6df, #3a4a60); background: light-dark(#fff, #1a2534); color: light-dark(#182433, #e6ebf2); }
    strong { font-variant-numeric: tabular-nums; } a { color: light-dark(#1d5fb8, #7db1f5); } .stale { opacity: .65; }`);

  const host = document.createElement("heller-balance");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [style];
  const box = root.appendChild(document.createElement("span"));
  box.className = "box";
  box.setAttribute("part", "box");
  box.setAttribute("role", "status");
  const number = box.appendChild(document.createElement("strong"));
  const label = box.appendChild(document.createElement("span"));
  const link = document.createElement("a");
  link.setAttribute("part", "link");
  number.textContent = "–";

  const refresh = async () => {
    try {
      const response = await fetch(url, { method: "POST", body: token ?? "", credentials: "omit" });
      if (!response.ok) throw new Error(`heller: ${(await response.json()).detail}`);
      const balance = await response.json();
      number.textContent = balance.text;
      label.textContent = balance.label;
      if (balance.buy) {
        link.href = balance.buy;
        link.textContent = balance.buy_label;
        box.append(link);
      }
      box.classList.remove("stale");
      host.dispatchEvent(new CustomEvent("heller:balance", { bubbles: true, detail: { available: balance.available } }));
    } catch (error) {
      box.classList.add("stale"); // the last figure stays, faded
      console.warn(error.message);
    }
  };

  const place = () => {
    const found = target && document.querySelector(target);
    if (found) found.append(host);
    else script.after(host);
    refresh();
    setInterval(() => document.visibilityState === "visible" && refresh(), Math.max(10, Number(seconds) || 60) * 1000);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
    addEventListener("heller:refresh", refresh);
  };
  if (document.readyState === "loading" && target) document.addEventListener("DOMContentLoaded", place);
  else place();
})();
