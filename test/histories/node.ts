// One instance of the service under test: a process of its own, with the built plugin over HTTP. HISTORY_NODE says how, as JSON.
import Fastify, { type FastifyPluginAsync, type FastifyRequest } from 'fastify'
import type { RateLimitOptions, RouteRateLimit } from '../../lib/index.js'
import { machineUs } from './clock.js'
import { RELOADED } from './policies.js'

export interface NodeSetup {
  /** The file of the package: a wrong build has its own. */
  readonly packageUrl: string
  readonly options: RateLimitOptions
  readonly routes: ReadonlyArray<readonly [path: string, options: RouteRateLimit]>
  readonly wallClockAheadMs: number
}

/** What the process is asked to do. */
export type NodeCommand =
  | { readonly do: 'reload', readonly version: number }
  | { readonly do: 'step the clock', readonly aheadMs: number }

/** What the process says. Times by the monotonic clock of the machine, microseconds. */
export type NodeMessage =
  | { readonly port: number }
  | { readonly stalledFromUs: number, readonly stalledUntilUs: number }
  | { readonly done: true }

declare module 'fastify' {
  interface FastifyRequest {
    fromUs: number
    decidedUs: number
  }
}

const setup: NodeSetup = JSON.parse(process.env.HISTORY_NODE ?? '')
/** A loop that comes back so late did not run. */
const STALL_US = 50_000
const TICK_MS = 10

function say (message: NodeMessage): void {
  if (process.connected) process.send?.(message)
}

let aheadMs = setup.wallClockAheadMs
const systemNow = Date.now
Date.now = () => systemNow() + aheadMs

// Only now, so that it finds no other clock.
const { default: rateLimitPlugin } = await import(setup.packageUrl) as { default: FastifyPluginAsync<RateLimitOptions> }

const app = Fastify()
app.decorateRequest('fromUs', 0)
app.decorateRequest('decidedUs', 0)
app.addHook('onRequest', (request, _reply, done) => {
  request.fromUs = machineUs()
  done()
})
await app.register(rateLimitPlugin, {
  ...setup.options,
  keyGenerator: (request: FastifyRequest) => String(request.headers['x-client']),
  cost: (request: FastifyRequest) => Number(request.headers['x-cost'] ?? 1)
})
app.addHook('onSend', (request, reply, _payload, done) => {
  reply.header('x-decided', `${Math.floor(request.fromUs)},${Math.ceil(request.decidedUs === 0 ? machineUs() : request.decidedUs)}`)
  done()
})

async function serve (request: FastifyRequest): Promise<string> {
  request.decidedUs = machineUs()
  const { 'x-slow': slowMs } = request.headers
  if (slowMs !== undefined) await new Promise((resolve) => { setTimeout(resolve, Number(slowMs)) })
  return 'ok'
}

for (const [path, rateLimit] of setup.routes) app.get(path, { config: { rateLimit } }, serve)
app.get('/reloaded', serve)

process.on('message', (command: NodeCommand) => {
  switch (command.do) {
    case 'reload':
      app.rateLimit.reload({ rules: [{ name: 'reloaded', ...RELOADED[command.version] }] }).then(() => { say({ done: true }) }, (error) => { throw error })
      break
    case 'step the clock':
      aheadMs = command.aheadMs
      say({ done: true })
      break
    default: command satisfies never
  }
})
process.once('disconnect', () => { process.exit() })

let tickedUs = machineUs()
setInterval(() => {
  const tickUs = machineUs()
  if (tickUs - tickedUs > STALL_US) say({ stalledFromUs: tickedUs, stalledUntilUs: tickUs })
  tickedUs = tickUs
}, TICK_MS).unref()

await app.listen({ port: 0, host: '127.0.0.1' })
const address = app.server.address()
if (address !== null && typeof address === 'object') say({ port: address.port })
