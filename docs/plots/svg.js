/**
 * Draws what became of traffic as SVG: a panel for each limit, on one time axis. Colours follow the reader's light or
 * dark theme, and no meaning hangs on colour alone: what passed and what was refused have a lane each.
 */
import { trailingCounts } from './traffic.js'

const WIDTH = 780
const LEFT = 92
const RIGHT = 20
const TOP = 34
const TITLE = 22
const CHART = 74
const LANE = 16
const GAP = 14
const AXIS = 36

const STYLE = `
    svg { color-scheme: light dark; font: 12px ui-sans-serif, system-ui, sans-serif }
    .ground { fill: #ffffff } text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 }
    .passed { stroke: #0969da } .held { stroke: #8250df } .refused { stroke: #cf222e }
    .count { fill: #0969da26; stroke: #0969da; stroke-width: 1.5 } .max { stroke: #59636e; stroke-dasharray: 5 4 }
    .request { stroke-width: 1.5 } .wait { stroke-width: 1; stroke: #8250df; opacity: .6 } .title { font-weight: 600; font-size: 13px }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 } text { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
      .passed { stroke: #58a6ff } .held { stroke: #bc8cff } .refused { stroke: #ff7b72 }
      .count { fill: #58a6ff33; stroke: #58a6ff } .max { stroke: #9198a1 } .wait { stroke: #bc8cff }
    }
  `

/**
 * A figure. `panels`: `[{ title, results }]`. `seconds`: the end of the time axis. `count`: `{ windowSeconds, max, top }`, to draw
 * how many passed in the last window against `max`; without it only the requests are drawn.
 */
export function figure ({ title, description, panels, seconds, everySeconds, count }) {
  const x = (at) => LEFT + at / seconds * (WIDTH - LEFT - RIGHT)
  const lanes = panels.some(({ results }) => results.some(({ outcome }) => outcome === 'held')) ? ['passed', 'held', 'refused'] : ['passed', 'refused']
  const chart = count === undefined ? 0 : CHART
  const panelHeight = TITLE + chart + lanes.length * LANE + GAP
  const height = TOP + panels.length * panelHeight + AXIS
  const bottom = height - AXIS
  const drawn = panels.map((panel, i) => {
    const top = TOP + i * panelHeight
    return [
      text(panel.title, LEFT, top + 14, 'title'),
      count === undefined ? '' : countChart(panel.results, count, x, top + TITLE, seconds),
      ...lanes.map((outcome, lane) => requestLane(panel.results, outcome, x, top + TITLE + chart + (lane + 1) * LANE))
    ].join('\n')
  })
  const marks = Array.from({ length: Math.floor(seconds / everySeconds) + 1 }, (_, i) => i * everySeconds)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    text(title, LEFT, 18),
    ...marks.map((at) => line(x(at), TOP + TITLE, x(at), bottom, 'grid') + text(`${at} s`, x(at), bottom + 16, 'faint', 'middle')),
    ...drawn,
    '</svg>'
  ].join('\n').replace(/\n+/g, '\n') + '\n'
}

/** How many passed in the window before each moment, as steps, and the limit's `max` as a line. */
function countChart (results, { windowSeconds, max, top: most }, x, top, seconds) {
  const y = (units) => top + CHART - 6 - units / most * (CHART - 12)
  let path = `M${fixed(x(0))} ${fixed(y(0))}`
  for (const { at, count } of trailingCounts(results, windowSeconds)) {
    if (at <= seconds) path += `H${fixed(x(at))}V${fixed(y(count))}`
  }
  return [
    `<path class="count" d="${path}H${fixed(x(seconds))}V${fixed(y(0))}Z"/>`,
    line(x(0), y(max), x(seconds), y(max), 'max'),
    text(`max ${max}`, LEFT - 8, y(max) + 4, 'faint', 'end'),
    text('0', LEFT - 8, y(0) + 4, 'faint', 'end')
  ].join('\n')
}

const WORDS = { passed: 'let through', held: 'held', refused: 'refused' }

/** Requests of one outcome, each where it came; of one that was held a line leads to where it went on. */
function requestLane (results, outcome, x, bottom) {
  const ofLane = results.filter((result) => result.outcome === outcome)
  const marks = ofLane.map(({ at, passedAt }) => `M${fixed(x(outcome === 'held' ? passedAt : at))} ${fixed(bottom - 12)}v12`)
  const waits = outcome === 'held' ? ofLane.map(({ at, passedAt }) => `M${fixed(x(at))} ${fixed(bottom - 6)}H${fixed(x(passedAt))}`) : []
  return [
    text(WORDS[outcome], LEFT - 8, bottom - 2, 'faint', 'end'),
    waits.length === 0 ? '' : `<path class="wait" d="${waits.join('')}"/>`,
    marks.length === 0 ? '' : `<path class="request ${outcome}" d="${marks.join('')}"/>`
  ].join('\n')
}

function line (x1, y1, x2, y2, name) {
  return `<path class="${name}" d="M${fixed(x1)} ${fixed(y1)}L${fixed(x2)} ${fixed(y2)}"/>`
}

function text (words, x, y, name = '', anchor = 'start') {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"${name === '' ? '' : ` class="${name}"`}>${escaped(words)}</text>`
}

function fixed (number) {
  return String(Math.round(number * 10) / 10)
}

function escaped (words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
