import type { FastifyRequest } from 'fastify'
import type { Clock } from '../../common/clock.js'
import { badOption } from '../../config/schema/check.js'
import type { RateLimitDecorator } from '../../decorator/decorator.js'
import { mergeTraffic } from '../../observability/traffic/merge-traffic.js'
import type { WhatIf } from '../../observability/traffic/traffic-views.js'
import type { ConfigSnapshot } from '../../runtime/snapshot.js'
import type { AdminRoute, OperatorPage, PagePlace } from '../admin.js'
import { createFileRoutes, createRoute, sendJson } from './file-routes.js'
import { Fleet, type FleetReport } from './fleet.js'
import { InstanceReport, type ReportSources } from './instance-report.js'
import { formatSummary } from './instance-summary.js'
import type { PageState } from './page-state.js'

/** All viewers within this time see the same state. */
const CACHED_US = 1_000_000

const MAX_BLOCKED = 100

const ALONE: FleetReport = { others: [], problem: null, skipped: 0 }

export interface PageServices extends ReportSources {
  readonly rateLimit: RateLimitDecorator
  readonly clock: Clock
  /** How often the summary of this instance is published, milliseconds. Default 10 s. */
  readonly publishMs: number | undefined
}

interface CachedState {
  readonly builtUs: number
  readonly text: Promise<string>
}

/** The page of one registration: its routes, what they show, and the other instances. */
export class ServedPage implements OperatorPage {
  readonly switchAll: OperatorPage['switchAll']
  readonly #services: PageServices
  readonly #report: InstanceReport
  readonly #fleet: Fleet | null
  #cached: CachedState | null = null
  #snapshot: ConfigSnapshot | null = null
  #policiesVersion = 0

  constructor (services: PageServices) {
    const { snapshots, reloader, publishMs, nowMs } = services
    const { board } = snapshots.current.services.backend
    const report = new InstanceReport(services)
    const fleet = board === null
      ? null
      : new Fleet({
        board,
        id: report.id,
        summarize: async () => formatSummary(await report.create()),
        onSwitch: (enabled) => { reloader.setEnabled(enabled) },
        publishMs,
        nowMs
      })
    this.#services = services
    this.#report = report
    this.#fleet = fleet
    this.switchAll = fleet === null ? null : (enabled) => fleet.switchAll(enabled)
  }

  start (): void {
    this.#fleet?.start()
  }

  async close (): Promise<void> {
    await this.#fleet?.close()
  }

  createRoutes (place: PagePlace): AdminRoute[] {
    return [
      ...createFileRoutes(place.isSlashIgnored),
      createRoute('/page/data', async (_request, reply) => sendJson(reply, await this.#getState(place))),
      createRoute('/page/what-if', (request, reply) => sendJson(reply, JSON.stringify(this.#simulate(request))))
    ]
  }

  /** The switch must be seen at once. */
  forgetState (): void {
    this.#cached = null
  }

  #getState (place: PagePlace): Promise<string> {
    const nowUs = this.#services.clock.nowUs()
    if (this.#cached === null || nowUs - this.#cached.builtUs >= CACHED_US) {
      this.#cached = { builtUs: nowUs, text: this.#buildState(place).then((state) => JSON.stringify(state)) }
    }
    return this.#cached.text
  }

  async #buildState ({ prefix, canWrite }: PagePlace): Promise<PageState> {
    const { rateLimit, nowMs } = this.#services
    const [own, { others, problem, skipped }, { blocked }] = await Promise.all([
      this.#report.create(), this.#fleet?.read() ?? ALONE, rateLimit.blocked({ limit: MAX_BLOCKED })
    ])
    const atMs = nowMs()
    return {
      atMs,
      registration: this.#services.snapshots.current.services.name,
      prefix,
      canWrite,
      self: this.#report.id,
      fleet: { isShared: this.#fleet !== null, problem, skipped },
      instances: [own, ...others].map(({ instance }) => instance),
      ...mergeTraffic([own, ...others].map(({ traffic }) => traffic), atMs),
      blocked,
      policiesVersion: this.#findPoliciesVersion()
    }
  }

  #findPoliciesVersion (): number {
    const { current } = this.#services.snapshots
    if (current !== this.#snapshot) {
      this.#snapshot = current
      this.#policiesVersion++
    }
    return this.#policiesVersion
  }

  #simulate ({ query }: FastifyRequest): WhatIf {
    const { limit, max } = Object(query)
    const parsed = typeof max === 'string' && /^\d{1,15}$/.test(max) ? Number(max) : NaN
    if (Number.isNaN(parsed)) throw badOption('max', 'an integer of 0 or more', max)
    const result = typeof limit === 'string' ? this.#services.traffic.whatIf(limit, parsed) : null
    if (result === null) throw badOption('limit', 'the bucket of a limit whose requests can be replayed', limit)
    return result
  }
}
