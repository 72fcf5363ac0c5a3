import type { FastifyInstance } from 'fastify'
import type { AddressReader } from '../clients/address/address-reader.js'
import type { IdentityFactory } from '../clients/identity.js'
import type { SlotUsages } from '../concurrency/slot-usage.js'
import type { FaultLog } from '../common/log.js'
import type { Metrics } from '../observability/metrics/metrics.js'
import type { Recorder } from '../observability/recording/recorder.js'
import type { RefusalLog } from '../observability/refusal-log/refusal-log.js'
import type { Traffic } from '../observability/traffic/traffic.js'
import type { StoreActivity } from '../observability/store-activity.js'
import type { DeclaredRoutes } from '../policies/declared-routes.js'
import type { DelayQueue } from '../throttle/delay-queue.js'
import type { Backend } from './backend.js'
import type { GuardOptionsRegistry } from './guard-options.js'

/** Services shared by all configuration snapshots of a registration. */
export interface SharedServices {
  readonly fastify: FastifyInstance
  readonly name: string
  readonly addresses: AddressReader
  readonly identityFactory: IdentityFactory
  readonly backend: Backend
  readonly delayQueue: DelayQueue
  readonly slotUsages: SlotUsages
  readonly routes: DeclaredRoutes
  readonly refusals: RefusalLog | null
  readonly metrics: Metrics | null
  /** `null` without the operator page. */
  readonly traffic: Traffic | null
  readonly activity: StoreActivity | null
  readonly recorder: Recorder | null
  readonly faults: FaultLog
  readonly guards: GuardOptionsRegistry
}
