/**
 * The history of a run as a page for a browser: lanes of nodes over virtual time, how far records were apart, and every
 * entry in a table. One file that asks for nothing else: the table is readable without scripts, and the pictures are drawn
 * from it. Whatever comes from the run is text and never markup.
 */
import { replayCommand, sizeOf } from "../describe.ts"
import { type Report, seedsOf } from "../simulation.ts"
import type { Entry } from "../trace.ts"
import { browse } from "./browse.ts"
import { drawing } from "./draw.ts"
import { entryKinds, sceneOf } from "./scene.ts"
import { colorNames, style } from "./style.ts"

/** Entries on a page; of a longer history the end. About 200 bytes each. */
export const pageEntriesMax = 20_000
/** Characters of the text of an entry. */
const textMax = 4_000
/** Findings at the top; all of them are among the entries. */
const findingsMax = 20

const signs: { readonly [sign: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => signs[sign]!)

/** JSON that no `<` can end early, though today it has numbers and names of ours only. */
const embedded = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c")

/** For times as shown: more digits say nothing. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value

const seconds = (ms: number): string => (ms / 1_000).toFixed(3)

const cut = (text: string): string =>
  text.length > textMax ? `${text.slice(0, textMax)}… (${text.length} characters)` : text

const whereOf = ({ node, peer }: Entry): string =>
  node === undefined ? peer === undefined ? "" : `~n${peer}` : peer === undefined ? `n${node}` : `n${node}~n${peer}`

const rowOf = (entry: Entry): string => {
  const { atMs, kind, peer, text } = entry
  return `<tr data-kind="${kind}"${peer === undefined ? "" : ` data-peer="${peer}"`}><td>${
    seconds(atMs)
  }</td><td>${kind}`
    + `</td><td>${whereOf(entry)}</td><td>${escape(cut(text))}</td></tr>`
}

const factsOf = (report: Report): ReadonlyArray<readonly [name: string, value: string]> => {
  const { absent, keep } = report.options
  const { acts, faults, nodes } = sizeOf(report)
  const seeds = seedsOf(report.options)
  const single = Object.entries(seeds).filter(([, seed]) => seed !== report.options.seed)
  return [
    ["nodes", String(nodes)],
    ["virtual time", `${seconds(report.virtualMs)} s`],
    ["user actions", `${report.acts}${report.acts === acts ? "" : ` of ${acts} planned`}`],
    ["faults planned", String(faults)],
    ["faults struck", [...report.faults].map(([kind, count]) => `${count} ${kind}`).join(", ") || "none"],
    ["records", String(report.records)],
    ["equal again after", report.convergedMs === undefined ? "never" : `${seconds(report.convergedMs)} s`],
    ["entries", String(report.entries)],
    ...single.map(([part, seed]) => [`${part} seed`, String(seed)] as const),
    ...(keep === undefined ? [] : [["events kept", `${keep.size} of ${report.plan.events.length}`] as const]),
    ...(absent === undefined || absent.size === 0 ? [] : [["nodes left out", String(absent.size)] as const]),
    ["hash of the history", report.history]
  ]
}

const findingsOf = (report: Report, entries: ReadonlyArray<Entry>): string => {
  const { findings } = report
  if (findings.length === 0) return ""
  // of a history whose beginning is missing nobody knows which is which
  const whole = entries.length === report.entries
  const rows = whole ? entries.flatMap(({ kind }, i) => kind === "finding" ? [i] : []) : []
  const items = findings.slice(0, findingsMax).map(({ atMs, oracle, text }, i) => {
    const row = rows[i]
    const look = row === undefined ? "" : ` <button data-entry="${row}">look</button>`
    return `<li>${seconds(atMs)} s <b>${escape(oracle)}</b>: ${escape(cut(text))}${look}</li>`
  })
  const more = findings.length > findingsMax ? `<li>and ${findings.length - findingsMax} more</li>` : ""
  return `<ol class="findings">${items.join("")}${more}</ol>`
}

/** `done`: what this lane went through, in few words. */
const laneOf = (name: string, lane: number, entries: ReadonlyArray<Entry>): string => {
  const own = entries.filter(({ node }) => node === (lane === 0 ? undefined : lane - 1))
  const count = (matches: (entry: Entry) => boolean): number => own.filter(matches).length
  const writes = count(({ kind }) => kind === "write")
  const commits = count(({ kind }) => kind === "commit")
  const starts = count(({ kind, text }) => kind === "life" && text === "up")
  const done = lane === 0
    ? ""
    : `<span>${starts === 1 ? "up once" : `up ${starts} times`}<br>${writes} writes<br>${commits} commits</span>`
  const color = lane === 0 ? "" : `<u style="background:var(--node${(lane - 1) % 8})"></u>`
  return `<li><label><input type="checkbox" data-lane="${lane}" checked>${name}${color}</label>${done}</li>`
}

const kindsOf = (entries: ReadonlyArray<Entry>): string =>
  entryKinds.map((kind) => {
    const count = entries.filter((entry) => entry.kind === kind).length
    return `<label><input type="checkbox" data-kind="${kind}" checked><i style="background:var(--${kind})"></i>${kind} `
      + `<small>${count}</small></label>`
  }).join("")

/**
 * The page of a run: a whole HTML document. The run should have been asked to keep its history; else this is the end of
 * it.
 */
export const page = (report: Report): string => {
  const entries = report.told.slice(-pageEntriesMax)
  const missing = report.entries - entries.length
  const nodes = sizeOf(report).nodes + (report.options.absent?.size ?? 0)
  const scene = sceneOf(entries, report.divergence, nodes)
  const name = `seed ${report.options.seed}, ${report.profile}`
  const failed = report.findings.length > 0
  const facts = factsOf(report).map(([term, value]) => `<div><dt>${term}</dt><dd>${escape(value)}</dd></div>`)
  const code = `"use strict";(${browse.toString()})(document,JSON.parse(document.getElementById("scene").textContent),`
    + `(${drawing.toString()})(),${embedded(colorNames)})`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${failed ? "failed" : "ok"}: ${escape(name)} · p2p-mes sim</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Simulation, ${escape(name)}</h1><span class="verdict${failed ? " failed" : ""}">${failed ? "failed" : "ok"}</span>
<dl>${facts.join("")}</dl>
<p>Again: <code>${escape(replayCommand(report))}</code></p>
${findingsOf(report, entries)}
</header>
<main>
<h2>Nodes over time <small>${missing > 0 ? `the last ${entries.length} entries of ${report.entries}` : ""}</small></h2>
<div class="bar">
<fieldset><legend>show</legend>${kindsOf(entries)}</fieldset>
</div>
<div class="bar">
<input type="search" id="search" placeholder="search: an id, a word" aria-label="search the text of entries">
<button id="in" aria-label="zoom in">+</button><button id="out" aria-label="zoom out">−</button>
<button id="whole">whole run</button>
<span class="range" id="range"></span>
</div>
<div class="chart">
<ul class="lanes">${scene.lanes.map((lane, i) => laneOf(lane, i, entries)).join("")}</ul>
<canvas id="chart" tabindex="0" role="application" aria-roledescription="timeline"
 aria-label="What happened at each node over time; the table below says the same as text" aria-describedby="hint"></canvas>
<div class="graph-name">records that a node lacks</div>
<canvas id="graph" class="graph" role="img" aria-label="How many records each node lacked over time"></canvas>
</div>
<p class="hint" id="hint">In a lane, from its top: up or starting; faults and how long they last; what users write (▲) and
are answered (● taken, × refused); commits (■) and logs (○); gossip. Shades are sides of a partition. Arrows of gossip
appear when few are in sight. <span class="keys">Drag to move, <kbd>Ctrl</kbd>+wheel or double click to zoom; with the chart
focused <kbd>←</kbd> <kbd>→</kbd> <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>, <kbd>↑</kbd> <kbd>↓</kbd> from entry to entry,
<kbd>f</kbd> to the next finding.</span></p>
<div class="entry" id="entry" aria-live="polite"></div>
<h2>All entries <small id="found">${entries.length} entries</small></h2>
<div class="table" id="table" tabindex="0" role="region" aria-label="all entries">
<table id="entries">
<thead><tr><th scope="col">s</th><th scope="col">kind</th><th scope="col">node</th><th scope="col">what</th></tr></thead>
<tbody>
${entries.map(rowOf).join("\n")}
</tbody>
</table>
</div>
</main>
<div class="tip" id="tip" hidden></div>
<script type="application/json" id="scene">${embedded(JSON.parse(JSON.stringify(scene, rounded)))}</script>
<script>${code}</script>
</body>
</html>
`
}
