"use strict";
// Reloads the page of a run that is under way, keeps what is open, and says when the run seems to
// have stopped. Every value is in the page: nothing is asked of anybody.
const [reloadS, quietMin] = [15, 10]; // it is written each minute
const control = document.getElementById("reload");
const box = control.querySelector("input");
const tables = [...document.querySelectorAll("details[id]")];
control.hidden = false;
box.checked = history.state?.reloads ?? true;
for (const one of tables) one.open = history.state?.open.includes(one.id) ?? false;
const keep = () => {
  const open = tables.filter((one) => one.open).map((one) => one.id);
  history.replaceState({ reloads: box.checked, open }, "");
};
box.addEventListener("change", keep);
for (const one of tables) one.addEventListener("toggle", keep);
const since = (Date.now() - Date.parse(document.querySelector("time").dateTime)) / 60000;
if (since > quietMin) {
  const doubt = document.getElementById("doubt");
  doubt.textContent = `Nothing was written for ${Math.floor(since)} minutes: the run may have been stopped.`;
  doubt.hidden = false;
}
setInterval(() => {
  if (box.checked && !document.hidden) location.reload();
}, 1000 * reloadS);
