// What ipywidgets leaves undone for people who cannot see the page, or who use the keyboard: it gives sliders no name
// and images no alternative text, code cannot be copied by a click, and Jupyter takes single keys for its own (an x
// cuts the cell) while a button or a list has the focus. Where a page does not run it, all else works.

function tell(panel) {
  for (const words of panel.querySelectorAll(".vizkit-alt")) words.previousElementSibling.alt = words.textContent;
  for (const handle of panel.querySelectorAll(".noUi-handle, .ui-slider-handle")) {
    const slider = handle.closest(".widget-inline-hbox"), number = slider.querySelector(".widget-readout");
    for (const [part, role] of [[handle, "slider"], [number, "textbox"]]) {
      part.setAttribute("role", role);
      part.setAttribute("aria-label", slider.querySelector(".widget-label").textContent);
    }
    handle.setAttribute("aria-valuetext", number.textContent);
  }
  for (const code of panel.querySelectorAll("pre.vizkit-code")) if (!code.nextElementSibling) code.after(copier(code));
  for (const fold of panel.querySelectorAll(".widget-toggle-button"))
    fold.setAttribute("aria-expanded", fold.classList.contains("mod-active"));
}

function copier(code) {
  const button = document.createElement("button");
  button.className = "vizkit-copy jupyter-button widget-button";
  button.textContent = "Copy";
  button.onclick = () => navigator.clipboard.writeText(code.textContent).then(() => { button.textContent = "Copied"; });
  return button;
}

function serve(panel) {
  const observer = new MutationObserver(() => tell(panel)), listening = new AbortController();
  observer.observe(panel, { childList: true, subtree: true, attributeFilter: ["class"] });
  const plain = (key) => !(key.ctrlKey || key.metaKey || key.altKey);
  panel.addEventListener("keydown", (key) => plain(key) && key.stopPropagation(), { signal: listening.signal });
  window.addEventListener("keydown", (key) => {  // Notebook 7 hears of a key before the panel does
    if (panel.contains(key.target)) key.target.toggleAttribute("data-lm-suppress-shortcuts", plain(key));
  }, { capture: true, signal: listening.signal });
  tell(panel);
  return () => { observer.disconnect(); listening.abort(); };
}

// Its view takes no room in the panel that it serves; it is made before it is put there.
function render({ el }) {
  let timer = null, leave = () => {};
  const enter = () => {
    const panel = el.closest(".vizkit");
    if (panel) leave = serve(panel); else timer = setTimeout(enter, 20);
  };
  enter();
  return () => { clearTimeout(timer); leave(); };
}
export default { render };
