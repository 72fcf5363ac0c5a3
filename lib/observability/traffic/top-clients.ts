import { SpaceSaving } from '../../common/space-saving.js'
import type { Client } from '../../model/client.js'
import { STEPS } from './hour-steps.js'

/** Clients with counts. */
export const MAX_CLIENTS = 100

/** After this many steps counts begin at 0, and those before are kept as long. */
const STEPS_PER_GENERATION = STEPS / 2

/** Estimates of one client. */
export interface ClientEstimate {
  readonly client: Client
  readonly requests: number
  readonly refused: number
  /** Each of them is at most so much too high. */
  readonly error: number
  readonly lastStep: number
}

/** A client, and the step of its last request. */
interface SeenClient {
  readonly client: Client
  lastStep: number
}

type Counts = SpaceSaving<SeenClient>

/** The clients that use most, and those that exceed most: counted apart, because the latter may be few requests. */
export class TopClients {
  #requests: Counts[] = createGenerations()
  #refused: Counts[] = createGenerations()
  #generation = 0

  /** `times`: how many requests it stands for. */
  add (key: string, client: Client, isRefused: boolean, times: number, step: number): void {
    const create = () => ({ client, lastStep: step })
    this.#requests[0].add(key, create, times).lastStep = step
    if (isRefused) this.#refused[0].add(key, create, times).lastStep = step
  }

  /** Forget the counts of the generation before the previous one. */
  advance (step: number): void {
    const generation = Math.floor(step / STEPS_PER_GENERATION)
    if (generation === this.#generation) return
    const isNext = generation === this.#generation + 1
    this.#requests = isNext ? [new SpaceSaving(MAX_CLIENTS), this.#requests[0]] : createGenerations()
    this.#refused = isNext ? [new SpaceSaving(MAX_CLIENTS), this.#refused[0]] : createGenerations()
    this.#generation = generation
  }

  /** At most so many requests and refusals has a client without an estimate. */
  get unlisted (): readonly [requests: number, refused: number] {
    return [sumAbsent(this.#requests), sumAbsent(this.#refused)]
  }

  /** Every client with a count. */
  list (): ClientEstimate[] {
    const clients = new Map<string, Client>()
    for (const counts of [...this.#requests, ...this.#refused]) {
      for (const { text, key: { client } } of counts.counts()) clients.set(text, client)
    }
    const estimateRequests = createEstimate(this.#requests)
    const estimateRefused = createEstimate(this.#refused)
    return Array.from(clients, ([key, client]) => {
      const requests = estimateRequests(key)
      const refused = estimateRefused(key)
      return {
        client,
        requests: requests.count,
        refused: Math.min(refused.count, requests.count),
        error: Math.max(requests.error, refused.error),
        lastStep: Math.max(requests.lastStep, refused.lastStep)
      }
    })
  }
}

function createGenerations (): Counts[] {
  return [new SpaceSaving(MAX_CLIENTS), new SpaceSaving(MAX_CLIENTS)]
}

function sumAbsent (generations: readonly Counts[]): number {
  return generations.reduce((sum, counts) => sum + counts.absentCount, 0)
}

/** Adds up generations. Where a key has no entry, it may have had the count of the least frequent one. */
function createEstimate (generations: readonly Counts[]) {
  const counted = generations.map((counts) => ({ counts, absentCount: counts.absentCount }))
  return (key: string) => {
    const sum = { count: 0, error: 0, lastStep: 0 }
    for (const { counts, absentCount } of counted) {
      const entry = counts.find(key)
      sum.count += entry?.count ?? absentCount
      sum.error += entry?.error ?? absentCount
      sum.lastStep = Math.max(sum.lastStep, entry?.key.lastStep ?? 0)
    }
    return sum
  }
}

/** The clients that use most and those that exceed most, by turns. */
export function orderByTurns<One extends Pick<ClientEstimate, 'requests' | 'refused'>> (clients: readonly One[]): One[] {
  const busiest = [...clients].sort((a, b) => b.requests - a.requests)
  const exceeding = busiest.filter(({ refused }) => refused > 0).sort((a, b) => b.refused - a.refused)
  return [...new Set(busiest.flatMap((client, index) => [client, ...exceeding.slice(index, index + 1)]))]
}
