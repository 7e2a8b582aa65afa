"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const find = (selector) => document.querySelector(selector);

/* An element; names and values of the run only ever become text. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/* A table; its first row is the header. */
function table([header, ...rows]) {
  const line = (tag, cells) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
  const body = make("tbody", {}, ...rows.map((row) => line("td", row)));
  return make("div", { className: "scroll" }, make("table", {}, make("thead", {}, line("th", header)), body));
}
