import { request } from './api.js'
import { renderBlocked } from './blocked.js'
import { renderClients } from './clients.js'
import { byId, h, render } from './dom.js'
import { button } from './elements.js'
import { formatAge, formatClockWithSeconds } from './format.js'
import { renderInstances } from './instances.js'
import { renderLimits } from './limits.js'
import { renderOutcomes } from './outcomes.js'
import { renderPolicies } from './policies.js'
import { Poll } from './poll.js'
import { renderSwitch } from './switch.js'
import { renderTotals } from './totals.js'

const PARTS = [
  renderTotals, renderOutcomes, renderLimits, renderClients, renderBlocked, renderInstances, renderPolicies, renderSwitch
]

/** The last state; `null` before the first. */
let state = null
/** The policies, and the version that they are of. */
let policies = { version: '' }
/** When it came, by the clock of this machine. */
let receivedMs = 0
/** The last failure, until a state comes: `{ message, retryAtMs }`. */
let failure = null

const poll = new Poll(load, (error, retryAtMs) => {
  failure = { message: error.message, retryAtMs }
  renderTop()
})

/** What parts of the page need to act. */
const page = {
  /** Load and show the state after an action. */
  reload: () => poll.now(),
  /** Show the last state again, after a filter has changed. */
  refresh: () => renderState()
}

async function load () {
  const next = await request('page/data')
  const version = `${next.self} ${next.policiesVersion}`
  if (version !== policies.version) policies = { version, ...await request('policies') }
  state = { ...next, policies }
  receivedMs = Date.now()
  failure = null
  renderState()
}

function renderState () {
  renderTop()
  if (state === null) return
  document.title = `Rate limits: ${state.registration}`
  render(byId('registration'), state.registration)
  for (const part of PARTS) {
    try {
      part(state, page)
    } catch (error) {
      // One part that cannot be shown must not take the others with it.
      failure = { message: `A part of the page cannot be shown: ${error.message}.`, retryAtMs: null }
      renderTop()
    }
  }
}

function renderTop () {
  render(byId('freshness'), describeFreshness())
  render(byId('problems'), failure !== null && h('div.banner.bad', null,
    h('p', null, failure.message, ' ', describeRetry(failure.retryAtMs)),
    button('Try now', page.reload)))
}

function describeRetry (retryAtMs) {
  if (retryAtMs === null) return ''
  const shown = state === null ? '' : `The page shows the state of ${formatClockWithSeconds(receivedMs)}. `
  return `${shown}Next attempt at ${formatClockWithSeconds(retryAtMs)}.`
}

function describeFreshness () {
  if (state === null) return failure === null ? 'Loading…' : 'No data yet'
  const ageMs = Date.now() - receivedMs
  return [`Data from ${formatClockWithSeconds(receivedMs)}, `, h('span', { class: ageMs > 30_000 ? 'warn' : '' }, formatAge(ageMs))]
}

setInterval(() => {
  if (!document.hidden) render(byId('freshness'), describeFreshness())
}, 1000)
poll.now()
