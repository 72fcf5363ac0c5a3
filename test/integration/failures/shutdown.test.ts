// Closing ends what is in flight, and leaves nothing behind: a process ends by itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { freePort, startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { newClient, SOON_MS, startService, until } from './outage.js'

/** What a busy machine may add to the deadline, or to the end of a process with nothing left to do. */
const MARGIN_MS = 4000
const DEADLINE_MS = 100
const CHILD = fileURLToPath(new URL('../../fixtures/closing-service.js', import.meta.url))

interface Report {
  readonly first: number
  readonly statuses: readonly number[]
  readonly closeMs: number
  readonly answer: string | null
  readonly isUnchanged: boolean
}

/** Run the child; answers what it said, and how long it lived on after that. Killed after a minute. */
async function run (target: string, mode = 'ours'): Promise<{ report: Report, code: number | null, lingeredMs: number }> {
  const child = spawn(process.execPath, [CHILD, target, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  let text = ''
  let saidAt = 0
  child.stdout.on('data', (chunk) => {
    text += chunk
    saidAt = performance.now()
  })
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  return { report: JSON.parse(text), code, lingeredMs: performance.now() - saidAt }
}

function judge (t: Test, { report, code, lingeredMs }: Awaited<ReturnType<typeof run>>): void {
  t.equal(code, 0)
  t.equal(report.first, 200)
  for (const status of report.statuses) t.ok([200, 503].includes(status), `in flight: ${status}`)
  t.ok(report.closeMs < DEADLINE_MS + MARGIN_MS, `closed after ${report.closeMs.toFixed(0)} ms`)
  t.ok(lingeredMs < MARGIN_MS, `exited ${lingeredMs.toFixed(0)} ms later`)
}

t.test('a process exits by itself with Redis up', async (t) => {
  const server = await startRedis(t)
  judge(t, await run(server.url))
})

t.test('a process exits by itself with Redis down', async (t) => {
  judge(t, await run(`redis://127.0.0.1:${await freePort()}`))
})

t.test('a process exits by itself while Redis hangs', async (t) => {
  const server = await startRedis(t)
  server.signal('SIGSTOP')
  judge(t, await run(server.url))
})

t.test('a process exits by itself while its connection is swallowed', async (t) => {
  const server = await startRedis(t)
  const proxy = await startProxy(t, server.port)
  proxy.faults.isBlackhole = true
  judge(t, await run(proxy.url))
})

t.test("a client of the application's own is neither closed nor changed, and nothing of ours stays on it", async (t) => {
  const server = await startRedis(t)
  const result = await run(server.url, 'own')
  judge(t, result)
  t.equal(result.report.answer, 'PONG')
  t.ok(result.report.isUnchanged)
})

t.test('requests in flight while Redis hangs are answered within the deadline, though the application closes', async (t) => {
  const server = await startRedis(t)
  const service = await startService(t, { redis: server.url, deadline: 1000 })
  await until(t, 'Redis decides', SOON_MS, async () => (await service.visit('/open', newClient())).outcome === 'allowed')
  server.signal('SIGSTOP')
  const inFlight = ['/', '/open', '/closed'].map((url) => service.app.inject({ url, headers: newClient() }))
  // In the check phase after the one in which they were sent.
  await new Promise((resolve) => { setImmediate(() => setImmediate(resolve)) })
  const began = performance.now()
  await service.app.close()
  const statuses = (await Promise.all(inFlight)).map(({ statusCode }) => statusCode)
  const ms = performance.now() - began
  t.strictSame(statuses, [200, 200, 503])
  t.ok(ms < 1000 + MARGIN_MS, `after ${ms.toFixed(0)} ms`)
})

t.test("a client of the application's own that connects lazily is connected by the first request", async (t) => {
  const server = await startRedis(t)
  const redis = new Redis(server.url, { lazyConnect: true })
  t.teardown(() => redis.disconnect())
  const service = await startService(t, { redis, deadline: 5000 })
  const visit = await service.visit('/open', newClient())
  t.equal(visit.outcome, 'allowed')
  await service.app.close()
  t.equal(redis.status, 'ready')
})
