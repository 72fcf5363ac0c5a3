import { resetClient } from './act.js'
import { partitionQuery, request } from './api.js'
import { byId, h, render } from './dom.js'
import { badge, button, describeTable, limitCell, numberCell, shareCell } from './elements.js'
import { CLIENTS_TIME, formatCount, formatDate, formatDuration, formatLimit, formatShare, plural } from './format.js'

/** The client that is shown: `{ partition, standings, usage, error }`; `null` while the dialog is closed. */
let open = null

/** Show one client: its standings, quotas and blocks. */
export function openClient (partition, state, page) {
  const dialog = byId('client-dialog')
  open = { partition, standings: null, usage: [], error: null }
  render(dialog) // nothing of the client before
  show(state, page)
  dialog.onclose = () => { open = null }
  dialog.showModal()
  load(state, page)
}

/** Load the shown client again. */
export function refreshClient (state, page) {
  if (open !== null) load(state, page)
}

async function load (state, page) {
  const shown = open
  const query = partitionQuery(shown.partition)
  try {
    const [{ standings }, { usage }] = await Promise.all([request(`standings?${query}`), request(`usage?${query}`)])
    Object.assign(shown, { standings, usage, error: null })
  } catch (error) {
    shown.error = error.message
  }
  if (open === shown) show(state, page)
}

function show (state, page) {
  const { partition, standings, error } = open
  const top = state.clients.top.find((client) => client.partition === partition)
  const blockedMs = Math.max(0, ...(standings ?? []).map((standing) => standing.blockedMs))
  render(byId('client-dialog'),
    h('h2', { id: 'client-dialog-title' }, 'Client ', h('span.partition', null, partition)),
    h('div.dialog-content', null,
      h('div.dialog-status', { key: 'status', role: 'status', isOwned: true }),
      error !== null && h('p.banner.bad', null, error),
      h('p', null,
        blockedMs > 0 && [badge(`blocked for ${formatDuration(blockedMs)}`, 'bad'), ' '],
        top !== undefined && describeRequests(top)),
      h('h3', null, 'Standings'), describeStandings(open),
      h('h3', null, 'Quotas'), describeUsage(open)),
    h('div.dialog-actions', null,
      state.canWrite && standings !== null && describeReset(partition, blockedMs > 0, page),
      button('Close', () => byId('client-dialog').close(), { key: 'close' })))
}

function describeReset (partition, isBlocked, page) {
  const act = async () => { if (await resetClient(partition, isBlocked)) page.reload() }
  return button(isBlocked ? 'Lift the block' : 'Reset the usage', act, { key: 'act', class: isBlocked ? 'primary' : 'danger' })
}

function describeRequests ({ requests, refused }) {
  const share = formatShare(refused, requests)
  return `About ${formatCount(requests)} requests in ${CLIENTS_TIME}, ${formatCount(refused)} of them refused (${share}).`
}

function describeStandings ({ standings, error }) {
  if (standings === null) return h('p.empty', null, error === null ? 'Loading…' : 'Not available.')
  if (standings.length === 0) return h('p.empty', null, 'No limit can charge this client.')
  const used = standings.filter(isUsed)
  const unused = standings.filter((standing) => !isUsed(standing))
  return [
    used.length === 0 ? h('p.empty', null, 'Nothing is used.') : describeStandingTable('Standings of the client', used),
    unused.length > 0 && h('details.numbers', null,
      h('summary', null, `${plural(unused.length, 'limit')} without use`), describeStandingTable('Limits without use', unused))
  ]
}

function isUsed ({ limit, remaining, isExceeded, blockedMs }) {
  return remaining < limit || isExceeded || blockedMs > 0
}

function describeStandingTable (caption, standings) {
  const columns = ['Limit', 'Allows', 'Used', ['Left', 'number'], 'Full again in', 'State']
  return describeTable(caption, columns, standings.map((standing, index) => {
    const { limit, remaining, resetAfterMs, kind, mode } = standing
    return h('tr', { key: String(index) },
      limitCell(standing, mode === 'shadow'),
      h('td.nowrap', null, formatLimit({ ...standing, isConcurrency: kind === 'concurrency' })),
      shareCell(limit - remaining, limit, { tone: remaining <= 0 ? 'refused' : '' }),
      numberCell(formatCount(remaining)),
      h('td.nowrap', null, resetAfterMs === 0 ? 'full' : formatDuration(resetAfterMs)),
      h('td', null, describeStanding(standing)))
  }))
}

function describeStanding ({ blockedMs, isExceeded, retryAfterMs }) {
  if (blockedMs > 0) return badge('blocked', 'bad')
  if (!isExceeded) return badge('has room', 'good')
  return badge(retryAfterMs === 'never' ? 'exceeded' : `exceeded, retry in ${formatDuration(retryAfterMs)}`, 'warn')
}

function describeUsage ({ standings, usage }) {
  if (standings === null) return null
  if (usage.length === 0) return h('p.empty', null, 'This registration has no quota for this client.')
  const columns = ['Quota', 'Used', ['Units', 'number'], 'Period']
  return describeTable('Quotas of the client', columns, usage.map((quota, index) => h('tr', { key: String(index) },
    limitCell(quota, quota.mode === 'shadow'),
    shareCell(quota.used, quota.limit, { tone: quota.used >= quota.limit ? 'refused' : '' }),
    numberCell(`${formatCount(quota.used)} of ${formatCount(quota.limit)}`),
    h('td.nowrap', null, describePeriod(quota)))))
}

function describePeriod ({ period, start, end }) {
  const from = start === null ? '' : `from ${formatDate(Date.parse(start))} `
  return `${period}, ${from}until ${formatDate(Date.parse(end))}`
}
