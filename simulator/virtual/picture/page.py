"""The page around the picture of a seed: style, legend, and the light that a click casts.

Self-contained: no font, script or picture from elsewhere. Colours are named once, and again for
dark screens.
"""

from string import Template
from typing import Final

PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{color-scheme:light dark;--ground:#fff;--panel:#f6f7f9;--ink:#16202c;--soft:#5b6875;
--line:#dde2e8;--final:#1f8a4c;--note:#2a6fdb;--null:#d9730d;--lead:#7a3fd1;--bad:#c62828;
--down:#aeb6c0;--open:#9aa4af}
@media(prefers-color-scheme:dark){:root{--ground:#11161c;--panel:#1a212a;--ink:#e8edf2;
--soft:#9aa8b5;--line:#2b3540;--final:#4cc47f;--note:#6ea8ff;--null:#ffab5c;--lead:#b993ff;
--bad:#ff7b72;--down:#56616d;--open:#6b7783}}
*{box-sizing:border-box}
body{margin:0;padding:20px 24px 60px;background:var(--ground);color:var(--ink);
font:14px/1.5 system-ui,sans-serif}
h1{font-size:20px;margin:0 0 2px}p{margin:2px 0}.soft{color:var(--soft);max-width:110ch}
.breach{color:var(--bad);border-left:4px solid var(--bad);padding-left:10px;max-width:110ch}
.held{color:var(--final);border-left:4px solid var(--final);padding-left:10px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:12px 0;color:var(--soft);
align-items:center}
.legend svg{vertical-align:-3px;margin-right:4px}
.board{position:relative;border:1px solid var(--line);border-radius:8px;overflow:hidden;
background:var(--panel)}
.scroll{overflow-x:auto}.labels{position:absolute;left:0;top:0;bottom:0;width:${left}px;
background:var(--panel);border-right:1px solid var(--line);z-index:1}
.label{position:absolute;left:10px;right:6px;line-height:1.25;padding-top:5px;overflow:hidden}
.label i{display:block;font-size:12px;color:var(--bad);font-style:normal;white-space:nowrap}
svg text{font:11px system-ui,sans-serif;fill:var(--ink)}
.grid{stroke:var(--line)}.lane{stroke:var(--line)}svg .tick{fill:var(--soft)}
.propose{fill:var(--lead)}.notarize{fill:var(--note)}.finalize{fill:var(--final)}
.cross{stroke:var(--null);stroke-width:2.4;fill:none}.commit{fill:var(--final)}
.holds{fill:none;stroke-width:1.8}.holds.notarization{stroke:var(--note)}
.holds.nullification{stroke:var(--null)}.holds.finalization{stroke:var(--final)}
.view{opacity:.55;stroke:var(--panel);stroke-width:1}.view.final{fill:var(--final)}
.view.notarized{fill:var(--note)}.view.nullified{fill:var(--null)}.view.open{fill:var(--open)}
.view.leads{opacity:1;stroke:var(--ink);stroke-width:1.2}
.reason line{stroke:var(--null);stroke-dasharray:2 2}.reason text{font-size:10px}
button{font:inherit;color:var(--null);background:none;border:1px solid currentColor;
border-radius:9px;padding:0 8px;margin-right:4px;cursor:pointer}[data-v]{cursor:pointer}
.view.forked{fill:var(--bad)}.pill.forked{color:var(--bad)}
svg .number{font-size:9px;fill:var(--ground);font-weight:600}
.down rect{fill:var(--down);opacity:.55}.paused rect{fill:var(--lead);opacity:.22}
.cut rect{fill:var(--bad);opacity:.35}.clog rect{fill:var(--null);opacity:.35}
.cut text,.clog text{font-size:9px}
line.heal{stroke:var(--final);stroke-width:2;stroke-dasharray:5 4}svg text.heal{fill:var(--final)}
line.breach{stroke:var(--bad);stroke-width:2.5}svg text.breach{fill:var(--bad);font-weight:600}
.lit [data-v]{opacity:.12}.lit [data-v].on{opacity:1}
table{border-collapse:collapse;margin-top:18px;width:100%}th{text-align:left;color:var(--soft);
font-weight:500}td,th{padding:4px 10px 4px 0;border-bottom:1px solid var(--line);
vertical-align:top}tr[data-view]{cursor:pointer}tr[data-view]:hover,tr.on{background:var(--panel)}
td:nth-child(-n+3),td:nth-child(5){white-space:nowrap}
.pill{border-radius:9px;padding:0 8px;white-space:nowrap;border:1px solid currentColor}
.pill.final{color:var(--final)}.pill.notarized{color:var(--note)}
.pill.nullified{color:var(--null)}.pill.open{color:var(--soft)}
.share{display:inline-block;position:relative;width:64px;padding:0 4px;margin-right:4px;
font-size:12px;border:1px solid var(--line);border-radius:3px;overflow:hidden;z-index:0}
.share i{position:absolute;left:0;top:0;bottom:0;opacity:.35;z-index:-1;background:var(--note)}
.share.nullify i{background:var(--null)}.share.finalize i{background:var(--final)}
</style></head><body>
<h1>$title</h1><p class="soft">$summary</p>$verdict<p class="soft">$facts</p>
<div class="legend">
<span><svg width="14" height="14" class="propose"><path d="M7 1l6 6-6 6-6-6z"/></svg>proposal</span>
<span><svg width="12" height="12" class="notarize"><circle cx="6" cy="6" r="4"/></svg>
notarize</span>
<span><svg width="12" height="12"><path class="cross" d="M2 2l8 8m0-8l-8 8"/></svg>nullify</span>
<span><svg width="12" height="12" class="finalize"><rect x="2" y="2" width="8" height="8"/></svg>
finalize</span>
<span><svg width="12" height="12" class="holds notarization"><circle cx="6" cy="6" r="4"/></svg>
<svg width="12" height="12" class="holds nullification"><circle cx="6" cy="6" r="4"/></svg>
<svg width="12" height="12" class="holds finalization"><circle cx="6" cy="6" r="4"/></svg>
holds a certificate</span>
<span><svg width="6" height="14" class="commit"><rect x="1" width="3" height="14"/></svg>
block final here</span>
<span><svg width="44" height="10"><rect class="view final" width="14" height="10"/>
<rect class="view notarized" x="15" width="14" height="10"/>
<rect class="view nullified" x="30" width="14" height="10"/></svg>
view that ended final, notarized, nullified;
<svg width="18" height="12">
<rect class="view final leads" x="1" y="1" width="16" height="10"/></svg>
at its leader</span>
<span><svg width="16" height="10" class="down"><rect width="16" height="10"/></svg>down</span>
<span><svg width="16" height="10" class="paused"><rect width="16" height="10"/></svg>paused</span>
<span><svg width="16" height="10" class="cut"><rect width="16" height="10"/></svg>cut</span>
<span><svg width="16" height="10" class="clog"><rect width="16" height="10"/></svg>clog</span>
<span><svg width="4" height="14"><line class="heal" x1="2" x2="2" y2="14"/></svg>core healed</span>
</div>
<p class="soft">Views that failed: $failed</p>
<div class="board"><div class="scroll">
<svg id="s" width="$width" height="$height" role="img" aria-label="$title">$drawing</svg></div>
<div class="labels">$labels</div></div>
<table><thead><tr><th>view</th><th>leader</th><th>entered</th><th>ended</th>
<th>notarize, nullify, finalize (stake)</th><th>what stood in the way</th></tr></thead>
<tbody>$rows</tbody></table>
<script>
const svg=document.getElementById("s"),rows=document.querySelectorAll("tr[data-view]");
function light(row){const on=row.classList.contains("on");
rows.forEach(r=>r.classList.remove("on"));
svg.querySelectorAll(".on").forEach(e=>e.classList.remove("on"));
svg.classList.toggle("lit",!on);if(on)return;row.classList.add("on");
svg.querySelectorAll('[data-v="'+row.dataset.view+'"]').forEach(e=>e.classList.add("on"));
svg.parentElement.scrollTo({left:Math.max(0,row.dataset.x-80),behavior:"smooth"});
svg.scrollIntoView({block:"nearest"})}
const find=v=>document.querySelector('tr[data-view="'+v+'"]');
document.querySelectorAll("button").forEach(b=>{b.onclick=()=>light(find(b.dataset.to))});
svg.onclick=e=>{const on=e.target.closest("[data-v]");
if(on&&find(on.dataset.v))light(find(on.dataset.v))};
rows.forEach(r=>{r.onclick=()=>light(r);
r.onkeydown=e=>{if(e.key==="Enter")light(r)}});
</script></body></html>
""")
