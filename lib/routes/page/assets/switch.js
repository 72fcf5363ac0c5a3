import { announce, confirm } from './act.js'
import { request } from './api.js'
import { byId, h, render } from './dom.js'
import { badge, button } from './elements.js'
import { plural } from './format.js'

/** Whether limits are on, and the button that changes it. */
export function renderSwitch (state, page) {
  render(byId('switch'), describeSwitch(state.instances),
    state.canWrite
      ? button('Switch…', () => change(state, page), { key: 'switch' })
      : h('span', { key: 'switch', class: 'note', title: 'The operator routes have no hooks, so they only read.' }, 'read only'))
}

function describeSwitch (instances) {
  const on = instances.filter(({ enabled }) => enabled).length
  if (on === instances.length) return badge('limits on', 'good')
  return on === 0 ? badge('limits off', 'bad') : badge(`limits off on ${instances.length - on} of ${instances.length}`, 'warn')
}

async function change (state, page) {
  const self = state.instances.find(({ id }) => id === state.self)
  const choice = { enabled: !(self?.enabled ?? true), instances: 'this' }
  const radio = (name, value, text) => h('label.choice', null, h('input', {
    type: 'radio', name, value: String(value), checked: choice[name] === value, onchange: () => { choice[name] = value }
  }), ' ', text)
  const content = [
    h('fieldset', null, h('legend', null, 'Limits'),
      radio('enabled', true, 'On'), radio('enabled', false, 'Off: every request passes uncounted, until limits are switched on again')),
    h('fieldset', null, h('legend', null, 'Where'),
      radio('instances', 'this', `This instance: ${self?.host}:${self?.pid}`),
      state.fleet.isShared
        ? radio('instances', 'all', `All instances (${plural(state.instances.length, 'instance')} now); the others follow within 10 s`)
        : h('p.note', null, 'Only this instance is known. With Redis, all can be switched.'))
  ]
  if (!await confirm({ title: 'Switch limits on or off', content, action: 'Switch', isDanger: true })) return
  try {
    await request('state', { method: 'PUT', body: choice.instances === 'all' ? choice : { enabled: choice.enabled } })
    announce(`Limits are ${choice.enabled ? 'on' : 'off'} on ${choice.instances === 'all' ? 'all instances' : 'this instance'}.`)
  } catch (error) {
    announce(`Nothing was switched. ${error.message}`, true)
  }
  await page.reload()
}
