// Module hooks for tests of mutants. A compiled test file imports `collect` of mutation-tests.js in place of tap. A script of Lua is
// composed again once one of its files was replaced. Properties try few examples.
const SCRIPTS = /\/\.compiled\/lib\/stores\/redis\/scripts\.js$/

/** A tenth of the examples of the quick lane: one of them is enough to notice most mutants. */
const LANE = /\/\.compiled\/test\/fixtures\/lane\.js$/
const FEW_EXAMPLES = `
export const isFullLane = false
export const scaleToLane = (all, quick = Math.ceil(all / 4)) => Math.ceil(quick / 10)
`

/** Where a test asks for a Redis of its own. This process has one anyway, which is emptied before each test. */
const BENCH = /\/\.compiled\/test\/integration\/redis\/open-store\.js$/

const LAZY_SCRIPTS = `
import * as scripts from './scripts.js?composed'
function lazy (compose) {
  let [generation, script] = [-1, null]
  const current = () => {
    if (generation !== (globalThis.luaGeneration ?? 0)) [generation, script] = [globalThis.luaGeneration ?? 0, compose()]
    return script
  }
  return { get lua () { return current().lua }, get sha () { return current().sha } }
}
export const loadScript = (...args) => lazy(() => scripts.loadScript(...args))
export const loadPlainScript = (...args) => lazy(() => scripts.loadPlainScript(...args))
export const composeScript = (...args) => lazy(() => scripts.composeScript(...args))
`

export async function resolve (specifier, context, next) {
  if (specifier !== 'tap' || !/\/\.compiled\//.test(context.parentURL ?? '')) return await next(specifier, context)
  const source = `const t = globalThis.collectTests(${JSON.stringify(context.parentURL)}); export default t; export const { test } = t`
  return { url: `data:text/javascript,${encodeURIComponent(source)}`, shortCircuit: true }
}

export async function load (url, context, next) {
  const isShort = process.env.MUTATION_EXAMPLES !== 'all' && LANE.test(url)
  const source = SCRIPTS.test(url) ? LAZY_SCRIPTS : isShort ? FEW_EXAMPLES : null
  if (source !== null) return { format: 'module', source, shortCircuit: true }
  const loaded = await next(url, context)
  return BENCH.test(url) ? { ...loaded, source: String(loaded.source).replace('=== "own"', '=== "none"') } : loaded
}
