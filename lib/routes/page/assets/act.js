import { partitionQuery, request } from './api.js'
import { byId, h, render } from './dom.js'
import { button } from './elements.js'

/** Ask before an action. `content` is text or elements. Resolves to whether to go on. */
export function confirm ({ title, content, action, isDanger = false }) {
  const dialog = byId('confirm-dialog')
  const { promise, resolve } = createPromise()
  const close = (answer) => {
    dialog.close()
    resolve(answer)
  }
  render(dialog,
    h('h2', { id: 'confirm-dialog-title' }, title),
    h('div.dialog-content', null, content),
    h('div.dialog-actions', null,
      button('Cancel', () => close(false)),
      button(action, () => close(true), { class: isDanger ? 'danger' : 'primary' })))
  dialog.onclose = () => resolve(false)
  dialog.showModal()
  return promise
}

function createPromise () {
  let resolve
  const promise = new Promise((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}

/** Show the result of an action, and have a screen reader say it. Elements below an open dialog are not read. */
export function announce (text, isFailure = false) {
  const dialog = document.querySelector('dialog[open] [role="status"]')
  const region = dialog ?? byId('result')
  render(region,
    h('p', { class: `result ${isFailure ? 'bad' : 'good'}` }, text),
    button('×', () => render(region), { class: 'quiet', 'aria-label': 'Dismiss this message' }))
}

/**
 * Lift the blocks of a client and delete its usage, after a confirmation. Both are one operation of the server.
 * Resolves to whether it was done.
 */
export async function resetClient (partition, isBlocked) {
  const title = isBlocked ? 'Lift the block of this client?' : 'Reset the usage of this client?'
  const action = isBlocked ? 'Lift the block' : 'Reset the usage'
  const content = [
    h('p.partition', null, partition),
    h('p', null, isBlocked ? 'This lifts all its blocks. ' : 'Its blocks are lifted too. ',
      'It also deletes what the client has used of every limit and quota, on all instances. This cannot be undone.')
  ]
  if (!await confirm({ title, content, action, isDanger: !isBlocked })) return false
  try {
    const { forgotten } = await request(`standings?${partitionQuery(partition)}`, { method: 'DELETE' })
    announce(`${partition}: ${isBlocked ? 'the block is lifted' : 'the usage is reset'}. Deleted entries: ${forgotten}.`)
    return true
  } catch (error) {
    announce(`${partition}: nothing was changed. ${error.message}`, true)
    return false
  }
}
