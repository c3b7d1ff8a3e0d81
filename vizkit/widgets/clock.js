// Asks the kernel for news, again and again while `running`: each answer has a live parent message.
function initialize({ model }) {
  let count = 0, asked = 0, timer = null, gone = false;
  const ask = () => {
    clearTimeout(timer);
    if (gone || !model.get("running")) return;
    asked = performance.now();
    try { model.send({ tick: ++count }); } catch (error) { gone = true; return; }  // the kernel was restarted
    timer = setTimeout(ask, 2000);                                                 // no answer: ask again
  };
  const wait = () => {  // a question every 125 ms; where the answer takes longer than that, soon after it
    clearTimeout(timer);
    timer = setTimeout(ask, Math.max(20, asked + 125 - performance.now()));
  };
  model.on("change:answered", wait);
  model.on("change:running", wait);
  wait();
  return () => { gone = true; clearTimeout(timer); };
}
export default { initialize, render() {} };
