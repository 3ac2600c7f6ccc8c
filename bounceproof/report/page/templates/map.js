"use strict";
for (const canvas of document.querySelectorAll(".canvas[data-map]")) {
  const map = JSON.parse(document.getElementById(canvas.dataset.map).textContent);
  const [left, bottom, wide, tall] = map.place;
  const told = document.createElement("output");
  const cross = document.createElement("span");
  told.className = "told";
  told.setAttribute("aria-live", "polite");
  told.textContent = "Point at a place, or use the arrow keys, to see its request.";
  cross.className = "cross";
  cross.hidden = true;
  canvas.append(cross);
  canvas.after(told);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  let column = map.at[0], row = map.at[1];
  const hex = (number) => "0x" + number.toString(16);
  const show = () => {
    const size = map.sizes[column], address = map.base + map.offsets[row];
    const start = column ? map.sizes[column - 1] : 0, right = map.sizes[map.sizes.length - 1];
    const top = map.offsets[row + 1] ?? map.span;
    cross.style.left = 100 * (left + wide * (start + size) / 2 / right) + "%";
    const high = (map.offsets[row] + top) / 2 / map.span;
    cross.style.top = 100 * (1 - bottom - tall * high) + "%";
    cross.hidden = false;
    const sent = size > map.limit ? "above the driver's limit; " : "";
    const fails = map.rows[row][column] === "1" ? map.breaks : map.keeps;
    const line = map.command.replace(/--orig-addr \S+ --size \d+/, `--orig-addr ${hex(address)} --size ${size}`);
    told.textContent = `${size} bytes at ${hex(address)}: ${sent}${fails}. ${line}`;
  };
  const within = (value, most) => Math.max(0, Math.min(most, value));
  const last = (edges, value) => within(edges.findIndex((edge) => value <= edge), edges.length - 1);
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width - left) / wide;
    const y = (1 - (event.clientY - box.top) / box.height - bottom) / tall;
    if (x < 0 || x > 1 || y < 0 || y > 1) return;
    column = last(map.sizes, x * map.sizes[map.sizes.length - 1]);
    row = last([...map.offsets.slice(1), map.span], y * map.span);
    show();
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    column = within(column + step[0], map.sizes.length - 1);
    row = within(row + step[1], map.offsets.length - 1);
    show();
  });
}
