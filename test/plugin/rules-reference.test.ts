// Which rule a request has, against a reference that knows no routes: it compares the decoded path with every rule.
import fastify, { type FastifyInstance } from 'fastify'
import fc from 'fast-check'
import t from 'tap'
import { rateLimitPlugin } from '../../lib/index.js'
import { scaleToLane } from '../fixtures/lane.js'
import { assertPropertyAsync } from '../fixtures/property.js'

interface Rule {
  readonly name: string
  readonly match: string
  readonly methods: string[] | undefined
}

// Few letters and names, so that routes, rules and paths often meet.
const text = fc.constantFrom('a', 'b', 'A', 'a-b', 'a b', 'ä', '7')
const last = fc.constantFrom('', '', '/*')
const pathOf = ([segments, end]: [string[], string]) => segments.map((segment) => `/${segment}`).join('') + end || '/'
// Each parameter has a name of its own: of two with one name the first cannot be read, so any rule's text may be it.
const numbered = (segments: string[]) => segments.map((segment, i) => segment.replace(/:([xy])/g, `:$1${i}`))
const route = fc.record({
  url: fc.tuple(fc.array(fc.oneof(text, fc.constantFrom(':x', ':x', ':x-:y', 'a:x', ':x(^\\d+$)')), { maxLength: 3 }).map(numbered), fc.constantFrom('', '', '/*', '/:z?')).map(pathOf),
  method: fc.constantFrom<Array<string | string[]>>('GET', 'POST', ['GET', 'POST'])
})
const rules = fc.array(fc.record({
  match: fc.tuple(fc.array(fc.oneof(text, fc.constantFrom('*', ':any')), { maxLength: 3 }), last).map(pathOf),
  methods: fc.constantFrom<Array<string[] | undefined>>(undefined, undefined, ['GET'], ['post'], ['GET', 'POST'])
}), { minLength: 1, maxLength: 6 }).map((all) => all.map((rule, index): Rule => ({ ...rule, name: `rule-${index}` })))
const request = fc.record({ method: fc.constantFrom('GET' as const, 'POST' as const, 'HEAD' as const), segments: fc.array(text, { minLength: 1, maxLength: 4 }) })
const example = fc.record({
  routes: fc.array(route, { maxLength: 6 }), rules, caseSensitive: fc.boolean(), requests: fc.array(request, { minLength: 20, maxLength: 20 })
})

/** Sorts before those of less specific rules: 0 for a text, 1 for the end, 2 for one wild segment, 3 for the rest. */
function specificity ({ match, methods }: Rule): string {
  const parts = match.split('/').slice(1)
  const kinds = match === '/' ? '' : parts.map((part, i) => part === '*' && i === parts.length - 1 ? '3' : /^[*:]/.test(part) ? '2' : '0').join('')
  return `${kinds.endsWith('3') ? kinds : `${kinds}1`} ${methods === undefined ? 'any' : '-'}`
}

function matches ({ match, methods }: Rule, method: string, path: string): boolean {
  if (methods !== undefined && !methods.some((name) => name.toUpperCase() === method)) return false
  const expression = match.replace(/\/\*$/, '(/.*)?').replace(/\/(\*|:any)(?=[/(]|$)/g, '/[^/]+')
  return new RegExp(`^${expression}$`).test(path)
}

function expectedRule (rules: readonly Rule[], method: string, segments: readonly string[], isCaseSensitive: boolean): string {
  const fold = (path: string) => isCaseSensitive ? path : path.toLowerCase()
  const path = fold(segments.map((segment) => `/${segment}`).join('') || '/')
  const found = rules.map((rule) => ({ ...rule, match: fold(rule.match) })).filter((rule) => matches(rule, method === 'HEAD' ? 'GET' : method, path))
  const best = found.map(specificity).sort()[0]
  return found.find((rule) => specificity(rule) === best)?.name ?? 'default'
}

function isTaken (app: FastifyInstance, route: { method: string | string[], url: string }): boolean {
  try {
    app.route({ ...route, handler: async () => '' })
    return true
  } catch {
    return false
  }
}

t.test('whatever routes there are, a request has the rule that is the most specific for its path', async (t) => {
  const seen = { rule: 0, none: 0, routed: 0 }
  await assertPropertyAsync(example, 150, async ({ routes, rules, caseSensitive, requests }) => {
    const app = fastify({ routerOptions: { caseSensitive } })
    const limits = (name: string) => ({ limits: [{ name, max: 1_000_000, timeWindow: 1000 }] })
    await app.register(rateLimitPlugin, { headers: 'ratelimit', ...limits('default'), rules: rules.map((rule) => ({ ...rule, ...limits(rule.name) })) })
    // The router does not take every route, nor two that are alike; an attempt leaves half a route behind.
    const trial = fastify({ routerOptions: { caseSensitive } })
    for (const route of routes.filter((route) => isTaken(trial, route))) app.route({ ...route, handler: async () => '' })
    for (const { method, segments } of requests) {
      const response = await app.inject({ method, url: `/${segments.map(encodeURIComponent).join('/')}` })
      const [, name] = /^"(.*)";r=/.exec(String(response.headers.ratelimit)) ?? []
      const expected = expectedRule(rules, method, segments, caseSensitive)
      seen[expected === 'default' ? 'none' : 'rule']++
      if (response.statusCode === 200) seen.routed++
      if (name !== expected) throw new Error(`${method} /${segments.join('/')} is under ${name} and not ${expected}`)
    }
    await app.close()
  })
  for (const [what, count] of Object.entries(seen)) t.ok(count > scaleToLane(300), `${count} requests: ${what}`)
})
