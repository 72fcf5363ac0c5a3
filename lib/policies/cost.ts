import type { FastifyRequest } from 'fastify'
import type { FaultLog } from '../observability/fault-log.js'
import type { Policy } from './policy.js'

/** What is charged where a cost function fails: a mistake in it must never make requests free. */
const FALLBACK_COST = 1

/** The units that a request takes. Fractions are rounded up; more than any bucket holds is refused by every limit. */
export function costOf (request: FastifyRequest, policy: Policy, faults: FaultLog): number {
  return typeof policy.cost === 'number' ? policy.cost : computedCost(request, policy.cost, faults)
}

function computedCost (request: FastifyRequest, compute: (request: FastifyRequest) => unknown, faults: FaultLog): number {
  try {
    const cost = compute(request)
    if (typeof cost === 'number' && cost >= 0) return Math.min(Math.ceil(cost), Number.MAX_SAFE_INTEGER)
    if (cost instanceof Promise) cost.catch(() => {})
    faults.reportMade('cost', () => new TypeError(`expected a number of units, 0 or more, got ${typeof cost === 'number' ? cost : typeof cost}`))
  } catch (error) {
    faults.report('cost', error)
  }
  return FALLBACK_COST
}
