"use strict";
// Sorts tables of sockets by the title that is clicked, and shows the rows that have every word.
const order = new Intl.Collator(undefined, { numeric: true }).compare;
const make = (name, properties) => Object.assign(document.createElement(name), properties);
for (const table of document.querySelectorAll("table.sockets")) {
  const body = table.tBodies[0], rows = [...body.rows], titles = [...table.tHead.rows[0].cells];
  const words = rows.map(row => [...row.cells].map(cell => cell.textContent).join(" ").toLowerCase());
  const input = make("input", { type: "search", placeholder: "Filter", ariaLabel: "Filter: rows that have every word" });
  const count = make("output");
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !wanted.every(word => words[place].includes(word));
      shown += !row.hidden;
    });
    count.value = `${shown} of ${rows.length}`;
  });
  const tools = make("div", { className: "tools" });
  tools.append(input, count);
  table.parentNode.before(tools);
  titles.forEach((title, place) => {
    const button = make("button", { type: "button", textContent: title.textContent });
    button.addEventListener("click", () => {
      const falls = title.ariaSort === "ascending";
      titles.forEach(other => other.ariaSort = null);
      title.ariaSort = falls ? "descending" : "ascending";
      const sorted = [...rows].sort((a, b) => order(a.cells[place].textContent, b.cells[place].textContent));
      body.append(...falls ? sorted.reverse() : sorted);
    });
    title.replaceChildren(button);
  });
}
