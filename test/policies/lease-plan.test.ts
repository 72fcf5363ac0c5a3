// Which limits are leased, and why others are not.
import t from 'tap'
import type { RouteRateLimit } from '../../lib/index.js'
import { compilePolicy, type CompileSettings } from '../../lib/policies/compile.js'
import { builtInDraft, mergePolicy } from '../../lib/policies/policy-draft.js'

const minute = { max: 1000, timeWindow: '1 minute' } as const
const burst = { name: 'burst', max: 100, timeWindow: '1s' } as const
const hourly = { name: 'hourly', max: 5000, timeWindow: '1 hour' } as const

function compile (options: RouteRateLimit, settings?: CompileSettings) {
  return compilePolicy('app', mergePolicy(builtInDraft, options, 'default', 'rateLimit'), 'rateLimit', settings)
}

/** For each limit the length of its grid, microseconds, or why it is not leased. */
const rows: ReadonlyArray<readonly [why: string, options: RouteRateLimit, expected: ReadonlyArray<string | number>, settings?: CompileSettings]> = [
  ['nothing is leased without the option', minute, ['off']],
  ['true is the default time', { ...minute, leases: true }, [2_000_000]],
  ['an object is on, with its time', { ...minute, leases: { hold: '3s' } }, [1_500_000]],
  ['the shortest time', { ...minute, leases: { hold: '40ms' } }, [20_000]],
  ['the longest time', { max: 10_000, timeWindow: '1 day', leases: { hold: '10s' } }, [5_000_000]],
  ['at most half of the time in which the bucket fills', { max: 1000, timeWindow: '1s', leases: true }, [500_000]],
  ['a fixed window', { ...minute, algorithm: 'fixed-window', leases: true }, [2_000_000]],
  ['a sliding window', { ...minute, algorithm: 'sliding-window', leases: true }, ['sliding-window']],
  ['a throttled policy', { ...minute, throttle: {}, leases: true }, ['throttled']],
  ['63 units', { ...minute, max: 63, leases: true }, ['small']],
  ['64 units', { ...minute, max: 64, leases: true }, [2_000_000]],
  ['a small burst of a large limit', { ...minute, burst: 10, leases: true }, ['small']],
  ['no unit at all', { ...minute, max: 0, leases: true }, ['small']],
  ['a bucket that fills within 39 ms', { max: 1000, timeWindow: 39, leases: true }, ['short']],
  ['numbers by a function', { ...minute, max: () => 1000, leases: true }, ['by-function']],
  ['a window by a function', { ...minute, timeWindow: () => '1 minute', leases: true }, ['by-function']],
  ['several limits', { limits: [burst, hourly], leases: true }, [500_000, 2_000_000]],
  ['a limit has its own word', { limits: [{ ...burst, leases: { hold: '100ms' } }, hourly], leases: true }, [50_000, 2_000_000]],
  ['on, where the policy is off', { limits: [{ ...burst, leases: true }] }, [500_000]],
  ['off, where the policy is on', { limits: [{ ...burst, leases: false }], leases: true }, ['off']],
  ['beside a limit that is off', { limits: [{ ...burst, leases: false }, hourly], leases: true }, ['off', 'beside-exact']],
  ['beside a limit that cannot', { limits: [burst, { ...hourly, algorithm: 'sliding-window' }], leases: true }, ['beside-exact', 'sliding-window']],
  ['a penalty does not matter', { ...minute, penalty: {}, leases: true }, [2_000_000]],
  ['limits in shadow mode', { ...minute, mode: 'shadow', leases: true }, [2_000_000]],
  ['a store that grants none', { ...minute, leases: true }, ['no-redis'], { leaseObstacle: 'no-redis' }],
  ['a client that sends twice', { limits: [burst, { ...hourly, leases: false }], leases: true }, ['client-resends', 'off'], { leaseObstacle: 'client-resends' }]
]
for (const [why, options, expected, settings] of rows) {
  t.test(why, async (t) => {
    const { limits, unleased, delayableLimits } = compile(options, settings)
    t.strictSame(limits.map(({ lease }, index) => lease?.gridUs ?? unleased[index]), expected)
    t.strictSame(unleased.map((reason) => reason === null), limits.map(({ lease }) => lease !== null), 'a reason where there is no lease, and nowhere else')
    if (delayableLimits !== null) t.ok(delayableLimits.every(({ lease }) => lease === null))
  })
}

t.test('each tier, and the part in shadow mode, by its own limits', async (t) => {
  const { unleased, tiers, rollout } = compile({
    ...minute, leases: true, enforce: { percent: 50 }, tiers: { small: { max: 5, timeWindow: '1s' }, several: { limits: [burst, hourly] }, free: false }
  })
  t.strictSame(unleased, [null])
  t.strictSame(rollout?.shadow.unleased, [null])
  t.strictSame(tiers?.get('small')?.unleased, ['small'])
  t.strictSame(tiers?.get('several')?.unleased, [null, null])
})

t.test('what a policy inherits', async (t) => {
  const base = mergePolicy(builtInDraft, { leases: { hold: '3s' }, limits: [{ ...hourly, leases: { hold: '1s' } }] }, 'default', 'rateLimit')
  const grids = (options: RouteRateLimit) => compilePolicy('app', mergePolicy(base, options, 'own', 'route'), 'route').limits.map(({ lease }) => lease?.gridUs ?? null)
  t.strictSame(grids({ cost: 2 }), [500_000], 'the limit with its own word')
  t.strictSame(grids({ leases: false }), [500_000], 'which counts more than that of the route')
  t.strictSame(grids({ ...minute }), [1_500_000], 'limits of its own have the word of the default policy')
  t.strictSame(grids({ ...minute, leases: false }), [null])
  t.strictSame(grids({ ...minute, leases: true }), [2_000_000], 'true is the default time')
})
