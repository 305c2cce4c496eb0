"use strict";
// Every frame can be reached and opened by keys, and the search is a field of the page: the drawing's own asks in a
// dialog, which a browser does not show for a frame of this kind.
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("#frames g")) {
    const title = frame.querySelector("title");
    frame.setAttribute("tabindex", "0");
    frame.setAttribute("role", "button");
    if (title) frame.setAttribute("aria-label", title.textContent);
    frame.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        frame.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      }
    });
  }
});
// A form would want to be sent somewhere, which nothing here may.
const find = () => {
  const term = document.getElementById("term").value;
  // What is typed is text, not a pattern.
  if (term) search(term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  else reset_search();
  document.getElementById("found").value = term
    ? document.getElementById("matched").textContent.trim() || "No match in what is shown"
    : "";
};
document.getElementById("search-button").addEventListener("click", find);
document.getElementById("term").addEventListener("keydown", (event) => event.key === "Enter" && find());
addEventListener("keydown", (event) => {
  if (event.key === "F3" || (event.ctrlKey && event.key === "f")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("term").focus();
  }
}, true);
