// Parts that follow what happens: <div data-live="/console/live"> holds [data-part=name] elements, each filled anew by the
// server-sent event of its name. A tab that nobody looks at follows nothing: browsers allow six connections to one server.
(() => {
  const RETRY_MS = 15000;

  const fill = (part, html) => {
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.innerHTML = html;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    part.dispatchEvent(new CustomEvent("htmx:afterSettle", { bubbles: true }));
  };

  const follow = (root) => {
    let source = null;
    let retry = 0;
    const open = () => {
      clearTimeout(retry);
      if (source || document.hidden) return;
      source = new EventSource(root.dataset.live);
      for (const part of root.querySelectorAll("[data-part]")) {
        source.addEventListener(part.dataset.part, (event) => fill(part, event.data));
      }
      source.onerror = () => {
        if (source?.readyState !== EventSource.CLOSED) return;
        close();
        retry = setTimeout(open, RETRY_MS);
      };
    };
    const close = () => {
      source?.close();
      source = null;
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  };

  document.querySelectorAll("[data-live]").forEach(follow);
})();
