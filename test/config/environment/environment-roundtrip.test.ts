// Whatever options are made of, written out as variables they are read back as they were.
import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { readEnvironment } from '../../../lib/config/environment/environment.js'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import { assertProperty } from '../../fixtures/property.js'

/** An option, and how its value is written. */
interface Written {
  readonly path: readonly string[]
  readonly value: unknown
  readonly text: string
}

/** Names as variables have them, once they are in lower case. */
const names = fc.stringMatching(/^[a-z0-9](?:_?[a-z0-9]){0,5}$/)
const spaces = fc.constantFrom('', ' ', '\t')
const words = fc.stringMatching(/^[a-z][a-z0-9/:.-]{0,8}$/).filter((word) => !['on', 'off', 'true', 'false'].includes(word))

type Values = fc.Arbitrary<readonly [value: unknown, text: string]>
const plainly = <T>(values: fc.Arbitrary<T>): Values => values.map((value) => [value, String(value)])
const counts = (from: number, to: number) => plainly(fc.integer({ min: from, max: to }))
const durations: Values = fc.oneof(counts(1, 1e9), fc.tuple(fc.integer({ min: 1, max: 99 }), fc.constantFrom('ms', 's', ' minutes', 'h')).map(([n, unit]) => [`${n}${unit}`, `${n}${unit}`] as const))
const flags: Values = fc.oneof(
  fc.constantFrom('true', 'TRUE', '1', 'on').map((text) => [true, text] as const),
  fc.constantFrom('false', 'False', '0', 'OFF').map((text) => [false, text] as const)
)
const off: Values = fc.constantFrom('false', 'off').map((text) => [false, text])
const waysOfLists = fc.constantFrom<(list: string[]) => string>((list) => list.join(','), (list) => list.join(' , '), (list) => JSON.stringify(list))
const lists: Values = fc.tuple(fc.array(words, { minLength: 1, maxLength: 4 }), waysOfLists).map(([list, written]) => [list, written(list)])
const statuses: Values = fc.uniqueArray(fc.oneof(fc.constant('2xx'), fc.integer({ min: 200, max: 599 })), { minLength: 1 }).map((list) => [list, list.join(',')])
const oneOf = (...texts: string[]): Values => plainly(fc.constantFrom(...texts))

const limitFields: ReadonlyArray<readonly [path: string, values: Values]> = [
  ['max', counts(0, 4_294_967_295)], ['timeWindow', durations], ['burst', counts(1, 4_294_967_295)],
  ['algorithm', oneOf('token-bucket', 'sliding-window', 'fixed-window')], ['by', oneOf('client', 'ip', 'user', 'global')]
]
const policyFields: typeof limitFields = [
  ...limitFields, ['cost', counts(0, 1e9)], ['refundOn', statuses], ['groupId', plainly(words)], ['mode', oneOf('enforce', 'shadow')],
  ['throttle.maxDelay', durations], ['throttle.maxQueuedPerClient', counts(1, 1000)], ['penalty', off], ['leases.hold', durations], ['hook', oneOf('onRequest', 'preHandler')]
]
const ruleFields: typeof limitFields = [...policyFields, ['match', plainly(words)], ['methods', lists.filter(([list]) => /^[a-z,-]+$/.test(String(list)))], ['override', flags]]
const rootFields: typeof limitFields = [
  ...policyFields, ['name', plainly(names)], ['global', flags], ['enabled', flags], ['memory.maxKeys', counts(1, 1000)], ['ipv6Subnet', counts(1, 128)],
  ['exempt.users', lists], ['exempt.routes', lists], ['identify.jwt.userClaim', plainly(words)], ['breaker.failures', counts(1, 9)],
  ['health.path', plainly(words.map((word) => `/${word}`))], ['penalty', fc.constant([false, 'off'])]
]

function someOf (fields: typeof limitFields): fc.Arbitrary<Written[]> {
  const unique = [...new Map(fields)]
  return fc.subarray(unique, { minLength: 1 }).chain((chosen) => fc.tuple(...chosen.map(([path, values]) => values.map(([value, text]) => ({ path: path.split('.'), value, text })))))
}

function named (option: string, inner: fc.Arbitrary<Written[]>): fc.Arbitrary<Written[]> {
  const entries = fc.uniqueArray(fc.tuple(names, inner), { selector: ([name]) => name, maxLength: 3 })
  return entries.map((list) => list.flatMap(([name, written]) => written.map((one) => ({ ...one, path: [option, name, ...one.path] }))))
}

const tiers = named('tiers', fc.oneof(someOf(limitFields), fc.constant<Written[]>([{ path: [], value: false, text: 'off' }])))
const both = (...parts: Array<fc.Arbitrary<Written[]>>) => fc.tuple(...parts).map((lists) => lists.flat())
const options = both(someOf(rootFields), tiers, named('rules', both(someOf(ruleFields), tiers)))

/** Rules by name, since a variable knows no order. */
function treeOf (written: readonly Written[]): unknown {
  const root = new Map<string, unknown>()
  for (const { path, value } of written) {
    const last = path[path.length - 1]
    const holder = path.slice(0, -1).reduce((map, step) => {
      const next = map.get(step)
      if (next instanceof Map) return next
      const made = new Map<string, unknown>()
      map.set(step, made)
      return made
    }, root)
    holder.set(last, value)
  }
  return plain(root)
}

function plain (value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)])) : value
}

function rulesByName ({ rules, ...rest }: LayerOptions): unknown {
  if (rules === undefined) return rest
  return { ...rest, rules: Object.fromEntries(rules.map(({ name, ...rule }) => [name, rule])) }
}

/** Option words in both spellings; names as they are. */
function variableOf (path: readonly string[], isJoined: boolean): string {
  const isName = (index: number) => ['rules', 'tiers'].includes(path[index - 1]) && (index === 1 || index === 3)
  const steps = path.map((step, index) => isName(index) || isJoined ? step : step.replace(/[A-Z]/g, (letter) => `_${letter}`))
  return `SLUICE_${steps.join('__').toUpperCase()}`
}

t.test('options written out as variables are read back equal', async () => {
  assertProperty(fc.tuple(options, fc.infiniteStream(fc.tuple(fc.boolean(), spaces, spaces))), 300, ([written, ways]) => {
    const env = Object.fromEntries(written.map(({ path, text }) => {
      const [isJoined, before, after] = ways.next().value
      return [variableOf(path, isJoined), `${before}${text}${after}`]
    }))
    const { layer, mistakes } = readEnvironment(env)
    deepEqual(mistakes, [])
    deepEqual(rulesByName(layer.options), treeOf(written))
  })
})

t.test('every path of a layer leads back to the variable that set it', async () => {
  assertProperty(options, 100, (written) => {
    const env = Object.fromEntries(written.map(({ path, text }) => [variableOf(path, false), text]))
    const { layer } = readEnvironment(env)
    const rules = (layer.options.rules ?? []).map(({ name }) => name)
    for (const { path } of written) {
      const steps = path[0] === 'rules' ? ['rules', rules.indexOf(path[1]), ...path.slice(2)] : path
      equal(layer.locate(steps), variableOf(path, false))
    }
  })
})

t.test('no text makes the reader throw, or show a password', async (t) => {
  const text = fc.oneof(fc.string(), fc.json(), fc.constantFrom('[', '{', '[]', '{}', 'off', '1'))
  const variable = fc.oneof(
    fc.string().map((rest) => `SLUICE_${rest}`),
    fc.array(fc.constantFrom('RULES', 'LOGIN', 'TIERS', 'LIMITS', 'MAX', 'REDIS', 'HEALTH', '', '__PROTO__', 'CONSTRUCTOR', 'X'), { maxLength: 6 }).map((steps) => `SLUICE_${steps.join('__')}`)
  )
  const lower = { rules: [{ name: 'login', limits: [{ name: 'x', max: 1, timeWindow: 1000 }] }] }
  assertProperty(fc.tuple(fc.dictionary(variable, text), fc.string({ maxLength: 12 })), 500, ([env, noise]) => {
    const secret = 'hunter2hunter2'
    const { mistakes } = readEnvironment({ ...env, SLUICE_REDIS: `redis://${noise}:${secret}${noise}` }, lower)
    for (const { message } of mistakes) {
      if (message.includes(secret)) throw new Error(message)
    }
  })
  t.equal(Reflect.get({}, 'MAX'), undefined)
  t.strictSame(Object.keys(Object.prototype), [])
})
