/** Keys that an input method uses (Japanese, Chinese, accents) are no keys of the page. */

/**
 * Whether a key is part of a composition. Safari first ends one and then tells of the key that did
 * so, which has the code 229 and is said to be part of none.
 */
export const isComposing = (/** @type {KeyboardEvent} */ event) => event.isComposing || event.keyCode === 229;

// Such an Enter sends no form, and such an Esc closes no dialog.
window.addEventListener("keydown", (event) => isComposing(event) && ["Enter", "Escape"].includes(event.key) && event.preventDefault(), true);
