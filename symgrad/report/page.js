"use strict";
(() => {
  const panel = document.getElementById("panel");
  const lit = [];
  const light = (element) => { if (element) { element.classList.add("active"); lit.push(element); } };
  const open = (element) => {
    for (let e = element; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  };
  const show = (link) => {
    const row = document.getElementById(link.getAttribute("href").slice(1));
    while (lit.length) lit.pop().classList.remove("active");
    light(link);
    if (!row || row.tagName !== "TR") return;
    light(row);
    for (const line of (row.dataset.lines || "").split(" ")) light(line && document.getElementById(line));
    const list = document.createElement("dl");
    row.querySelectorAll(":scope > *").forEach((cell) => {
      if (!cell.textContent.trim()) return;
      const name = document.createElement("dt");
      name.textContent = cell.dataset.name;
      const body = document.createElement("dd");
      cell.childNodes.forEach((node) => body.append(node.cloneNode(true)));
      body.querySelectorAll("[id]").forEach((e) => e.removeAttribute("id"));
      list.append(name, body);
    });
    panel.replaceChildren(list);
    panel.classList.add("live");
  };
  const linkOf = (event) => event.target.closest ? event.target.closest("svg.graph a") : null;
  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => { const link = linkOf(event); if (link) show(link); });
  }
  document.addEventListener("click", (event) => {
    const link = linkOf(event);
    if (!link) return;
    const target = document.getElementById(link.getAttribute("href").slice(1));
    if (target && target.tagName === "DETAILS") {
      event.preventDefault();
      open(target);
      target.querySelector("summary").focus();
      target.scrollIntoView({ block: "nearest" });
    } else if (target && target.tagName === "TR") {
      event.preventDefault();
      show(link);
    }
  });
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) { open(target); target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((e) => { e.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((e) => { e.open = false; }));
})();
