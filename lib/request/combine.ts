import type { LimitStanding } from '../model/decision.js'
import type { Described, HeaderPolicy } from '../response/described.js'
import type { RequestDecision } from './decision.js'
import { bindsBefore, formatBucket, selectBinding } from './standing.js'

/** What clients see of a request that several policies have decided. */
export interface Combined {
  readonly policy: HeaderPolicy
  /** The numbers of the limit that binds, and the standings of all enforced limits, each with a name of its own. */
  readonly all: Described
  /** The last decision, with the names of `all`. */
  readonly last: Described
}

/** Combine a decision with the previous ones of its request. */
export function combineDecisions (last: RequestDecision): Combined {
  const standings = new Map<string, LimitStanding>()
  let binding = last
  let lastNamed: readonly LimitStanding[] = []
  for (const decision of listCounted(last)) {
    lastNamed = nameStandings(decision, standings)
    if (isBefore(decision, binding)) binding = decision
  }
  const { outcome, retryAfterMs } = last
  const { limit, remaining, resetAfterMs } = binding
  return {
    policy: { isEnforced: standings.size > 0, policyField: null },
    all: { outcome, retryAfterMs, limitName: '', limit, remaining, resetAfterMs, standings: [...standings.values()] },
    last: describeLast(last, lastNamed)
  }
}

function isBefore (a: RequestDecision, b: RequestDecision): boolean {
  return b.storeStandings.length === 0 || (a !== b && bindsBefore(selectBinding(a.storeStandings), selectBinding(b.storeStandings)))
}

/** The decisions with an enforced limit, the oldest first. */
function listCounted (last: RequestDecision): RequestDecision[] {
  const decisions: RequestDecision[] = []
  for (let decision: RequestDecision | null = last; decision !== null; decision = decision.previous) {
    if (decision.policy.isEnforced && decision.storeStandings.length > 0) decisions.unshift(decision)
  }
  return decisions
}

/** Add the enforced standings of a decision to `all`. The last standing of a bucket counts, under its first name. */
function nameStandings ({ policy, standings, storeStandings }: RequestDecision, all: Map<string, LimitStanding>): LimitStanding[] {
  return standings.map((standing, i) => {
    if (standing.mode === 'shadow') return standing
    const bucket = formatBucket(storeStandings[i])
    const named = { ...standing, name: all.get(bucket)?.name ?? findFreeName(standing.name, policy.scope, all) }
    all.set(bucket, named)
    return named
  })
}

/** Names that a structured field can hold without escapes. */
const PLAIN_NAME = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

/** The name of a limit; if another policy has used it, with the name of the group or rule before it, or a number behind it. */
function findFreeName (name: string, scope: string, all: ReadonlyMap<string, LimitStanding>): string {
  const used = new Set(Array.from(all.values(), (standing) => standing.name))
  if (!used.has(name)) return name
  const group = /^(?:group|rule):(.*)/s.exec(scope)?.[1] ?? ''
  const grouped = `${group}-${name}`
  if (PLAIN_NAME.test(group) && !used.has(grouped)) return grouped
  let number = 2
  while (used.has(`${name}-${number}`)) number++
  return `${name}-${number}`
}

function describeLast (last: RequestDecision, standings: readonly LimitStanding[]): Described {
  const { outcome, limit, remaining, resetAfterMs, retryAfterMs } = last
  const index = last.standings.findIndex(({ name }) => name === last.limitName)
  return { outcome, limitName: standings[index]?.name ?? last.limitName, limit, remaining, resetAfterMs, retryAfterMs, standings }
}
