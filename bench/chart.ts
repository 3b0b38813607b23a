import type { Kind } from "./model.ts";
import type { Series } from "./results.ts";
import { formatNumber } from "./table.ts";

interface Panel {
  readonly kind: Kind;
  readonly measure: string;
  readonly column: string;
  readonly title: string;
}

const panels: readonly Panel[] = [
  { kind: "hop", measure: "throughput", column: "1 up", title: "One hop: 1 stream, Gbit/s (more is better)" },
  {
    kind: "hop",
    measure: "CPU of the relay",
    column: "1 up",
    title: "One hop: CPU s per GB (less is better)",
  },
  {
    kind: "hop",
    measure: "round trip",
    column: "p50",
    title: "One hop: 64-byte round trip p50, µs (less is better)",
  },
  {
    kind: "hop",
    measure: "connections",
    column: "rate",
    title: "One hop: connections a second (more is better)",
  },
  {
    kind: "tunnel",
    measure: "throughput",
    column: "1 up",
    title: "Tunnel: 1 stream, Gbit/s (more is better)",
  },
  {
    kind: "tunnel",
    measure: "CPU of relay and agent",
    column: "1 up",
    title: "Tunnel: CPU s per GB (less is better)",
  },
  {
    kind: "tunnel",
    measure: "round trip",
    column: "p50",
    title: "Tunnel: 64-byte round trip p50, µs (less is better)",
  },
  {
    kind: "tunnel",
    measure: "connections",
    column: "rate",
    title: "Tunnel: connections a second (more is better)",
  },
];

const panelWidth = 460;
const gap = 24;
const rowHeight = 22;
const headHeight = 30;
const labelWidth = 130;
const valueWidth = 60;
const barWidth = panelWidth - labelWidth - valueWidth;

/** The main measures as bars with their median, and a line from the smallest to the largest value of all rounds. */
export function drawChart(series: readonly Series[], caption: string): string {
  const drawn = panels
    .map((panel) => ({
      panel,
      rows: series.filter(
        (s) =>
          s.kind === panel.kind &&
          s.measure === panel.measure &&
          s.column === panel.column &&
          !(panel.measure === "connections" && s.peer === "direct"),
      ),
    }))
    .filter(({ rows }) => rows.length > 0);
  let y = gap * 2 + 8;
  const parts: string[] = [];
  for (let place = 0; place < drawn.length; place += 2) {
    const line = drawn.slice(place, place + 2);
    for (const [side, { panel, rows }] of line.entries())
      parts.push(drawPanel(panel.title, rows, gap + side * (panelWidth + gap), y));
    y += headHeight + Math.max(...line.map(({ rows }) => rows.length)) * rowHeight + gap;
  }
  return frame(parts.join(""), caption, 2 * panelWidth + 3 * gap, y);
}

function drawPanel(title: string, rows: readonly Series[], x: number, y: number): string {
  const scale = barWidth / (Math.max(...rows.map(({ max }) => max)) || 1);
  const bars = rows.map((row, place) => drawRow(row, scale, headHeight + place * rowHeight)).join("");
  return `<g transform="translate(${x} ${y})"><text class="title" y="14">${escape(title)}</text>${bars}</g>\n`;
}

function drawRow({ peer, median, min, max }: Series, scale: number, y: number): string {
  const at = (value: number): string => (labelWidth + value * scale).toFixed(1);
  const middle = y + rowHeight / 2 - 2;
  return (
    `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${escape(peer)}</text>` +
    `<rect class="${peer.startsWith("rdv") ? "own" : peer === "direct" ? "bound" : "other"}" x="${labelWidth}" y="${y}" width="${(median * scale).toFixed(1)}" height="${rowHeight - 5}" rx="2"/>` +
    `<path class="noise" d="M${at(min)} ${middle}H${at(max)}M${at(min)} ${middle - 4}v8M${at(max)} ${middle - 4}v8"/>` +
    `<text x="${panelWidth - valueWidth + 8}" y="${middle + 4}">${formatNumber(median)}</text>`
  );
}

/* The chart brings its own background, and follows the reader's light or dark scheme where the viewer tells it. */
function frame(body: string, caption: string, width: number, height: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Benchmark of rdv and its peers">
<style>
.page{fill:#fff}text{fill:#1f2328;font:13px system-ui,sans-serif}.title{font-weight:600}.caption{fill:#59636e;font-size:12px}
.own{fill:#0969da}.other{fill:#afb8c1}.bound{fill:#d8dee4}.noise{stroke:#1f2328;fill:none}
@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#f0f6fc}.caption{fill:#9198a1}.own{fill:#388bfd}.other{fill:#57606a}.bound{fill:#32383f}.noise{stroke:#f0f6fc}}
</style>
<rect class="page" width="${width}" height="${height}"/>
<text class="caption" x="${gap}" y="${gap + 4}">${escape(caption)}</text>
${body}</svg>
`;
}

function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
