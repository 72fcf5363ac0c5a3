import { request } from './api.js'
import { byId, h, render } from './dom.js'
import { button, describeTable, formatScope, numberCell } from './elements.js'
import { formatCount, formatDate, formatLimit, formatShare, plural } from './format.js'

/** Positions of the slider: half of them below the current maximum, in equal ratios. */
const POSITIONS = 200
/** The ends of the slider: this part, and so many times the current maximum. */
const RANGE = 20
const PREVIEW = [0.25, 0.5, 1, 2, 4]
const TYPING_MS = 150
const COLUMNS = [['Maximum', 'number'], 'Refused', ['Share', 'number']]

let open = null

/** Ask what another maximum would have refused. The server replays sampled requests. */
export function openWhatIf (limit) {
  const dialog = byId('what-if-dialog')
  open = { limit, max: limit.max, results: new Map(), error: null, timer: null }
  show()
  dialog.onclose = () => {
    clearTimeout(open?.timer)
    open = null
  }
  dialog.showModal()
  preview(open)
}

/** Fill the table with some maxima, one after the other, so that the server replays one at a time. */
async function preview (asked) {
  for (const factor of PREVIEW) {
    if (open !== asked || asked.error !== null) return
    await fetchResult(asked, toMax(asked.limit.max * factor))
  }
}

async function fetchResult (asked, max) {
  if (asked.results.has(max)) return
  try {
    const result = await request(`page/what-if?limit=${encodeURIComponent(asked.limit.bucket)}&max=${max}`)
    asked.results.set(max, result)
    asked.error = null
  } catch (error) {
    asked.error = error.message
  }
  if (open === asked) show()
}

function choose (max) {
  open.max = max
  clearTimeout(open.timer)
  const asked = open
  open.timer = setTimeout(() => fetchResult(asked, max), TYPING_MS)
  show()
}

function toMax (value) {
  return Math.max(0, Math.round(value))
}

function toPosition (max, current) {
  const share = Math.log(max / Math.max(1, current)) / Math.log(RANGE)
  return Math.round(POSITIONS / 2 * (1 + Math.min(1, Math.max(-1, share))))
}

function fromPosition (position, current) {
  return Math.max(1, Math.round(Math.max(1, current) * RANGE ** (position / (POSITIONS / 2) - 1)))
}

function show () {
  const { limit, max, results, error } = open
  const result = results.get(max)
  render(byId('what-if-dialog'),
    h('h2', { id: 'what-if-dialog-title' }, 'What if the maximum were different?'),
    h('div.dialog-content', null,
      h('p', null, h('span.strong', null, limit.name), ` of ${formatScope(limit.scope, limit.tier)}: `,
        `now ${formatLimit(limit)}${limit.mode === 'shadow' ? ', in shadow mode' : ''}.`),
      describeSlider(limit, max),
      h('div.verdict', { role: 'status' }, describeResult(result, error)),
      describeResults(open),
      h('p.note', null, result === undefined ? '' : describeSource(result))),
    h('div.dialog-actions', null, button('Close', () => byId('what-if-dialog').close())))
}

function describeSlider (limit, max) {
  const onSlide = ({ target }) => choose(fromPosition(Number(target.value), limit.max))
  const onType = ({ target }) => {
    if (target.valueAsNumber >= 0) choose(toMax(target.valueAsNumber))
  }
  const value = String(toPosition(max, limit.max))
  return h('div.slider', null,
    h('label', { for: 'what-if-slider' }, 'Maximum'),
    h('input', {
      id: 'what-if-slider', type: 'range', min: 0, max: POSITIONS, value, 'aria-valuetext': formatCount(max), oninput: onSlide
    }),
    h('input', { type: 'number', min: 0, step: 1, value: String(max), 'aria-label': 'Maximum as a number', oninput: onType }))
}

function describeResult (result, error) {
  if (error !== null) return h('p.bad', null, `No answer: ${error}`)
  if (result === undefined) return h('p.muted', null, 'Replaying…')
  const { max, requests, refused, refusedNow } = result
  if (requests === 0) return h('p.muted', null, 'No request has been sampled for this limit yet.')
  const difference = refused - refusedNow
  const change = difference === 0 ? 'as many as now' : `${formatCount(Math.abs(difference))} ${difference > 0 ? 'more' : 'fewer'} than now`
  return h('p', null, `With ${formatCount(max)}, `, h('strong', null, `${formatCount(refused)} of ${formatCount(requests)}`),
    ` sampled requests would have been refused: ${formatShare(refused, requests)}, ${change}.`)
}

function describeSource ({ clients, requests, sinceMs }) {
  const replayed = `${plural(requests, 'request')} of ${plural(clients, 'sampled client')}`
  return `Replayed: ${replayed} on this instance, since ${formatDate(sinceMs)}. ` +
    'This page changes no limit: settings do.'
}

/** The preview and the chosen maximum, as bars of one scale. */
function describeResults ({ limit, max, results }) {
  const maxima = new Set([...PREVIEW.map((factor) => toMax(limit.max * factor)), max])
  const rows = [...results.values()].filter((result) => maxima.has(result.max) && result.requests > 0).sort((a, b) => a.max - b.max)
  return rows.length > 0 && describeTable('Refused requests by maximum', COLUMNS, rows.map((row) => {
    return h('tr', { key: String(row.max), class: row.max === max ? 'is-chosen' : '' },
      h('th.number', { scope: 'row' },
        button(formatCount(row.max), () => choose(row.max), { class: 'link' }), row.max === limit.max && ' (now)'),
      h('td.wide', null, describeShareBar(row.refused / row.requests)),
      numberCell(formatShare(row.refused, row.requests)))
  }))
}

function describeShareBar (share) {
  return h('svg.bar.refused.fluid', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', height: 8, 'aria-hidden': 'true' },
    h('rect.bar-ground', { width: 100, height: 8 }), share > 0 && h('rect.bar-fill', { width: Math.max(0.5, 100 * share), height: 8 }))
}
