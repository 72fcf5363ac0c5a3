// Checks a history: every guarantee on all that was recorded. It knows the plugin only by what it promised, and imports nothing of lib.
import type { Decision, History } from '../history.js'
import { checkAnswers, LATEST } from './answers.js'
import { checkBucket, isCounted } from './bucket.js'
import { Outages } from './outages.js'
import type { Violation } from './violation.js'
import { checkWaits } from './waits.js'

/** What a check found, and how much it saw. */
export interface Verdict {
  readonly violations: readonly Violation[]
  readonly counts: Counts
}

export interface Counts {
  readonly decisions: number
  readonly granted: number
  readonly refused: number
  readonly blocked: number
  /** Answered 503, or passed uncounted, as the failure mode says. */
  readonly withoutStore: number
  /** Requests of killed instances. */
  readonly unanswered: number
  readonly buckets: number
  readonly faults: number
}

export function checkHistory (history: History): Verdict {
  const { header, decisions, faults } = history
  const outages = new Outages(history)
  const violations: Violation[] = checkAnswers(history, outages)
  let buckets = 0
  for (const [policyIndex, policy] of header.policies.entries()) {
    const own = decisions.filter((decision) => decision.policy === policyIndex).sort((a, b) => a.fromUs - b.fromUs)
    const ofClients = groupByClient(own)
    for (const [client, visits] of ofClients) violations.push(...checkWaits({ policy, policyIndex, client, decisions: visits }, outages, header.times.deadlineUs * LATEST))
    for (const [limitIndex, limit] of policy.limits.entries()) {
      for (const [client, visits] of limit.isShared ? [['*', own] as const] : ofClients) {
        buckets++
        violations.push(...checkBucket({ policy, policyIndex, limitIndex, client, decisions: visits }, history, outages))
      }
    }
  }
  return { violations: violations.sort((a, b) => a.fromUs - b.fromUs), counts: count(decisions, buckets, faults.length) }
}

function groupByClient (decisions: readonly Decision[]): Map<string, Decision[]> {
  const groups = new Map<string, Decision[]>()
  for (const decision of decisions) {
    const group = groups.get(decision.client)
    if (group === undefined) groups.set(decision.client, [decision])
    else group.push(decision)
  }
  return groups
}

function count (decisions: readonly Decision[], buckets: number, faults: number): Counts {
  const counted = (test: (decision: Decision) => boolean) => decisions.reduce((sum, decision) => test(decision) ? sum + 1 : sum, 0)
  return {
    decisions: decisions.length,
    granted: counted(isCounted),
    refused: counted(({ refusal }) => refusal === 'quota'),
    blocked: counted(({ refusal }) => refusal === 'blocked'),
    withoutStore: counted(({ status, remaining }) => status === 503 || (status === 200 && remaining < 0)),
    unanswered: counted(({ status }) => status === 0),
    buckets,
    faults
  }
}
