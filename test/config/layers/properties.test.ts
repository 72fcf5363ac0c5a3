import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { durationMs } from '../../../lib/config/schema/durations.js'
import { explainPolicy, listPolicies } from '../../../lib/config/layers/explain.js'
import type { Layer, LayerOptions } from '../../../lib/config/layers/layer.js'
import type { ConfigPath } from '../../../lib/config/schema/option-path.js'
import { mergeLayers } from '../../../lib/config/layers/merge.js'
import type { RouteRateLimit, TierOptions } from '../../../lib/config/schema/policy-schema.js'
import type { RateLimitOptions } from '../../../lib/config/schema/options-schema.js'
import { builtInDraft, mergePolicy, type PolicyDraft } from '../../../lib/policies/policy-draft.js'
import type { LimitDraft } from '../../../lib/policies/limit-draft.js'
import { createLayers } from '../../fixtures/layers.js'
import { assertProperty } from '../../fixtures/property.js'

/** As a plain function, for one that narrows types would want its arguments' written down. */
const same: (actual: unknown, expected: unknown, said: string) => void = assert.deepEqual

const some = { requiredKeys: [] }
const single = {
  max: fc.integer({ min: 0, max: 9 }),
  timeWindow: fc.constantFrom('1s', '1 minute', 5000),
  by: fc.constantFrom('ip' as const, 'global' as const)
}
const limit = fc.record({
  name: fc.constantFrom('a', 'b'),
  max: single.max,
  timeWindow: single.timeWindow,
  burst: fc.integer({ min: 1, max: 9 }),
  by: single.by,
  mode: fc.constant('shadow' as const)
}, { requiredKeys: ['name', 'max', 'timeWindow'] })
const limits = fc.uniqueArray(limit, { minLength: 1, maxLength: 2, selector: ({ name }) => name })
const mode = fc.constantFrom('enforce' as const, 'shadow' as const)
/** Limit fields as somebody might write them. */
const limitFields: fc.Arbitrary<TierOptions> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ ...single, burst: fc.integer({ min: 1, max: 9 }), algorithm: fc.constant('token-bucket' as const) }, some) },
  fc.record({ ...single, algorithm: fc.constantFrom('sliding-window' as const, 'fixed-window' as const) }, some),
  fc.record({ limits, by: single.by }, { requiredKeys: ['limits'] }),
  fc.constant({})
)
const tiers = fc.dictionary(fc.constantFrom('gold', 'basic'), fc.oneof(limitFields, fc.constant(false as const)), { maxKeys: 2 })
const policy: fc.Arbitrary<RouteRateLimit> = fc.tuple(limitFields, fc.record({ tiers, mode, cost: fc.integer({ min: 1, max: 3 }) }, some)).map(([own, rest]) => ({ ...own, ...rest }))
const rules = fc.uniqueArray(fc.tuple(fc.constantFrom('x', 'y', 'z'), policy).map(([name, options]) => ({ ...options, name, match: `/${name}` })), { maxLength: 3, selector: ({ name }) => name })
const shared = fc.record({
  penalty: fc.record({ strikes: fc.integer({ min: 1, max: 9 }), factor: fc.integer({ min: 1, max: 9 }) }, some),
  exempt: fc.record({ users: fc.array(fc.constantFrom('a', 'b')) }, some),
  identify: fc.record({ jwt: fc.record({ userClaim: fc.constantFrom('a', 'b'), tierClaim: fc.constantFrom('a', 'b') }, some), maxFailures: fc.integer({ min: 1, max: 9 }) }, some),
  global: fc.boolean()
}, some)
const layerOptions: fc.Arbitrary<RateLimitOptions> = fc.tuple(policy, shared, fc.record({ rules }, some)).map(([a, b, c]) => ({ ...a, ...b, ...c }))

t.test('a layer that says nothing changes nothing, wherever it lies', async () => {
  assertProperty(fc.tuple(layerOptions, layerOptions), 300, ([a, b]) => {
    const laid = outcome([a, b])
    for (const layers of [[{}, a, b], [a, {}, b], [a, b, {}], [a, { tiers: {}, rules: [] }, b]]) same(outcome(layers), laid, JSON.stringify(layers))
  })
})

t.test('what the highest layer says holds', async () => {
  assertProperty(fc.tuple(layerOptions, layerOptions), 300, ([a, b]) => {
    const layered = laid([a, b])
    fc.pre(layered !== null)
    for (const [path, value] of leavesOf(b)) {
      const [list, index, ...rest] = path
      const at = list === 'rules' ? [list, indexOf(layered.options, b.rules?.[Number(index)].name), ...rest] : path
      const inner = read(layered.options, at)
      // One entry of limits takes algorithm and by from the policy, so a field may be a step further in.
      same(inner ?? read(layered.options, [...at.slice(0, -1), 'limits', 0, ...at.slice(-1)]), value, `${path.join('.')} of ${JSON.stringify([a, b])}`)
    }
  })
})

t.test('every value is where its origin says, and nothing is made up', async () => {
  assertProperty(fc.array(layerOptions, { minLength: 1, maxLength: 3 }), 300, (layers) => {
    const layered = laid(layers)
    fc.pre(layered !== null)
    for (const [path, value] of leavesOf(layered.options)) {
      const origin = layered.findOrigin(path)
      if (origin?.layer === 'built-in') continue
      const [index, ...within] = JSON.parse(origin?.place ?? '[]')
      same(read(layers[index], within), value, `${path.join('.')} of ${JSON.stringify(layers)}`)
    }
  })
})

t.test('what has nothing to do with limits, or with one limit only, can be laid in any grouping', async () => {
  const oneLimit = fc.record({ ...single, burst: fc.integer({ min: 1, max: 9 }), mode, rules: fc.constant([{ name: 'x', match: '/x', cost: 2 }]).map((rules) => [...rules]) }, some)
  const options = fc.tuple(oneLimit, shared).map(([a, b]) => ({ ...a, ...b }))
  assertProperty(fc.tuple(options, options, options), 300, ([a, b, c]) => {
    const upper = mergeLayers(createLayers({}, b, c)).options
    same(mergeLayers(createLayers(a, upper)).options, mergeLayers(createLayers(a, b, c)).options, JSON.stringify([a, b, c]))
  })
})

t.test('limits that are a policy\'s own stay what they are, whatever a higher layer makes of the default', async () => {
  assertProperty(fc.tuple(layerOptions, policy), 1000, ([code, { tiers, ...above }]) => {
    const before = draftsOf(code)
    const layered = laid([code, above])
    const after = layered === null ? null : draftsOf(layered.options)
    fc.pre(before !== null && after !== null)
    const said = JSON.stringify([code, above])
    for (const [name, tier] of Object.entries(code.tiers ?? {})) {
      if (tier !== false && !saysLimits(tier)) continue
      same(limitsOf(after.base.tiers.get(name)?.limits, above.mode), limitsOf(before.base.tiers.get(name)?.limits, above.mode), `tier ${name} of ${said}`)
    }
    for (const rule of code.rules ?? []) {
      const [then, now] = [before.rules.get(rule.name), after.rules.get(rule.name)]
      const mode = rule.mode ?? above.mode
      if (saysLimits(rule)) same(limitsOf(now?.limits, mode), limitsOf(then?.limits, mode), `rule ${rule.name} of ${said}`)
      for (const [name, tier] of Object.entries(rule.tiers ?? {})) {
        if (tier === false || saysLimits(tier)) same(limitsOf(now?.tiers.get(name)?.limits, mode), limitsOf(then?.tiers.get(name)?.limits, mode), `tier ${name} of rule ${rule.name} of ${said}`)
      }
    }
  })
})

t.test('what is explained is what is compiled', async () => {
  assertProperty(fc.tuple(layerOptions, layerOptions), 1000, ([a, b]) => {
    const layered = laid([a, b])
    const drafts = layered === null ? null : draftsOf(layered.options)
    fc.pre(layered !== null && drafts !== null)
    for (const { rule, tier } of listPolicies(layered)) {
      const draft = rule === null ? drafts.base : drafts.rules.get(rule)
      const limits = tier === null ? draft?.limits : draft?.tiers.get(tier)?.limits
      same(explainedLimits(explainPolicy(layered, { rule, tier }) ?? []), limitsOf(limits, undefined), `${rule}, ${tier} of ${JSON.stringify([a, b])}`)
    }
  })
})

/** Layers whose places are their index and the path. */
function indexed (layers: readonly LayerOptions[]): Layer[] {
  return layers.map((options, index) => ({ name: index === 0 ? 'register' : 'file', options, locate: (path) => JSON.stringify([index, ...path]) }))
}

/** `null` where the layers contradict each other. */
function laid (layers: readonly LayerOptions[]) {
  try {
    return mergeLayers(indexed(layers))
  } catch {
    return null
  }
}

function outcome (layers: readonly LayerOptions[]): unknown {
  const { tiers, rules, ...options } = laid(layers)?.options ?? {}
  return { ...options, ...(Object.keys(tiers ?? {}).length > 0 && { tiers }), ...((rules ?? []).length > 0 && { rules }) }
}

/** What the policies make of options; `null` where they find a contradiction. */
function draftsOf (options: RateLimitOptions): { base: PolicyDraft, rules: Map<string, PolicyDraft> } | null {
  try {
    const { rules = [], penalty, exempt, identify, global, ...own } = options
    const base = mergePolicy(builtInDraft, own, 'default', 'rateLimit')
    return { base, rules: new Map(rules.map(({ name, match, ...rule }) => [name, mergePolicy(base, rule, name, name)])) }
  } catch {
    return null
  }
}

function limitsOf (limits: readonly LimitDraft[] | undefined, mode: LimitDraft['mode'] | undefined) {
  // The mode is inherited, and no part of how much is allowed.
  return limits?.map(({ name, max, windowMs, burst, algorithm, by, mode: own }) => ({ name, max, windowMs, burst, algorithm, by, mode: mode === undefined ? own : mode })) ?? null
}

function explainedLimits (options: ReturnType<typeof explainPolicy> & object) {
  const told = new Map(options.map(({ option, value }) => [option, value]))
  if ([...told].some(([option, value]) => option.startsWith('tiers.') && value === false)) return null
  const at = (index: number) => told.has('max') ? '' : `limits[${index}].`
  return [0, 1].filter((index) => told.has(`${at(index)}max`) && (at(index) !== '' || index === 0)).map((index) => {
    const of = (field: string) => told.get(at(index) + field)
    return { name: of('name') ?? 'default', max: of('max'), windowMs: durationMs(of('timeWindow')), burst: of('burst') ?? null, algorithm: of('algorithm'), by: of('by'), mode: of('mode') ?? told.get('mode') }
  })
}

function saysLimits ({ max, timeWindow, limits, burst, algorithm, by }: TierOptions): boolean {
  return [max, timeWindow, limits, burst, algorithm, by].some((value) => value !== undefined)
}

function indexOf ({ rules }: RateLimitOptions, name: string | undefined): number {
  return (rules ?? []).findIndex((rule) => rule.name === name)
}

/** Each value that is no object, with its path. */
function leavesOf (value: unknown, path: ConfigPath = []): Array<readonly [path: ConfigPath, value: unknown]> {
  if (typeof value !== 'object' || value === null) return [[path, value]]
  const entries: ReadonlyArray<readonly [string | number, unknown]> = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return entries.flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
}

function read (value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((inner, step) => typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined, value)
}
