import { createQuota } from '../algorithms/quota.js'
import type { FailureLimiter } from './token-reader.js'
import type { Clock } from '../common/clock.js'
import { MemoryStore } from '../stores/memory/store.js'
import type { Limit } from '../stores/store.js'

/** Partitions remembered. Past it, those with the fewest failures are forgotten. */
const MAX_PARTITIONS = 10_000

const MINUTE_US = 60_000_000

/**
 * Counts the tokens that each address failed with, in this process's memory: verifying a forged token costs many times
 * a check. Close it with the application.
 */
export class TokenFailures implements FailureLimiter {
  readonly #store: MemoryStore
  readonly #limit: Limit

  /** `maxFailures`: verifications of one partition that may fail, or be under way, in any minute. 1 or more. */
  constructor (clock: Clock, maxFailures: number) {
    this.#store = new MemoryStore({ clock, maxKeys: MAX_PARTITIONS })
    // Sliding, so that the end of a window lets no second lot of failures through at once.
    const limit = { ...createQuota('sliding-window', maxFailures, MINUTE_US), name: 'failures', bucket: 'failures', by: 'ip', mode: 'enforce', penalty: null } as const
    this.#limit = limit
  }

  attempt (partition: string): (() => void) | null {
    const { granted, atUs, standings: [standing] } = this.#store.take([{ limit: this.#limit, partition, cost: 1 }])
    return granted ? () => this.#store.adjust([{ standing, atUs, units: -1 }]) : null
  }

  close (): void {
    this.#store.close()
  }
}
