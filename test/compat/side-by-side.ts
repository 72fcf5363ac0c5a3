import { createRequire } from 'node:module'
import fastify, { type FastifyInstance, type FastifyPluginCallback, type FastifyReply, type FastifyRequest, type FastifyServerOptions, type InjectOptions } from 'fastify'
import type { Test } from 'tap'
import { buildFastifyRateLimit, nativeTuning } from '../../lib/compat/build.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { ManualClock } from '../fixtures/manual-clock.js'

/** Options of either plugin: the types of one would say of Fastify what those of the other say otherwise. */
export type Options = Readonly<Record<string, unknown>>

/** Not imported, for its types would change those of every test. */
const original: FastifyPluginCallback<Options> = createRequire(import.meta.url)('@fastify/rate-limit')

const realNow = Date.now

/** What both plugins decorate an application with. */
export interface Limited {
  rateLimit (options?: Options): (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  createRateLimit (options?: Options): (request: FastifyRequest, call?: { increment?: boolean }) => Promise<Options>
}

export function getDecorators (app: FastifyInstance): Limited {
  return app as unknown as Limited
}

/** What a client hears of a response: all but the time. */
export interface ClientResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** A request, or so many milliseconds to let pass. */
export type Step = InjectOptions | string | number

/** An application of one of the plugins, and what its callbacks were told. */
export interface Side {
  readonly app: FastifyInstance
  readonly calls: readonly string[]
  run (...steps: readonly Step[]): Promise<ClientResponse[]>
}

/** The same application for either plugin. `record` keeps what callbacks are told. */
export interface TestCase {
  readonly options: Options | ((record: (call: string) => void) => Options)
  readonly server?: FastifyServerOptions
  readonly before?: (app: FastifyInstance) => void
  /** Routes, beside `GET /`. */
  readonly routes?: (app: FastifyInstance, record: (call: string) => void) => void
}

/** An application under the compat plugin, whose clock is in hand. */
export function createCompatSide (t: Test, testCase: TestCase, clock = new ManualClock()): Promise<Side> {
  const plugin = buildFastifyRateLimit(buildRateLimitPlugin(clock, {}, nativeTuning), clock)
  return createSide(t, testCase, (app, options) => app.register(plugin, options), (ms) => { clock.advance(ms * 1000) })
}

/** The same under @fastify/rate-limit; its memory store reads `Date.now`. */
export function createOriginalSide (t: Test, testCase: TestCase): Promise<Side> {
  let nowMs = 1_790_000_000_000
  t.teardown(() => { Date.now = realNow })
  return createSide(t, testCase, (app, options) => app.register(original, options), (ms) => { nowMs += ms }, () => { Date.now = () => nowMs })
}

async function createSide (t: Test, { options, server, before, routes }: TestCase, register: (app: FastifyInstance, options: Options) => PromiseLike<unknown>, advance: (ms: number) => void, setTime = () => {}): Promise<Side> {
  const calls: string[] = []
  const record = (call: string) => { calls.push(call) }
  const app = fastify(server)
  t.teardown(() => app.close())
  before?.(app)
  await register(app, typeof options === 'function' ? options(record) : options)
  app.get('/', async () => 'hello')
  routes?.(app, record)
  await app.ready()
  return {
    app,
    calls,
    async run (...steps) {
      const responses: ClientResponse[] = []
      for (const step of steps) {
        setTime()
        if (typeof step === 'number') {
          advance(step)
        } else {
          const { statusCode, headers: { date, connection, ...headers }, body } = await app.inject(step)
          responses.push({ status: statusCode, headers, body })
        }
      }
      return responses
    }
  }
}

/** Send the same requests to both, and hold that a client and the callbacks cannot tell one from the other. Answers the statuses. */
export async function assertSame (t: Test, testCase: TestCase, ...steps: readonly Step[]): Promise<number[]> {
  const there = await createOriginalSide(t, testCase)
  const here = await createCompatSide(t, testCase)
  const expected = await there.run(...steps)
  const found = await here.run(...steps)
  t.strictSame(found, expected)
  t.strictSame(here.calls, there.calls, 'what callbacks are told')
  return expected.map(({ status }) => status)
}

/** What differs on purpose: hold what each answers. */
export async function assertDifferent (t: Test, testCase: TestCase, steps: readonly Step[], statuses: { readonly there: readonly number[], readonly here: readonly number[] }): Promise<{ there: ClientResponse[], here: ClientResponse[] }> {
  const there = await (await createOriginalSide(t, testCase)).run(...steps)
  const here = await (await createCompatSide(t, testCase)).run(...steps)
  t.strictSame(there.map(({ status }) => status), statuses.there, 'of the original')
  t.strictSame(here.map(({ status }) => status), statuses.here, 'here')
  return { there, here }
}

export function repeatStep (count: number, step: Step): Step[] {
  return Array(count).fill(step)
}

/** `config.rateLimit` in the original's words. */
export function createRouteConfig (rateLimit: unknown): { config: object } {
  return { config: { rateLimit } }
}
