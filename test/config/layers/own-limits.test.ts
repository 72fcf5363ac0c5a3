// Raising the default never loosens a route's, a rule's or a tier's own limit, also where that one takes a field from it.
import t from 'tap'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import { mergeLayers } from '../../../lib/config/layers/merge.js'
import type { RouteRateLimit } from '../../../lib/config/schema/policy-schema.js'
import type { RateLimitOptions } from '../../../lib/config/schema/options-schema.js'
import { createLayers } from '../../fixtures/layers.js'

const builtIn = { algorithm: 'token-bucket', by: 'client' } as const
const several = [{ name: 'burst', max: 20, timeWindow: '1s' }, { name: 'hourly', max: 5000, timeWindow: '1h' }]
const login = { name: 'login', match: '/login' }

type Row = readonly [why: string, layers: readonly [RateLimitOptions, ...LayerOptions[]], rule: object]

/** The rule that comes out of layers. */
const rules: readonly Row[] = [
  ['the built-in timeWindow stays with a max', [{ rules: [{ ...login, max: 5 }] }, { timeWindow: '1s' }], { max: 5, timeWindow: '1 minute', ...builtIn }],
  ['the timeWindow of the default stays', [{ timeWindow: '1h', rules: [{ ...login, max: 5 }] }, { timeWindow: '1s' }], { max: 5, timeWindow: '1h', ...builtIn }],
  ['also when max is raised with it', [{ timeWindow: '1h', rules: [{ ...login, max: 5 }] }, { max: 1, timeWindow: '1s' }], { max: 5, timeWindow: '1h', ...builtIn }],
  ['the max of the default stays with a timeWindow', [{ max: 9, rules: [{ ...login, timeWindow: '1s' }] }, { max: 1000 }], { max: 9, timeWindow: '1s', ...builtIn }],
  ['the algorithm stays, for a fixed window lets twice as much through at its edge', [{ rules: [{ ...login, max: 5, timeWindow: '1s' }] }, { algorithm: 'fixed-window' }], { max: 5, timeWindow: '1s', ...builtIn }],
  ['the partition stays, for one budget for all is not one for each', [{ by: 'global', rules: [{ ...login, max: 5, timeWindow: '1s' }] }, { by: 'client' }], { max: 5, timeWindow: '1s', ...builtIn, by: 'global' }],
  ['the same for limits', [{ by: 'global', rules: [{ ...login, limits: several }] }, { by: 'client' }], { limits: several, ...builtIn, by: 'global' }],
  ['the burst of the default stays with a timeWindow', [{ max: 9, burst: 20, rules: [{ ...login, timeWindow: '1s' }] }, { max: 10 }], { max: 9, timeWindow: '1s', burst: 20, ...builtIn }],
  ['several limits of the default are no mistake of a rule that was there before', [{ rules: [{ ...login, max: 5 }] }, { limits: several }], { max: 5, timeWindow: '1 minute', ...builtIn }],
  ['the name of a single limit stays, and its buckets with it', [{ limits: [{ name: 'hourly', max: 9, timeWindow: '1h', mode: 'shadow' }], rules: [{ ...login, max: 5 }] }, { max: 8, timeWindow: '1s' }], { limits: [{ name: 'hourly', max: 5, timeWindow: '1h', ...builtIn }], ...builtIn }],
  ['a rule without limits of its own follows the default', [{ rules: [{ ...login, cost: 2 }] }, { max: 8, timeWindow: '1s' }], { cost: 2 }],
  ['a rule takes from the default as its own layer knows it', [{ max: 9, timeWindow: '1h' }, { timeWindow: '1s', rules: [{ ...login, max: 5 }] }, { max: 7 }], { max: 5, timeWindow: '1s', ...builtIn }],
  ['a rule that gets its first limit from a higher layer takes from the default there', [{ rules: [login] }, { timeWindow: '1s', rules: [{ name: 'login', max: 5 }] }], { max: 5 }],
  ['a field of a rule changes, the others stay', [{ rules: [{ ...login, max: 5 }] }, { timeWindow: '1s', rules: [{ name: 'login', max: 6 }] }], { max: 6, timeWindow: '1 minute', ...builtIn }],
  ['a tier of a rule keeps what it takes from the rule', [{ rules: [{ ...login, max: 5, timeWindow: '1h', tiers: { gold: { max: 50 } } }] }, { rules: [{ name: 'login', timeWindow: '1s' }] }],
    { max: 5, timeWindow: '1s', ...builtIn, tiers: { gold: { max: 50, timeWindow: '1h', ...builtIn } } }],
  ['a tier of a rule keeps what it takes from the tier of the default', [{ tiers: { gold: { max: 50, timeWindow: '1h' } }, rules: [{ ...login, tiers: { gold: { max: 60 } } }] }, { tiers: { gold: { timeWindow: '1s' } } }],
    { tiers: { gold: { max: 60, timeWindow: '1h', ...builtIn } } }],
  ['a tier of a rule with limits takes nothing from the tier of the default', [{ tiers: { gold: { max: 50, timeWindow: '1h' } }, rules: [{ ...login, max: 5, timeWindow: '2h', tiers: { gold: { max: 60 } } }] }, { max: 1 }],
    { max: 5, timeWindow: '2h', ...builtIn, tiers: { gold: { max: 60, timeWindow: '2h', ...builtIn } } }]
]

for (const [why, layers, expected] of rules) {
  t.test(`a rule: ${why}`, async (t) => {
    t.strictSame(mergeLayers(createLayers(...layers)).options.rules, [{ ...login, ...expected }])
  })
}

const tiers: readonly Row[] = [
  ['keeps its timeWindow', [{ max: 10, tiers: { gold: { max: 100 } } }, { timeWindow: '1s' }], { max: 100, timeWindow: '1 minute', ...builtIn }],
  ['keeps the partition', [{ by: 'global', tiers: { gold: { max: 100, timeWindow: '1s' } } }, { by: 'client' }], { max: 100, timeWindow: '1s', ...builtIn, by: 'global' }],
  ['is no mistake where there are several limits since', [{ tiers: { gold: { max: 100 } } }, { limits: several }], { max: 100, timeWindow: '1 minute', ...builtIn }],
  ['without limits of its own follows its policy', [{ tiers: { gold: {} } }, { max: 1000 }], {}]
]

for (const [why, layers, expected] of tiers) {
  t.test(`a tier of the default ${why}`, async (t) => {
    t.strictSame(mergeLayers(createLayers(...layers)).options.tiers, { gold: expected })
  })
}

t.test('nothing is pinned where no layer changes limits', async (t) => {
  const register = { max: 10, tiers: { gold: { max: 100 } }, rules: [{ ...login, max: 5 }] }
  t.strictSame(mergeLayers(createLayers(register, { mode: 'shadow' }, { rules: [{ name: 'login', cost: 2 }] })).options, {
    max: 10, mode: 'shadow', tiers: { gold: { max: 100 } }, rules: [{ ...login, max: 5, cost: 2 }]
  })
})

const place = 'GET /a config.rateLimit'

const routes: ReadonlyArray<readonly [why: string, own: RouteRateLimit, expected: RouteRateLimit]> = [
  ['a max keeps the timeWindow of the code', { max: 5 }, { max: 5, timeWindow: '1h', ...builtIn }],
  ['limits keep the partition of the code', { limits: several }, { limits: several, ...builtIn }],
  ['a tier keeps the timeWindow of the code', { tiers: { gold: { max: 5 } } }, { tiers: { gold: { max: 5, timeWindow: '1h', ...builtIn } } }],
  ['a tier keeps that of the tier in the code', { tiers: { basic: { max: 5 } } }, { tiers: { basic: { max: 5, timeWindow: '2h', ...builtIn } } }],
  ['a cost alone takes the limits that hold', { cost: 5 }, { cost: 5 }],
  ['a group alone takes the limits that hold', { groupId: 'search' }, { groupId: 'search' }]
]

for (const [why, own, expected] of routes) {
  t.test(`a route: ${why}`, async (t) => {
    const register = { timeWindow: '1h', tiers: { basic: { max: 1, timeWindow: '2h' } } }
    const layered = mergeLayers(createLayers(register, { timeWindow: '1s', by: 'ip' }, { tiers: { basic: { timeWindow: '3s' } } }))
    t.strictSame(layered.buildRouteOptions(own, place), expected)
    t.equal(mergeLayers(createLayers(register, { mode: 'shadow' })).buildRouteOptions(own, place), own, 'untouched where no layer changes limits')
  })
}

t.test('a route that changes one of several limits of the code is a mistake, whatever a file says', async (t) => {
  const layered = mergeLayers(createLayers({ limits: several }, { max: 5, timeWindow: '1s' }))
  t.throws(() => layered.buildRouteOptions({ burst: 3 }, place), {
    code: 'FST_SLUICE_CONTRADICTION', message: `${place}.burst: cannot change one of the 2 inherited limits; give both max and timeWindow, or limits`
  })
})
