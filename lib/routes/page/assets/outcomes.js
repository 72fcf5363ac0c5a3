import { describeAreas, describeSparkline, findStep } from './chart.js'
import { byId, h, render } from './dom.js'
import { button, describeTable, headCell, numberCell } from './elements.js'
import { formatClock, formatClockWithSeconds, formatCount, formatRate, formatShare, plural, sum } from './format.js'

const HEIGHT = 320
/** The lowest first: refusals stand on the axis, where their changes can be seen. */
const LAYERS = [
  { field: 'refused', name: 'Refused', hint: 'rejected by a limit, or blocked' },
  { field: 'allowed', name: 'Allowed', hint: 'at once, or after a delay' },
  { field: 'other', name: 'Not counted', hint: 'exempt, or decided without the store' }
]
const ALL = ''
const ROWS = 7
const SERIES_COLUMNS = ['Route and tier', 'Over the hour', ['Requests', 'number'], ['Refused', 'number']]

const filter = { route: ALL, tier: ALL, hidden: new Set() }
/** The step that the pointer is at. */
let at = null
let width = 900
let show = () => {}

const observer = new ResizeObserver(([{ contentRect }]) => {
  const measured = Math.round(contentRect.width)
  if (measured === width || measured === 0) return
  width = measured
  show()
})

/** The chart, its filters, and the table of routes and tiers. */
export function renderOutcomes (state, page) {
  show = () => renderContent(state, page)
  show()
  observer.observe(byId('areas'))
}

function renderContent (state, page) {
  const { startMs, stepMs, series } = state.outcomes
  const shown = series.filter((one) => ['route', 'tier'].every((field) => filter[field] === ALL || filter[field] === one[field]))
  const steps = series[0]?.allowed.length ?? 0
  const layers = LAYERS.map(({ field }) => ({ name: field, values: addUp(shown, field, steps) }))
  const full = countFull(state)
  const visible = layers.filter(({ name }) => !filter.hidden.has(name)).map(({ name, values }) => ({ name, values: values.slice(0, full) }))
  const label = describeChart(layers, steps * stepMs)
  render(byId('outcomes').querySelector('.content'),
    h('div.bar-of-controls', null, describeFilters(series, page), describeLegend(layers)),
    h('div.chart-and-series', null,
      h('div.chart', null,
        h('div', {
          id: 'areas',
          onpointermove: (event) => point(findStep(event.offsetX, width, full)),
          onpointerleave: () => point(null)
        }, describeAreas({ layers: visible, startMs, stepMs, width, height: HEIGHT, at, label })),
        h('p.note', null, describePoint(layers, startMs, stepMs)),
        describeSteps(layers, startMs, stepMs)),
      describeSeries(series, page)))
}

/** The last step is still growing, and would look like a drop. */
function countFull ({ atMs, outcomes: { startMs, stepMs } }) {
  return Math.max(0, Math.floor((atMs - startMs) / stepMs))
}

function addUp (series, field, steps) {
  const sums = new Array(steps).fill(0)
  for (const one of series) for (let index = 0; index < steps; index++) sums[index] += one[field][index]
  return sums
}

function point (index) {
  if (index === at) return
  at = index
  show()
}

function describeFilters (series, page) {
  const select = (name, field) => {
    const values = [...new Set(series.map((one) => one[field]))].sort()
    if (filter[field] !== ALL && !values.includes(filter[field])) values.unshift(filter[field])
    return h('label.field', null, name, ' ', h('select', {
      value: filter[field],
      onchange: ({ target }) => { filter[field] = target.value; page.refresh() }
    }, h('option', { key: '', value: ALL }, 'all'), values.map((value) => h('option', { key: `=${value}`, value }, value))))
  }
  return h('div.controls', null, select('Route', 'route'), select('Tier', 'tier'))
}

function describeLegend (layers) {
  const total = sum(layers.map(({ values }) => sum(values)))
  return h('div.legend', { role: 'group', 'aria-label': 'Outcomes in the chart' }, LAYERS.map(({ field, name, hint }, index) => {
    const count = sum(layers[index].values)
    return h('button', {
      type: 'button', class: 'legend-item', title: hint, 'aria-pressed': String(!filter.hidden.has(field)), onclick: () => toggle(field)
    },
    h('svg', { width: 12, height: 12, 'aria-hidden': 'true' }, h('rect', { class: `swatch ${field}`, width: 12, height: 12, rx: 2 })),
    h('span', null, name), h('span.number', null, formatCount(count)), h('span.muted.number', null, formatShare(count, total)))
  }))
}

function toggle (field) {
  if (filter.hidden.has(field)) filter.hidden.delete(field)
  else filter.hidden.add(field)
  show()
}

function describeChart (layers, ms) {
  const parts = LAYERS.map(({ name }, index) => `${name.toLowerCase()} ${formatCount(sum(layers[index].values))}`)
  return `Requests of the last ${Math.round(ms / 60_000)} minutes: ${parts.join(', ')}. The table below has the numbers.`
}

function describePoint (layers, startMs, stepMs) {
  if (at === null || at >= (layers[0]?.values.length ?? 0)) return 'Requests a second, in steps of 10 s'
  const parts = LAYERS.map(({ name }, index) => `${name.toLowerCase()} ${formatRate(layers[index].values[at] * 1000 / stepMs)}/s`)
  return `${formatClockWithSeconds(startMs + at * stepMs)}: ${parts.join(', ')}`
}

/** The numbers of the chart as a table, in steps that one can read. */
function describeSteps (layers, startMs, stepMs) {
  const size = Math.max(1, Math.round(300_000 / stepMs))
  const columns = ['From', ...LAYERS.map(({ name }) => [name, 'number'])]
  const sums = layers.map(({ values }) => gather(values, size))
  const rows = sums[0].map((_, index) => h('tr', null,
    headCell(formatClock(startMs + index * size * stepMs)), sums.map((values) => numberCell(formatCount(values[index])))))
  return h('details.numbers', null, h('summary', null, 'The chart as a table'), describeTable('Outcomes per five minutes', columns, rows))
}

function describeSeries (series, page) {
  const rows = series.map((one) => ({ ...one, refusals: sum(one.refused), total: sum(one.allowed) + sum(one.refused) + sum(one.other) }))
    .filter(({ total }) => total > 0)
    .sort((a, b) => b.total - a.total)
  if (rows.length === 0) return h('p.empty', null, 'No request in the last hour. The chart fills as soon as requests arrive.')
  return h('div.series', null,
    describeTable('Outcomes of the last hour by route and tier', SERIES_COLUMNS, rows.slice(0, ROWS).map((row) => describeRow(row, page))),
    rows.length > ROWS && h('p.note', null, `And ${plural(rows.length - ROWS, 'more', 'more')}, which the filters find.`))
}

function describeRow ({ route, tier, refusals, total, allowed, refused, other }, page) {
  const isChosen = filter.route === route && filter.tier === tier
  const choose = () => {
    filter.route = isChosen ? ALL : route
    filter.tier = isChosen ? ALL : tier
    page.refresh()
  }
  const requests = allowed.map((count, index) => count + refused[index] + other[index])
  return h('tr', { key: `${route} ${tier}`, class: isChosen ? 'is-chosen' : '' },
    headCell(button(route, choose, { class: 'link', 'aria-pressed': String(isChosen) }), h('span.sub', null, tier)),
    h('td', null, describeSparkline(gather(requests, 6))),
    numberCell(formatCount(total)),
    numberCell(formatShare(refusals, total)))
}

/** Sums of so many numbers that follow each other. */
function gather (values, size) {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) => sum(values.slice(index * size, (index + 1) * size)))
}
