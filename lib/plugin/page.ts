import { wallClock, type Clock } from '../common/clock.js'
import type { LogSettings } from '../config/schema/log-schema.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { createClientLabeler } from '../observability/refusal-log/client-label.js'
import { StoreActivity } from '../observability/store-activity.js'
import type { PageRecorders } from '../routes/page/instance-report.js'
import type { PageServices, ServedPage } from '../routes/page/operator-page.js'

/** `null` without the operator page; its code is not loaded then. Clients are named as in the log. */
export async function buildPageRecorders (
  { admin, clock }: RateLimitOptions, processClock: Clock, log: LogSettings | null
): Promise<PageRecorders | null> {
  if (admin === undefined || admin === false || admin.page !== true) return null
  const { Traffic } = await import('../observability/traffic/traffic.js')
  const trafficClock = clock ?? wallClock
  return {
    traffic: new Traffic({ clock: trafficClock, labelClient: createClientLabeler(log ?? { hashClients: false, hashSecret: null }) }),
    activity: new StoreActivity(processClock),
    nowMs: () => Math.floor(trafficClock.nowUs() / 1000)
  }
}

/** `null` if nothing is recorded for it. */
export async function buildPage (
  recorders: PageRecorders | null, services: Omit<PageServices, keyof PageRecorders>
): Promise<ServedPage | null> {
  if (recorders === null) return null
  const { ServedPage } = await import('../routes/page/operator-page.js')
  return new ServedPage({ ...services, ...recorders })
}
