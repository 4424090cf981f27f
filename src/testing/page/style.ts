/** How a page looks: by light and by dark, on a desk and on a phone. Colours have names that the drawing asks for. */

/** Colours of the drawing; each is a variable `--name` of the style sheet. */
export const colorNames: ReadonlyArray<string> = [
  "ink",
  "faint",
  "grid",
  "lane",
  "up",
  "cut",
  "slow",
  "disk",
  "clock",
  "side0",
  "side1",
  "side2",
  "finding",
  "fault",
  "life",
  "write",
  "answer",
  "refused",
  "commit",
  "gossip",
  "link",
  "log",
  "note",
  ...Array.from({ length: 8 }, (_, i) => `node${i}`)
]

const nodes = (colors: ReadonlyArray<string>): string => colors.map((color, i) => `--node${i}:${color}`).join(";")

const light =
  "color-scheme:light;--paper:#fff;--card:#f6f7f9;--edge:#d5d9e0;--ink:#1b2430;--faint:#5d6878;--grid:#e6e9ee;"
  + "--lane:#f6f7f9;--accent:#1d5fd0;--up:#7cc495;--cut:#b3365f;--slow:#b0842c;--disk:#8a5a2b;--clock:#7650b8;"
  + "--side0:#1d5fd0;--side1:#c7780b;--side2:#2b8a57;--finding:#d11a2a;--fault:#a0309a;--life:#1d6b3c;--write:#1d5fd0;"
  + "--answer:#2b8a57;--refused:#c05a00;--commit:#4c5a6e;--gossip:#6d7fc4;--link:#8893a3;--log:#b0842c;--note:#8893a3;"
  + nodes(["#1d5fd0", "#c7780b", "#2b8a57", "#b3365f", "#7650b8", "#0d8c9c", "#8a5a2b", "#5d6878"])

const dark =
  "color-scheme:dark;--paper:#12161c;--card:#1a2029;--edge:#333d4b;--ink:#e6eaf0;--faint:#9aa6b6;--grid:#242c37;"
  + "--lane:#171c24;--accent:#7fb0ff;--up:#2f7d4c;--cut:#f0709c;--slow:#dbb053;--disk:#d69a62;--clock:#b79af0;"
  + "--side0:#7fb0ff;--side1:#f0a840;--side2:#67c891;--finding:#ff5c66;--fault:#e58be0;--life:#8fe0ad;--write:#7fb0ff;"
  + "--answer:#67c891;--refused:#ff9d52;--commit:#b4c0d0;--gossip:#98a6e8;--link:#7c8898;--log:#dbb053;--note:#7c8898;"
  + nodes(["#7fb0ff", "#f0a840", "#67c891", "#f0709c", "#b79af0", "#4fc9d8", "#d69a62", "#9aa6b6"])

export const style = `
:root{${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0 auto;max-width:1800px;padding:16px 20px 40px;background:var(--paper);color:var(--ink);
  font:14px/1.45 system-ui,sans-serif}
h1{font-size:20px;margin:0;display:inline}
h2{font-size:15px;margin:22px 0 6px}
h2 small{font-weight:400;color:var(--faint)}
.verdict{display:inline-block;margin-left:10px;padding:1px 10px;border-radius:10px;font-weight:600;color:var(--paper);
  background:var(--life);vertical-align:2px}
.verdict.failed{background:var(--finding)}
dl{display:flex;flex-wrap:wrap;gap:4px 22px;margin:10px 0}
dt{color:var(--faint);font-size:12px}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
code{font:12.5px/1.5 ui-monospace,monospace;background:var(--card);border:1px solid var(--edge);border-radius:5px;
  padding:2px 6px;overflow-wrap:anywhere;user-select:all}
.findings{margin:10px 0;padding:8px 12px 8px 30px;border:1px solid var(--finding);border-left-width:5px;border-radius:5px;
  max-height:220px;overflow:auto}
.findings b{color:var(--finding)}
.findings button{font-size:12px;padding:0 7px;line-height:1.3}
button,input,summary{font:inherit;color:inherit}
button{background:var(--card);border:1px solid var(--edge);border-radius:5px;padding:3px 10px;cursor:pointer}
button:hover{border-color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.bar{display:flex;flex-wrap:wrap;gap:6px;align-items:center;margin:6px 0}
.bar fieldset{display:flex;flex-wrap:wrap;gap:4px 10px;border:0;padding:0;margin:0 10px 0 0}
.bar legend{float:left;padding:0;margin-right:6px;color:var(--faint)}
.bar label{display:inline-flex;gap:4px;align-items:center;cursor:pointer;white-space:nowrap}
.bar i{width:10px;height:10px;border-radius:3px;display:inline-block}
input[type=checkbox]{margin:0;accent-color:var(--accent)}
input[type=search]{background:var(--paper);border:1px solid var(--edge);border-radius:5px;padding:4px 8px;width:230px;
  max-width:100%}
.range{color:var(--faint);font-variant-numeric:tabular-nums;margin-left:auto}
.chart{display:grid;grid-template-columns:max-content minmax(0,1fr);border:1px solid var(--edge);border-radius:6px;
  overflow:hidden}
.lanes{list-style:none;margin:0;padding:24px 0 0;border-right:1px solid var(--edge);background:var(--card);width:150px}
.lanes li{height:78px;padding:2px 8px;font-size:12px;line-height:1.35;color:var(--faint);border-top:1px solid var(--edge);
  overflow:hidden}
.lanes li:first-child{height:40px;border-top:0}
.lanes label{display:flex;gap:5px;align-items:center;color:var(--ink);font-weight:600;font-size:13px;cursor:pointer}
.lanes u{width:10px;height:3px;display:inline-block}
canvas{display:block;width:100%;touch-action:pan-y;cursor:crosshair}
.graph{border-top:1px solid var(--edge)}
.graph-name{border-top:1px solid var(--edge);border-right:1px solid var(--edge);background:var(--card);width:150px;
  padding:8px;font-size:12px;color:var(--faint)}
.hint{color:var(--faint);font-size:12px;margin:4px 0}
kbd{font:11px ui-monospace,monospace;border:1px solid var(--edge);border-radius:3px;padding:0 4px}
.tip{position:fixed;z-index:2;max-width:min(460px,90vw);padding:5px 9px;border:1px solid var(--edge);border-radius:5px;
  background:var(--paper);box-shadow:0 3px 12px #0004;pointer-events:none;font-size:12.5px;overflow-wrap:anywhere}
.entry{border:1px solid var(--edge);border-radius:6px;padding:8px 12px;margin:8px 0;min-height:62px;background:var(--card)}
.entry p{margin:2px 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:180px;overflow:auto}
.entry button{background:var(--paper);font-size:12px;padding:1px 8px;margin:3px 4px 0 0}
.table{max-height:75vh;overflow:auto;border:1px solid var(--edge);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:12.5px}
th{position:sticky;top:0;background:var(--card);text-align:left;border-bottom:1px solid var(--edge);z-index:1}
th,td{padding:2px 10px;vertical-align:top}
td{overflow-wrap:anywhere;border-bottom:1px solid var(--grid)}
td:first-child,th:first-child{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td:nth-child(2),td:nth-child(3){white-space:nowrap}
tbody tr{cursor:pointer}
tbody tr:hover td{background:var(--card)}
tbody tr.selected td{background:var(--accent);color:var(--paper)}
tr[data-kind=finding] td{color:var(--finding);font-weight:600}
tr[data-kind=fault] td:nth-child(2){color:var(--fault)}
@media (max-width:640px){
  body{padding:10px 8px 30px}
  .lanes,.graph-name{width:58px}
  .lanes li{padding:2px 5px}
  .lanes span{display:none}
  .lanes label,.graph-name{font-size:10px;gap:3px}
  .range{margin-left:0;width:100%}
  input[type=search]{width:100%}
  th,td{padding:2px 4px}
  .keys{display:none}
}
@media print{.bar,.entry,.hint{display:none}.table{max-height:none}}
`
