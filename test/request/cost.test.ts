// The units of a request: numbers, functions, and what happens when these fail.
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { ClientIdentifier } from '../../lib/clients/identifier.js'
import type { Policy } from '../../lib/policies/policy.js'
import { CostResolver, findStaticCost, findUnits, isFree, requireStaticCost, type Cost } from '../../lib/request/cost.js'
import { createPolicy } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const REQUEST = {} as FastifyRequest
const [A, B] = ['a', 'b'].map((bucket) => limitOf({ bucket }))
const limits = [A, B]

/** Units of a policy as a function computes them, and what was reported. */
function resolve (fields: Partial<Policy>, name: 'resolve' | 'resolveEarly' = 'resolve') {
  const reports: string[] = []
  const report = (source: string, error: unknown) => { reports.push(`${source}: ${error instanceof Error ? error.message : String(error)}`) }
  const faults = { report, reportLazy: (source: string, createError: () => unknown) => { report(source, createError()) } }
  const resolver = new CostResolver({ deadlineMs: 20 } as ClientIdentifier, faults)
  return { cost: resolver[name](createPolicy({ limits, ...fields }), REQUEST), reports }
}

t.test('the units of a limit are those of all, or its own', async (t) => {
  const policy = createPolicy({ limits })
  t.equal(findUnits(3, policy, B), 3)
  t.equal(findUnits([1, 2], policy, A), 1)
  t.equal(findUnits([1, 2], policy, { ...B }), 2)
})

t.test('a request is free if it takes nothing from any limit', async (t) => {
  const free: Cost[] = [0, [0, 0]]
  const dear: Cost[] = [1, [0, 1], [1, 0]]
  t.strictSame([...free, ...dear].map(isFree), [true, true, false, false, false])
})

t.test('a function takes one unit at least', async (t) => {
  t.equal(findStaticCost(createPolicy({ cost: 3 })), 3)
  t.equal(findStaticCost(createPolicy({ cost: () => 9 })), 1)
  t.strictSame(findStaticCost(createPolicy({ cost: 3, costs: [0, () => 9] })), [0, 1])
})

const fn = () => 1
const needed: ReadonlyArray<readonly [fields: Partial<Policy>, place: string]> = [
  [{ cost: fn }, 'rateLimit.cost'],
  [{ cost: fn, costs: [fn, 2] }, 'rateLimit.cost'],
  [{ cost: 1, costs: [2, fn] }, 'rateLimit.limits[1].cost'],
  [{ cost: fn, costs: [fn, () => 2] }, 'rateLimit.limits[1].cost'],
  [{ cost: 1, costs: [fn, 2] }, 'rateLimit.limits[0].cost']
]
for (const [index, [fields, place]] of needed.entries()) {
  t.test(`without a request, a function is an error at its place: ${index}, ${place}`, async (t) => {
    t.throws(() => requireStaticCost(createPolicy({ limits, ...fields })), {
      code: 'FST_SLUICE_CONTRADICTION', message: `${place}: is a function of the request, and consume has no request; set a number for it`
    })
  })
}

t.test('without a request, numbers are the cost', async (t) => {
  t.equal(requireStaticCost(createPolicy({ cost: 3 })), 3)
  t.strictSame(requireStaticCost(createPolicy({ cost: 3, costs: [1, 0] })), [1, 0])
  t.strictSame(requireStaticCost(createPolicy({ cost: fn, costs: [1, 0] })), [1, 0], 'a function that no limit uses')
})

t.test('a number is the cost, and a function computes it from the request', async (t) => {
  t.equal(resolve({ cost: 3 }).cost, 3)
  t.equal(resolve({ cost: (request) => request === REQUEST ? 5 : 0 }).cost, 5)
})

t.test('fractions are rounded up, and the largest units are those of a number', async (t) => {
  t.equal(resolve({ cost: () => 0.1 }).cost, 1)
  t.equal(resolve({ cost: () => 0 }).cost, 0)
  t.equal(resolve({ cost: () => Infinity }).cost, Number.MAX_SAFE_INTEGER)
})

const failing: ReadonlyArray<readonly [cost: unknown, report: string]> = [
  [() => -1, 'cost: expected a number of units, 0 or more, got -1'],
  [() => NaN, 'cost: expected a number of units, 0 or more, got NaN'],
  [() => '5', 'cost: expected a number of units, 0 or more, got string'],
  [() => 'secret', 'cost: expected a number of units, 0 or more, got string'],
  [async () => undefined, 'cost: expected a number of units, 0 or more, got undefined'],
  [() => { throw new Error('broken') }, 'cost: broken'],
  [async () => { throw new Error('broken later') }, 'cost: broken later']
]
for (const [cost, report] of failing) {
  t.test(`one unit if the function fails, which is reported: ${report}`, async (t) => {
    const resolved = resolve({ cost: cost as Policy['cost'] })
    t.equal(await resolved.cost, 1)
    t.strictSame(resolved.reports, [report])
  })
}

t.test('a function that does not answer in time costs one unit', async (t) => {
  const resolved = resolve({ cost: () => new Promise<number>((resolve) => { setTimeout(resolve, 200, 9) }) })
  t.equal(await resolved.cost, 1)
  t.strictSame(resolved.reports, ['cost: no cost within 20 ms'])
})

t.test('the units of each limit are computed by its function, which is called once for several limits', async (t) => {
  let calls = 0
  const count = () => ++calls
  t.strictSame(resolve({ costs: [count, 7, count, () => 2.5] }).cost, [1, 7, 1, 3])
  const resolved = resolve({ costs: [async () => 4, 7] })
  t.ok(resolved.cost instanceof Promise)
  t.strictSame(await resolved.cost, [4, 7])
})

t.test('before the hook, a function that misses the body costs one unit at least, and a number stays', async (t) => {
  const early = (fields: Partial<Policy>) => resolve(fields, 'resolveEarly').cost
  t.equal(early({ cost: 0 }), 0)
  t.equal(early({ cost: () => 0 }), 1)
  t.equal(early({ cost: () => 3 }), 3)
  t.equal(await early({ cost: async () => 0 }), 1)
  t.strictSame(early({ costs: [() => 0, 0] }), [1, 0])
  t.strictSame(await early({ costs: [async () => 0, 0] }), [1, 0])
})

t.test('before the hook, units that would be refunded are not charged', async (t) => {
  const early = (fields: Partial<Policy>) => resolve({ refundsUnsettled: new Set(['a']), ...fields }, 'resolveEarly').cost
  t.strictSame(early({ cost: 4 }), [0, 4])
  t.strictSame(early({ cost: () => 0 }), [0, 1])
  t.strictSame(early({ costs: [5, () => 0] }), [0, 1])
  t.strictSame(early({ costs: [5, 0] }), [0, 0])
})
