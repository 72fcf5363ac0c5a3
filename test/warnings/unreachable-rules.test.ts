import fc from 'fast-check'
import t from 'tap'
import { RuleReachability } from '../../lib/warnings/unreachable-rules.js'
import { readRouterOptions } from '../../lib/routing/router-options.js'
import { RuleSet, type Rule } from '../../lib/routing/rule-set.js'
import { assertProperty } from '../fixtures/property.js'
import { scaleToLane } from '../fixtures/lane.js'

const routing = readRouterOptions({ initialConfig: {} })

/** Rules that are called by what they match. */
function rulesOf (...texts: readonly string[]): Rule[] {
  return texts.map((text) => {
    const [match, ...methods] = text.split(' ').toReversed()
    return { name: text, match, ...(methods.length === 0 ? {} : { methods: methods[0].split(',') }) }
  })
}

t.test('a rule is never reached where others have all its requests first', async (t) => {
  const rows: ReadonlyArray<readonly [rules: string[], first: string[] | null, why: string]> = [
    [['/a', '/a'], ['/a'], 'the same, and later'],
    [['/:x/*', '/:y/*/'], ['/:x/*'], 'the same in other words'],
    [['GET,POST /a', 'POST /a'], ['GET,POST /a'], 'its method is among those of an earlier one'],
    [['GET /a', 'POST /a', 'GET,POST /a'], ['GET /a', 'POST /a'], 'each method is another\'s'],
    [['GET /a', 'HEAD /a'], ['GET /a'], 'HEAD counts as GET'],
    [['GET /a', 'GET,PUT /a'], null, 'PUT is left'],
    [['GET /a', '/a'], null, 'the other methods are left'],
    [['/a', 'GET /a'], null, 'who names methods goes first'],
    [['/a', '/a/:x/*', '/a/*'], ['/a/:x/*', '/a'], 'what it takes is cut up among two'],
    [['/a/:x/*', '/a/*'], null, '/a itself is left'],
    [['/a', '/a/:x', '/a/*'], null, '/a/b/c is left'],
    [['/a', '/a/:x', '/a/:x/:y/*', '/a/*'], ['/a/:x/:y/*', '/a/:x', '/a'], 'cut up among three'],
    [['/a/b', '/a/c', '/a/:x'], null, 'other words are left'],
    [['/*', '/a'], null, 'the more specific one goes first'],
    [['/a b', '/a b'], ['/a b'], 'a text that a URL has to encode']
  ]
  for (const [texts, first, why] of rows) {
    const rules = texts.includes('/a b') ? [{ name: '/a b', match: '/a b' }, { name: 'twin', match: '/a b' }] : rulesOf(...texts)
    t.strictSame(new RuleReachability(rules, routing).findPrecedingRules(rules[rules.length - 1]), first, `${texts.join(' | ')}: ${why}`)
  }
})

t.test('a rule is never reached exactly if it is no request\'s, of all that can be told apart', async (t) => {
  const segment = fc.constantFrom('a', 'b', ':x')
  const match = fc.tuple(fc.array(segment, { maxLength: 2 }), fc.constantFrom('', '*')).map(([segments, end]) => `/${[...segments, ...end].join('/')}`)
  const methods = fc.option(fc.subarray(['GET', 'POST'], { minLength: 1 }), { nil: undefined })
  const rules = fc.array(fc.record({ match, methods }), { minLength: 1, maxLength: 16, size: 'max' })
    .map((list): Rule[] => list.map((rule, index) => ({ name: String(index), ...rule })))
  const paths = [[''], ...['a', 'b', 'c'].map((text) => [text])]
  for (const path of paths) {
    if (path.length < 5 && path[0] !== '') paths.push(...['a', 'b', 'c'].map((text) => [...path, text]))
  }
  const requests = paths.flatMap((path) => ['GET', 'POST', 'PUT'].map((method) => ({ method, url: `/${path.join('/')}` })))
  let dead = 0
  assertProperty(rules, 300, (rules) => {
    const set = new RuleSet(rules, routing)
    const reached = new Set(requests.flatMap((request) => set.forUnknown(request) ?? []))
    const reach = new RuleReachability(rules, routing)
    dead += rules.length - reached.size
    const wrong = rules.filter((rule) => (reach.findPrecedingRules(rule) === null) !== reached.has(rule))
    if (wrong.length > 0) throw new Error(`${wrong.map(({ name }) => name).join(', ')} of ${JSON.stringify(rules)}`)
  })
  t.ok(dead > scaleToLane(50), 'many were never reached')
})
