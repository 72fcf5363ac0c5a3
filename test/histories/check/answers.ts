// What each answer promises by itself: no error, in time, and enforced whenever the store is there.
import type { Decision, History } from '../history.js'
import type { Outages } from './outages.js'
import { isCounted } from './bucket.js'
import type { Violation, ViolationKind } from './violation.js'

/** A call is given up no sooner than the deadline, and at most two fifths of it later. */
export const LATEST = 1.4
/** What a busy machine may add to any wait, beside the stalls that were measured. Microseconds. */
const MARGIN_US = 1_000_000

/** Check every answer for itself. */
export function checkAnswers ({ header, decisions, faults }: History, outages: Outages): Violation[] {
  const { policies, times, slots } = header
  const kills = faults.filter(({ kind }) => kind === 'instance killed')
  const wasKilled = ({ instance, fromUs, untilUs }: Decision) =>
    kills.some((kill) => kill.slot === instance % slots && kill.fromUs <= untilUs && kill.untilUs >= fromUs)

  function judge (decision: Decision): readonly [ViolationKind, string] | null {
    const { failureMode, limits } = policies[decision.policy]
    const isAway = outages.awayUntilUs(decision.instance, decision) !== null
    const { waitUs, fromUs, untilUs } = decision
    // The request was sent before the decision, and its answer came after it.
    const waitedUs = waitUs - outages.stalledUs(decision.instance, { fromUs: fromUs - waitUs, untilUs: untilUs + waitUs })
    const longestUs = times.deadlineUs * LATEST * (limits.length > 1 ? 2 : 1) + MARGIN_US + Math.max(...limits.map(({ maxDelayUs = 0 }) => maxDelayUs))
    switch (decision.status) {
      case 0: return wasKilled(decision) ? null : ['no answer', 'no answer came, and the instance was not killed']
      case 200:
        if (!isCounted(decision) && !(failureMode === 'open' && isAway)) return ['not enforced', 'a request passed uncounted, and the store was there']
        break
      case 429:
        if (decision.refusal === 'other') return ['wrong answer', 'a refusal without its reason']
        break
      case 503:
        if (decision.refusal !== 'unavailable' || failureMode !== 'closed') return ['wrong answer', 'an error']
        if (!isAway) return ['not enforced', 'a request was answered that limits cannot be checked, and the store was there']
        break
      default: return ['wrong answer', `an answer of status ${decision.status}`]
    }
    return waitedUs > longestUs ? ['late answer', `the wait was ${Math.round(waitedUs / 1000)} ms, at most ${Math.round(longestUs / 1000)} are promised`] : null
  }

  return decisions.flatMap((decision) => {
    const verdict = judge(decision)
    if (verdict === null) return []
    const [kind, what] = verdict
    const { policy, client, fromUs, untilUs } = decision
    return [{ kind, what, policy, client, fromUs, untilUs, decision }]
  })
}
