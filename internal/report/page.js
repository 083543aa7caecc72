(function () {
  "use strict";
  const root = document.documentElement, chunk = 100;
  root.classList.add("js"); // before the first row is laid out

  const rowsOf = (table) => Array.from(table.tBodies).flatMap((b) => Array.from(b.rows));

  // One body of a hundred rows each, so that the browser lays out only what is
  // looked at; of a folded table only the first rows are seen.
  function fill(table, rows) {
    const first = Number(table.dataset.first), folds = first > 0;
    while (table.tBodies.length) { table.tBodies[0].remove(); }
    let seen = 0;
    for (let i = 0; i < rows.length || i === 0; i += chunk) {
      const body = document.createElement("tbody");
      body.setAttribute("role", "rowgroup");
      for (const row of rows.slice(i, i + chunk)) {
        if (folds) { row.classList.toggle("more", !row.hidden && seen >= first); }
        if (!row.hidden) { seen++; }
      }
      body.append(...rows.slice(i, i + chunk));
      table.append(body);
    }
    if (table.unfold) { table.unfold(seen); }
  }

  function valueOf(cell, number) {
    const v = cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v;
    return number ? parseFloat(v) || 0 : v;
  }

  function sort(table, th) {
    const number = th.dataset.sort === "num", was = th.getAttribute("aria-sort");
    const down = was === "none" ? number : was === "ascending"; // of numbers the largest are wanted
    const order = number ? (a, b) => a - b : new Intl.Collator(undefined, { numeric: true }).compare;
    const keyed = rowsOf(table).map((row) => ({ row, key: valueOf(row.cells[th.cellIndex], number) }));
    keyed.sort((a, b) => (down ? order(b.key, a.key) : order(a.key, b.key)));
    for (const o of th.parentNode.cells) { if (o.hasAttribute("aria-sort")) { o.setAttribute("aria-sort", "none"); } }
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    fill(table, keyed.map((k) => k.row));
  }

  function sortable(table) {
    for (const th of table.tHead.rows[0].querySelectorAll("th")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      th.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, th));
    }
  }

  // A long table is folded to its first rows, with a button to see all.
  function foldable(table) {
    const button = document.createElement("button"), first = Number(table.dataset.first);
    let all = false;
    button.type = "button";
    button.className = "unfold";
    table.after(button);
    table.unfold = (n) => {
      button.hidden = n <= first;
      button.textContent = all ? "Show only the first " + first : "Show all " + n;
      button.setAttribute("aria-expanded", String(all));
      table.classList.toggle("all", all);
    };
    button.addEventListener("click", () => { all = !all; table.unfold(rowsOf(table).filter((r) => !r.hidden).length); });
    table.unfold(rowsOf(table).length);
  }

  function filterable(tools) {
    const table = document.getElementById(tools.dataset.for);
    if (!table) { return; }
    tools.hidden = rowsOf(table).length <= Number(table.dataset.first); // nothing to search for
    const find = tools.querySelector("input"), picks = Array.from(tools.querySelectorAll("select")), said = tools.querySelector(".shown");
    let texts = null, timer = 0;
    function filter() {
      texts = texts || new Map(rowsOf(table).map((r) => [r, r.textContent.toLowerCase()]));
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = rowsOf(table);
      let shown = 0;
      for (const row of rows) {
        const ok = words.every((w) => texts.get(row).includes(w)) && picks.every((p) => p.value === "" ||
          (p.dataset.by === "level" ? row.dataset.level === p.value : row.dataset.is.split(" ").includes(p.value)));
        if (row.hidden === ok) { row.hidden = !ok; }
        if (ok) { shown++; }
      }
      said.textContent = shown + " of " + rows.length + " shown";
      if (table.dataset.first) { fill(table, rows); }
    }
    find.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
    for (const p of picks) { p.addEventListener("change", filter); }
    table.showAll = () => { find.value = ""; for (const p of picks) { p.value = ""; } filter(); };
  }

  // A link to a user opens the decision.
  function follow() {
    const row = location.hash.startsWith("#u-") && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row) { return; }
    if (row.hidden) { row.closest("table").showAll(); }
    row.querySelector("details").open = true;
    row.scrollIntoView({ block: "center" });
    row.tabIndex = -1; // not the summary: the very key that followed the link would close it
    row.focus({ preventScroll: true });
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll("table.rows, table[data-first]")) {
      sortable(table);
      if (table.dataset.first) { foldable(table); }
    }
    document.querySelectorAll(".tools").forEach(filterable);
    addEventListener("hashchange", follow);
    follow();
  });
})();
