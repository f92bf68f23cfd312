"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = id => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  // Text from data reaches the page through textContent alone.
  const el = (tag, attributes, ...children) => {
    const it = document.createElement(tag);
    for (const key in attributes) it.setAttribute(key, attributes[key]);
    for (const child of children) it.append(child);
    return it;
  };
  const svg = (tag, attributes, text) => {
    const it = document.createElementNS(SVG, tag);
    for (const key in attributes) it.setAttribute(key, attributes[key]);
    if (text !== undefined) it.textContent = text;
    return it;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const grouped = (value, decimals) => {
    const text = Math.abs(value).toFixed(decimals).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
    return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
  };
  const signed = (value, decimals) => (value > 0 ? "+" : "") + grouped(value, decimals);
  const two = n => String(n).padStart(2, "0");
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = secs => { const d = new Date(secs * 1000); return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`; };
  const clock = secs => { const d = new Date(secs * 1000); return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`; };
  const minute = secs => `${day(secs)} ${clock(secs)}`;
  const span = secs => {
    const d = Math.floor(secs / 86400), h = Math.floor(secs / 3600) % 24, m = Math.floor(secs / 60) % 60;
    return d ? `${d} d ${h} h` : h ? `${h} h ${two(m)} min` : m ? `${m} min` : `${secs} s`;
  };
  const step = least => {
    let power = 1;
    while (power > least && power > 1e-9) power /= 10;
    while (power * 10 <= least) power *= 10;
    return power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= least);
  };
  const decimalsOf = size => { let n = 0; while (n < 9 && Math.abs(size * 10 ** n - Math.round(size * 10 ** n)) > 1e-6) n++; return n; };

  // Light or dark: as the reader's system has it, until the button says otherwise.
  $("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  });

  // ---- Equity and drawdown: the same pictures through another view box.
  const curve = data.curve;
  const times = [];
  curve.t.reduce((sum, step) => { times.push(sum + step); return sum + step; }, 0);
  const frames = [...document.querySelectorAll("[data-plot]")].map(frame => ({
    frame, svg: frame.querySelector("svg"), ticks: frame.querySelector(".ticks"), first: frame.querySelector(".ticks").innerHTML,
    low: Number(frame.dataset.low), high: Number(frame.dataset.high), isFall: frame.dataset.plot === "drawdown", scale: "log" in frame.dataset ? Math.log : value => value,
  }));
  const whole = [times[0] ?? 0, Math.max(times.at(-1) ?? 1, (times[0] ?? 0) + 1)];
  let seen = [...whole];
  const lowerBound = (list, value) => {
    let low = 0, high = list.length;
    while (low < high) { const middle = (low + high) >> 1; if (list[middle] < value) low = middle + 1; else high = middle; }
    return low;
  };
  const timeTicks = (low, high, count) => {
    const ticks = [], days = (high - low) / 86400;
    if (days < 2) {
      const by = [300, 900, 1800, 3600, 10800, 21600].find(by => (high - low) / by <= count) ?? 21600;
      for (let at = Math.ceil(low / by) * by; at <= high; at += by) ticks.push([at, at % 86400 ? clock(at) : `${new Date(at * 1000).getUTCDate()} ${MONTHS[new Date(at * 1000).getUTCMonth()]}`]);
    } else if (days < 45) {
      const by = 86400 * Math.ceil(days / count);
      for (let at = Math.ceil(low / 86400) * 86400; at <= high; at += by) { const d = new Date(at * 1000); ticks.push([at, `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`]); }
    } else {
      const apart = [1, 3, 6, 12, 24, 60].find(apart => days / 30 / apart <= count) ?? 120;
      const d = new Date(low * 1000);
      for (let month = d.getUTCFullYear() * 12 + d.getUTCMonth(); ; month++) {
        const at = Date.UTC(Math.floor(month / 12), month % 12, 1) / 1000;
        if (at > high) break;
        if (at >= low && month % apart === 0) ticks.push([at, apart < 12 ? `${MONTHS[month % 12]} ${Math.floor(month / 12)}` : String(Math.floor(month / 12))]);
      }
    }
    return ticks;
  };
  const look = (from, until) => {
    const least = Math.max((whole[1] - whole[0]) / 400, 1);
    const width = clamp(until - from, least, whole[1] - whole[0]);
    from = clamp(from, whole[0], whole[1] - width);
    seen = [from, from + width];
    const isWhole = width >= whole[1] - whole[0];
    const [a, b] = [Math.max(lowerBound(times, seen[0]) - 1, 0), Math.min(lowerBound(times, seen[1]) + 1, times.length)];
    for (const it of frames) {
      if (isWhole) { it.svg.setAttribute("viewBox", "0 0 1000 1000"); it.ticks.innerHTML = it.first; it.now = [it.low, it.high]; continue; }
      let low = Infinity, high = -Infinity;
      for (let at = a; at < b; at++) for (const value of it.isFall ? [curve.l[at] / 100, 0] : [it.scale(curve.e[at]), it.scale(curve.b[at] ?? curve.e[at])]) { low = Math.min(low, value); high = Math.max(high, value); }
      const room = (high - low || Math.abs(high) * 1e-3 || 1e-3) * 0.06;
      low = low - room; high = it.isFall ? 0 : high + room;
      it.now = [low, high];
      const unit = value => (it.high - value) / (it.high - it.low) * 1000;
      const x = time => (time - whole[0]) / (whole[1] - whole[0]) * 1000;
      it.svg.setAttribute("viewBox", `${x(seen[0])} ${unit(high)} ${x(seen[1]) - x(seen[0])} ${unit(low) - unit(high)}`);
      // Ticks are round amounts, wherever the scale puts them.
      const isLog = it.scale === Math.log, [least, most] = isLog ? [Math.exp(low), Math.exp(high)] : [low, high];
      const by = step((most - least) / (it.isFall ? 3 : 6)), places = decimalsOf(it.isFall ? by * 100 : by), ticks = [];
      const values = [];
      if (isLog && most / least > 4) for (let power = 1e-8; power <= most; power *= 10) values.push(...[1, 2, 5].map(factor => factor * power).filter(value => value >= least && value <= most));
      else for (let value = Math.ceil(least / by) * by; value <= most + by * 1e-9; value += by) values.push(value);
      const amount = value => Math.abs(value) >= 10e6 ? `${grouped(value / 1e6, decimalsOf(by / 1e6) > 2 ? 2 : decimalsOf(by / 1e6))} M` : grouped(value, isLog && most / least > 4 ? 0 : places);
      for (const value of values) {
        ticks.push(el("i", { class: "gy", style: `top:${(high - it.scale(value)) / (high - low) * 100}%` }, el("b", {}, it.isFall ? `${grouped(value * 100, places)} %` : amount(value))));
      }
      for (const [at, word] of timeTicks(seen[0], seen[1], it.frame.clientWidth < 500 ? 4 : 8)) ticks.push(el("i", { class: (at - seen[0]) / width < 0.08 ? "gx edge" : "gx", style: `left:${(at - seen[0]) / width * 100}%` }, el("b", {}, word)));
      it.ticks.replaceChildren(...ticks);
    }
  };
  const read = $("read");
  const tell = at => {
    const bench = curve.b.length === times.length ? ` · ${data.benchmark} ${grouped(curve.b[at], 0)}` : "";
    read.textContent = `${minute(times[at])} · ${grouped(curve.e[at], data.money_decimals)} ${data.currency} · drawdown ${grouped(curve.d[at], 2)} %${bench}`;
  };
  if (frames.length && times.length > 1) {
    const cursors = frames.map(it => it.frame.appendChild(el("i", { class: "cursor", hidden: "" })));
    const boxes = frames.map(it => it.frame.appendChild(el("i", { class: "chosen", hidden: "" })));
    let start = null, fingers = new Map(), pinch = null;
    const timeAt = event => { const box = frames[0].frame.getBoundingClientRect(); return seen[0] + clamp((event.clientX - box.left) / box.width, 0, 1) * (seen[1] - seen[0]); };
    const part = time => clamp((time - seen[0]) / (seen[1] - seen[0]), 0, 1) * 100;
    for (const { frame } of frames) {
      frame.addEventListener("pointerdown", event => {
        if (event.pointerType === "touch") fingers.set(event.pointerId, event.clientX); else { start = timeAt(event); frame.setPointerCapture(event.pointerId); event.preventDefault(); }
        if (fingers.size === 2) { const [p, q] = fingers.values(); pinch = { apart: Math.abs(p - q) || 1, seen: [...seen] }; }
      });
      frame.addEventListener("pointermove", event => {
        if (fingers.has(event.pointerId)) {
          fingers.set(event.pointerId, event.clientX);
          if (pinch && fingers.size === 2) {
            const [p, q] = fingers.values(), factor = pinch.apart / (Math.abs(p - q) || 1), middle = (pinch.seen[0] + pinch.seen[1]) / 2, half = (pinch.seen[1] - pinch.seen[0]) / 2 * factor;
            look(middle - half, middle + half);
            return;
          }
        }
        const time = timeAt(event), at = clamp(lowerBound(times, time), 0, times.length - 1);
        tell(at);
        cursors.forEach(cursor => { cursor.hidden = false; cursor.style.left = `${part(times[at])}%`; });
        if (start !== null) boxes.forEach(box => { box.hidden = false; box.style.left = `${part(Math.min(start, time))}%`; box.style.width = `${Math.abs(part(time) - part(start))}%`; });
      });
      const end = event => {
        fingers.delete(event.pointerId);
        if (fingers.size < 2) pinch = null;
        if (start === null) return;
        const time = timeAt(event), wide = Math.abs(part(time) - part(start)) > 1.5, from = start;
        start = null;
        boxes.forEach(box => { box.hidden = true; });
        if (wide && event.type === "pointerup") look(Math.min(from, time), Math.max(from, time));
      };
      frame.addEventListener("pointerup", end);
      frame.addEventListener("pointercancel", end);
      frame.addEventListener("pointerleave", () => { if (start === null) { cursors.forEach(cursor => { cursor.hidden = true; }); read.textContent = ""; } });
      frame.addEventListener("dblclick", () => look(...whole));
    }
    const tools = $("spans"), last = whole[1];
    for (const [name, days] of [["1 M", 30], ["3 M", 91], ["1 Y", 365], ["All", 0]]) {
      if (days * 86400 >= last - whole[0]) continue;
      const button = el("button", { type: "button" }, name);
      button.addEventListener("click", () => days ? look(last - days * 86400, last) : look(...whole));
      tools.append(button);
    }
  }

  // ---- Bars, trades and structures.
  for (const series of data.series) {
    const unit = 10 ** -series.decimals, t = [], o = [], h = [], l = [], c = [];
    let time = series.first, close = 0;
    for (let at = 0; at < series.bars.length; at += 5) {
      const [apart, gap, up, down, body] = series.bars.slice(at, at + 5);
      time += apart * series.secs;
      const open = close + gap;
      close = open + body;
      t.push(time); o.push(open * unit); c.push(close * unit); h.push((Math.max(open, close) + up) * unit); l.push((Math.min(open, close) - down) * unit);
    }
    Object.assign(series, { t, o, h, l, c });
    series.bars = null;
    series.trades = [];
  }
  data.trades.forEach((trade, nr) => { trade.nr = nr; if (trade.k >= 0) data.series[trade.k].trades.push(nr); });
  const THING = { shape: 0, colour: 1, symbol: 2, times: 3, top: 4, bottom: 5, label: 6, words: 7 };
  const chart = $("chart");
  let current = 0, view = [0, 1], picked = null, hot = null;
  // A moment as a place among bars: whole numbers are left edges.
  const place = (series, secs) => {
    const at = lowerBound(series.t, secs + 1) - 1;
    return at < 0 ? (secs - series.t[0]) / series.secs : at + Math.min((secs - series.t[at]) / series.secs, 1);
  };
  const thingsOf = trade => {
    const all = new Map();
    (trade.w ?? []).forEach((chain, role) => (chain ?? []).forEach((thing, depth) => { if (!all.has(thing)) all.set(thing, { role, depth }); }));
    return all;
  };
  const setView = (from, until) => {
    const n = data.series[current].t.length, wide = clamp(until - from, 12, Math.max(n * 1.1, 24));
    from = clamp(from, -wide * 0.5, n - wide * 0.5);
    view = [from, from + wide];
    draw();
  };
  const fit = trade => {
    const series = data.series[trade.k];
    let from = place(series, trade.o), until = place(series, trade.c);
    thingsOf(trade).forEach(({ role, depth }, thing) => { if (role < 3 && depth === 0 && data.things[thing][THING.symbol] === trade.s) from = Math.min(from, Math.max(place(series, data.things[thing][THING.times][0]), place(series, trade.o) - 240)); });
    const room = Math.max((until - from) * 0.22, 14);
    setView(from - room, until + room);
  };
  let asked = false;
  const draw = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; paint(); }); } };
  const paint = () => {
    if (!chart) return;
    const series = data.series[current], w = chart.clientWidth, h = chart.clientHeight;
    if (!w || !series.t.length) return;
    const right = w < 500 ? 54 : 68, bottom = 24, top = 30, width = w - right, height = h - bottom;
    const perBar = width / (view[1] - view[0]), x = at => (at - view[0]) * perBar, xt = secs => x(place(series, secs));
    const a = clamp(Math.floor(view[0]) - 1, 0, series.t.length - 1), b = clamp(Math.ceil(view[1]) + 1, a + 1, series.t.length);
    let low = Infinity, high = -Infinity;
    for (let at = a; at < b; at++) { low = Math.min(low, series.l[at]); high = Math.max(high, series.h[at]); }
    const trade = picked === null ? null : data.trades[picked];
    const isHere = trade && trade.k === current;
    if (isHere) for (const price of trade.p) if (price !== null && price > low - (high - low) && price < high + (high - low)) { low = Math.min(low, price); high = Math.max(high, price); }
    const room = (high - low || high * 1e-4 || 1) * 0.05;
    low -= room; high += room;
    const y = price => top + (high - price) / (high - low) * (height - top);
    const root = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": series.name });
    const clip = svg("clipPath", { id: "inside" });
    clip.append(svg("rect", { x: 0, y: 0, width, height }));
    root.append(clip);
    const ground = root.appendChild(svg("g", {})), inside = root.appendChild(svg("g", { "clip-path": "url(#inside)" })), over = root.appendChild(svg("g", { "clip-path": "url(#inside)" }));
    // Grid.
    const by = step((high - low) / Math.max(height / 60, 2)), places = Math.min(Math.max(decimalsOf(by), 0), 8);
    const tagText = price => { const text = grouped(price, series.decimals); return text.length <= (right < 60 ? 7 : 10) ? text : grouped(price, places); };
    const tagged = isHere ? [trade.p[0], trade.p[2], trade.p[3]].filter(price => price !== null).map(y) : [];
    let grid = "";
    for (let price = Math.ceil(low / by) * by; price <= high; price += by) {
      grid += `M0 ${y(price).toFixed(1)}H${width}`;
      if (tagged.every(other => Math.abs(other - y(price)) > 13)) ground.append(svg("text", { x: width + 6, y: (y(price) + 4).toFixed(1) }, grouped(price, places)));
    }
    const minutes = series.secs / 60 * (view[1] - view[0]);
    const apart = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10080, 20160, 43200].find(apart => minutes / apart <= width / 90) ?? 86400;
    let lastX = -100;
    for (let at = a; at < b; at++) {
      const mark = Math.floor(series.t[at] / 60 / apart);
      if (at === 0 || mark === Math.floor(series.t[at - 1] / 60 / apart)) continue;
      const px = x(at + 0.5);
      if (px - lastX < 62 || px < 20 || px > width - 20) continue;
      lastX = px;
      grid += `M${px.toFixed(1)} 0V${height}`;
      const d = new Date(series.t[at] * 1000), isDay = apart >= 1440 || Math.floor(series.t[at] / 86400) !== Math.floor(series.t[at - 1] / 86400);
      ground.append(svg("text", { x: px.toFixed(1), y: height + 16, "text-anchor": "middle" }, isDay ? `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}` : clock(series.t[at])));
    }
    ground.prepend(svg("path", { class: "c-grid", d: grid }));
    ground.append(svg("path", { class: "c-grid", d: `M0 ${height}H${w}M${width} 0V${h}` }));
    let cuts = "";
    for (const at of series.cuts) if (at >= a && at <= b) cuts += `M${x(at).toFixed(1)} 0V${height}`;
    ground.append(svg("path", { class: "c-cut", d: cuts }));
    // Labels keep out of each other's way.
    const taken = [];
    const label = (text, px, py, kind) => {
      const wide = text.length * 6.2 + 4;
      px = clamp(px, 3, Math.max(width - wide - 3, 3));
      for (const dy of [0, -13, 13, -26, 26, -39, 39]) {
        const box = [px, py + dy - 10, px + wide, py + dy + 3];
        if (box[1] < 0 || box[3] > height || taken.some(it => it[0] < box[2] && box[0] < it[2] && it[1] < box[3] && box[1] < it[3])) continue;
        taken.push(box);
        over.append(svg("text", { x: px.toFixed(1), y: (py + dy).toFixed(1), class: `halo ${kind}` }, text));
        return;
      }
    };
    // Structures: those of the chosen trade strong and named, those of others faint.
    const own = isHere ? thingsOf(trade) : new Map();
    const now = isHere ? trade.c : null;
    const wanted = new Set();
    for (const nr of series.trades) { const it = data.trades[nr]; if (it.c >= series.t[a] - 86400 * 3 && it.o <= series.t[b - 1] + 86400 * 3) thingsOf(it).forEach((_, thing) => wanted.add(thing)); }
    own.forEach((_, thing) => wanted.add(thing));
    const paintThing = thing => {
      const [shape, colour, symbol, [from, known, ended], above, below, name] = data.things[thing];
      if (symbol !== series.symbol || shape === "w") return;
      const isOwn = own.has(thing), isUp = colour & 1, isGap = colour & 2;
      if (!isOwn && shape !== "z" && shape !== "b" && shape !== "s") return;
      const tone = (isOwn ? "lit" : "faint") + (thing === hot ? " hot" : "");
      const x0 = xt(from), xk = xt(known), until = ended || (isOwn ? now : 0), xe = until ? xt(until) : xk + 40 * perBar;
      if (Math.max(xe, xk) < 0 || x0 > width) return;
      if (shape === "z") {
        const [y0, y1] = [y(above), y(below)];
        inside.append(svg("rect", { class: `zone ${isGap ? "gap" : "ob"}${isUp} ${tone}`, x: x0.toFixed(1), y: y0.toFixed(1), width: Math.max((isOwn ? Math.max(xe, xk) : xe) - x0, 2).toFixed(1), height: Math.max(y1 - y0, 1).toFixed(1) }));
        if (isOwn) label(name, x0 + 4, (y0 + y1) / 2 + 4, isGap ? (isUp ? "t-up" : "t-down") : `t-ob${isUp}`);
      } else if (shape === "b") {
        inside.append(svg("path", { class: `brk${isUp} ${tone}`, d: `M${x0.toFixed(1)} ${y(above).toFixed(1)}H${xk.toFixed(1)}` }));
        if (isOwn) label(name, (x0 + xk) / 2 - 12, y(above) + (isUp ? -5 : 13), isUp ? "t-up" : "t-down");
      } else if (shape === "s") {
        const yy = y(above), p = [xk - 4, xk + 4, yy - 4, yy + 4].map(v => v.toFixed(1));
        inside.append(svg("path", { class: `liq ${tone}`, d: `M${x0.toFixed(1)} ${yy.toFixed(1)}H${xk.toFixed(1)}` }), svg("path", { class: `cross ${tone}`, d: `M${p[0]} ${p[2]}L${p[1]} ${p[3]}M${p[0]} ${p[3]}L${p[1]} ${p[2]}` }));
        if (isOwn) label(name, xk + 6, yy + (isUp ? -6 : 14), "t-liq");
      } else if (shape === "t") {
        inside.append(svg("rect", { class: `span ${tone}`, x: x0.toFixed(1), y: 0, width: Math.max(xe - x0, 2).toFixed(1), height }));
      } else if (shape === "l" && isOwn && own.get(thing).depth > 0 && thing !== hot) {
        // The pivot behind a break or swing lies under its line already.
      } else {
        const isLevel = shape === "l", levels = isLevel ? [above] : [above, below];
        for (const level of levels) inside.append(svg("path", { class: `${isLevel ? "liq" : "lvl"} ${tone}`, d: `M${x0.toFixed(1)} ${y(level).toFixed(1)}H${Math.max(xe, xk).toFixed(1)}` }));
        if (name) levels.forEach((level, nth) => label(isLevel ? name : name.slice(0, -1) + (nth ? "L" : "H"), Math.max(x0, 0) + 4, y(level) + (isUp && !nth ? -5 : 13), "t-liq"));
      }
    };
    [...wanted].sort((p, q) => own.has(p) - own.has(q) || (p === hot) - (q === hot) || p - q).forEach(paintThing);
    // What was risked and wanted.
    if (isHere) {
      const [entry, exit, stop, target] = trade.p, x0 = xt(trade.o), x1 = Math.max(xt(trade.c), x0 + 2);
      const box = (from, to, kind) => inside.append(svg("rect", { class: kind, x: x0.toFixed(1), width: (x1 - x0).toFixed(1), y: Math.min(y(from), y(to)).toFixed(1), height: Math.abs(y(from) - y(to)).toFixed(1) }));
      if (stop !== null) box(entry, stop, "risk");
      if (target !== null) box(entry, target, "win");
      const level = (price, kind, name, tone) => {
        over.append(svg("path", { class: kind, d: `M${x0.toFixed(1)} ${y(price).toFixed(1)}H${x1.toFixed(1)}` }));
        over.append(svg("path", { class: `${kind} l-axis`, d: `M${x1.toFixed(1)} ${y(price).toFixed(1)}H${width}` }));
        label(name, x1 + 8, y(price) - 4, tone);
        tags.push([price, name]);
      };
      over.append(svg("path", { class: "path", d: `M${x0.toFixed(1)} ${y(entry).toFixed(1)}L${x1.toFixed(1)} ${y(exit).toFixed(1)}` }));
      const tags = [];
      level(entry, "l-entry", "entry", "t-ink");
      if (stop !== null) level(stop, "l-stop", "stop", "t-down");
      if (target !== null) level(target, "l-target", "target", "t-up");
      for (const [price, name] of tags) {
        if (price < low || price > high) continue;
        root.append(svg("rect", { class: `tag-${name}`, x: width + 1, y: (y(price) - 8).toFixed(1), width: right - 1, height: 16 }), svg("text", { class: "tag", x: width + 6, y: (y(price) + 4).toFixed(1) }, tagText(price)));
      }
    }
    // Bars, several as one where they are thinner than can be seen.
    const group = Math.max(1, Math.floor(2 / perBar)), parts = { wu: "", wd: "", bu: "", bd: "" };
    for (let at = a - a % group; at < b; at += group) {
      const end = Math.min(at + group, b);
      let hi = -Infinity, lo = Infinity;
      for (let k = at; k < end; k++) { hi = Math.max(hi, series.h[k]); lo = Math.min(lo, series.l[k]); }
      const open = series.o[at], close = series.c[end - 1], px = x((at + end) / 2), half = Math.max(perBar * (end - at) * 0.36, 0.4), isUp = close >= open;
      const [y0, y1] = isUp ? [y(close), y(open)] : [y(open), y(close)];
      parts[isUp ? "wu" : "wd"] += `M${px.toFixed(1)} ${y(hi).toFixed(1)}V${y(lo).toFixed(1)}`;
      parts[isUp ? "bu" : "bd"] += `M${(px - half).toFixed(1)} ${y0.toFixed(1)}h${(2 * half).toFixed(1)}v${Math.max(y1 - y0, 0.8).toFixed(1)}h${(-2 * half).toFixed(1)}z`;
    }
    for (const kind in parts) inside.append(svg("path", { class: `c-${kind}`, d: parts[kind] }));
    // Entries and exits.
    for (const nr of series.trades) {
      const it = data.trades[nr], x0 = xt(it.o), x1 = xt(it.c);
      if (x1 < -10 || x0 > width + 10) continue;
      const isPicked = nr === picked, size = isPicked ? 7 : 4.5, away = it.d > 0 ? 1 : -1, ye = y(it.p[0]) + away * 3;
      if (perBar < 1 && !isPicked && series.trades.length > 300) continue;
      const mark = svg("path", { class: `${it.d > 0 ? "m-long" : "m-short"}${isPicked || !isHere ? "" : " faint"}`, "data-trade": nr, d: `M${x0.toFixed(1)} ${ye.toFixed(1)}l${-size} ${(away * size * 1.5).toFixed(1)}h${2 * size}z` });
      mark.append(svg("title", {}, `Trade ${nr + 1}`));
      over.append(mark);
      if (isPicked && it.b) over.append(svg("circle", { class: "m-exit", cx: x1.toFixed(1), cy: y(it.p[1]).toFixed(1), r: 4 }));
    }
    legend(pointer === null ? null : clamp(Math.floor(view[0] + pointer / perBar), 0, series.t.length - 1));
    chart.querySelector("svg")?.remove();
    chart.prepend(root);
  };
  let pointer = null;
  const legendBox = chart ? chart.appendChild(el("div", { id: "legend" })) : null;
  const legend = at => {
    const series = data.series[current], n = series.decimals;
    const bits = [el("b", {}, series.name)];
    if (at !== null) bits.push(`  ${minute(series.t[at])}  O ${grouped(series.o[at], n)} H ${grouped(series.h[at], n)} L ${grouped(series.l[at], n)} C ${grouped(series.c[at], n)}`);
    legendBox.replaceChildren(...bits);
  };

  // ---- One trade in words.
  const roles = data.roles;
  const explain = trade => {
    const why = $("why"), n = trade.k >= 0 ? data.series[trade.k].decimals : null;
    const price = value => value === null ? "—" : n === null ? String(value) : grouped(value, n);
    const [entry, exit, stop, target] = trade.p, [net, fees, cash] = trade.m;
    const facts = [["Opened", minute(trade.o)], [trade.b ? "Closed" : "Open at", minute(trade.c)], ["Held", span(trade.c - trade.o)], ["Quantity", trade.q], ["Entry", price(entry)], ["Stop", price(stop)], ["Target", price(target)],
      [trade.b ? "Exit" : "Mark", price(exit) + (trade.b ? `, by ${trade.b}` : "")], ["Net", `${signed(net, data.money_decimals)} ${data.currency}`], ["Fees", grouped(fees, data.money_decimals)]];
    if (cash) facts.push(["Funding", signed(cash, data.money_decimals)]);
    if (trade.r !== null) facts.push(["Result", `${signed(trade.r, 2)} R`]);
    if (trade.x) facts.push(["Worst, best", `−${grouped(trade.x[0], 2)} R, +${grouped(trade.x[1], 2)} R`]);
    const list = el("ol", {});
    (trade.w ?? []).forEach((chain, role) => {
      if (chain === null) return;
      const item = el("li", {}, el("b", {}, roles[role]));
      if (!chain.length) item.append("a structure that the run's record does not have");
      chain.forEach((thing, depth) => {
        const button = el("button", { type: "button", class: depth ? "from" : "" }, data.things[thing][THING.words]);
        const heat = on => { hot = on ? thing : null; draw(); };
        button.addEventListener("pointerenter", () => heat(true));
        button.addEventListener("pointerleave", () => heat(false));
        button.addEventListener("focus", () => heat(true));
        button.addEventListener("blur", () => heat(false));
        button.addEventListener("click", () => {
          if (trade.k < 0) return;
          const series = data.series[trade.k], [from, until] = [place(series, data.things[thing][THING.times][0]), place(series, trade.c)];
          setView(Math.max(from, place(series, trade.o) - 600) - 12, until + 20);
        });
        item.append(button);
      });
      list.append(item);
    });
    const title = el("h3", {}, `Trade ${trade.nr + 1}: ${data.symbols[trade.s]} ${trade.d > 0 ? "long" : "short"}`);
    const rows = facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
    const parts = [title, el("dl", {}, ...rows)];
    if (list.children.length) parts.push(list);
    else parts.push(el("p", { class: "note" }, trade.w === undefined ? "Its reasons are not on this page; report.json has them." : "It names no structures as its reasons."));
    if (trade.k < 0 && data.series.length) parts.push(el("p", { class: "note" }, "Its bars are not on this page."));
    why.replaceChildren(...parts);
  };

  // ---- The table of trades.
  const PER_PAGE = 14;
  let page = 0, sortBy = "nr", isDown = true, filter = "all", order = [];
  const columns = [
    ["nr", "No.", t => t.nr, t => String(t.nr + 1)], ["s", "Instrument", t => data.symbols[t.s], t => data.symbols[t.s], "wide-only"], ["d", "Side", t => t.d, t => t.d > 0 ? "long" : "short"],
    ["o", "Opened", t => t.o, t => [day(t.o), el("span", { class: "wide-only" }, ` ${clock(t.o)}`)]], ["h", "Held", t => t.c - t.o, t => span(t.c - t.o), "wide-only"], ["b", "Exit by", t => t.b, t => t.b || "open", "wide-only"],
    ["r", "R", t => t.r ?? -Infinity, t => t.r === null ? "—" : signed(t.r, 2), "num"], ["m", "Net", t => t.m[0], t => signed(t.m[0], data.money_decimals), "num"],
  ].filter(([key]) => key !== "s" || data.symbols.length > 1);
  const filters = { all: () => true, wins: t => t.m[0] > 0, losses: t => t.m[0] <= 0, long: t => t.d > 0, short: t => t.d < 0, open: t => !t.b };
  const arrange = () => {
    const value = columns.find(([key]) => key === sortBy)[2], sign = isDown ? -1 : 1;
    order = data.trades.filter(filters[filter]).sort((p, q) => { const [u, v] = [value(p), value(q)]; return (u < v ? -sign : u > v ? sign : 0) || p.nr - q.nr; });
  };
  const table = () => {
    const pages = Math.max(Math.ceil(order.length / PER_PAGE), 1);
    page = clamp(page, 0, pages - 1);
    const head = columns.map(([key, name, , , kind]) => {
      const button = el("button", { type: "button" }, name + (key === sortBy ? (isDown ? " ↓" : " ↑") : ""));
      button.addEventListener("click", () => { isDown = key === sortBy ? !isDown : key === "r" || key === "m"; sortBy = key; page = 0; arrange(); table(); });
      return el("th", { class: kind ?? "", "aria-sort": key === sortBy ? (isDown ? "descending" : "ascending") : "none" }, button);
    });
    const rows = order.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(trade => {
      const row = el("tr", { "aria-selected": trade.nr === picked });
      for (const [key, , , text, kind] of columns) {
        const tone = key === "m" || key === "r" ? (trade.m[0] > 0 ? " good" : " bad") : "";
        row.append(el("td", { class: (kind ?? "") + tone }, key === "nr" ? el("button", { type: "button", "aria-label": `Trade ${trade.nr + 1}` }, text(trade)) : "", ...(key === "nr" ? [] : [text(trade)].flat())));
      }
      row.addEventListener("click", () => pick(trade.nr));
      return row;
    });
    const choose = el("select", { "aria-label": "Which trades" });
    for (const name in filters) if (name !== "open" || data.trades.some(filters.open)) choose.append(el("option", name === filter ? { value: name, selected: "" } : { value: name }, name[0].toUpperCase() + name.slice(1)));
    choose.addEventListener("change", () => { filter = choose.value; page = 0; arrange(); table(); });
    const turn = (by, name, aria) => { const button = el("button", { type: "button", "aria-label": aria }, name); button.addEventListener("click", () => { page += by; table(); }); return button; };
    const tools = el("div", { class: "tools" }, choose, el("span", { class: "grow" }), turn(-1, "‹", "Page before"), el("span", {}, `${page + 1} of ${pages}`), turn(1, "›", "Next page"));
    $("table").replaceChildren(tools, el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows))));
  };
  const pick = (nr, isByHand = true) => {
    const trade = data.trades[nr];
    const hadFocus = $("table").contains(document.activeElement);
    picked = nr;
    hot = null;
    const at = order.indexOf(trade);
    if (at >= 0) page = Math.floor(at / PER_PAGE);
    table();
    explain(trade);
    if (hadFocus) $("table").querySelector("[aria-selected=true] button")?.focus();
    if (chart && trade.k >= 0) {
      current = trade.k;
      const choose = $("series");
      choose.value = String(current);
      fit(trade);
      // On a phone the chart is far above the table.
      const box = chart.getBoundingClientRect();
      if (isByHand && box.bottom < 80) chart.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    }
  };
  const neighbour = by => {
    // In time, whatever the table is sorted by.
    for (let nr = (picked ?? -1) + by; nr >= 0 && nr < data.trades.length; nr += by) {
      const trade = data.trades[nr];
      if (trade.k >= 0 && filters[filter](trade)) { pick(nr); return; }
    }
  };
  arrange();
  if (data.trades.length) table();
  if (chart && data.series.length) {
    const choose = $("series");
    data.series.forEach((series, nth) => choose.append(el("option", { value: nth }, series.name)));
    choose.addEventListener("change", () => { current = Number(choose.value); const n = data.series[current].t.length; setView(n - 160, n + 8); });
    const zoom = (factor, at = (view[0] + view[1]) / 2) => setView(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
    const move = part => { const by = (view[1] - view[0]) * part; setView(view[0] + by, view[1] + by); };
    const deeds = { before: () => neighbour(-1), after: () => neighbour(1), in: () => zoom(0.7), out: () => zoom(1 / 0.7), fit: () => { if (picked !== null && data.trades[picked].k >= 0) { current = data.trades[picked].k; choose.value = String(current); fit(data.trades[picked]); } } };
    document.querySelectorAll("[data-do]").forEach(button => button.addEventListener("click", deeds[button.dataset.do]));
    const keys = { ArrowLeft: () => move(-0.15), ArrowRight: () => move(0.15), "+": deeds.in, "=": deeds.in, "-": deeds.out, n: deeds.after, p: deeds.before, Home: () => setView(0, view[1] - view[0]), End: () => { const n = data.series[current].t.length; setView(n - (view[1] - view[0]), n); } };
    chart.addEventListener("keydown", event => { const deed = keys[event.key]; if (deed && !event.ctrlKey && !event.metaKey && !event.altKey) { deed(); event.preventDefault(); } });
    const fingers = new Map();
    let grip = null, moved = 0;
    const barAt = clientX => { const box = chart.getBoundingClientRect(), right = box.width < 500 ? 54 : 68; return view[0] + (clientX - box.left) / (box.width - right) * (view[1] - view[0]); };
    const hold = () => { const xs = [...fingers.values()]; grip = { xs, view: [...view], bars: xs.map(barAt) }; };
    chart.addEventListener("pointerdown", event => { fingers.set(event.pointerId, event.clientX); moved = 0; hold(); });
    chart.addEventListener("pointermove", event => {
      const box = chart.getBoundingClientRect(), width = box.width - (box.width < 500 ? 54 : 68);
      pointer = event.clientX - box.left < width ? event.clientX - box.left : null;
      if (!fingers.has(event.pointerId)) { draw(); return; }
      fingers.set(event.pointerId, event.clientX);
      const xs = [...fingers.values()];
      moved = Math.max(moved, Math.abs(xs[0] - grip.xs[0]));
      if (moved > 3 && event.pointerType === "mouse" && !chart.hasPointerCapture(event.pointerId)) chart.setPointerCapture(event.pointerId);
      const wide = grip.view[1] - grip.view[0];
      if (xs.length >= 2) {
        const factor = clamp((Math.abs(grip.xs[0] - grip.xs[1]) || 1) / (Math.abs(xs[0] - xs[1]) || 1), 0.05, 20), middle = (grip.bars[0] + grip.bars[1]) / 2, part = ((xs[0] + xs[1]) / 2 - box.left) / width;
        setView(middle - part * wide * factor, middle + (1 - part) * wide * factor);
      } else { const by = (grip.xs[0] - xs[0]) / width * wide; setView(grip.view[0] + by, grip.view[1] + by); }
    });
    const release = event => { fingers.delete(event.pointerId); if (fingers.size) hold(); };
    chart.addEventListener("pointerup", event => { release(event); const nr = event.target.closest?.("[data-trade]")?.dataset.trade; if (nr !== undefined && moved < 4) pick(Number(nr)); });
    chart.addEventListener("pointercancel", release);
    chart.addEventListener("pointerleave", event => { release(event); pointer = null; draw(); });
    chart.addEventListener("dblclick", deeds.fit);
    chart.addEventListener("wheel", event => {
      if (!event.ctrlKey && document.activeElement !== chart) return;
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / 1000); else zoom(Math.exp(event.deltaY * 0.0015), barAt(event.clientX));
    }, { passive: false });
    new ResizeObserver(draw).observe(chart);
    addEventListener("beforeprint", () => { paint(); document.querySelectorAll("details").forEach(it => { it.open = true; }); });
    addEventListener("afterprint", draw);
    const n = data.series[0].t.length;
    view = [Math.max(n - 160, 0), n + 8];
  }
  // The last closed trade with a picture is open when the page is.
  const last = data.trades.findLast(trade => trade.k >= 0 && trade.w && trade.b) ?? data.trades[0];
  if (last) pick(last.nr, false);
})();
