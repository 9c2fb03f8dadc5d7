/**
 * Every key: which control it presses (`data-key`), how a keyboard says it (tinykeys), what it does.
 *
 * Signs are reached by Shift on one keyboard, by AltGr on another, so modifiers are free there.
 */

/** @typedef {{key: string, press: string, says: string, part: string}} Key */

const sign = (/** @type {string} */ key) => `[Shift]+[Alt]+[Control]+${key}`;

/** @type {Key[]} */
export const KEYS = [
  { part: "Decide", key: "Enter", press: "Enter", says: "Accept what is ticked, go on" },
  { part: "Decide", key: "e", press: "e", says: "Accept the confident ones" },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => ({ part: n === 1 ? "Decide" : "", key: `${n}`, press: `[Shift]+${n}`, says: "The likeliest names here, 1 to 9" })),
  { part: "Decide", key: "r", press: "r", says: "Give another name, or a new one" },
  { part: "Decide", key: "i", press: "i", says: "Ignore" },
  { part: "Decide", key: "n", press: "n", says: "The super-category is natural" },
  { part: "Decide", key: "h", press: "h", says: "The super-category is human-made" },
  { part: "Decide", key: "s", press: "s", says: "Split the cluster" },
  { part: "Decide", key: "m", press: "m", says: "Move what is ticked, or merge clusters" },
  { part: "Decide", key: "d", press: "d", says: "Doubtful, or clear again" },
  { part: "Decide", key: "c", press: "c", says: "Comment" },
  { part: "Decide", key: "z", press: "z", says: "Reopen: take the decision away" },
  { part: "Take back", key: "u", press: "u", says: "Undo, as often as you like" },
  { part: "Take back", key: "U", press: "Shift+u", says: "Redo" },
  { part: "Take back", key: "H", press: "Shift+h", says: "History: one alone, or back to then" },
  { part: "Choose", key: "x", press: "x", says: "Tick or untick the row" },
  { part: "Choose", key: "X", press: "Shift+x", says: "Untick all; again: tick the open ones" },
  { part: "Choose", key: "*", press: sign("*"), says: "Tick everything, settled ones too; on the map the open ones" },
  { part: "Move", key: "j", press: "j", says: "Down a row (a cluster in the list, a group of fills)" },
  { part: "Move", key: "k", press: "k", says: "Up" },
  { part: "Move", key: "]", press: sign("]"), says: "Next cluster, or super-category of fills" },
  { part: "Move", key: "[", press: sign("["), says: "Previous one" },
  { part: "Move", key: "g", press: "g", says: "Go to a cluster, name, class or landmark" },
  { part: "Move", key: "/", press: sign("/"), says: "Filter the classes" },
  { part: "Look", key: ".", press: sign("."), says: "Similar classes, of all clusters" },
  { part: "Look", key: "F", press: "Shift+f", says: "Fills: guesses for landmarks without a label" },
  { part: "Look", key: "M", press: "Shift+m", says: "Map of all classes" },
  { part: "Look", key: "P", press: "Shift+p", says: "Progress and the taxonomy as a picture" },
  { part: "Look", key: "O", press: "Shift+o", says: "A second opinion, blind" },
  { part: "Look", key: "L", press: "Shift+l", says: "Light or dark" },
  { part: "Look", key: ":", press: sign(":"), says: "All commands (Ctrl K too)" },
  { part: "Look", key: "?", press: sign("?"), says: "This list" },
  { part: "In fills", key: "w", press: "w", says: "Refuse what is ticked: it is not that" },
  { part: "In fills", key: "o", press: "o", says: "Surest first, or least sure first" },
  { part: "On the map", key: "+", press: sign("+"), says: "Nearer" },
  { part: "On the map", key: "-", press: sign("-"), says: "Farther" },
  { part: "On the map", key: "0", press: "[Shift]+0", says: "The whole map" },
];

/** Why a key can do nothing for the open cluster, where its control is missing or disabled. @type {Record<string, string>} */
export const WHY_NOT = {
  1: "No name has that key here; r gives any name.",
  e: "No open class here is that sure: 95% or more.",
  h: "What is ignored has no side.",
  n: "What is ignored has no side.",
  u: "There is nothing to undo.",
  U: "There is nothing to redo.",
};

/** Other presses for the same control. */
export const ALSO = [
  ["ArrowDown", "j"],
  ["ArrowUp", "k"],
];

/** How the key stands in a list. */
export const shown = (/** @type {string} */ key) => ({ 1: "1–9", j: "j ↓", k: "k ↑" })[key] ?? key;
