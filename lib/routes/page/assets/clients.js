import { describeBar } from './chart.js'
import { openClient, refreshClient } from './client-view.js'
import { byId, h, render } from './dom.js'
import { badge, button, describeTable, headCell, numberCell, shareCell, textField } from './elements.js'
import { CLIENTS_TIME, formatAge, formatCount } from './format.js'

const FEW = 12
const ORDERS = { requests: 'Most requests', refused: 'Most refusals' }
const COLUMNS = ['Client', ['Requests', 'number'], ['Refused', 'number'], 'Share refused', 'Last seen']

let order = 'requests'
let isLong = false
let search = ''

/** The clients that use and exceed most, and a search for any other. */
export function renderClients (state, page) {
  const { clients: { sampled, top }, blocked } = state
  const blockedNow = new Set(blocked.map(({ partition }) => partition))
  const busiest = Math.max(1, ...top.map(({ requests }) => requests))
  const ordered = [...top].sort((a, b) => b[order] - a[order])
  const rows = (isLong ? ordered : ordered.slice(0, FEW)).map((client) => describeClient(client, { state, page, busiest, blockedNow }))
  render(byId('clients').querySelector('.content'),
    h('div.bar-of-controls', null, describeOrders(page), describeSearch(state, page)),
    rows.length === 0
      ? h('p.empty', null, 'No client has been sampled yet. Open any client by its partition.')
      : [describeTable('Clients with most requests', COLUMNS, rows), h('p.note', null, describeAccuracy(sampled, top))],
    top.length > FEW && describeLength(top.length, page))
  refreshClient(state, page)
}

function describeAccuracy (sampled, top) {
  const error = Math.max(...top.map((client) => client.error))
  const source = sampled > 1 ? `Estimates of ${CLIENTS_TIME}, from one of ${sampled} requests.` : `Counts of ${CLIENTS_TIME}.`
  return error === 0 ? source : `${source} A number is at most ${formatCount(error)} too high.`
}

function describeLength (length, page) {
  return button(isLong ? `Show ${FEW} only` : `Show all ${length}`, () => { isLong = !isLong; page.refresh() }, { class: 'quiet' })
}

function describeOrders (page) {
  return h('div.segments', { role: 'group', 'aria-label': 'Order' }, Object.entries(ORDERS).map(([field, name]) => {
    return button(name, () => { order = field; page.refresh() }, { 'aria-pressed': String(order === field) })
  }))
}

function describeSearch (state, page) {
  const open = (event) => {
    event.preventDefault()
    if (search.trim() !== '') openClient(search.trim(), state, page)
  }
  return h('form.controls', { role: 'search', onsubmit: open },
    textField('Client', (text) => { search = text }, { value: search, placeholder: 'user:42', size: 16 }),
    h('button', { type: 'submit' }, 'Open'))
}

function describeClient ({ partition, isHashed, requests, refused, lastAtMs }, { state, page, busiest, blockedNow }) {
  return h('tr', { key: partition },
    headCell(
      isHashed
        ? h('span.partition', null, partition, ' ', badge('hashed'))
        : button(partition, () => openClient(partition, state, page), { class: 'link partition' }),
      blockedNow.has(partition) && [' ', badge('blocked', 'bad')]),
    numberCell([describeBar(requests / busiest, 'neutral', 48), h('span.beside', null, formatCount(requests))]),
    numberCell(formatCount(refused)),
    shareCell(refused, requests, { tone: 'refused', width: 48 }),
    h('td.nowrap.muted', null, formatAge(state.atMs - lastAtMs)))
}
