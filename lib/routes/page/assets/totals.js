import { byId, h, render } from './dom.js'
import { formatCompact, formatCount, formatLatency, formatShare, plural, sum } from './format.js'

const DESCRIPTIONS = [describeRequests, describeRefused, describeShadow, describeBlocked, describeSlots, describeStore]

/** The server lists as many blocks at most. */
const MAX_BLOCKED = 100

/** The row of figures at the top. */
export function renderTotals (state) {
  render(byId('totals'), h('dl.totals', null, DESCRIPTIONS.map((describe) => describe(state))))
}

function figure (name, value, note, tone = '') {
  return h('div', { class: `total ${tone}` }, h('dt', null, name), h('dd.figure', null, value), h('dd.note', null, note))
}

function count ({ outcomes }, ...fields) {
  return sum(outcomes.series.flatMap((series) => fields.map((field) => sum(series[field]))))
}

function describeRequests (state) {
  const total = count(state, 'allowed', 'refused', 'other')
  return figure('Requests', formatCompact(total), `${formatCompact(count(state, 'allowed'))} allowed`)
}

function describeRefused (state) {
  const refused = count(state, 'refused')
  const share = formatShare(refused, count(state, 'allowed', 'refused', 'other'))
  return figure('Refused', formatCompact(refused), `${share} of all requests`, refused > 0 ? 'is-refused' : '')
}

function describeShadow ({ limits }) {
  const shadows = limits.filter(({ mode }) => mode === 'shadow')
  if (shadows.length === 0) return figure('Would be refused', '–', 'no limit in shadow mode')
  const refused = sum(shadows.map((limit) => limit.refused))
  return figure('Would be refused', formatCompact(refused), `by ${plural(shadows.length, 'shadow limit')}`, refused > 0 ? 'is-shadow' : '')
}

function describeBlocked ({ blocked }) {
  const clients = new Set(blocked.map(({ partition }) => partition)).size
  const count = blocked.length < MAX_BLOCKED ? formatCount(clients) : `${formatCount(clients)}+`
  return figure('Blocked clients', count, clients === 0 ? 'no block is active' : 'now', clients > 0 ? 'is-refused' : '')
}

function describeSlots ({ limits }) {
  const concurrency = limits.filter(({ isConcurrency }) => isConcurrency)
  if (concurrency.length === 0) return figure('Slots in use', '–', 'no concurrency limit')
  const inFlight = sum(concurrency.map((limit) => limit.inFlight ?? 0))
  return figure('Slots in use', formatCount(inFlight), `of ${plural(concurrency.length, 'concurrency limit')}`)
}

function describeStore ({ instances }) {
  const slowest = Math.max(-1, ...instances.map(({ store }) => store.latencyMs?.p99 ?? -1))
  const away = instances.filter(({ store }) => store.isReachable === false || store.breaker === 'open').length
  const kinds = [...new Set(instances.map(({ store }) => store.kind))].join(', ')
  const note = away === 0 ? `${kinds}, ${plural(instances.length, 'instance')}` : `${kinds}, away for ${away} of ${instances.length}`
  return figure('Store p99', slowest < 0 ? '–' : formatLatency(slowest), note, away > 0 ? 'is-refused' : '')
}
