import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { isEnabledBySettings } from '../../config/configuration.js'
import { checkHealth } from '../../observability/health.js'
import type { StoreActivity } from '../../observability/store-activity.js'
import type { Traffic } from '../../observability/traffic/traffic.js'
import type { Reloader } from '../../runtime/reloader.js'
import type { SnapshotHolder } from '../../runtime/snapshot.js'
import type { InstanceSummary } from './instance-summary.js'
import { packageVersion } from './page-files.js'

/** A name of a host has 253 characters at most. */
const MAX_HOST_LENGTH = 120

/** What is recorded for the page. */
export interface PageRecorders {
  readonly traffic: Traffic
  readonly activity: StoreActivity
  /** The time of the traffic, milliseconds since 1970. */
  readonly nowMs: () => number
}

export interface ReportSources extends PageRecorders {
  readonly snapshots: SnapshotHolder
  readonly reloader: Reloader
}

/** Describes this instance. */
export class InstanceReport {
  readonly id: string
  readonly #sources: ReportSources
  readonly #host = hostname().replaceAll(/[^\w.-]/g, '_').slice(0, MAX_HOST_LENGTH)
  readonly #startedAtMs: number

  constructor (sources: ReportSources) {
    this.#sources = sources
    this.#startedAtMs = sources.nowMs()
    this.id = `${this.#host}:${process.pid}:${randomBytes(4).toString('hex')}`
  }

  /** Pings the store, for no longer than its deadline. */
  async create (): Promise<InstanceSummary> {
    const { snapshots, reloader, traffic, activity: { latencyMs, errors, fallbacks }, nowMs } = this.#sources
    const { store: kind, pingMs, breaker } = await checkHealth(snapshots.current.services.backend.health)
    const { isEnabled, merged } = snapshots.current
    return {
      instance: {
        id: this.id,
        host: this.#host,
        pid: process.pid,
        version: packageVersion,
        startedAtMs: this.#startedAtMs,
        seenAtMs: nowMs(),
        enabled: isEnabled,
        configured: isEnabledBySettings(merged),
        store: { kind, isReachable: pingMs !== null, breaker, latencyMs, errors, fallbacks },
        reload: reloader.lastReload
      },
      traffic: traffic.summarize()
    }
  }
}
