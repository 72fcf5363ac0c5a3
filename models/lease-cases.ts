import { createQuota } from '../lib/algorithms/quota.js'
import { explore, type Exploration } from './explore.js'
import { RULES, WRONG_RULES, type WrongRule } from './lease-rules.js'
import type { LeaseModelOptions } from './lease-state.js'
import { createLeaseModel } from './leases.js'

/** Two nodes, capacity 3, one unit per tick. A lease lives for one to two ticks. */
const SMALL: LeaseModelOptions = { quota: createQuota('token-bucket', 3, 3), gridUs: 1, nodes: 2, want: 2, leases: 1 }
/** A lease lives for two to four ticks. */
const LONG: LeaseModelOptions = { ...SMALL, gridUs: 2 }
const LARGE: LeaseModelOptions = { ...LONG, quota: createQuota('token-bucket', 4, 4) }
const WINDOW: LeaseModelOptions = { ...SMALL, quota: createQuota('fixed-window', 3, 4), hasReturns: true }

/** Small enough for each run of the tests. */
export const CASES = {
  'two nodes': SMALL,
  'three nodes': { ...SMALL, nodes: 3 },
  'longer leases': LONG,
  'a larger bucket': LARGE,
  'two leases each': { ...SMALL, leases: 2 },
  'an interval with a fraction': { ...SMALL, quota: createQuota('token-bucket', 2, 3, 3) },
  'late requests': { ...SMALL, hasLate: true },
  returns: { ...SMALL, hasReturns: true },
  'reserved units': { ...SMALL, hasReserved: true },
  'refunds of exact takes': { ...SMALL, hasRefunds: true },
  'one node with more': { ...LONG, nodes: 1, leases: 2, hasReturns: true, hasReserved: true },
  'a reset': { ...SMALL, losses: ['reset'] },
  'a lost bucket': { ...SMALL, losses: ['lost'] },
  'a lost bucket, and one more burst': { ...SMALL, losses: ['lost'], lossBound: 'burst' },
  'an older version': { ...SMALL, losses: ['old-version'] },
  'a fixed window': WINDOW,
  'a fixed window that is reset': { ...WINDOW, nodes: 1, losses: ['reset'] }
} satisfies Readonly<Record<string, LeaseModelOptions>>

export type Case = keyof typeof CASES

/** For the full lane: up to a quarter of a million states each. */
export const LARGE_CASES = {
  'a larger bucket, returns, reserved units': { ...LARGE, hasReturns: true, hasReserved: true },
  'a larger bucket with a fraction, refunds': { ...LONG, quota: createQuota('token-bucket', 2, 3, 4), hasRefunds: true },
  'longer leases, an older version twice': { ...LONG, losses: ['old-version'], maxLosses: 2 },
  'longer leases, a reset or a lost bucket': { ...LONG, losses: ['reset', 'lost'] },
  'longer leases, late requests': { ...LONG, hasLate: true },
  'one node with everything': { ...LONG, nodes: 1, leases: 2, hasReturns: true, hasReserved: true, hasRefunds: true, hasLate: true },
  'an older state of the bucket': { ...SMALL, losses: ['older'] },
  'an older state, and one more burst': { ...SMALL, losses: ['older'], lossBound: 'burst' },
  'a clock that steps': { ...SMALL, want: 1, losses: ['clock'], clockSteps: [-5, 1] },
  'a fixed window that is lost': { ...WINDOW, losses: ['reset', 'lost', 'older'] }
} satisfies Readonly<Record<string, LeaseModelOptions>>

/** The leased units of a loss belong to the bound: without them, each of these breaks it. */
export const TIGHT_CASES = {
  'a reset': { ...SMALL, losses: ['reset'], lossBound: 'nothing' },
  'a lost bucket': { ...SMALL, losses: ['lost'], lossBound: 'nothing' },
  'an older version': { ...SMALL, losses: ['old-version'], lossBound: 'nothing' }
} satisfies Readonly<Record<string, LeaseModelOptions>>

/** In which of the cases each wrong variant breaks the bound. */
export const CAUGHT_IN: Readonly<Record<WrongRule, Case>> = {
  'spent after the end': 'two nodes',
  'no expiry at the holder': 'two nodes',
  'the life counts from the reply': 'two nodes',
  'a report is sent twice': 'longer leases',
  'a request is executed twice': 'a fixed window',
  'a reply is taken twice': 'two nodes',
  'reserved units are reported as spent, and given back': 'reserved units',
  'returned, and still spent': 'returns',
  'forgotten at the end: nothing drains': 'two nodes',
  'leased units drain from the start': 'two nodes',
  'leases of the next slot end with the current one': 'longer leases',
  'exact takes overlook leased units': 'two nodes',
  'leased beyond what is left': 'two nodes',
  'leased units are not counted as used': 'two nodes',
  'reports are taken without their slot': 'longer leases',
  'spent units are given back': 'two nodes',
  'leases begin at once after a loss': 'a lost bucket',
  'leases begin at once after a reset': 'a reset'
}

export function exploreCase (options: LeaseModelOptions, wrong?: WrongRule): Exploration {
  return explore(createLeaseModel(options, wrong === undefined ? RULES : { ...RULES, ...WRONG_RULES[wrong] }))
}
