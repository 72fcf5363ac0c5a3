// Each default is only in the schema. Changes the schemas of the process, so it needs a process of its own.
import { readdirSync, readFileSync } from 'node:fs'
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { durationMs } from '../../lib/config/schema/durations.js'
import { RateLimitOptionsSchema } from '../../lib/config/schema/options-schema.js'

interface Default {
  readonly path: readonly string[]
  readonly schema: TSchema
}

/** Every default of a schema, except those in lists and tiers, which are those of the policy around them. */
function listDefaults (schema: TSchema, path: readonly string[] = []): Default[] {
  const own = schema.default === undefined ? [] : [{ path, schema }]
  const forms: readonly TSchema[] = schema.anyOf ?? [schema]
  return [...own, ...forms.flatMap(({ properties = {} }) => {
    return Object.entries<TSchema>(properties).flatMap(([key, field]) => listDefaults(field, [...path, key]))
  })]
}

const defaults = listDefaults(RateLimitOptionsSchema)

/** Another value that the schema allows. */
function toOther ({ default: value, anyOf }: TSchema): unknown {
  if (typeof value === 'boolean') return !value
  if (typeof value === 'number') return value === 100 ? 99 : value + 1
  if (typeof value === 'string' && durationMs(value) !== null) return `${Number(durationMs(value)) + 1000}ms`
  const other: unknown = anyOf?.map((form: TSchema) => form.const).find((name: unknown) => typeof name === typeof value && name !== value)
  return other ?? `${value}-2`
}

/** The defaults as they are written, by the names of their options. */
const written = defaults.map(({ path, schema }) => [path[path.length - 1], schema.default] as const)

// Before any module reads them. A switch that is off by default stays off, so that what is in it keeps its meaning.
for (const { schema } of defaults) {
  if (schema.anyOf === undefined || schema.default !== false) schema.default = toOther(schema)
}
const { explainPlugin, explainPolicy } = await import('../../lib/config/layers/explain.js')
const { mergeLayers } = await import('../../lib/config/layers/merge.js')
const { compilePolicy } = await import('../../lib/policies/compile.js')
const { builtInDraft, mergePolicy } = await import('../../lib/policies/policy-draft.js')
const { periodOptions } = await import('../../lib/config/schema/limit-fields.js')
const { resolvePolicyOptions } = await import('../../lib/config/schema/resolve-options.js')

/** Objects that are only there where a policy switches them on. */
const SWITCHED_ON = { throttle: {}, penalty: {}, leases: {}, concurrency: { max: 1, queue: {} } }
const merged = mergeLayers([])

function read (value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined, value)
}

t.test('every default of the schema is filled in', async (t) => {
  const { resolved } = mergeLayers([{ name: 'register', locate: String, options: { identify: { jwt: true }, record: { file: 'decisions.jsonl' } } }])
  const policy = resolvePolicyOptions({ ...builtInDraft.options, ...SWITCHED_ON })
  t.ok(defaults.length > 40)
  const [{ max, windowMs, algorithm, by }] = builtInDraft.limits
  const limits = { max, timeWindow: windowMs, timeZone: periodOptions.timeZone.default, algorithm, by }
  for (const { path, schema } of defaults) {
    const isSwitch = schema.default === false && schema.anyOf !== undefined
    const filled = [resolved, policy, limits].map((options) => read(options, path)).find((value) => value !== undefined)
    if (isSwitch) t.not(filled, undefined, path.join('.'))
    else t.strictSame(durationMs(filled) ?? filled, durationMs(schema.default) ?? schema.default, path.join('.'))
  }
})

t.test('a default that is changed in the schema is changed wherever it counts', async (t) => {
  const expected = new Map(defaults.map(({ path, schema }) => [path.join('.'), schema.default]))
  const ms = (path: string) => durationMs(expected.get(path))
  const draft = mergePolicy(builtInDraft, { ...SWITCHED_ON, concurrency: false, algorithm: 'token-bucket' }, 'default', 'rateLimit')
  const { limits: [limit], throttle, ...policy } = compilePolicy('app', draft, 'rateLimit')
  t.match(limit, { max: expected.get('max'), windowUs: 1000 * Number(ms('timeWindow')), by: expected.get('by') })
  t.match(policy, { cost: expected.get('cost'), hook: expected.get('hook'), failureMode: expected.get('failureMode') })
  t.equal(policy.rollout?.share, Number(expected.get('enforce.percent')) / 100)
  t.strictSame(throttle, { maxQueued: expected.get('throttle.maxQueued'), maxQueuedPerClient: expected.get('throttle.maxQueuedPerClient') })
  t.match(limit.penalty, {
    strikes: expected.get('penalty.strikes'),
    withinUs: 1000 * Number(ms('penalty.within')),
    cooldownUs: 1000 * Number(ms('penalty.cooldown')),
    factor: expected.get('penalty.factor'),
    maxCooldownUs: 1000 * Number(ms('penalty.maxCooldown'))
  })
  for (const { option, value, from } of [...explainPlugin(merged), ...explainPolicy(merged, { rule: null, tier: null }) ?? []]) {
    if (from === 'built-in') t.equal(value, expected.get(option), option)
  }
})

/** The default, or a constant, in place of an option that is absent: `deadline ?? 50`, `{ maxPending = MAX_PENDING }`. */
function findFallbacks (path: string, text: string, option: string, value: unknown): string[] {
  const pattern = new RegExp(`(?:\\b${option}\\)? \\?\\? |[{,] ${option}(?:: \\w+)? = )(?:'([^']*)'|(\\w+))`)
  const isRepeated = (line: string) => {
    const [, text, word = ''] = pattern.exec(line.replace(/\/\/.*$/, '')) ?? []
    return text === value || /^[A-Z][A-Z0-9_]+$/.test(word) || word.replaceAll('_', '') === String(value)
  }
  return text.split('\n').filter(isRepeated).map((line) => `${path}: ${line.trim()}`)
}

t.test('no code outside of the schema repeats a default', async (t) => {
  const inText = (path: string, text: string) => [...new Set(written.flatMap(([option, value]) => findFallbacks(path, text, option, value)))]
  // The options of @fastify/rate-limit have their own defaults, and so have the cases for stores.
  const paths = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts') && !/^(?:compat|store-contract)\//.test(path))
  t.strictSame(paths.flatMap((path) => inText(path, readFileSync(`lib/${path}`, 'utf8'))), [])
  const repeated = [
    'const ms = options.deadline ?? 50', 'f(x.deadline ?? DEADLINE_MS)', '({ maxPending = MAX_PENDING }) {', 'const { log, enabled = true } = x',
    "write(options.headers ?? 'x-ratelimit')", 'const most = (x.maxPending) ?? 10_000'
  ]
  for (const line of repeated) t.equal(inText('a.ts', line).length, 1, line)
  t.strictSame(inText('a.ts', 'f({ deadline = 0 })'), [], 'another value is no default of the schema')
})
