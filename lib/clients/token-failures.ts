import { createQuota } from '../algorithms/quota.js'
import type { FailureLimiter } from './token-reader.js'
import type { Clock } from '../common/clock.js'
import { MemoryStore } from '../stores/memory/store.js'
import type { Limit } from '../stores/store.js'

/** Partitions kept. Past this number, new ones share the count of their network. */
const MAX_PARTITIONS = 10_000

const MINUTE_US = 60_000_000

/**
 * Counts invalid tokens per address, in this process's memory. Limiting them matters because verifying a forged token
 * costs many times as much as a check. Close it with the application.
 */
export class TokenFailures implements FailureLimiter {
  readonly #store: MemoryStore
  readonly #limit: Limit

  /** `maxFailures`: verifications of one partition that may fail, or be in progress, in any minute. 1 or more. */
  constructor (clock: Clock, maxFailures: number) {
    this.#store = new MemoryStore({ clock, maxKeys: MAX_PARTITIONS })
    // Sliding: a fixed window would allow twice the failures around its end.
    const quota = createQuota('sliding-window', maxFailures, MINUTE_US)
    this.#limit = { ...quota, name: 'failures', bucket: 'failures', by: 'ip', mode: 'enforce', penalty: null }
  }

  attempt (partition: string): (() => void) | null {
    const { granted, atUs, standings: [standing] } = this.#store.take([{ limit: this.#limit, partition, cost: 1 }])
    return granted ? () => this.#store.adjust([{ standing, atUs, units: -1 }]) : null
  }

  close (): void {
    this.#store.close()
  }
}
