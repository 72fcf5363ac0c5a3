import { AddressReader } from '../../../clients/address/address-reader.js'
import { Exemptions } from '../../../clients/exemptions.js'
import { KnownTiers } from '../../../clients/known-tiers.js'
import { NO_FAULTS } from '../../../common/log.js'
import { PolicySet } from '../../../policies/policy-set.js'
import type { Policy } from '../../../policies/policy.js'
import { Decider } from '../../../request/decide.js'
import type { RequestDecision } from '../../../request/decision.js'
import { holdUntilDue } from '../../../request/hold.js'
import { MemoryStore } from '../../../stores/memory/store.js'
import { DelayQueue } from '../../../throttle/delay-queue.js'
import { REGISTRATION, ROUTING } from '../../common/compile-errors.js'
import type { Sources } from '../../common/read-sources.js'
import { findCost, type LogEntry } from '../log/log-entry.js'
import { PolicyFinder, type FoundPolicy } from './policy-finder.js'
import { ReplayClock } from './replay-clock.js'
import { ReplayIdentifier } from './replay-identifier.js'
import { findEntry, toFastifyRequest } from './replay-request.js'

/** With Redis, the plugin has no bound of its own for buckets. This many take about 200 MB. */
const MAX_KEYS = 2_000_000

/** What the plugin would have done with a request. */
export interface Verdict {
  readonly found: FoundPolicy
  /** `null` if no limit applies. */
  readonly decision: RequestDecision | null
}

/** Decides the requests of a log as the plugin would, on a clock that their times move. */
export class Replay {
  readonly #clock = new ReplayClock()
  readonly #store: MemoryStore
  readonly #delayQueue: DelayQueue
  readonly #decider: Decider
  readonly #policies: PolicyFinder
  readonly #isEnabled: boolean
  /** Buckets that share the budget of their network, because the store is full. */
  overflows = 0
  #startUs: number | null = null

  /** `sources`: valid ones. Its rules of the code are left out: their patterns are not known. */
  constructor ({ merged, madeInCode }: Sources) {
    const { resolved } = merged
    const options = { ...merged.options, rules: (merged.options.rules ?? []).filter(({ name }) => !madeInCode.has(name)) }
    const { exempt, redis, memory } = options
    const tiers = new KnownTiers(resolved.identify.defaultTier)
    const policySet = new PolicySet(REGISTRATION, options, ROUTING, (tier) => { tiers.add(tier) }, { onPolicy: useGivenCosts })
    const isInMemory = redis === undefined || redis === false
    const { maxKeys } = isInMemory ? resolved.memory : { maxKeys: MAX_KEYS, ...memory }
    this.#store = new MemoryStore({
      clock: this.#clock,
      maxKeys,
      onOverflow: () => { this.overflows++ }
    })
    this.#delayQueue = new DelayQueue(this.#clock)
    this.#isEnabled = resolved.enabled
    this.#policies = new PolicyFinder(policySet, exempt?.routes)
    const identifier = new ReplayIdentifier(new AddressReader(resolved.ipv6Subnet), resolved.identify.defaultTier)
    this.#decider = new Decider({
      identifier,
      exemptions: exempt === undefined ? null : new Exemptions(exempt, 'rateLimit.exempt', NO_FAULTS, identifier.deadlineMs),
      tiers,
      store: this.#store,
      local: this.#store,
      findKnownBlock: () => null,
      delayQueue: this.#delayQueue,
      metrics: null,
      activity: null,
      recorder: null,
      faults: NO_FAULTS
    }, false)
  }

  /** The time of the virtual clock, microseconds since the first request. The clock is that of the log: quotas end with its days. */
  get nowUs (): number {
    return this.#clock.nowUs() - (this.#startUs ?? 0)
  }

  /** Decide the next request. Its time is that of the request before it, if it is not later. */
  decide (entry: LogEntry): Verdict {
    this.#startUs ??= entry.timeUs
    this.#moveTo(entry.timeUs)
    const found = this.#policies.find(entry)
    if (found.policy === null || entry.given.isExempt || !this.#isEnabled) return { found, decision: null }
    const decision = this.#decider.decide(found.policy, toFastifyRequest(entry), found.policy.throttle === null ? 0 : Infinity)
    // Without functions of the application, everything is synchronous.
    if (decision instanceof Promise) throw new TypeError('expected a decision without a promise')
    this.#settle(decision, entry)
    return { found, decision }
  }

  close (): void {
    this.#delayQueue.close()
    this.#store.close()
  }

  #moveTo (timeUs: number): void {
    if (!this.#clock.moveTo(timeUs)) return
    // The queue releases some requests at a time, between turns of the event loop that a replay does not have.
    for (let size = -1; this.#delayQueue.size > 0 && this.#delayQueue.size !== size;) {
      size = this.#delayQueue.size
      this.#clock.notify()
    }
  }

  /** What follows the decision: waiting in the queue, and a refund by the status of the response. */
  #settle (decision: RequestDecision, { status }: LogEntry): void {
    if (decision.outcome === 'delayed') settleWhenDue(decision, status)
    else if (decision.outcome === 'allowed') refundByStatus(decision, status)
  }
}

/** A function of its own, so that only requests that wait allocate its closures. */
function settleWhenDue (decision: RequestDecision, status: number | null): void {
  holdUntilDue(decision, () => { refundByStatus(decision, status) }, () => {})
}

function refundByStatus (decision: RequestDecision, status: number | null): void {
  const { refundOn } = decision.policy
  if (refundOn !== null && status !== null && refundOn.has(status)) decision.refundAll()
}

/** The function in place of the code of the application knows no limits. A log may have the units for each of several. */
function useGivenCosts (policy: Policy): void {
  const { limits, cost, costs } = policy
  const given = limits.map(({ name }, index) => {
    const units = costs?.[index] ?? cost
    return typeof units === 'number' ? units : (request: unknown) => findCost(findEntry(request)?.given, name)
  })
  const changed: Partial<Policy> = given.length > 1 ? { costs: given } : { cost: given[0] }
  if (given.some((units) => typeof units === 'function')) Object.assign(policy, changed)
}
