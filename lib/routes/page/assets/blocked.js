import { resetClient } from './act.js'
import { openClient } from './client-view.js'
import { byId, h, render } from './dom.js'
import { button, describeTable, headCell } from './elements.js'
import { formatDuration, plural } from './format.js'

const MAX_ROWS = 50

/** The clients that are blocked now, each with a button that lifts its blocks. */
export function renderBlocked (state, page) {
  const { blocked, canWrite } = state
  const longest = [...blocked].sort((a, b) => b.remainingMs - a.remainingMs).slice(0, MAX_ROWS)
  const rows = longest.map((block) => describeBlock(block, state, page))
  render(byId('blocked').querySelector('.content'),
    rows.length === 0
      ? h('p.empty', null, 'No client is blocked. A limit with a penalty blocks clients that continue after refusals.')
      : describeTable('Blocked clients', ['Client', 'Ends in', ''], rows),
    blocked.length > MAX_ROWS && h('p.note', null, `${plural(blocked.length - MAX_ROWS, 'more block')}. Open a client to see its blocks.`),
    !canWrite && rows.length > 0 && h('p.note', null, 'The operator routes have no hooks, so no block can be lifted here.'))
}

function describeBlock ({ partition, scope, remainingMs }, state, page) {
  const lifts = () => lift(partition, page)
  return h('tr', { key: `${partition} ${scope}` },
    headCell(button(partition, () => openClient(partition, state, page), { class: 'link partition' }), h('span.sub', null, scope)),
    h('td.nowrap', null, formatDuration(remainingMs)),
    h('td.actions', null, state.canWrite && button('Lift', lifts, { 'aria-label': `Lift the block of ${partition}` })))
}

async function lift (partition, page) {
  if (!await resetClient(partition, true)) return
  // The row with the focus goes away.
  byId('blocked-title').focus()
  await page.reload()
}
