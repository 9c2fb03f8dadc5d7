/** A picture that is missing or damaged is hidden; its caption and its link stay. */

function hide(/** @type {EventTarget | null} */ picture) {
  if (picture instanceof HTMLImageElement && picture.closest(".thumbs")) picture.hidden = true;
}

export function hideDamagedPictures() {
  // `error` does not bubble.
  document.addEventListener("error", ({ target }) => hide(target), true);
  for (const picture of document.images) if (picture.complete && picture.currentSrc && !picture.naturalWidth) hide(picture);
}

/** Before a picture is morphed into what the server wrote, which does not know that it is damaged. @param {Node} shown @param {Element} written */
export function keepHidden(shown, written) {
  if (!(shown instanceof HTMLImageElement) || !(written instanceof HTMLImageElement)) return;
  if (shown.hidden && shown.getAttribute("src") === written.getAttribute("src")) written.hidden = true;
}
