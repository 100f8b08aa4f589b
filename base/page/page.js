
"use strict";
// The table of domains can be sorted by each of its columns. Without this script it is sorted by messages.
for (const table of document.querySelectorAll(".sortable table")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n);
  };
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") !== "descending" && head.classList.contains("n") ||
      head.getAttribute("aria-sort") === "ascending";
    const rows = [...body.rows].sort((a, b) => {
      const x = value(a, column), y = value(b, column);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  };
  heads.forEach((head, column) => {
    if (head.textContent === "Levels") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head, column));
    head.append(button);
  });
  heads[1].setAttribute("aria-sort", "descending");
}
