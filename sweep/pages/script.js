"use strict";
(function () {
  // Columns sort when their header is pressed.
  function key(row, column) {
    var text = row.children[column].textContent.trim().replace(/−/g, "-").replace(/,/g, "");
    var number = parseFloat(text.replace(/^[<>×]/, ""));
    return { text: text, number: number };
  }
  function compare(a, b, sign) {
    if (!a.text || !b.text) return (a.text ? 0 : 1) - (b.text ? 0 : 1); // empty cells come last
    if (isNaN(a.number) || isNaN(b.number)) return sign * a.text.localeCompare(b.text);
    return sign * (a.number - b.number);
  }
  document.querySelectorAll("table").forEach(function (table) {
    var body = table.tBodies[0], headers = table.querySelectorAll("thead th");
    if (body.rows.length < 3) return;
    headers.forEach(function (header, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.textContent = "";
      header.appendChild(button);
      button.addEventListener("click", function () {
        var down = header.getAttribute("aria-sort") === "ascending";
        headers.forEach(function (each) { each.removeAttribute("aria-sort"); });
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.from(body.rows)
          .sort(function (a, b) {
            return compare(key(a, column), key(b, column), down ? -1 : 1);
          })
          .forEach(function (row) { body.appendChild(row); });
      });
    });
  });
  // What a mark is, beside the pointer: at once, and on a touch screen, too.
  var tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.appendChild(tip);
  function titleOf(target) {
    var mark = target.closest && target.closest("svg *");
    var title = mark && mark.querySelector(":scope > title");
    return mark && title && mark.tagName !== "svg" ? { mark: mark, title: title } : null;
  }
  document.addEventListener("pointerover", function (event) {
    var found = titleOf(event.target);
    if (!found) { tip.hidden = true; return; }
    tip.textContent = found.title.textContent;
    tip.hidden = false;
    var left = event.pageX + 12, most = window.innerWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(left, most + window.scrollX)) + "px";
    tip.style.top = event.pageY + 14 + "px";
  });
})();
