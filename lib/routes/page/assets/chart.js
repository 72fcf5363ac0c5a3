import { h } from './dom.js'
import { formatClock, formatRate } from './format.js'

const TOP = 8
const BOTTOM = 20
const LEFT = 42
const RIGHT = 8

/**
 * Areas on top of each other, a step for each number. `layers`: `{ name, values }`, the lowest first; `name` is their class.
 * `at`: the index that is pointed at, or `null`.
 */
export function describeAreas ({ layers, startMs, stepMs, width, height, at, label }) {
  const steps = layers[0]?.values.length ?? 0
  const sums = stack(layers, steps)
  const top = roundUp(Math.max(0, ...(sums.at(-1) ?? [])))
  const inner = { width: Math.max(1, width - LEFT - RIGHT), height: height - TOP - BOTTOM }
  const x = (index) => LEFT + inner.width * index / Math.max(1, steps)
  const y = (value) => TOP + inner.height * (1 - value / top)
  return h('svg.areas', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    h('defs', null,
      h('pattern', { id: 'hatch', width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
        h('rect.hatch-ground', { width: 5, height: 5 }),
        h('rect.hatch-line', { width: 2, height: 5 }))),
    [0, 0.5, 1].map((share) => describeGridLine(y(top * share), width, formatRate(top * share * 1000 / stepMs))),
    layers.map(({ name }, index) => h('path', { class: `area ${name}`, d: areaPath(sums[index + 1], sums[index], x, y) })),
    listTicks(startMs, stepMs, steps).map((tick) => describeTick(tick, x(tick.index), height, width)),
    at !== null && at < steps && h('line.cursor', { x1: x(at + 0.5), x2: x(at + 0.5), y1: TOP, y2: height - BOTTOM })
  )
}

/** The index of the step at a position in the chart; `null` outside. */
export function findStep (offsetX, width, steps) {
  const index = Math.floor((offsetX - LEFT) / Math.max(1, width - LEFT - RIGHT) * steps)
  return index >= 0 && index < steps ? index : null
}

/** Sums of the layers: one array more than layers, which begins with zeros. */
function stack (layers, steps) {
  const sums = [new Array(steps).fill(0)]
  for (const { values } of layers) {
    const below = sums.at(-1)
    sums.push(values.map((value, index) => below[index] + value))
  }
  return sums
}

function areaPath (upper, lower, x, y) {
  const format = (number) => Math.round(number * 10) / 10
  const line = upper.map((value, index) => `L${format(x(index))} ${format(y(value))}H${format(x(index + 1))}`)
  const back = lower.map((value, index) => `L${format(x(index + 1))} ${format(y(value))}H${format(x(index))}`).reverse()
  return upper.length === 0 ? '' : `M${format(x(0))} ${format(y(lower[0]))}${line.join('')}${back.join('')}Z`
}

function describeGridLine (y, width, text) {
  return [
    h('line.grid', { x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
    h('text.tick', { x: LEFT - 6, y: y + 4, 'text-anchor': 'end' }, text)
  ]
}

function describeTick ({ text }, x, height, width) {
  if (x < LEFT + 16 || x > width - RIGHT - 16) return null
  return h('text.tick', { x, y: height - 4, 'text-anchor': 'middle' }, text)
}

/** Every ten minutes, by the clock of the reader. */
function listTicks (startMs, stepMs, steps) {
  const everyMs = 600_000
  const ticks = []
  for (let atMs = Math.ceil(startMs / everyMs) * everyMs; atMs < startMs + steps * stepMs; atMs += everyMs) {
    ticks.push({ index: (atMs - startMs) / stepMs, text: formatClock(atMs) })
  }
  return ticks
}

/** The next round number, which leaves little room above the areas. */
function roundUp (value) {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((round) => round >= value)
}

/** A line without axes. Hidden from screen readers: the figure beside it says as much. */
export function describeSparkline (values, width = 96, height = 20) {
  const top = Math.max(1, ...values)
  const points = values.map((value, index) => {
    const x = 1 + (width - 2) * index / Math.max(1, values.length - 1)
    return `${Math.round(x * 10) / 10},${Math.round((height - 2 - (height - 4) * value / top) * 10) / 10}`
  })
  return h('svg.sparkline', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
    h('polyline', { points: points.join(' ') }))
}

/** Columns of a histogram. The text beside it says what it shows. */
export function describeColumns (counts, label) {
  const [width, height] = [132, 34]
  const top = Math.max(1, ...counts)
  const step = width / Math.max(1, counts.length)
  return h('svg.histogram', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    counts.map((count, index) => {
      const tall = count === 0 ? 1 : Math.max(2, (height - 1) * count / top)
      const name = count === 0 ? 'column is-empty' : index === counts.length - 1 ? 'column is-full' : 'column'
      return h('rect', { class: name, x: step * index + 0.5, y: height - tall, width: step - 1.5, height: tall })
    }))
}

/** A bar for a share from 0 to 1. The number beside it says as much. */
export function describeBar (share, name = '', width = 72) {
  const filled = Math.min(1, Math.max(0, share)) * width
  return h('svg', { class: `bar ${name}`, width, height: 8, viewBox: `0 0 ${width} 8`, 'aria-hidden': 'true' },
    h('rect.bar-ground', { width, height: 8, rx: 2 }),
    filled > 0 && h('rect.bar-fill', { width: Math.max(2, filled), height: 8, rx: 2 }))
}
