import { request } from './api.js'
import { byId, h, render } from './dom.js'
import { badge, button, describeTable, headCell, textField } from './elements.js'
import { plural } from './format.js'

/** How the layers look. Each value of one has its name too. */
const TONES = { 'built-in': '', operator: 'warn' }

let search = ''
let route = ''
/** The explanation of a route, or `{ error }`; `null` before one is asked for. */
let explained = null

/** The effective policies: each value with the layer that it comes from. */
export function renderPolicies (state, page) {
  const { policies: { options, policies } } = state
  const isFiltered = search.trim() !== ''
  const groups = [{ name: 'Plugin', options }, ...policies.flatMap(listGroups)]
    .map((group) => ({ ...group, options: group.options.filter(isFound) }))
    .filter((group) => !isFiltered || group.options.length > 0)
  render(byId('policies').querySelector('.content'),
    h('div.bar-of-controls', null, describeSearch(page), describeRouteForm(state, page)),
    explained !== null && describeRoute(explained, page),
    groups.length === 0 && h('p.empty', null, 'No option has this word in its name, value or place.'),
    h('div', { key: 'groups' }, groups.map((group) => describeGroup(group, isFiltered))))
}

/** A policy, and each of its tiers. */
function listGroups ({ name, scope, hook, options, tiers }) {
  return [
    { name, note: `scope ${scope}, counted in ${hook}`, options },
    ...tiers.map((tier) => ({ name: `${name}, tier ${tier.name}`, note: tier.isUnlimited ? 'unlimited' : '', options: tier.options }))
  ]
}

function isFound ({ option, value, from, place }) {
  return `${option} ${formatValue(value)} ${from} ${place}`.toLowerCase().includes(search.trim().toLowerCase())
}

function describeSearch (page) {
  const onText = (text) => {
    search = text
    page.refresh()
  }
  return textField('Find', onText, { type: 'search', value: search, placeholder: 'option, value or layer', size: 20 })
}

function describeRouteForm ({ outcomes }, page) {
  const urls = [...new Set(outcomes.series.map((series) => series.route))].filter((url) => url.startsWith('/'))
  const explain = async (event) => {
    event.preventDefault()
    if (route.trim() === '') return
    explained = await request(`policies?route=${encodeURIComponent(route.trim())}`).catch(({ message }) => ({ error: message }))
    page.refresh()
    byId('explained-title').focus()
  }
  return h('form.controls', { onsubmit: explain },
    textField('Route', (text) => { route = text }, { value: route, placeholder: 'GET /login', size: 20, list: 'routes' }),
    h('datalist', { id: 'routes' }, urls.map((url) => h('option', { key: url, value: `GET ${url}` }))),
    h('button', { type: 'submit' }, 'Explain'))
}

function describeRoute ({ error, method, url, state, note, reason, policies = [] }, page) {
  const close = () => {
    explained = null
    page.refresh()
  }
  return h('div.panel', { key: 'explained' },
    h('h3', { id: 'explained-title', tabindex: -1 }, error === undefined ? `${method} ${url}: ${state}` : 'This route cannot be explained'),
    (error ?? note) && h('p', null, error ?? note),
    reason && describeOptions('The reason', [reason]),
    policies.flatMap(listGroups).map((group) => describeGroup(group, false)),
    button('Close', close))
}

function describeGroup ({ name, note = '', options }, isOpen) {
  const set = options.filter(({ from }) => from !== 'built-in').length
  const facts = [note, `${plural(set, 'value')} set`].filter((text) => text !== '').join(', ')
  return h('details.policy', { key: name, ...(isOpen && { open: true }) },
    h('summary', null, h('span.strong', null, name), ' ', h('span.muted', null, facts)),
    options.length === 0 ? h('p.empty', null, 'All values are inherited.') : describeOptions(`Options of ${name}`, options))
}

function describeOptions (caption, options) {
  return describeTable(caption, ['Option', 'Value', 'Layer', 'Place'], options.map(({ option, value, from, place }, index) => {
    return h('tr', { key: `${option} ${index}`, class: from === 'built-in' ? 'muted' : '' },
      headCell(option),
      h('td', null, h('code', null, formatValue(value))),
      h('td', null, badge(from, TONES[from] ?? 'set')),
      h('td.place', null, place))
  }))
}

function formatValue (value) {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
