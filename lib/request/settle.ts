import { isRecord } from '../common/type-guards.js'
import { FST_SLUICE_BAD_UNITS, FST_SLUICE_UNKNOWN_LIMIT } from '../errors.js'
import type { Policy } from '../policies/policy.js'
import type { Standing } from '../stores/store.js'

/** What `settleDecisions` needs of a decision. */
interface SettledDecision {
  readonly policy: Policy
  readonly storeStandings: readonly Standing[]
  /** The previous decision for the same request. */
  readonly previous: SettledDecision | null
  settleOwn (used: ReadonlyMap<string, number>): void | Promise<void>
}

const PLACE = 'request.rateLimit.settle'

/**
 * Settle limits by their names, each in the last decision of the request that charged it. A limit that charged nothing,
 * because the request is exempt or another tier has the limit, is skipped.
 *
 * Throws FST_SLUICE_BAD_UNITS, and FST_SLUICE_UNKNOWN_LIMIT if no policy of the request has a limit of the name. Then nothing
 * is settled.
 */
export function settleDecisions (last: SettledDecision, used: Readonly<Record<string, number>>): void | Promise<void> {
  const units = parseUsage(used)
  requireKnownLimits(last, units.keys())
  const pending: Array<Promise<void>> = []
  for (let decision: SettledDecision | null = last; decision !== null && units.size > 0; decision = decision.previous) {
    const own = new Map<string, number>()
    for (const { limit: { name } } of decision.storeStandings) {
      const ownUnits = units.get(name)
      if (ownUnits !== undefined) own.set(name, ownUnits)
    }
    for (const name of own.keys()) units.delete(name)
    const settled = own.size === 0 ? undefined : decision.settleOwn(own)
    if (settled !== undefined) pending.push(settled)
  }
  return pending.length < 2 ? pending[0] : Promise.all(pending).then(() => {})
}

function parseUsage (used: unknown): Map<string, number> {
  if (!isRecord(used)) throw new FST_SLUICE_BAD_UNITS(PLACE, 'an object of units by the names of limits', String(used))
  return new Map(Object.entries(used).map(([name, units]) => {
    // As a cost, a fraction is rounded up: the units of a model may have weights.
    if (typeof units === 'number' && units >= 0 && units <= Number.MAX_SAFE_INTEGER) return [name, Math.ceil(units)]
    throw new FST_SLUICE_BAD_UNITS(`${PLACE}: ${name}`, 'a number of units, 0 or more', String(units))
  }))
}

function requireKnownLimits (last: SettledDecision, names: Iterable<string>): void {
  const known = new Set<string>()
  for (let decision: SettledDecision | null = last; decision !== null; decision = decision.previous) {
    for (const name of listLimitNames(decision.policy)) known.add(name)
  }
  for (const name of names) {
    if (known.has(name)) continue
    throw new FST_SLUICE_UNKNOWN_LIMIT(PLACE, name, Array.from(known, (one) => `"${one}"`).join(', '))
  }
}

/** The names of the limits of a policy and its tiers: a request is settled the same way for every client. */
function listLimitNames ({ parent, ...own }: Policy): string[] {
  const { limits, tiers } = parent ?? own
  return [limits, ...Array.from(tiers?.values() ?? [], (tier) => tier?.limits ?? [])].flat().map(({ name }) => name)
}
