(function () {
  "use strict";
  var table = document.getElementById("tenants"), body = table.tBodies[0], rows = Array.from(body.rows);
  var find = document.getElementById("find"), needs = document.getElementById("needs"), shown = document.getElementById("shown");
  document.querySelector(".filter").hidden = false;
  var texts = rows.map(function (r) { return r.textContent.toLowerCase(); });
  function filter() {
    var q = find.value.trim().toLowerCase(), n = 0;
    rows.forEach(function (r, i) {
      var on = (!q || texts[i].indexOf(q) >= 0) && (!needs.checked || r.dataset.needs === "1");
      r.hidden = !on;
      if (on) { n++; }
    });
    shown.textContent = n === rows.length ? "" : n + " of " + rows.length;
  }
  find.addEventListener("input", filter);
  needs.addEventListener("change", filter);
  function value(row, i, kind) {
    var c = row.cells[i], v = c.dataset.v === undefined ? c.textContent.trim() : c.dataset.v;
    return kind === "number" ? Number(v) : v.toLowerCase();
  }
  Array.from(table.tHead.rows[0].cells).forEach(function (th, i) {
    var kind = th.dataset.sort;
    if (!kind) { return; }
    var b = document.createElement("button");
    b.type = "button";
    b.textContent = th.textContent;
    th.textContent = "";
    th.appendChild(b);
    b.addEventListener("click", function () {
      var down = th.getAttribute("aria-sort") ? th.getAttribute("aria-sort") === "ascending" : th.classList.contains("n");
      Array.from(th.parentNode.cells).forEach(function (o) { o.removeAttribute("aria-sort"); });
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      var keyed = Array.from(body.rows).map(function (r) { return [value(r, i, kind), r]; });
      keyed.sort(function (a, b) { return (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1); });
      keyed.forEach(function (k) { body.appendChild(k[1]); });
    });
  });
})();
