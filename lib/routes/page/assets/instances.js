import { byId, h, render } from './dom.js'
import { badge, describeTable, headCell, numberCell } from './elements.js'
import { formatAge, formatCount, formatDate, formatDuration, formatLatency, plural } from './format.js'

const STALE_MS = 25_000
const NUMBERS = ['p50', 'p99', 'Errors', 'Fallbacks'].map((name) => [name, 'number'])
const COLUMNS = ['Instance', 'Limits', 'Store', ...NUMBERS, 'Data', 'Last reload']

/** Every instance of the fleet: its store, its switch, its last reload. */
export function renderInstances ({ atMs, self, fleet, instances }) {
  render(byId('instances').querySelector('.content'),
    fleet.problem !== null && h('p.banner.bad', null, `The other instances are not shown, because they cannot be read: ${fleet.problem}.`),
    describeTable('Instances', COLUMNS, instances.map((instance) => describeInstance(instance, instance.id === self, atMs))),
    h('p.note', null, describeFleet(fleet, instances)))
}

function describeFleet ({ isShared, skipped }, instances) {
  if (!isShared) return 'This page shows this instance only. With Redis, all instances of the registration are shown.'
  const shown = `${plural(instances.length, 'instance')}. Each one publishes a summary every 10 s, and goes 60 s after its last one.`
  return skipped === 0 ? shown : `${shown} ${plural(skipped, 'summary', 'summaries')} of another version left out.`
}

function describeInstance ({ id, host, pid, version, startedAtMs, seenAtMs, enabled, configured, store, reload }, isSelf, atMs) {
  return h('tr', { key: id },
    headCell(h('span.strong', null, `${host}:${pid}`), isSelf && [' ', badge('this one')],
      h('span.sub', null, `${version}, up ${formatDuration(atMs - startedAtMs)}`)),
    h('td', null, describeSwitch(enabled, configured)),
    h('td', null, h('span.nowrap', null, store.kind, ' ', describeStore(store))),
    numberCell(store.latencyMs === null ? '–' : formatLatency(store.latencyMs.p50)),
    numberCell(store.latencyMs === null ? '–' : formatLatency(store.latencyMs.p99)),
    numberCell(formatCount(store.errors)),
    numberCell(formatCount(store.fallbacks)),
    h('td', { class: `nowrap ${atMs - seenAtMs > STALE_MS ? 'warn' : ''}` }, formatAge(atMs - seenAtMs)),
    h('td.reload', null, describeReload(reload)))
}

function describeSwitch (enabled, configured) {
  const state = enabled ? badge('on', 'good') : badge('off', 'bad')
  return enabled === configured ? state : [state, h('span.sub', null, 'by the switch')]
}

function describeStore ({ isReachable, breaker }) {
  if (breaker === 'open') return badge('breaker open', 'bad')
  if (isReachable === false) return badge('not reachable', 'bad')
  if (breaker === 'half-open') return badge('breaker half-open', 'warn')
  return isReachable === null ? null : badge('reachable', 'good')
}

function describeReload (reload) {
  if (reload === null) return h('span.muted', null, 'none')
  const at = formatDate(reload.atMs)
  if (reload.isApplied) return [badge('applied', 'good'), ' ', h('span.nowrap', null, at)]
  return [badge('refused', 'bad'), ' ', h('span.nowrap', null, at), reload.error !== null && h('span.sub.error', null, reload.error)]
}
