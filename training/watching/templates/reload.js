"use strict";
// Reloads the page of a run that is under way, keeps what is open and where one was, and says when
// the run seems to have stopped. Every value is in the page: nothing is asked of anybody.
(() => {
  const [reloadS, quietMin] = [15, 10]; // it is written each minute
  const control = document.getElementById("reload");
  const box = control.querySelector("input");
  const tables = [...document.querySelectorAll("details[id]")];
  const key = `hgld run ${location.pathname}`;
  let kept = {};
  try {
    kept = JSON.parse(sessionStorage.getItem(key)) || {};
  } catch { /* No storage for files: the page starts at its top. */ }
  control.hidden = false;
  box.checked = kept.reloads !== false;
  for (const one of tables) one.open = kept.open?.includes(one.id) ?? false;
  if (kept.top) scrollTo(0, kept.top);
  addEventListener("pagehide", () => {
    const open = tables.filter((one) => one.open).map((one) => one.id);
    try {
      sessionStorage.setItem(key, JSON.stringify({ reloads: box.checked, top: scrollY, open }));
    } catch { /* As above. */ }
  });
  const since = (Date.now() - Date.parse(document.querySelector("time").dateTime)) / 60000;
  if (since > quietMin) {
    const doubt = document.getElementById("doubt");
    doubt.textContent = `Nothing was written for ${Math.floor(since)} minutes: the run may have been stopped.`;
    doubt.hidden = false;
  }
  setInterval(() => {
    if (box.checked && !document.hidden) location.reload();
  }, 1000 * reloadS);
})();
