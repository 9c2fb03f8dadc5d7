"use strict";
// Sorts the tables, and sets two methods beside each other on one query. Without it the page says
// the same: every table is whole, and every example stands in full.
(() => {
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.dataset.first || "descending";
        const other = first === "descending" ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        for (const one of heads) one.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
        const sign = order === "ascending" ? 1 : -1;
        const compare = (one, two) => {
          const [a, b] = [key(one), key(two)];
          if (a === "" || b === "") return (a === "") - (b === ""); // what has no value comes last
          return sign * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
        };
        body.append(...[...body.rows].sort(compare));
      });
    });
  }

  const form = document.getElementById("compare");
  if (!form) return;
  form.hidden = false;
  const [query, first, second] = form.querySelectorAll("select");
  const examples = [...document.querySelectorAll(".example")];
  const show = () => {
    const chosen = [first.value, second.value].filter((one) => one !== "");
    for (const example of examples) {
      example.hidden = query.value !== "" && example.dataset.query !== query.value;
      example.classList.toggle("comparing", chosen.length === 2 && chosen[0] !== chosen[1]);
      for (const strip of example.querySelectorAll(".strip")) {
        strip.hidden = chosen.length > 0 && !chosen.includes(strip.dataset.method);
      }
    }
  };
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show(); // a browser keeps what was chosen when it reloads
})();
