// Waits that refusals state, and blocks: for all decisions of one client of a policy, by the time of their decision.
import type { Decision } from '../history.js'
import type { PenaltyPromise, PolicyPromise } from '../promises.js'
import type { Outages } from './outages.js'
import { DRIFT, lowerBound } from './charges.js'
import { isCounted } from './bucket.js'
import type { Violation, ViolationKind } from './violation.js'

const SECOND_US = 1_000_000

/** The decisions of one client under one policy. */
export interface Visits {
  readonly policy: PolicyPromise
  readonly policyIndex: number
  readonly client: string
  /** Ordered by `fromUs`. */
  readonly decisions: readonly Decision[]
}

/** `callUs`: the longest time that a call may take. */
export function checkWaits (visits: Visits, outages: Outages, callUs: number): Violation[] {
  const { policy } = visits
  return [
    ...findBrokenWaits(visits, outages),
    ...policy.penalty === undefined ? [] : findBrokenBlocks(visits, policy.penalty, { outages, callUs })
  ]
}

function createViolation ({ policyIndex, client }: Visits, [kind, what]: readonly [ViolationKind, string], decision: Decision, fromUs = decision.fromUs): Violation {
  return { kind, policy: policyIndex, client, fromUs, untilUs: decision.untilUs, what, decision }
}

/** The longest wait that a limit may state for a request, seconds. */
function longestWait ({ limits, penalty }: PolicyPromise, { refusal, violated, cost }: Decision): number {
  if (refusal === 'blocked') return Math.ceil((penalty?.maxCooldownUs ?? 0) / SECOND_US)
  const waits = limits.filter((_, i) => violated & 1 << i).map(({ algorithm, windowUs, max, burst, least, leaseUs = 0 }) => {
    // A bucket that lost some of its capacity keeps what was used, until it has drained.
    const overUs = least === undefined ? 0 : (burst - least.burst) * windowUs / least.max
    return (algorithm === 'token-bucket' ? cost * windowUs / (least?.max ?? max) + overUs : windowUs) + leaseUs
  })
  return Math.ceil(Math.max(0, ...waits) * (1 + DRIFT) / SECOND_US)
}

/** A refusal, and when its stated wait is surely over. */
interface StatedWait {
  readonly overUs: number
  readonly refused: Decision
}

/** A client that waits as long as was stated is granted, if it was not charged in the meantime. */
function findBrokenWaits (visits: Visits, outages: Outages): Violation[] {
  const { policy, decisions } = visits
  const found: Violation[] = []
  // It was charged, or may have been; or others may have used the unit.
  const mayUse = (decision: Decision) => decision.status !== 429 || outages.awayUntilUs(decision.instance, decision) !== null ||
    policy.limits.some((limit, i) => limit.isShared === true && (decision.violated & 1 << i) !== 0)
  let stated: StatedWait | null = null
  let usedUntilUs = -Infinity
  for (const [i, decision] of decisions.entries()) {
    const { refusal, fromUs, untilUs, cost, retryAfter } = decision
    if (mayUse(decision)) {
      stated = null
      usedUntilUs = Math.max(usedUntilUs, untilUs)
      continue
    }
    if (stated !== null && fromUs >= stated.overUs && cost <= stated.refused.cost && !(refusal === 'blocked' && stated.refused.refusal === 'quota')) {
      if (!mayBeUsedBefore(decisions, i, mayUse)) {
        const what = `refused again after the stated wait of ${stated.refused.retryAfter} s, and no unit was used in between`
        found.push(createViolation(visits, ['Retry-After too short', what], decision, stated.refused.fromUs))
      }
      stated = null
      continue
    }
    const longest = longestWait(policy, decision)
    if (retryAfter < 1 || retryAfter > Math.max(1, longest)) {
      found.push(createViolation(visits, ['Retry-After too long', `Retry-After is ${retryAfter}, at most ${longest} s are promised`], decision))
    }
    const overUs = untilUs + retryAfter * SECOND_US * (1 + DRIFT)
    if (fromUs >= usedUntilUs && (stated === null || overUs < stated.overUs)) stated = { overUs, refused: decision }
  }
  return found
}

/** Whether a decision that began later may have been made before this one. */
function mayBeUsedBefore (decisions: readonly Decision[], index: number, mayUse: (decision: Decision) => boolean): boolean {
  for (let i = index + 1; i < decisions.length && decisions[i].fromUs <= decisions[index].untilUs; i++) {
    if (mayUse(decisions[i])) return true
  }
  return false
}

/** While a client is blocked, no request of it is granted; and a block has enough refusals before it. */
function findBrokenBlocks (visits: Visits, penalty: PenaltyPromise, { outages, callUs }: { readonly outages: Outages, readonly callUs: number }): Violation[] {
  const { decisions } = visits
  const found: Violation[] = []
  // Also requests without an answer, or without the store: they may have been refused.
  const strikes = decisions.filter((decision) => decision.refusal !== 'blocked' && !isCounted(decision)).map(({ fromUs }) => fromUs)
  let blocked: { readonly untilUs: number, readonly decision: Decision } | null = null
  for (const decision of decisions) {
    const { refusal, fromUs, untilUs, retryAfter } = decision
    if (refusal === 'blocked') {
      const sinceUs = fromUs - penalty.withinUs - penalty.maxCooldownUs
      const count = lowerBound(strikes, untilUs) - lowerBound(strikes, sinceUs)
      // The request that begins the block is one of them.
      if (count + 1 < penalty.strikes && blocked === null) {
        found.push(createViolation(visits, ['block too early', `blocked after ${count} refusals, ${penalty.strikes} are promised`], decision))
      }
      // Rounded up: up to a second less is left. And an instance counts what is left from when it got the reply.
      const endUs = fromUs + (retryAfter - 1) * SECOND_US * (1 - DRIFT) - callUs
      if (blocked === null || endUs > blocked.untilUs) blocked = { untilUs: endUs, decision }
    } else if (isCounted(decision)) {
      const block = blocked
      // An instance repeats a block that it knows, also after the loss of it.
      const sinceUs = block === null ? 0 : block.decision.fromUs - penalty.maxCooldownUs
      const wasLost = outages.losses.some((loss) => loss.fromUs <= untilUs && loss.untilUs >= sinceUs)
      if (block !== null && untilUs < block.untilUs && fromUs > block.decision.untilUs && !wasLost) {
        found.push(createViolation(visits, ['block not kept', 'granted during a block'], decision, block.decision.fromUs))
      }
    }
  }
  return found
}
