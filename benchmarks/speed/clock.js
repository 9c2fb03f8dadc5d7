// A clock in the review page: from a key to the end of the frame that shows what it did. It tells by itself, since to be
// asked with each frame has the browser make frames all the time.
() => {
  const bench = document.getElementById("bench"), say = document.getElementById("say");
  const timings = [];
  let pressed = 0, tell = () => {};
  addEventListener("keydown", ({ timeStamp }) => { pressed = timeStamp; }, true);
  const changes = new MutationObserver((found) => {
    tell();
    if (!pressed || !found.some((one) => one.attributeName.startsWith("data-"))) return;
    // The page is another one; the message comes after its frame.
    const { port1, port2 } = new MessageChannel(), start = pressed;
    pressed = 0;
    port1.onmessage = () => tell(timings.push(performance.now() - start));
    requestAnimationFrame(() => port2.postMessage(0));
  });
  changes.observe(bench, { attributeFilter: ["data-line", "data-group", "aria-busy"] });
  changes.observe(say, { attributeFilter: ["open"] });
  const seen = {
    idle: () => !bench.hasAttribute("aria-busy"),
    page: (before) => timings.length > before,
    // One that was agreed to stays open, unseen, until it is answered.
    preview: () => say.matches("[open]:not(.is-leaving)") && say.querySelector("[data-again]"),
  };
  const until = (wanted, before, patience) => new Promise((done, fail) => {
    tell = () => wanted.filter((what) => seen[what](before)).slice(0, 1).map(done);
    setTimeout(() => fail(Error(`not ${wanted} after ${patience} ms`)), patience);
    tell();
  });
  window.clock = { timings, until };
}
