"use strict";

// All that comes from the server goes into the page as text, never as markup:
// clients choose their names.

const period = 2000;
const svgNS = "http://www.w3.org/2000/svg";
const place = id => document.getElementById(id);

function element(name, text, kind) {
	const e = document.createElement(name);
	if (text !== undefined) e.textContent = text;
	if (kind) e.className = kind;
	return e;
}

function count(n) {
	if (n >= 1e9) return (n / 1e9).toFixed(1) + " G";
	if (n >= 1e6) return (n / 1e6).toFixed(1) + " M";
	if (n >= 1e4) return (n / 1e3).toFixed(1) + " k";
	return n >= 100 || Number.isInteger(n) ? n.toFixed(0) : n.toFixed(1);
}

function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let i = 0;
	for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
	return (i && n < 100 ? n.toFixed(1) : n.toFixed(0)) + " " + units[i];
}

function duration(s) {
	if (s === 0) return "–";
	if (s < 1e-3) return (s * 1e6).toFixed(0) + " µs";
	if (s < 1) return (s * 1e3).toFixed(s < 0.01 ? 2 : 0) + " ms";
	if (s < 120) return s.toFixed(s < 10 ? 1 : 0) + " s";
	if (s < 7200) return (s / 60).toFixed(0) + " min";
	return s < 172800 ? (s / 3600).toFixed(0) + " h" : (s / 86400).toFixed(0) + " d";
}

// fill makes a table of rows by columns of [heading, value, kind].
function fill(id, columns, rows) {
	const head = element("thead"), line = element("tr"), body = element("tbody");
	for (const [title, , kind] of columns) line.append(element("th", title, kind));
	head.append(line);
	for (const row of rows) {
		const tr = element("tr");
		for (const [title, value, kind] of columns) {
			const td = element("td", undefined, kind), span = element("span", value(row));
			td.dataset.label = title;
			td.append(span);
			tr.append(td);
		}
		body.append(tr);
	}
	place(id).replaceChildren(head, body);
}

const rates = [
	["ops/s", r => count(r.rate.ops), "number"],
	["read/s", r => bytes(r.rate.read_bytes), "number"],
	["written/s", r => bytes(r.rate.written_bytes), "number"],
	["latency", r => duration(r.rate.latency_seconds), "number"],
];

const exportColumns = [
	["export", x => x.path],
	["state", x => x.up ? "served" : x.trouble],
	...rates,
	["operations", x => count(x.total.ops), "number"],
	["read", x => bytes(x.total.read_bytes), "number"],
	["written", x => bytes(x.total.written_bytes), "number"],
];

const clientColumns = [
	["client", c => c.owner],
	["address", c => c.address, "short"],
	["NFS", c => c.version, "short"],
	["says it is", c => c.implementation || "–"],
	["state", c => c.state, "short"],
	["idle", c => duration(c.idle_seconds), "number"],
	["opens", c => count(c.opens), "number"],
	["delegations", c => count(c.delegations), "number"],
	...rates,
];

const operationColumns = [
	["operation", o => o.name],
	["count", o => count(o.count), "number"],
	["failed", o => count(o.failed), "number"],
	["mean", o => duration(o.mean_seconds), "number"],
	["99 in 100 below", o => duration(o.p99_seconds), "number"],
];

const heldItems = [
	["connections", h => h.connections],
	["clients", h => h.clients],
	["sessions", h => h.sessions],
	["under way", h => h.slots_in_use],
	["opens", h => h.opens],
	["locks", h => h.locks],
	["delegations", h => h.delegations],
	["recalls", h => h.recalls],
	["replays", h => h.replays],
];

// chart draws one or two series over the same time.
function chart(title, samples, unit, ...series) {
	const figure = element("figure"), caption = element("figcaption", title + " ");
	const now = samples.length ? samples[samples.length - 1] : null;
	for (const [kind, of] of series) caption.append(element("b", now ? unit(of(now)) : "–", kind), " ");
	const top = Math.max(1e-9, ...samples.flatMap(s => series.map(([, of]) => of(s))));
	caption.append("most " + (samples.length ? unit(top > 1e-9 ? top : 0) : "–"));
	const svg = document.createElementNS(svgNS, "svg");
	svg.setAttribute("class", "chart");
	svg.setAttribute("viewBox", "0 0 300 60");
	svg.setAttribute("preserveAspectRatio", "none");
	svg.setAttribute("role", "img");
	svg.setAttribute("aria-label", title);
	for (const [kind, of] of series) {
		const line = document.createElementNS(svgNS, "polyline");
		line.setAttribute("class", kind);
		const first = 300 - samples.length;
		line.setAttribute("points", samples.map((s, i) => `${first + i},${(58 - 55 * of(s) / top).toFixed(1)}`).join(" "));
		svg.append(line);
	}
	figure.append(caption, svg);
	return figure;
}

function show(s) {
	const badge = place("badge");
	badge.textContent = s.ready ? "ready" : "not ready";
	badge.className = "badge " + (s.ready ? "good" : "bad");
	const grace = s.grace.active ? `grace period: ${s.grace.phase}, ${duration(s.grace.seconds_left)} left at most` : "no grace period";
	place("about").textContent = `version ${s.version}, up ${duration(s.uptime_seconds)}, ${grace}, epoch ${s.grace.current_epoch}`;
	const warnings = place("warnings");
	warnings.replaceChildren(...s.warnings.map(w => element("li", w)));
	warnings.hidden = s.warnings.length === 0;
	place("held").replaceChildren(...heldItems.map(([title, value]) => {
		const item = element("div");
		item.append(element("dt", title), element("dd", count(value(s.held))));
		return item;
	}));
	place("charts").replaceChildren(
		chart("operations/s", s.samples, count, ["one", x => x.ops]),
		chart("read, written per s", s.samples, bytes, ["one", x => x.read_bytes], ["two", x => x.written_bytes]),
		chart("latency", s.samples, duration, ["one", x => x.latency_seconds]));
	fill("exports", exportColumns, s.exports);
	fill("clients", clientColumns, s.clients);
	place("others").textContent = s.more_clients ? `and ${s.more_clients} that do less` : "";
	fill("operations", operationColumns, s.operations);
}

async function refresh() {
	if (!document.hidden) {
		try {
			const answer = await fetch("status.json", {cache: "no-store"});
			if (!answer.ok) throw new Error(answer.statusText);
			show(await answer.json());
		} catch (e) {
			place("badge").textContent = "no answer";
			place("badge").className = "badge bad";
		}
	}
	setTimeout(refresh, period);
}

refresh();
