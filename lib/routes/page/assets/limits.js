import { describeColumns } from './chart.js'
import { byId, h, render } from './dom.js'
import { badge, button, describeTable, formatScope, limitCell, numberCell, shareCell } from './elements.js'
import { formatCount, formatLimit, formatShare, plural, sum } from './format.js'
import { openWhatIf } from './what-if.js'

const COLUMNS = ['Limit', 'Allows', 'Mode', 'Binds', ['Refused', 'number'], ['Would refuse', 'number'], 'Use of the limit', '']
const NOTE = 'A limit binds a request if it has the least left. A limit in shadow mode only counts what it would bind and refuse.'

/** Which limit binds, enforced beside shadow, and how much of each is used. */
export function renderLimits ({ limits }) {
  const enforced = sum(limits.filter(({ mode }) => mode === 'enforce').map(({ bound }) => bound))
  const rows = [...limits].sort(compare).map((limit) => describeLimit(limit, enforced))
  render(byId('limits').querySelector('.content'), rows.length === 0
    ? h('p.empty', null, 'No limit has decided a request yet. A limit appears here with its first request.')
    : [describeTable('Limits, with the refusals of the last hour', COLUMNS, rows), h('p.note', null, NOTE)])
}

function compare (a, b) {
  const places = [[a.scope, b.scope], [a.tier ?? '', b.tier ?? ''], [a.name, b.name], [a.mode, b.mode]]
  const [first, second] = places.find(([one, other]) => one !== other) ?? ['', '']
  // The scope and the name `default` come first.
  if (first === 'default' || second === 'default') return first === 'default' ? -1 : 1
  return first < second ? -1 : 1
}

function describeLimit (limit, enforced) {
  const { bucket, scope, tier, name, mode, bound, refused, canSimulate } = limit
  const isShadow = mode === 'shadow'
  const label = `What if ${name} of ${formatScope(scope, tier)} had another maximum?`
  return h('tr', { key: bucket },
    limitCell(limit),
    h('td.nowrap', null, formatLimit(limit)),
    h('td', null, isShadow ? badge('shadow', 'shadow') : badge('enforced')),
    shareCell(bound, enforced, { tone: isShadow ? 'shadow' : '' }),
    numberCell(isShadow ? '–' : formatCount(refused)),
    numberCell(isShadow ? formatCount(refused) : '–'),
    h('td', null, describeUse(limit)),
    h('td.actions', null, canSimulate && button('What if…', () => openWhatIf(limit), { 'aria-label': label })))
}

function describeUse ({ utilisation, isConcurrency, inFlight }) {
  const total = sum(utilisation)
  const slots = isConcurrency && inFlight !== null && h('span.strong', null, `${plural(inFlight, 'slot')} in use now`)
  if (total === 0) return h('div.use', null, h('span.note', null, slots, 'no request sampled yet'))
  const median = findMedian(utilisation, total)
  const high = formatShare(utilisation.at(-1), total)
  const label = `Requests by the share of the limit in use. Half of them: at most ${median} %. More than 90 %: ${high} of them.`
  return h('div.use', null,
    describeColumns(utilisation, label),
    h('span.note', null, slots, `median ≤ ${median} %`, h('br'), `${high} above 90 %`))
}

/** The upper end of the column with the median, in percent. */
function findMedian (counts, total) {
  let below = 0
  const index = counts.findIndex((count) => (below += count) * 2 >= total)
  return (index + 1) * 100 / counts.length
}
