// Redis fails while requests are held: each is answered once, and its place comes back.
import t from 'tap'
import { startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'
import { newClient, SOON_MS, startService, type Service } from './outage.js'

interface Sent {
  readonly statuses: readonly number[]
  readonly leave: () => void
}

function send ({ url }: Service, headers: Record<string, string>): Sent {
  const statuses: number[] = []
  const aborter = new AbortController()
  fetch(url, { headers, signal: aborter.signal }).then(async (response) => {
    await response.text()
    statuses.push(response.status)
  }, () => {})
  return { statuses, leave: () => { aborter.abort() } }
}

async function untilAnswered (all: readonly Sent[]): Promise<number[]> {
  await until('the answers', SOON_MS, () => all.every(({ statuses }) => statuses.length > 0))
  return all.flatMap(({ statuses }) => statuses).sort()
}

async function untilUsed ({ app }: Service, client: string, hours: number): Promise<void> {
  await until(`${hours} hours are used`, SOON_MS, async () => {
    const [{ resetAfterMs }] = await app.rateLimit.peek(`key:${client}`)
    return Math.ceil((resetAfterMs ?? 0) / 3_600_000) === hours
  })
}

t.test('requests that are held go on in time while Redis is away', async (t) => {
  const server = await startRedis(t)
  const proxy = await startProxy(t, server.port)
  const service = await startService(t, { redis: proxy.url, max: 1, timeWindow: '2s', throttle: { maxDelay: '20s' } })
  const sent = Array.from({ length: 4 }, () => send(service, newClient()))
  const client = newClient()
  const held = Array.from({ length: 4 }, () => send(service, client))
  t.strictSame(await untilAnswered(sent), [200, 200, 200, 200])
  await until('one goes on at once', SOON_MS, () => held.some(({ statuses }) => statuses.length > 0))
  await proxy.refuse()
  t.strictSame(await untilAnswered(held), [200, 200, 200, 200], 'each once')
})

t.test('places of held requests come back while Redis is away, and closing answers the rest once', async (t) => {
  const server = await startRedis(t)
  const proxy = await startProxy(t, server.port)
  const service = await startService(t, {
    redis: proxy.url, max: 1, timeWindow: '1 hour', throttle: { maxDelay: '9 hours', maxQueued: 3, maxQueuedPerClient: 3 }
  })
  const client = newClient()
  t.strictSame(await untilAnswered([send(service, client)]), [200])
  const held = [send(service, client), send(service, client), send(service, client)]
  await untilUsed(service, client.client, 4)
  t.strictSame(await untilAnswered([send(service, client)]), [429], 'the queue is full')

  await proxy.refuse()
  held[2].leave()
  await until('Redis is known to be away', SOON_MS, async () => (await service.app.rateLimit.health()).status !== 'ok')
  const other = newClient()
  await until('the local limits decide', SOON_MS, async () => (await untilAnswered([send(service, newClient())]))[0] === 200)
  t.strictSame(await untilAnswered([send(service, other)]), [200], 'the first by the local limits')
  const heldLocally = send(service, other)
  const refused = send(service, other)
  await until('one of them is refused', SOON_MS, () => heldLocally.statuses.length + refused.statuses.length > 0)
  t.strictSame([...heldLocally.statuses, ...refused.statuses], [429], 'one place came back, not two')

  await service.app.close()
  const rest = [held[0], held[1], heldLocally, refused]
  t.strictSame(await untilAnswered(rest), [429, 503, 503, 503])
  t.ok(rest.every(({ statuses }) => statuses.length === 1) && held[2].statuses.length === 0)
})
