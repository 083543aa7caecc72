(function () {
  "use strict";
  const root = document.documentElement, chunk = 100;
  root.classList.add("js"); // before the first row is laid out

  const rowsOf = (table) => Array.from(table.tBodies).flatMap((b) => Array.from(b.rows));

  // One body of a hundred rows each, so that the browser lays out only what is
  // looked at; of a folded table only the first rows are seen.
  function fill(table, rows) {
    while (table.tBodies.length) { table.tBodies[0].remove(); }
    for (let i = 0; i < rows.length || i === 0; i += chunk) {
      const body = document.createElement("tbody");
      body.setAttribute("role", "rowgroup");
      body.append(...rows.slice(i, i + chunk));
      table.append(body);
    }
    fold(table, rows);
  }

  // Of a folded table only the first rows that are not filtered away are seen.
  function fold(table, rows) {
    const first = Number(table.dataset.first);
    if (!table.unfold) { return; }
    let seen = 0;
    for (const row of rows) {
      const more = !row.hidden && seen >= first;
      if (row.classList.contains("more") !== more) { row.classList.toggle("more", more); }
      if (!row.hidden) { seen++; }
    }
    table.unfold(seen);
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
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = rowsOf(table);
      if (words.length > 0) { texts = texts || new Map(rows.map((r) => [r, r.textContent.toLowerCase()])); }
      let shown = 0;
      for (const row of rows) {
        const ok = words.every((w) => texts.get(row).includes(w)) && picks.every((p) => p.value === "" ||
          (p.dataset.by === "level" ? row.dataset.level === p.value : row.dataset.is.split(" ").includes(p.value)));
        if (row.hidden === ok) { row.hidden = !ok; }
        if (ok) { shown++; }
      }
      said.textContent = shown + " of " + rows.length + " shown";
      fold(table, rows);
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

  // Each command gets a button that copies it; where the page may not write to
  // the clipboard, it is selected, ready to be copied.
  function copyable(code) {
    const text = code.textContent, button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy " + text);
    code.append(button);
    button.addEventListener("click", () => {
      const mark = () => { getSelection().selectAllChildren(code); button.textContent = "Selected"; };
      if (!navigator.clipboard) { mark(); return; }
      navigator.clipboard.writeText(text).then(() => { button.textContent = "Copied"; }, mark);
    });
  }

  // Whatever is folded on the screen is printed with what differs.
  const folded = () => document.querySelectorAll("details.drift:not([open]), #reach details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = Array.from(folded()); for (const d of opened) { d.open = true; } });
  addEventListener("afterprint", () => { for (const d of opened) { d.open = false; } opened = []; });

  document.addEventListener("DOMContentLoaded", () => {
    document.addEventListener("toggle", (e) => { if (e.newState === "open") { e.target.querySelectorAll(".cmd:not(:has(button))").forEach(copyable); } }, true);
    document.querySelectorAll("#waiting .cmd").forEach(copyable);
    for (const table of document.querySelectorAll("table.rows, table[data-first]")) {
      sortable(table);
      if (table.dataset.first) { foldable(table); }
    }
    document.querySelectorAll(".tools").forEach(filterable);
    addEventListener("hashchange", follow);
    follow();
  });
})();
