/** A picture large, with who made it; arrows go on to those beside it. */

const box = () => /** @type {HTMLDialogElement} */ (document.getElementById("zoom"));

/** @param {HTMLElement | null} picture a button of a strip */
export function zoomFrom(picture) {
  if (!picture) return;
  const strip = [...picture.parentElement.querySelectorAll(".picture")];
  let place = strip.indexOf(picture);
  const show = () => {
    const { picture: address, name, author, licence, source } = strip[place].dataset;
    const image = Object.assign(document.createElement("img"), { src: address, alt: name });
    const link = Object.assign(document.createElement("a"), { href: source, target: "_blank", rel: "noreferrer noopener", textContent: name });
    const caption = document.createElement("p");
    caption.append(link, ` ${author}, ${licence} · ${place + 1} of ${strip.length}`);
    const close = Object.assign(document.createElement("button"), { className: "deed", textContent: "Close" });
    close.onclick = () => box().close();
    document.getElementById("zoom-body").replaceChildren(image, caption, close);
  };
  box().onkeydown = (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    event.stopPropagation(); // the page has none of its keys
    if (event.key === "p") box().close();
    if (!by) return;
    event.preventDefault();
    place = (place + by + strip.length) % strip.length;
    show();
  };
  show();
  if (!box().open) box().showModal();
  box().focus();
}
