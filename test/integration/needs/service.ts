import { once } from 'node:events'
import { request, type IncomingHttpHeaders } from 'node:http'
import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'

/** An answer over a real connection. */
export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface SendOptions {
  readonly path?: string
  readonly method?: string
  readonly headers?: Record<string, string>
  /** Which address of this host to ask from, such as 127.0.0.2. */
  readonly from?: string
}

export interface Service {
  readonly app: FastifyInstance
  send (sendOptions?: SendOptions): Promise<HttpResponse>
  /** The statuses of the same request, one after the other. */
  statuses (times: number, sendOptions?: SendOptions): Promise<number[]>
}

/** An application that listens, with what `declare` adds before and after the plugin. It ends with the test. */
export async function startService (t: Test, options: RateLimitOptions, declare: (app: FastifyInstance) => void, before: (app: FastifyInstance) => Promise<void> = async () => {}): Promise<Service> {
  const app = fastify()
  t.teardown(() => app.close())
  await before(app)
  await app.register(rateLimitPlugin, options)
  declare(app)
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)

  async function send ({ path = '/', method = 'GET', headers = {}, from }: SendOptions = {}): Promise<HttpResponse> {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, localAddress: from, agent: false })
    sent.end()
    const [response] = await once(sent, 'response')
    let body = ''
    for await (const chunk of response.setEncoding('utf8')) body += chunk
    return { status: response.statusCode, headers: response.headers, body }
  }

  async function statuses (times: number, sendOptions?: SendOptions): Promise<number[]> {
    const all: number[] = []
    for (let i = 0; i < times; i++) all.push((await send(sendOptions)).status)
    return all
  }
  return { app, send, statuses }
}
