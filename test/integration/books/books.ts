import { once } from 'node:events'
import { Agent, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'
import { until } from '../../fixtures/until.js'

/** What a client does, and what is to become of its units. */
export interface Visit {
  readonly client: string
  readonly cost: number
  /** The response's status: 2xx gives everything back once it is written. */
  readonly status: number
  /** Units that the handler gives back. */
  readonly refund: number
  /** Units that it charges in the end. */
  readonly charge: number
  /** Whether the client leaves while the handler is at work. */
  readonly leaves: boolean
}

/** What the application granted, by client, as a handler under way sees it. */
export interface Books {
  readonly app: FastifyInstance
  /** Units used by each client, by the handlers' own count. */
  readonly usedBy: ReadonlyMap<string, number>
  readonly granted: () => number
  readonly refused: () => number
  /** Make all visits at once, over connections of their own; settles when everything is over, and settled. */
  sendAll (visits: readonly Visit[]): Promise<void>
}

const SOON_MS = 20_000

/** An application that keeps books of what it grants beside those of the store. */
export async function createBooksApp (t: Test, options: RateLimitOptions): Promise<Books> {
  const app = fastify()
  t.teardown(() => app.close())
  const usedBy = new Map<string, number>()
  let granted = 0
  let refused = 0
  let ended = 0

  await app.register(rateLimitPlugin, {
    deadline: 5000,
    failureMode: 'closed',
    keyGenerator: ({ headers }) => String(headers['x-client']),
    cost: ({ headers }) => parseVisit(headers).cost,
    refundOn: ['2xx'],
    ...options
  })
  app.get('/', async (request, reply) => {
    const visit = parseVisit(request.headers)
    granted++
    use(visit.client, visit.cost)
    if (visit.leaves) {
      reply.hijack()
      reply.raw.writeHead(200)
      reply.raw.write('hel')
      await once(reply.raw, 'close')
    }
    if (visit.refund > 0) await request.rateLimit?.refund(visit.refund)
    use(visit.client, -Math.min(visit.refund, visit.cost))
    if (visit.charge > 0) await request.rateLimit?.charge(visit.charge)
    use(visit.client, visit.charge)
    ended++
    if (visit.leaves) return
    if (visit.status < 300) use(visit.client, -Math.max(0, visit.cost - visit.refund))
    return await reply.code(visit.status).send()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  await until('the store decides', SOON_MS, async () => (await app.rateLimit.health()).status === 'ok')
  const { port } = app.server.address() as AddressInfo

  function use (client: string, units: number): void {
    usedBy.set(client, (usedBy.get(client) ?? 0) + units)
  }

  async function sendVisit (visit: Visit, agent: Agent): Promise<void> {
    const outgoing = send({ port, host: '127.0.0.1', agent, headers: { 'x-client': visit.client, 'x-visit': JSON.stringify(visit) } })
    outgoing.on('error', () => {})
    outgoing.end()
    const [response] = await once(outgoing, 'response')
    if (response.statusCode === 429) refused++
    else if (response.statusCode === 503) throw new Error('the store did not decide')
    if (visit.leaves && response.statusCode !== 429) response.destroy()
    else await once(response.resume(), 'close')
  }

  return {
    app,
    usedBy,
    granted: () => granted,
    refused: () => refused,
    async sendAll (visits) {
      const agent = new Agent()
      await Promise.all(visits.map(async (visit) => { await sendVisit(visit, agent) }))
      agent.destroy()
      await until('every handler is done', SOON_MS, () => ended === granted)
    }
  }
}

function parseVisit (headers: Record<string, unknown>): Visit {
  return JSON.parse(String(headers['x-visit']))
}

/** Visits of all kinds, the same in every run. */
export function createVisits (clients: readonly string[], count: number): Visit[] {
  return Array.from({ length: count }, (_, i) => ({
    client: clients[i % clients.length],
    cost: 1 + i * 7 % 5,
    status: [200, 404, 500, 201, 302, 404][i % 6],
    refund: [0, 0, 1, 2, 0, 9, 0][i % 7],
    charge: [0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0][i % 11],
    leaves: i % 9 === 4
  }))
}
