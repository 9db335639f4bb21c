"use strict";
// Tables that sort by a heading and filter by words. Without this script they are plain tables.
(() => {
  const FEWEST_TO_FILTER = 6;
  const texts = new Intl.Collator("en", { numeric: true });

  const worth = (row, place) => {
    const cell = row.cells[place];
    return cell.dataset.order === undefined ? cell.textContent : cell.dataset.order;
  };

  const compared = (one, other, isNumber) => {
    if (one === "" || other === "") return (one === "") - (other === ""); // what is not recorded comes last
    if (!isNumber) return texts.compare(one, other);
    return Number(one) - Number(other) || texts.compare(one, other);
  };

  const sort = (table, heading, place) => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const isNumber = heading.classList.contains("number");
    const rows = Array.from(table.tBodies[0].rows, (row) => [worth(row, place), row]);
    rows.sort(([one], [other]) => {
      const order = compared(one, other, isNumber);
      return descending && one !== "" && other !== "" ? -order : order;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  const addSorting = (table) => {
    Array.from(table.tHead.rows[0].cells).forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      button.addEventListener("click", () => sort(table, heading, place));
      heading.replaceChildren(button);
    });
  };

  const addFilter = (table) => {
    const rows = Array.from(table.tBodies[0].rows, (row) => [row, row.innerText.toLowerCase()]);
    const box = document.createElement("div");
    const label = document.createElement("label");
    const input = document.createElement("input");
    const output = document.createElement("output");
    box.className = "filter";
    input.type = "search";
    input.id = `${table.id}-filter`;
    label.htmlFor = input.id;
    label.textContent = `Filter: ${table.caption.textContent.toLowerCase()}`;
    output.htmlFor = input.id;
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      output.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    };
    input.addEventListener("input", show);
    box.append(label, input, output);
    table.parentElement.before(box);
  };

  for (const table of document.querySelectorAll("table")) {
    if (table.tBodies[0].rows.length > 1) addSorting(table);
    if (table.tBodies[0].rows.length >= FEWEST_TO_FILTER) addFilter(table);
  }

  // A link into a closed part opens it, and so does printing.
  const open = () => {
    const wanted = location.hash && document.getElementById(location.hash.slice(1));
    const part = wanted && wanted.closest("details");
    if (!part) return;
    part.open = true;
    wanted.focus();
    wanted.scrollIntoView();
  };
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
  open();
})();
