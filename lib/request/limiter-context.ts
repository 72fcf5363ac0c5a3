import type { FastifyRequest } from 'fastify'
import type { Exemptions } from '../clients/exemptions.js'
import type { ClientIdentifier, Identifier } from '../clients/identifier.js'
import type { KnownTiers } from '../clients/known-tiers.js'
import type { FaultLog, FaultReporter } from '../common/log.js'
import type { Metrics } from '../observability/metrics/metrics.js'
import type { Recorder } from '../observability/recording/recorder.js'
import type { RefusalLog } from '../observability/refusal-log/refusal-log.js'
import type { Traffic } from '../observability/traffic/traffic.js'
import type { StoreActivity } from '../observability/store-activity.js'
import type { HeaderWriter } from '../response/headers.js'
import type { RouteConfig } from '../routing/route-config.js'
import type { MemoryStore } from '../stores/memory/store.js'
import type { Charge, Receipt, Store } from '../stores/store.js'
import type { DelayQueue } from '../throttle/delay-queue.js'

/** Services and settings for deciding a request. */
export interface DeciderContext {
  readonly identifier: ClientIdentifier
  /** `null` without exemptions. */
  readonly exemptions: Exemptions | null
  readonly tiers: KnownTiers
  readonly store: Store
  /** Decides if the store fails and the failure mode is `local`. Equals `store` if that is the memory store. */
  readonly local: MemoryStore
  /** Returns the refusal of a client with a known block. Used while the store is unavailable. */
  readonly findKnownBlock: (charges: readonly Charge[]) => Receipt | null
  readonly delayQueue: DelayQueue
  /** `null` with `metrics: false`. */
  readonly metrics: Metrics | null
  /** `null` without the operator page. */
  readonly activity: StoreActivity | null
  /** `null` if decisions are not recorded. */
  readonly recorder: Recorder | null
  readonly faults: FaultReporter
}

/** Services and settings for limiting a request. Built once per configuration snapshot. */
export interface LimiterContext extends DeciderContext {
  /** The registration's name. */
  readonly registration: string
  readonly identifier: Identifier
  /** The `Retry-After` of a 503, seconds. */
  readonly retryUnavailableSeconds: number
  readonly writeHeaders: HeaderWriter
  /** `null` if refusals are not logged. */
  readonly refusals: RefusalLog | null
  /** `null` without the operator page. */
  readonly traffic: Traffic | null
  readonly getRouteConfig: (request: FastifyRequest) => RouteConfig
  readonly faults: FaultLog
}

export type Next = (error?: Error) => void
