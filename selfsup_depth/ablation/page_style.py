"""How the page looks: wide on a desk, one column on a phone, dark where the reader's system is."""

STYLE = """
:root { --ink: #1b2430; --soft: #5c6876; --faint: #e4e8ee; --page: #f5f6f8; --card: #ffffff;
  --worse: #c2500a; --better: #0b7a70; --open: #7b8794; --mine: #3457c8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf2; --soft: #9aa6b4; --faint: #2c343f; --page: #12161b; --card: #1a2027;
    --worse: #f59652; --better: #45c4b5; --open: #93a0ae; --mine: #8ea8ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 64px; }
header { margin-bottom: 28px; }
.kind { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .12em; text-transform: uppercase; }
h1 { margin: 0 0 12px; font-size: 34px; line-height: 1.15; overflow-wrap: anywhere; }
h2 { margin: 0 0 14px; font-size: 20px; }
h3 { margin: 18px 0 8px; font-size: 15px; font-weight: 600; color: var(--soft); }
p { margin: 0 0 12px; max-width: 76ch; }
.lead { font-size: 18px; }
.protocol, section > p { color: var(--soft); font-size: 14px; }
pre, code { font: 13px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { margin: 0; padding: 10px 14px; background: var(--card); border: 1px solid var(--faint);
  border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
section { margin-top: 22px; padding: 22px 24px; background: var(--card); border: 1px solid var(--faint);
  border-radius: 14px; }
.row { display: grid; grid-template-columns: minmax(200px, 340px) 140px minmax(160px, 1fr) 170px;
  gap: 18px; align-items: center; padding: 12px 0; border-top: 1px solid var(--faint); }
.row > div { min-width: 0; }
.row.head { padding-top: 0; border: 0; color: var(--soft); font-size: 13px; }
.axis { display: flex; justify-content: space-between; }
.row strong, .row code { display: block; }
.row code { color: var(--soft); font-size: 12px; }
.row code span, pre span { display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
small { color: var(--soft); font-size: 13px; font-weight: 400; }
.value, .verdict b, td { font-variant-numeric: tabular-nums; }
.value small, .verdict small, .verdict span, td small { display: block; }
.verdict span { font-size: 14px; color: var(--soft); }
.verdict.worse b, .verdict.worse span { color: var(--worse); }
.verdict.better b, .verdict.better span { color: var(--better); }
.verdict.worse span, .verdict.better span { font-weight: 600; }
svg { display: block; width: 100%; overflow: visible; }
svg text { fill: var(--soft); font-size: 13px; }
.zero { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
.interval { stroke-width: 4; stroke-linecap: round; opacity: .45; }
.seed { fill: var(--open); opacity: .55; }
line.worse { stroke: var(--worse); } line.better { stroke: var(--better); } line.open { stroke: var(--open); }
circle.worse { fill: var(--worse); } circle.better { fill: var(--better); } circle.open { fill: var(--open); }
.grid { stroke: var(--faint); }
polyline { fill: none; stroke-linejoin: round; }
.base-mean { stroke: var(--open); stroke-width: 2; }
.mine { stroke: var(--mine); stroke-width: 1; opacity: .4; }
.mine-mean { stroke: var(--mine); stroke-width: 2.2; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(255px, 1fr)); gap: 18px; }
figure { margin: 0; } figcaption { font-size: 14px; font-weight: 600; margin-bottom: 4px; }
.strip-row { display: grid; grid-template-columns: 150px 1fr; gap: 14px; align-items: center;
  padding: 8px 0; border-top: 1px solid var(--faint); }
.strip-row b { font-size: 14px; overflow-wrap: anywhere; }
.pictures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 8px; }
img { display: block; width: 100%; border-radius: 5px; } img + img { margin-top: 4px; }
.plain { position: relative; }
.plain span { position: absolute; inset: 0; display: grid; place-items: center;
  color: #1b2430; font-size: 13px; }
.wide { overflow-x: auto; } .wide + .wide { margin-top: 22px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.4; }
th, td { padding: 7px 12px 7px 0; text-align: left; vertical-align: top; border-top: 1px solid var(--faint); }
th:first-child { position: sticky; left: 0; background: var(--card); }
td { white-space: nowrap; } td small { white-space: normal; }
td small { font-size: 12px; }
thead th { border: 0; color: var(--soft); font-weight: 500; }
@media (max-width: 760px) {
  main { padding: 20px 12px 40px; } section { padding: 16px 14px; } h1 { font-size: 27px; }
  .lead { font-size: 16px; }
  .row { grid-template-columns: 1fr; gap: 6px; } .row.head > div:not(.axis) { display: none; }
  .strip-row { grid-template-columns: 1fr; gap: 6px; }
  .pictures { grid-template-columns: repeat(2, 1fr); } }
@media print { body { background: none; } section { break-inside: avoid; } }
"""
