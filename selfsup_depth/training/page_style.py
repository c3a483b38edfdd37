"""How a page of results looks: wide on a desk, one column on a phone, dark where the reader's system is."""

STYLE = """
:root { --ink: #1b2430; --soft: #5c6876; --faint: #e4e8ee; --page: #f5f6f8; --card: #ffffff;
  --mine: #3457c8; --other: #c2500a; --share: #dbe2f3; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf2; --soft: #9aa6b4; --faint: #2c343f; --page: #12161b; --card: #1a2027;
    --mine: #8ea8ff; --other: #f59652; --share: #2b3550; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 64px; }
.kind { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .12em; text-transform: uppercase; }
h1 { margin: 0 0 10px; font-size: 34px; line-height: 1.15; }
h2 { margin: 0 0 14px; font-size: 20px; }
h3 { margin: 0 0 8px; font-size: 15px; font-weight: 600; }
p { margin: 0 0 12px; max-width: 78ch; }
.lead { font-size: 18px; }
.soft, figcaption { color: var(--soft); font-size: 14px; }
code { font: 13px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
section { margin-top: 22px; padding: 22px 24px; background: var(--card); border: 1px solid var(--faint);
  border-radius: 14px; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 12px;
  margin: 18px 0 0; }
.numbers div { padding: 12px 16px; background: var(--card); border: 1px solid var(--faint);
  border-radius: 12px; }
.numbers dt { color: var(--soft); font-size: 13px; }
.numbers dd { margin: 0; font-size: 25px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.numbers small { display: block; color: var(--soft); font-size: 12.5px; }
.pair { display: grid; grid-template-columns: 3fr 2fr; gap: 0 22px; }
dl.protocol { display: grid; grid-template-columns: 180px 1fr; gap: 6px 18px; margin: 0; font-size: 15px; }
dl.protocol dt { color: var(--soft); } dl.protocol dd { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr));
  gap: 26px 34px; }
figure { margin: 0; min-width: 0; }
svg { display: block; width: 100%; overflow: visible; }
svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--faint); }
.share { fill: var(--share); } .bar { fill: var(--mine); opacity: .8; }
polyline { fill: none; stroke-linejoin: round; stroke-width: 2.2; }
.mine { stroke: var(--mine); } .other { stroke: var(--other); }
.flat { stroke: var(--soft); stroke-dasharray: 4 4; stroke-width: 1.4; }
circle.mine { fill: var(--mine); stroke: none; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; color: var(--soft); font-size: 13px; }
.key span::before { content: ""; display: inline-block; width: 16px; height: 4px; margin: 0 6px 3px 0;
  border-radius: 2px; background: var(--mine); }
.key .other::before { background: var(--other); } .key .flat::before { background: var(--soft); }
.key .share::before { background: var(--share); height: 10px; margin-bottom: -1px; }
.keys > span { display: inline-block; white-space: nowrap; margin-right: 26px; }
table { width: 100%; border-collapse: collapse; font-size: 15px; font-variant-numeric: tabular-nums;
  margin-bottom: 12px; }
th, td { padding: 7px 0 7px 12px; text-align: right; border-top: 1px solid var(--faint); }
th:first-child { padding-left: 0; }
th:first-child { text-align: left; font-weight: 500; }
thead th { border: 0; color: var(--soft); font-weight: 500; }
.exhibit { padding: 16px 0 18px; border-top: 1px solid var(--faint); }
.exhibit:first-of-type { border: 0; padding-top: 0; }
.pictures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px 14px; }
.pictures.tall { grid-template-columns: repeat(4, minmax(0, 1fr)); }
img { display: block; width: 100%; border-radius: 6px; }
figcaption { font-size: 13px; margin-top: 3px; }
.scale { display: inline-block; width: 190px; max-width: 28vw; height: 10px; margin: 0 8px;
  border-radius: 5px; vertical-align: middle; }
@media (max-width: 900px) { .pair { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 760px) {
  main { padding: 20px 12px 40px; } section { padding: 16px 14px; } h1 { font-size: 27px; }
  .lead { font-size: 16px; } svg text { font-size: 16px; } .scale { width: 90px; }
  .numbers { grid-template-columns: repeat(2, 1fr); } .numbers dd { font-size: 22px; }
  dl.protocol { grid-template-columns: 1fr; gap: 0; } dl.protocol dd { margin-bottom: 8px; }
  .pictures { grid-template-columns: 1fr; }
  .pictures.tall { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media print { body { background: none; } section, .exhibit { break-inside: avoid; } }
"""
