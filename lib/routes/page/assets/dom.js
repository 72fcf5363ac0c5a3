// A small renderer: `h` describes elements, `render` changes those of the last time. Elements keep their identity, so focus,
// selection and open details survive a poll. Text becomes text nodes and attributes only, so data cannot become markup.

const SVG = 'http://www.w3.org/2000/svg'
const KEYS = new WeakMap()

/** Set as properties: their attributes are only initial values. */
const PROPERTIES = new Set(['checked', 'disabled', 'hidden', 'value'])

/**
 * Describe an element: `h('td.number', null, 5)`. `props`: attributes, `on...` functions, `key`, and `isOwned: true` for an element
 * whose children others render. Of the children, `null`, `undefined` and `false` are left out.
 */
export function h (name, props, ...children) {
  const [tag, ...classes] = name.split('.')
  return { tag, props: classes.length === 0 ? props ?? {} : { class: classes.join(' '), ...props }, children: listShown(children) }
}

function listShown (children) {
  return children.flat(3).filter((child) => child !== null && child !== undefined && child !== false)
}

/** Make the children of an element those that are described. */
export function render (parent, ...described) {
  const active = document.activeElement
  renderChildren(parent, listShown(described))
  // An element that was moved has lost the focus.
  if (active !== document.activeElement && active?.isConnected) active.focus({ preventScroll: true })
}

function renderChildren (parent, described) {
  const old = [...parent.childNodes]
  const keyed = new Map()
  for (const node of old) if (KEYS.has(node)) keyed.set(KEYS.get(node), node)
  const unkeyed = old.filter((node) => !KEYS.has(node))
  const kept = new Set()
  let at = parent.firstChild
  for (const child of described) {
    const node = reuse(child, keyed, unkeyed) ?? create(child, parent)
    kept.add(node)
    update(node, child)
    if (node === at) at = at.nextSibling
    else parent.insertBefore(node, at)
  }
  for (const node of old) if (!kept.has(node)) node.remove()
}

function reuse (child, keyed, unkeyed) {
  if (typeof child !== 'object') return take(unkeyed, (node) => node.nodeType === Node.TEXT_NODE)
  const { tag, props: { key } } = child
  if (key === undefined) return take(unkeyed, (node) => node.localName === tag)
  const node = keyed.get(key)
  keyed.delete(key)
  return node?.localName === tag ? node : null
}

function take (nodes, matches) {
  const index = nodes.findIndex(matches)
  return index === -1 ? null : nodes.splice(index, 1)[0]
}

function create (child, parent) {
  if (typeof child !== 'object') return document.createTextNode('')
  const { tag, props: { key } } = child
  const isSvg = tag === 'svg' || (parent.namespaceURI === SVG && parent.localName !== 'foreignObject')
  const node = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag)
  if (key !== undefined) KEYS.set(node, key)
  return node
}

function update (node, child) {
  if (typeof child !== 'object') {
    const text = String(child)
    if (node.data !== text) node.data = text
    return
  }
  const { props, children } = child
  for (const name of node.getAttributeNames()) {
    if (!(name in props) && !(name === 'open' && node.localName === 'details')) node.removeAttribute(name)
  }
  if (!props.isOwned) renderChildren(node, children)
  for (const [name, value] of Object.entries(props)) setProp(node, name, value)
}

function setProp (node, name, value) {
  if (name === 'key' || name === 'isOwned') return
  if (name.startsWith('on') || PROPERTIES.has(name)) {
    if (node[name] !== value) node[name] = value
    return
  }
  if (value === null || value === undefined || value === false) node.removeAttribute(name)
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? '' : value)
}

/** The element with an id. */
export function byId (id) {
  return document.getElementById(id)
}

let uses = 0

/** An id that no other element has. */
export function uniqueId () {
  return `id-${uses++}`
}
