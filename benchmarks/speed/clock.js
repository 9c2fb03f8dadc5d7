// A clock in the review page: from a key to the end of the frame that shows what it did. It tells by itself, since to be
// asked with each frame has the browser make frames all the time.
() => {
  const desk = document.getElementById("desk"), ask = document.getElementById("ask");
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
  changes.observe(desk, { attributeFilter: ["data-line", "data-open"] });
  changes.observe(document.body, { attributeFilter: ["aria-busy"] });
  changes.observe(ask, { attributeFilter: ["open"] });
  const seen = {
    idle: () => !document.body.hasAttribute("aria-busy"),
    page: (before) => timings.length > before,
    question: () => ask.open,
  };
  const until = (wanted, before, patience) => new Promise((done, fail) => {
    tell = () => wanted.filter((what) => seen[what](before)).slice(0, 1).map(done);
    setTimeout(() => fail(Error(`not ${wanted} after ${patience} ms`)), patience);
    tell();
  });
  window.clock = { timings, until };
}
