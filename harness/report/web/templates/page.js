"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);

  // Light and dark: the system's choice, until the reader makes one.
  const theme = one("theme");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = isDark() ? "Light mode" : "Dark mode"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
  nameTheme();

  // Sorting: what wasn't measured comes last, whichever way.
  const valueOf = (row, column) => row.cells[column].dataset.value;
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y;
  };
  const sort = (table, heading) => {
    const column = heading.cellIndex;
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((first, second) => {
      const [a, b] = [valueOf(first, column), valueOf(second, column)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return rising ? compare(a, b) : compare(b, a);
    });
    all("th[aria-sort]", table.tHead).forEach((th) => th.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    body.append(...rows);
  };
  all(".board").forEach((table) => all("thead th", table).forEach((heading) => {
    const button = heading.querySelector("button");
    button.disabled = false;
    button.addEventListener("click", () => sort(table, heading));
  }));

  // Filtering: rows, their lines by class, their points and their parts.
  const [filter, which, shown] = [one("filter"), one("which"), one("shown")];
  const fits = {
    all: () => true,
    front: (row) => "front" in row.dataset,
    whole: (row) => row.dataset.state === "whole",
    partial: (row) => row.dataset.state === "partial",
  };
  const others = (row) => (row.dataset.others ?? "").split(" ");
  const fit = (row) => fits[which.value]?.(row) ?? others(row).includes(which.value);
  const rows = all(".board tbody tr");
  const apply = () => {
    const text = filter.value.trim().toLowerCase();
    const left = new Set();
    rows.forEach((row) => {
      row.hidden = !(row.dataset.name.toLowerCase().includes(text) && fit(row));
      if (!row.hidden) left.add(row.dataset.row);
    });
    all(".bars tr[data-row]").forEach((row) => { row.hidden = !left.has(row.dataset.row); });
    all("details.row").forEach((part) => { part.hidden = !left.has(part.id); });
    all("figure [data-row]").forEach((mark) => mark.classList.toggle("dim", !left.has(mark.dataset.row)));
    shown.textContent = `${left.size} of ${rows.length} rows shown`;
  };
  one("toolbar").hidden = false;
  one("toolbar").addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", apply);
  which.addEventListener("change", apply);
  apply();

  // A link to a row opens its part of the page.
  const open = () => {
    const part = one(decodeURIComponent(location.hash.slice(1)));
    if (!(part instanceof HTMLDetailsElement)) return;
    part.open = true;
    part.firstElementChild.focus({ preventScroll: true });
    part.scrollIntoView();
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"], a.point');
    if (link && link.getAttribute("href") === location.hash) open();
  });
  open();

  // Points say what they are, under the pointer and in focus; Escape hides that.
  const tip = one("tip");
  const hide = () => { tip.hidden = true; };
  const tell = (point) => {
    tip.textContent = point.dataset.text;
    tip.hidden = false;
    const at = point.getBoundingClientRect();
    const left = Math.min(at.right + 8, innerWidth - tip.offsetWidth - 8);
    const top = at.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${top < 8 ? at.bottom + 8 : top}px`;
  };
  all(".plot .point").forEach((point) => {
    point.addEventListener("pointerenter", () => tell(point));
    point.addEventListener("focus", () => tell(point));
    point.addEventListener("pointerleave", hide);
    point.addEventListener("blur", hide);
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  // A point that is reached by the keyboard may scroll into view.
  addEventListener("scroll", () => {
    const point = document.activeElement.closest(".point");
    if (point && !tip.hidden) tell(point);
    else hide();
  }, { passive: true });

  // A line under the pointer stands out, in all panels of its plot.
  all(".plot .line").forEach((line) => {
    const lines = all(".line", line.closest("figure"));
    const mark = (far) => lines.forEach((other) => {
      if (other.dataset.row !== line.dataset.row) other.classList.toggle("far", far);
    });
    line.addEventListener("pointerenter", () => mark(true));
    line.addEventListener("pointerleave", () => mark(false));
  });
})();
