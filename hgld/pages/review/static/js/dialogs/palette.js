/** Everything that can be done, by its name. */
import { control, press } from "../keys/press.js";
import { KEYS, shown } from "../keys/table.js";
import { topLayer } from "./layers.js";
import { placeFinder } from "./goto.js";
import { finder, loadLabels } from "./labels.js";
import { fill, pick } from "./pick.js";

export function openPalette() {
  const layer = topLayer();
  const commands = KEYS.map(({ key, says }) => ({ key, says, found: control(key, layer) })).filter(({ key, found }) => found && key !== ":");
  const labelled = commands.map(({ key, says, found }) => ({
    text: /^[1-9]$/.test(key) ? `Name it ${found?.dataset.label}` : says,
    hint: shown(/^[1-9]$/.test(key) ? ` ${key}` : key).trim(),
    kind: "Commands",
    take: () => press(/** @type {HTMLElement} */ (found?.isConnected ? found : control(key))),
  }));
  const find = finder(labelled, ({ text }) => text);
  const places = placeFinder();
  loadLabels().then(fill);
  pick({ title: "Commands", find: (query) => [...(query ? find(query) : labelled), ...(query ? places(query) : [])] });
}
