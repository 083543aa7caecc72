(function () {
  "use strict";
  document.documentElement.classList.add("js");
  var chunk = 100;

  // One body of a hundred rows each, so that the browser lays out only what is
  // looked at.
  function fill(table, rows) {
    Array.prototype.slice.call(table.tBodies).forEach(function (b) { b.remove(); });
    for (var i = 0; i < rows.length || i === 0; i += chunk) {
      var body = document.createElement("tbody");
      body.setAttribute("role", "rowgroup");
      body.append.apply(body, rows.slice(i, i + chunk));
      table.append(body);
    }
  }

  function key(cell, number) {
    var v = cell.dataset.v;
    if (v === undefined) { v = cell.textContent.trim(); }
    return number ? parseFloat(v) || 0 : v.toLowerCase();
  }

  function sort(table, th, column) {
    var down = th.getAttribute("aria-sort") === "ascending";
    var number = th.dataset.sort === "num";
    var order = Intl.Collator ? new Intl.Collator().compare : function (a, b) { return a < b ? -1 : a > b ? 1 : 0; };
    var rows = [];
    Array.prototype.forEach.call(table.tBodies, function (b) { rows.push.apply(rows, b.rows); });
    var keyed = rows.map(function (r, i) { return { row: r, at: i, key: key(r.cells[column], number) }; });
    keyed.sort(function (a, b) {
      var c = number ? a.key - b.key : order(a.key, b.key);
      return (down ? -c : c) || a.at - b.at;
    });
    Array.prototype.forEach.call(th.parentNode.cells, function (o) { o.setAttribute("aria-sort", "none"); });
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    fill(table, keyed.map(function (k) { return k.row; }));
  }

  Array.prototype.forEach.call(document.querySelectorAll("table[data-sortable]"), function (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (th, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = th.textContent;
      th.textContent = "";
      th.setAttribute("aria-sort", "none");
      th.append(button);
      button.addEventListener("click", function () { sort(table, th, column); });
    });
  });

  var table = document.getElementById("decided");
  var find = document.getElementById("find");
  var pick = document.getElementById("pick");
  var said = document.getElementById("shown");
  if (!table || !find || !pick || !said) { return; }
  var texts = null, timer = 0;

  function filter() {
    if (!texts) {
      texts = [];
      Array.prototype.forEach.call(table.querySelectorAll("tbody > tr"), function (r) {
        texts.push({ row: r, text: r.textContent.toLowerCase() });
      });
    }
    var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    var want = pick.value, shown = 0;
    texts.forEach(function (t) {
      var ok = words.every(function (w) { return t.text.indexOf(w) >= 0; }) &&
        (want === "" || (want === "person" ? t.row.dataset.person === "true" : t.row.dataset.verdict === want));
      if (t.row.hidden === ok) { t.row.hidden = !ok; }
      if (ok) { shown++; }
    });
    said.textContent = shown + " of " + texts.length + " decisions shown";
  }

  function later() { clearTimeout(timer); timer = setTimeout(filter, 120); }
  find.addEventListener("input", later);
  pick.addEventListener("change", filter);
})();
