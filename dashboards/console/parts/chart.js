// Lines over time, drawn by uPlot, in the page's own colours.
import uPlot from '../vendor/uplot.js';
import { clockTime, dayTime, number, shortTime } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { lang, theme } from '../lib/prefs.js';
import { html, useEffect, useRef } from '../lib/view.js';

const darkness = matchMedia('(prefers-color-scheme: dark)');

/**
 * `data` as uPlot has it: seconds, then a column a line. `lines` are `{label, color, fill, stepped, format}`, colours by the name of a
 * custom property. `marks` are levels that are drawn across: `{at, color}`. Read aloud it is `label`.
 */
export function Chart({ data, lines, label, height = 180, range, marks = [], format = number }) {
  const at = useRef(null), chart = useRef(null);
  useEffect(() => {
    const draw = () => {
      chart.current?.destroy();
      const box = at.current;
      const style = getComputedStyle(box), color = (name) => style.getPropertyValue(name).trim();
      const font = `12px ${style.fontFamily}`;
      const axis = { stroke: color('--muted'), font, grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
      const seconds = data[0].length > 1 ? data[0].at(-1) - data[0][0] : 0;
      const [say, space] = seconds > 86_400 ? [dayTime, 110] : seconds < 600 ? [clockTime, 80] : [shortTime, 60];
      chart.current = new uPlot(
        {
          width: box.clientWidth, height, padding: [8, 8, 0, 0], pxAlign: 0,
          cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
          legend: { live: true },
          scales: { x: { time: true }, y: { range: range ?? ((_, min, max) => [0, Math.max(1, max * 1.1)]) } },
          axes: [
            { ...axis, size: 32, values: (_, ticks) => ticks.map((tick) => say(tick * 1000)), space },
            { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => format(tick)) },
          ],
          series: [
            { value: (_, second) => (second == null ? '' : dayTime(second * 1000)), label: t('time.at') },
            ...lines.map((line) => ({
              label: line.label, stroke: color(line.color), fill: line.fill ? color(line.fill) : undefined, width: 1.75, points: { show: false },
              value: (_, value) => (value == null ? '–' : (line.format ?? format)(value)),
            })),
          ],
          hooks: {
            drawClear: [(u) => {
              for (const { at: level, color: name } of marks) {
                const y = u.valToPos(level, 'y', true);
                u.ctx.save();
                u.ctx.strokeStyle = color(name);
                u.ctx.setLineDash([4, 4]);
                u.ctx.beginPath();
                u.ctx.moveTo(u.bbox.left, y);
                u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
                u.ctx.stroke();
                u.ctx.restore();
              }
            }],
          },
        },
        data,
        box,
      );
    };
    draw();
    const resized = new ResizeObserver(() => chart.current && at.current && chart.current.setSize({ width: at.current.clientWidth, height }));
    resized.observe(at.current);
    darkness.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      darkness.removeEventListener('change', draw);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [theme.value, lang.value, lines.map((line) => line.label).join()]);
  useEffect(() => chart.current?.setData(data), [data]);
  return html`<div class="chart" ref=${at} dir="ltr" role="img" aria-label=${label} style=${{ minHeight: `${height}px` }}></div>`;
}
