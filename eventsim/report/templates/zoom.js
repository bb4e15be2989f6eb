"use strict";
// Zoom into the close-ups: by wheel, by drawing a box, by keys and by buttons. All views of a
// close-up share the time axis; only the raster has units upwards.
(() => {
  const LEAST = 0.02; // part of the whole that a view shows at least
  const BOX = 6; // a smaller box is a click
  const ROW = 9; // rows at least so high have room for their number

  // Round values, one, two or five times a power of ten apart, as the page has them.
  function niceTicks(low, high, most) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * (1 - 1e-9));
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const values = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= Math.floor(high / step + 1e-9); k++) {
      values.push([k * step, String(Number((k * step).toFixed(digits)))]);
    }
    return values;
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function zoomable(figure) {
    const plot = figure.querySelector("svg.plot");
    const raster = plot.querySelector("svg.raster");
    const views = [...plot.querySelectorAll("svg.view")];
    const readout = figure.querySelector("output");
    const number = (element, name) => Number(element.getAttribute(name));
    const place = (view) => ({
      x: number(view, "x"), y: number(view, "y"),
      w: number(view, "width"), h: number(view, "height"),
    });
    const whole = place(raster);
    const { ms, start, span } = plot.dataset;
    const rows = [...plot.querySelectorAll(".units text")].map((text) => ({
      text, y: number(text, "y") - whole.y, h: Number(text.parentNode.dataset.h),
      name: `${text.parentNode.dataset.layer} ${text.textContent}`,
    }));
    const above = [...plot.querySelectorAll("[data-x]")].map(
      (text) => ({ text, x: number(text, "x") - whole.x }));
    const box = { x: 0, y: 0, w: whole.w, h: whole.h };

    const create = (name) => document.createElementNS(plot.namespaceURI, name);
    const select = create("rect");
    select.setAttribute("class", "select");
    select.setAttribute("visibility", "hidden");
    plot.append(select);

    const across = (x) => whole.x + ((x - box.x) * whole.w) / box.w;
    const down = (y) => whole.y + ((y - box.y) * whole.h) / box.h;
    const steps = (x) => Number(start) + (x / whole.w) * Number(span);

    function moved(text, attribute, value, seen) {
      text.setAttribute(attribute, value.toFixed(2));
      text.setAttribute("visibility", seen ? "visible" : "hidden");
    }

    function show() {
      for (const view of views) {
        const own = view === raster ? [box.y, box.h] : [0, place(view).h];
        view.setAttribute("viewBox", [box.x, own[0], box.w, own[1]].join(" "));
      }
      for (const { text, x: own } of above) {
        const x = across(own);
        moved(text, "x", x, x >= whole.x - 0.5 && x <= whole.x + whole.w + 0.5);
      }
      for (const row of rows) {
        const y = down(row.y), h = (row.h * whole.h) / box.h;
        moved(row.text, "y", y, h >= ROW && y > whole.y + 3 && y < whole.y + whole.h - 3);
      }
      for (const text of plot.querySelectorAll("[data-top]")) {
        const top = Math.max(down(Number(text.dataset.top)), whole.y);
        const end = Math.min(down(Number(text.dataset.end)), whole.y + whole.h);
        moved(text, "y", (top + end) / 2 + Number(text.dataset.shift), end - top > 8);
      }
      const line = plot.querySelector("g.times");
      line.replaceChildren();
      const [low, high] = [box.x, box.x + box.w].map((x) => steps(x) * Number(ms));
      for (const [value, words] of niceTicks(low, high, 10)) {
        const x = whole.x + ((value - low) / (high - low)) * whole.w;
        const tick = create("path");
        tick.setAttribute("d", `M${x.toFixed(2)} ${line.dataset.y}v5`);
        const text = create("text");
        text.setAttribute("class", "tick");
        text.setAttribute("x", x.toFixed(2));
        text.setAttribute("y", Number(line.dataset.y) + 18);
        text.textContent = words;
        line.append(tick, text);
      }
    }

    function go(x, y, w, h) {
      box.w = clamp(w, LEAST * whole.w, whole.w);
      box.h = clamp(h, LEAST * whole.h, whole.h);
      box.x = clamp(x, 0, whole.w - box.w);
      box.y = clamp(y, 0, whole.h - box.h);
      show();
    }

    // Factors below 1 magnify; the point (u, v), in parts of the view, stays where it is.
    function zoom(time, units, u = 0.5, v = 0.5) {
      const w = clamp(box.w * time, LEAST * whole.w, whole.w);
      const h = clamp(box.h * units, LEAST * whole.h, whole.h);
      go(box.x + u * (box.w - w), box.y + v * (box.h - h), w, h);
    }

    const pan = (u, v) => go(box.x + u * box.w, box.y + v * box.h, box.w, box.h);
    const reset = () => go(0, 0, whole.w, whole.h);

    function at(event) {
      const point = new DOMPoint(event.clientX, event.clientY);
      return point.matrixTransform(plot.getScreenCTM().inverse());
    }

    function viewAt({ x, y }) {
      return views.find((view) => {
        const p = place(view);
        return x >= p.x && x <= p.x + p.w && y >= p.y && y <= p.y + p.h;
      });
    }

    // Elsewhere, and before the plot is chosen, the wheel moves the page.
    plot.addEventListener("wheel", (event) => {
      const point = at(event);
      if (!viewAt(point) || !(event.ctrlKey || document.activeElement === plot)) return;
      event.preventDefault();
      const turn = 1.25 ** clamp((event.deltaY || event.deltaX) / 100, -1, 1);
      const u = (point.x - whole.x) / whole.w;
      const v = clamp((point.y - whole.y) / whole.h, 0, 1);
      if (event.shiftKey) zoom(1, turn, u, v);
      else zoom(turn, 1, u, v);
    }, { passive: false });

    let from = null;
    plot.addEventListener("pointerdown", (event) => {
      const point = at(event), view = viewAt(point);
      if (event.button !== 0 || event.pointerType === "touch" || !view) return;
      plot.focus({ preventScroll: true });
      event.preventDefault();
      from = { point, view };
      if (event.isTrusted) plot.setPointerCapture(event.pointerId);
    });

    function drawn(event) {
      const p = place(from.view), to = at(event), [a, b] = [from.point, to];
      const xs = [a.x, b.x].map((x) => clamp(x, p.x, p.x + p.w)).sort((s, t) => s - t);
      const ys = [a.y, b.y].map((y) => clamp(y, p.y, p.y + p.h)).sort((s, t) => s - t);
      const wide = xs[1] - xs[0] >= BOX, high = from.view === raster && ys[1] - ys[0] >= BOX;
      if (!high) [ys[0], ys[1]] = [p.y, p.y + p.h];
      if (!wide) [xs[0], xs[1]] = [p.x, p.x + p.w];
      return wide || high ? { x: xs[0], y: ys[0], w: xs[1] - xs[0], h: ys[1] - ys[0], high } : null;
    }

    function tell(event) {
      const { x, y } = at(event), view = viewAt({ x, y });
      if (!view) return void (readout.textContent = "");
      const time = steps(box.x + ((x - whole.x) * box.w) / whole.w);
      const inner = box.y + ((y - whole.y) * box.h) / whole.h;
      const row = view === raster && rows.find((r) => Math.abs(r.y - inner) <= r.h / 2);
      const when = `${Number((time * Number(ms)).toPrecision(4))} ms, step ${Math.floor(time)}`;
      readout.textContent = row ? `${row.name}, ${when}` : when;
    }

    plot.addEventListener("pointermove", (event) => {
      tell(event);
      const frame = from && drawn(event);
      select.setAttribute("visibility", frame ? "visible" : "hidden");
      if (!frame) return;
      for (const [name, value] of Object.entries({
        x: frame.x, y: frame.y, width: frame.w, height: frame.h,
      })) select.setAttribute(name, value.toFixed(2));
    });

    plot.addEventListener("pointerup", (event) => {
      const frame = from && drawn(event);
      select.setAttribute("visibility", "hidden");
      from = null;
      if (!frame) return;
      const x = box.x + ((frame.x - whole.x) * box.w) / whole.w, w = (frame.w * box.w) / whole.w;
      if (!frame.high) return go(x, box.y, w, box.h);
      const y = box.y + ((frame.y - whole.y) * box.h) / whole.h, h = (frame.h * box.h) / whole.h;
      go(x, y, w, h);
    });

    plot.addEventListener("pointercancel", () => {
      select.setAttribute("visibility", "hidden");
      from = null;
    });
    plot.addEventListener("pointerleave", () => { readout.textContent = ""; });
    plot.addEventListener("dblclick", reset);

    const actions = {
      "+": () => zoom(0.8, 1), "=": () => zoom(0.8, 1), "-": () => zoom(1.25, 1),
      ArrowLeft: () => pan(-0.1, 0), ArrowRight: () => pan(0.1, 0),
      ArrowUp: (shift) => (shift ? zoom(1, 0.8) : pan(0, -0.1)),
      ArrowDown: (shift) => (shift ? zoom(1, 1.25) : pan(0, 0.1)),
      0: reset, Escape: reset,
    };
    plot.addEventListener("keydown", (event) => {
      const action = actions[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      action(event.shiftKey);
    });

    const buttons = {
      "time-in": () => zoom(0.8, 1), "time-out": () => zoom(1.25, 1),
      "units-in": () => zoom(1, 0.8), "units-out": () => zoom(1, 1.25), reset,
    };
    for (const button of figure.querySelectorAll("button")) {
      button.addEventListener("click", buttons[button.name]);
    }
    figure.querySelector(".tools").hidden = false;
  }

  for (const figure of document.querySelectorAll("figure.closeup")) zoomable(figure);
})();
