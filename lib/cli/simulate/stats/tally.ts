import { findStorePartition, type Client } from '../../../model/client.js'
import type { Outcome } from '../../../model/decision.js'
import type { Policy } from '../../../policies/policy.js'
import type { RequestDecision } from '../../../request/decision.js'
import type { Limit, Standing } from '../../../stores/store.js'
import { findCost, type LogEntry } from '../log/log-entry.js'
import type { Verdict } from '../replay/replay.js'
import { ClientSample } from './client-sample.js'
import { ClientTable } from './client-table.js'
import type { LimitTally, RequestCount } from './limit-tally.js'
import { SpaceSaving } from '../../../common/space-saving.js'

/** Clients whose statistics are kept. They take about 200 bytes each, and 160 for each further limit. */
const MAX_SAMPLED = 131_072
const MAX_REFUSED = 1024
const MAX_ROUTES = 512
/** More hours than a year has. */
const MAX_HOURS = 10_000
const HOUR_US = 3_600_000_000

/** What a request met. `unlimited`: no limit applies to its path. */
export type ReplayOutcome = Exclude<Outcome, 'unavailable'> | 'unlimited'

/** A client that was refused, also one outside of the sample. */
export interface RefusedClient {
  readonly client: Client
  /** Its number in the table. */
  readonly number: number
  /** Whether the table has the requests before the first refusal. */
  readonly isComplete: boolean
}

/** Counts verdicts, in bounded memory. */
export class Tally {
  readonly outcomes: Record<ReplayOutcome, number> = { allowed: 0, delayed: 0, rejected: 0, blocked: 0, exempt: 0, unlimited: 0 }
  readonly table = new ClientTable()
  /** Numbers in the table, by partition. A client that was only charged as the address of a user has no requests. */
  readonly clients = new ClientSample(MAX_SAMPLED, () => this.table.createClient(), (number) => { this.table.release(number) })
  readonly limits = new Map<string, LimitTally>()
  readonly tiers = new Map<string, RequestCount>()
  /** By number of the hour since 1970. */
  readonly hours = new Map<number, RequestCount>()
  readonly refusedRoutes = new SpaceSaving<string>(MAX_ROUTES)
  readonly refusedClients = new SpaceSaving<RefusedClient>(MAX_REFUSED, ({ number }) => { this.table.release(number) })
  /** By the limit itself, to find it without a look-up by its text. */
  readonly #limits = new Map<Limit, LimitTally>()

  /**
   * Load what is known of the clients of some requests that come next. Each alone waits for the memory, all together hardly
   * longer. Only a hint: a client may be known by something else than the address.
   */
  prefetch (entries: readonly LogEntry[]): void {
    this.table.prefetch(this.clients.guessAll(entries.map(({ address }) => address)))
  }

  add (entry: LogEntry, { found, decision }: Verdict, nowUs: number): void {
    const outcome = findOutcome(entry, decision)
    const isRefused = outcome === 'rejected' || outcome === 'blocked'
    this.outcomes[outcome]++
    this.#countHour(Math.floor(entry.timeUs / HOUR_US), isRefused)
    if (decision === null || decision.storeStandings.length === 0) return
    const { client } = decision
    const partition = findStorePartition(client)
    const sampled = this.clients.get(partition) ?? this.refusedClients.find(partition)?.key.number ?? null
    const number = isRefused ? this.#countRefusal(client, sampled, found.route) : sampled
    count(getCount(this.tiers, client.tier), isRefused)
    if (number !== null) this.table.countRequest(number, isRefused)
    this.#addStandings(entry, found.rule, decision, nowUs, number)
  }

  /** `sampled`: the number of the client, if it has one. A method of its own, so that only refusals allocate its closures. */
  #countRefusal (client: Client, sampled: number | null, route: string): number {
    this.refusedRoutes.add(route, () => route)
    return this.refusedClients.add(findStorePartition(client), () => {
      const number = sampled === null ? this.table.createClient() : this.table.retain(sampled)
      return { client, number, isComplete: sampled !== null }
    }).number
  }

  #addStandings (entry: LogEntry, rule: string | null, decision: RequestDecision, nowUs: number, client: number | null): void {
    const { policy, isRefused, limitName } = decision
    const ownPartition = findStorePartition(decision.client)
    for (const standing of decision.storeStandings) {
      const { limit, partition } = standing
      const tally = this.#limits.get(limit) ?? this.#meetLimit(standing, rule, decision)
      // A request is refused by the limit that binds, so that the limits add up. One in shadow mode refuses by itself.
      count(tally, limit.mode === 'shadow' ? !standing.granted : isRefused && limit.name === limitName)
      const payer = partition === ownPartition ? client : this.clients.get(partition)
      if (payer === null) continue
      const row = this.table.findOrAddRow(payer, tally.index)
      const isHigher = this.table.addDemand(row, findUnits(policy, limit, entry), nowUs, limit)
      if (client === null || (payer === client && !isHigher)) continue
      if (limit.mode === 'enforce' && limit.by !== 'global') this.#noteExcess(client, tally, row)
    }
  }

  #noteExcess (client: number, { limit: { max, capacity }, index }: LimitTally, row: number): void {
    const peak = this.table.getPeak(row)
    this.table.noteExcess(client, index, peak / Math.max(max, capacity), peak)
  }

  #meetLimit ({ limit }: Standing, rule: string | null, { policy, client }: RequestDecision): LimitTally {
    let tally = this.limits.get(limit.bucket)
    if (tally === undefined) {
      tally = { rule, tier: findTier(policy, client), limit, index: this.limits.size, requests: 0, refused: 0 }
      this.limits.set(limit.bucket, tally)
    }
    this.#limits.set(limit, tally)
    return tally
  }

  #countHour (hour: number, isRefused: boolean): void {
    const known = this.hours.get(hour)
    if (known !== undefined) count(known, isRefused)
    else if (this.hours.size < MAX_HOURS) count(getCount(this.hours, hour), isRefused)
  }
}

/** The units that a request takes from a limit. A log may say what the functions of the application computed. */
function findUnits ({ cost, costs, limits }: Policy, { name }: Limit, { given }: LogEntry): number {
  const units = costs === null ? cost : costs[limits.findIndex((limit) => limit.name === name)]
  return typeof units === 'number' ? units : findCost(given, name)
}

export function findOutcome (entry: LogEntry, decision: RequestDecision | null): ReplayOutcome {
  if (decision === null) return entry.given.isExempt ? 'exempt' : 'unlimited'
  // The memory store always answers.
  return decision.outcome === 'unavailable' ? 'rejected' : decision.outcome
}

function getCount<Key> (counts: Map<Key, RequestCount>, key: Key): RequestCount {
  let found = counts.get(key)
  if (found === undefined) {
    found = { requests: 0, refused: 0 }
    counts.set(key, found)
  }
  return found
}

function count (counter: RequestCount, isRefused: boolean): void {
  counter.requests++
  if (isRefused) counter.refused++
}

/** The tier whose limits a policy has; `null` for the limits of all other tiers. */
function findTier (policy: Policy, { tier }: Client): string | null {
  const own = policy.parent?.tiers?.get(tier) ?? null
  return own !== null && (own === policy || own.rollout?.shadow === policy) ? tier : null
}
