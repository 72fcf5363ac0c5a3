import type { Clock } from '../../common/clock.js'
import { findStorePartition } from '../../model/client.js'
import { Random, secretWords } from '../../stores/memory/random.js'
import type { Standing } from '../../stores/store.js'
import type { ClientLabeler } from '../refusal-log/client-label.js'
import { findStep, STEP_MS, STEPS } from './hour-steps.js'
import { BOUND, findCapacity, findUsedTenth, FIRST_TENTH, LimitsTraffic, REFUSALS } from './limit-traffic.js'
import { OutcomeCounts } from './outcome-counts.js'
import { hashPartition, HASHES } from './partition-hash.js'
import type { RecordedDecision, RecordedPolicy, RouteConfig } from './recorded-decision.js'
import { summarizeTraffic } from './summarize.js'
import { TopClients } from './top-clients.js'
import type { TrafficSummary } from './traffic-summary.js'
import type { WhatIf } from './traffic-views.js'
import { replay } from './what-if.js'

/** Of so many requests one is looked at, after the first ones of each step. */
const SAMPLED = 64

/** The first requests of each step: all of them are looked at. So the numbers of a quiet application are exact. */
const EXACT_PER_STEP = 1000

export interface TrafficOptions {
  /** The system's time, microseconds since 1970. It may be set back. */
  readonly clock: Clock
  readonly labelClient: ClientLabeler
  /** Makes samples repeatable, for tests. Random by default. */
  readonly seed?: number
}

/**
 * Counts what the operator page shows of the last hour, in bounded memory: outcomes and refusals exactly; clients and the
 * use of limits by looking at some of the requests; and all requests of some clients, to replay them.
 *
 * `close` stops the timer.
 */
export class Traffic {
  readonly #clock: Clock
  readonly #labelClient: ClientLabeler
  readonly #outcomes = new OutcomeCounts()
  readonly #limits = new LimitsTraffic()
  readonly #clients = new TopClients()
  readonly #random: Random
  readonly #hashSeed: number
  readonly #unsubscribe: (() => void) | undefined
  #timer: NodeJS.Timeout | null = null
  #step = 0
  /** Requests until the next one that is looked at. */
  #untilLook = 1
  /** How many requests that one stands for. */
  #times = 1
  #exactLeft = EXACT_PER_STEP
  /** The same at the end of the previous step. */
  #lastTimes = 1

  constructor ({ clock, labelClient, seed }: TrafficOptions) {
    this.#clock = clock
    this.#labelClient = labelClient
    const [random, hashSeed] = seed === undefined ? secretWords(2) : [seed, seed + 1]
    this.#random = new Random(random)
    this.#hashSeed = hashSeed
    this.#advance()
    this.#startTimer()
    this.#unsubscribe = clock.onMove?.(() => { this.#advance() })
  }

  /** Count a decision. `standings`: as the store returned them. */
  record (config: RouteConfig, decision: RecordedDecision, standings: readonly Standing[]): void {
    this.#outcomes.count(config, decision.outcome, decision.client.tier)
    if (--this.#untilLook <= 0) this.#look(decision, standings)
    const { maxHash } = this.#limits
    let partition = ''
    let hash = HASHES
    for (let i = 0; i < standings.length; i++) {
      const standing = standings[i]
      if (!standing.granted) this.#limits.findOrAdd(standing.limit, decision.policy, this.#step)?.count(REFUSALS, 1)
      if (maxHash === 0) continue
      if (standing.partition !== partition) {
        partition = standing.partition
        hash = hashPartition(partition, this.#hashSeed)
      }
      if (hash < maxHash) this.#addToSample(standing, decision.policy, hash)
    }
  }

  /** What was counted in the last hour. */
  summarize (): TrafficSummary {
    this.#advance()
    return summarizeTraffic({
      step: this.#step,
      outcomes: this.#outcomes,
      limits: this.#limits,
      sampled: Math.max(this.#times, this.#lastTimes),
      clients: this.#clients,
      labelClient: this.#labelClient
    })
  }

  /** Replay the requests to a limit with another `max`, 0 or more. `null` if it is not known, or cannot be replayed. */
  whatIf (bucket: string, max: number): WhatIf | null {
    this.#advance()
    const known = this.#limits.find(bucket)
    return known === undefined || known.sample === null ? null : replay(known.limit, max, known.sample, this.#clock.nowUs())
  }

  /** Stop the timer. */
  close (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#unsubscribe?.()
  }

  /** Look at the client and the limits of a request. */
  #look ({ outcome, client, policy }: RecordedDecision, standings: readonly Standing[]): void {
    const times = this.#times
    if (--this.#exactLeft <= 0) {
      // At random: a countdown of fixed length would always meet the same one of requests that repeat.
      this.#times = SAMPLED
      this.#untilLook = 1 + this.#random.below(2 * SAMPLED - 1)
    } else {
      this.#untilLook = 1
    }
    const isRefused = outcome === 'rejected' || outcome === 'blocked'
    this.#clients.add(findStorePartition(client), client, isRefused, times, this.#step)
    const enforced = findLeastLeft(standings, true)
    const all = findLeastLeft(standings, false)
    for (let i = 0; i < standings.length; i++) {
      const limit = this.#limits.findOrAdd(standings[i].limit, policy, this.#step)
      if (limit === null) continue
      limit.count(FIRST_TENTH + findUsedTenth(standings[i]), times)
      if (i === (standings[i].limit.mode === 'enforce' ? enforced : all)) limit.count(BOUND, times)
    }
  }

  #addToSample (standing: Standing, policy: RecordedPolicy, hash: number): void {
    const { granted, charged, limit } = standing
    const sample = this.#limits.find(limit.bucket)?.sample ?? null
    if (sample === null || hash >= sample.maxHash) return
    // If another limit refused the request, this one took nothing.
    const cost = granted ? charged : findStaticCost(policy, limit.name) ?? sample.meanCost
    if (cost === 0) return
    this.#limits.addToSample(sample, this.#clock.nowUs(), hash, cost)
  }

  #advance (): void {
    const nowUs = this.#clock.nowUs()
    const step = findStep(nowUs / 1000)
    // A clock that was set back by less than an hour: the current step lasts until it has caught up.
    if (step <= this.#step && step > this.#step - STEPS) return
    const last = step < this.#step ? step - STEPS : this.#step
    this.#outcomes.advance(last, step)
    this.#limits.advance(last, step, nowUs)
    this.#clients.advance(step)
    this.#step = step
    this.#exactLeft = EXACT_PER_STEP
    this.#untilLook = 1
    this.#lastTimes = this.#times
    this.#times = 1
  }

  #startTimer (): void {
    const nowMs = this.#clock.nowUs() / 1000
    this.#timer = setTimeout(() => {
      this.#advance()
      this.#startTimer()
    }, Math.ceil(STEP_MS - nowMs % STEP_MS)).unref()
  }
}

/** The index of the standing with the least left; a refusal has nothing left. -1 without one. */
function findLeastLeft (standings: readonly Standing[], isEnforced: boolean): number {
  let least = -1
  let leastShare = Infinity
  for (let i = 0; i < standings.length; i++) {
    const { limit, granted, remaining } = standings[i]
    if (isEnforced && limit.mode !== 'enforce') continue
    const share = granted ? remaining / Math.max(1, findCapacity(limit)) : -1
    if (share < leastShare) {
      least = i
      leastShare = share
    }
  }
  return least
}

/** The units that a request takes from a limit; `null` if a function computes them. */
function findStaticCost ({ cost, costs, limits }: RecordedPolicy, name: string): number | null {
  const units = costs === null ? cost : costs[limits.findIndex((limit) => limit.name === name)]
  return typeof units === 'number' ? units : null
}
