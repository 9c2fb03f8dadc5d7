// A clock in the review page: from a key to the end of the frame that shows what it did. It tells by itself, since to be
// asked with each frame has the browser make frames all the time.
() => {
  const bench = document.getElementById("bench"), say = document.getElementById("say");
  const changes = (element, names, work) =>
    new MutationObserver(work).observe(element, { attributes: true, attributeFilter: names });
  const timings = [];
  let pressed = 0, tell = () => {};
  addEventListener("keydown", ({ timeStamp }) => { pressed = timeStamp; }, true);
  // Seen as soon as the page is another one; the message comes after its frame.
  changes(bench, ["data-line", "data-group"], () => {
    if (!pressed) return;
    const start = pressed;
    pressed = 0;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => tell(timings.push(performance.now() - start));
      port2.postMessage(0);
    });
  });
  changes(bench, ["aria-busy"], () => tell());
  changes(say, ["open"], () => tell());
  const isIdle = () => !bench.hasAttribute("aria-busy");
  // One that was agreed to stays open, unseen, until it is answered.
  const isAsked = () => say.matches("[open]:not(.is-leaving)") && say.querySelector("[data-again]");
  window.clock = {
    timings,
    until: (what, before, patience) => new Promise((done, fail) => {
      const seen = {
        idle: () => isIdle() && "idle",
        page: () => timings.length > before && "page",
        shown: () => timings.length > before ? "page" : isAsked() && "preview",
      }[what];
      tell = () => seen() && done(seen());
      setTimeout(() => fail(Error(`not ${what} after ${patience} ms`)), patience);
      tell();
    }),
  };
}
