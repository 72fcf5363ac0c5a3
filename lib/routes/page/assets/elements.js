import { describeBar } from './chart.js'
import { h } from './dom.js'
import { formatShare } from './format.js'

/**
 * A table that scrolls by itself where it is too wide. `columns`: a name, or `[name, class]`. An empty name is that of a column
 * of buttons. `rows`: elements.
 */
export function describeTable (caption, columns, rows) {
  return h('div.scroll', { tabindex: 0, role: 'group', 'aria-label': caption }, h('table', null,
    h('caption.unseen', null, caption),
    h('thead', null, h('tr', null, columns.map(describeHeading))),
    h('tbody', null, rows)))
}

function describeHeading (column) {
  const [name, kind = ''] = [column].flat()
  return h('th', { scope: 'col', class: kind }, name === '' ? h('span.unseen', null, 'Actions') : name)
}

/** The first cell of a row. */
export function headCell (...content) {
  return h('th', { scope: 'row' }, content)
}

/** The first cell of a row about a limit: its name, and the scope and tier that it is of. */
export function limitCell ({ name, scope, tier }, isShadow = false) {
  return headCell(h('span.strong', null, name), isShadow && [' ', badge('shadow', 'shadow')], h('span.sub', null, formatScope(scope, tier)))
}

/** A cell with a number. A zero is dim. */
export function numberCell (text) {
  return h('td', { class: text === '0' || text === '–' ? 'number muted' : 'number' }, text)
}

/** A cell with a share of a whole, as a bar and in percent. */
export function shareCell (part, whole, { tone = '', width = 72 } = {}) {
  return h('td.nowrap', null, describeBar(whole === 0 ? 0 : part / whole, tone, width), ' ', formatShare(part, whole))
}

/** `rule:search, tier free` */
export function formatScope (scope, tier) {
  return tier === null ? scope : `${scope}, tier ${tier}`
}

/** A short word with a frame. `tone`: good, bad, warn, shadow or nothing. */
export function badge (text, tone = '') {
  return h('span', { class: `badge ${tone}` }, text)
}

/** `props.class`: primary, danger, quiet, link or nothing. */
export function button (text, onclick, props) {
  return h('button', { type: 'button', onclick, ...props }, text)
}

/** A field for one line of text. `onText` gets it with each change. */
export function textField (name, onText, props) {
  return h('label.field', null, name, ' ', h('input', {
    type: 'text', autocomplete: 'off', spellcheck: 'false', oninput: ({ target }) => onText(target.value), ...props
  }))
}
