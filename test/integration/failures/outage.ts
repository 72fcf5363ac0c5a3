import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'

export const DEADLINE_MS = 200
/** What a request may take beyond the deadline, on a busy machine: less than any outage lasts. */
export const MARGIN_MS = 1500
/** Within this, what has no time of its own must happen. */
export const SOON_MS = 20_000
/** The event loop is looked at so often. */
const CHECK_INTERVAL_MS = 5

/** What one request came to. */
export interface Visit {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  readonly outcome: string
  readonly ms: number
  /** How late the event loop was in all while it waited, for it takes several turns: that is the machine's delay, or the handler's. */
  readonly loopLateMs: number
}

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly breaker?: string
  readonly lastError?: string | null
  readonly source?: string
  readonly err?: { readonly code?: string, readonly message: string }
}

export interface Service {
  readonly app: FastifyInstance
  readonly url: string
  readonly log: readonly LogLine[]
  visit (path?: string, headers?: Record<string, string>): Promise<Visit>
  /** Several requests at once, all in time and none an error. */
  visits (times: number, path?: string, headers?: Record<string, string>): Promise<Visit[]>
}

let services = 0

/** A service that limits over Redis: `/` by the options, `/open` and `/closed` by their failure mode, in groups of their own. */
export async function startService (t: Test, options: RateLimitOptions): Promise<Service> {
  const log: LogLine[] = []
  const app = fastify({ logger: { level: 'warn', stream: { write: (line: string) => { log.push(JSON.parse(line)) } } } })
  const rejections: unknown[] = []
  const onRejection = (reason: unknown) => { rejections.push(reason) }
  process.on('unhandledRejection', onRejection)
  t.teardown(async () => {
    await app.close()
    process.off('unhandledRejection', onRejection)
    // An assertion would come too late here; tap fails a test whose teardown throws.
    if (rejections.length > 0) throw new Error('a promise was rejected and nobody heard', { cause: rejections[0] })
  })
  await app.register(rateLimitPlugin, {
    max: 10,
    timeWindow: '1 hour',
    deadline: DEADLINE_MS,
    breaker: { failures: 5, within: '10s', openFor: '500ms' },
    keyPrefix: `failures-${process.pid}-${services++}:`,
    keyGenerator: (request) => String(request.headers.client ?? 'somebody'),
    ...options
  })
  const outcome = async (request: { rateLimit: { outcome: string } | null }) => request.rateLimit?.outcome ?? 'none'
  app.get('/', outcome)
  app.get('/open', { config: { rateLimit: { groupId: 'open', failureMode: 'open' } } }, outcome)
  app.get('/closed', { config: { rateLimit: { groupId: 'closed', failureMode: 'closed' } } }, outcome)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })

  async function visit (path = '/', headers: Record<string, string> = {}): Promise<Visit> {
    const lateness = watchLoop()
    const startMs = performance.now()
    const response = await fetch(url + path, { headers })
    const body = await response.text()
    const ms = performance.now() - startMs
    return { status: response.status, headers: response.headers, body, outcome: body, ms, loopLateMs: lateness() }
  }

  async function visits (times: number, path = '/', headers: Record<string, string> = {}): Promise<Visit[]> {
    const all = await Promise.all(Array.from({ length: times }, () => visit(path, headers)))
    for (const each of all) assertVisit(t, each, path, options.deadline ?? DEADLINE_MS)
    return all
  }

  // The first connection and the first compilation are the test's own time.
  await fetch(`${url}/nowhere`).then((response) => response.text())
  return { app, url, log, visit, visits }
}

/** Looks at the event loop until it is asked how late the loop was in all, from the first turn to the last. */
function watchLoop (): () => number {
  let seenMs = performance.now()
  let lateMs = 0
  const check = () => {
    const nowMs = performance.now()
    lateMs += Math.max(0, nowMs - seenMs - CHECK_INTERVAL_MS)
    seenMs = nowMs
  }
  const timer = setInterval(check, CHECK_INTERVAL_MS)
  return () => {
    clearInterval(timer)
    check()
    return lateMs
  }
}

/** What holds for every request whatever Redis does. Only what is wrong is said, for there are thousands. */
function assertVisit (t: Test, visit: Visit, path: string, deadlineMs: number): void {
  const allowedMs = deadlineMs + MARGIN_MS + visit.loopLateMs
  if (visit.ms > allowedMs) t.fail(`a request took ${visit.ms.toFixed(0)} ms, with the loop late by ${visit.loopLateMs.toFixed(0)}`)
  const isExpected = [200, 429].includes(visit.status) || (visit.status === 503 && path === '/closed')
  if (!isExpected) t.fail(`${path} answered ${visit.status}: ${visit.body}`)
  if (/redis|sluice|ECONN|OOM|READONLY|NOAUTH|WRONGPASS|EVALSHA|script/i.test(visit.body)) t.fail(`a store's text reached a client: ${visit.body}`)
}

export function countStatus (visits: readonly Visit[], status: number): number {
  return visits.filter((visit) => visit.status === status).length
}

/** Ask until it holds; answers after how many milliseconds that was, or fails the test. */
export async function until (t: Test, what: string, withinMs: number, check: () => boolean | Promise<boolean>): Promise<number> {
  const startMs = performance.now()
  for (;;) {
    const hasPassed = await check()
    const ms = performance.now() - startMs
    if (hasPassed) return ms
    if (ms > withinMs) {
      t.fail(`${what}: not within ${withinMs} ms`)
      return ms
    }
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
}

let clients = 0

/** A client's name that nobody used before. */
export function newClient (): { client: string } {
  return { client: `client-${process.pid}-${clients++}` }
}
