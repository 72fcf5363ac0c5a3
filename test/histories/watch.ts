import { Redis } from 'ioredis'
import { sleep } from '../fixtures/until.js'
import type { Fault } from './history.js'
import { DEADLINE_MS } from './policies.js'

const PROBE_MS = 50
/** A reply to a probe is older than this only while a server is slow. */
const ROLES_MS = 500
/** A reply that takes so long is a slow server: well below the deadline. */
const SLOW_US = DEADLINE_MS * 1000 / 3
/** A loop that comes back so late did not run. */
const STALL_US = 50_000

/** Measures what happens without a plan, on a busy machine: servers that answer late, failovers, and stalls of this process. */
export class Watch {
  /** Changes of primaries that belong to a fault of the schedule, which is recorded as such. */
  #expected = 0
  readonly #clients: readonly Redis[]
  readonly #roles: string[]
  readonly #pending = new Set<number>()
  readonly #timer: NodeJS.Timeout
  readonly #record: (fault: Fault) => void
  readonly #nowUs: () => number
  #tickedUs: number
  #primaries = ''
  #steadyUs: number

  constructor (ports: readonly number[], record: (fault: Fault) => void, nowUs: () => number) {
    this.#record = record
    this.#nowUs = nowUs
    this.#tickedUs = nowUs()
    this.#steadyUs = nowUs()
    this.#roles = ports.map(() => '')
    this.#clients = ports.map((port) => {
      const client = new Redis({ port, host: '127.0.0.1', enableOfflineQueue: false, retryStrategy: () => 100, maxRetriesPerRequest: 0 })
      return client.on('error', () => {})
    })
    this.#timer = setInterval(() => { this.#look() }, PROBE_MS)
  }

  /** So many changes of primaries are planned until `endFailover`. */
  beginFailover (changes: number): void {
    this.#expected = changes
  }

  /** Wait until the servers say what they are. */
  async endFailover (): Promise<void> {
    if (this.#expected > 0) await sleep(ROLES_MS)
    this.#expected = 0
  }

  end (): void {
    clearInterval(this.#timer)
    for (const client of this.#clients) client.disconnect()
  }

  #look (): void {
    const fromUs = this.#nowUs()
    if (fromUs - this.#tickedUs - PROBE_MS * 1000 > STALL_US) this.#record({ kind: 'stall', fromUs: this.#tickedUs, untilUs: fromUs })
    this.#tickedUs = fromUs
    for (const [i, client] of this.#clients.entries()) {
      if (this.#pending.has(i)) continue
      this.#pending.add(i)
      client.role().then((reply) => {
        if (this.#nowUs() - fromUs > SLOW_US) this.#record({ kind: 'slow server', fromUs, untilUs: this.#nowUs() })
        // One that has just started again believes that it is a primary, and has no replica.
        this.#roles[i] = reply[0] === 'master' && Array.isArray(reply[2]) && reply[2].length > 0 ? 'primary' : 'other'
      }, () => {}).finally(() => { this.#pending.delete(i) })
    }
    this.#lookForFailover()
  }

  #lookForFailover (): void {
    const primaries = this.#roles.map((role, i) => role === 'primary' ? i : '').join('')
    if (primaries === '') return
    if (primaries !== this.#primaries && this.#primaries !== '') {
      if (this.#expected > 0) this.#expected--
      else this.#record({ kind: 'failover', fromUs: this.#steadyUs, untilUs: this.#nowUs() })
    }
    this.#primaries = primaries
    this.#steadyUs = this.#nowUs()
  }
}
