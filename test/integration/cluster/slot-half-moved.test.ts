// A client's limits are keys of one slot. While it moves, some of them may be on the new node and some on the old one:
// no node can decide then, and each says so (TRYAGAIN).
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import type { RateLimitOptions } from '../../../lib/index.js'
import { startMove, prepareMove, fetchSlot, startCluster, type TestCluster } from '../../fixtures/cluster.js'
import { createClusterApp, type ClusterApp } from '../../fixtures/cluster-app.js'
import { fetchKeys } from '../../fixtures/sentinel.js'
import { sleep } from '../../fixtures/until.js'

const MAX = 5
const MOST_LOOKS = 10_000
const TAG = 'sluice:{key:client}'

interface Move {
  readonly parts: ClusterApp
  /** Wait until the node that the slot leaves has said that it cannot decide. */
  refused (): Promise<void>
  /** The unit that each limit of the client has used, from the larger limit's standing. */
  used (): Promise<number[]>
  finish (): Promise<void>
}

/** An application whose client used a unit of two limits; the key of one of them was moved to another node. */
async function halfMoved (t: Test, cluster: TestCluster, options: RateLimitOptions): Promise<Move> {
  const parts = await createClusterApp(t, {
    redis: cluster.target,
    breaker: { failures: 1_000_000 },
    limits: [
      { name: 'small', max: MAX, timeWindow: '1 hour', algorithm: 'fixed-window' },
      { name: 'large', max: 100, timeWindow: '2 hours', algorithm: 'fixed-window' }
    ],
    ...options
  })
  t.equal(await parts.send('client'), 200)
  const from = await cluster.findOwner(TAG)
  const [to] = cluster.primaries.filter((node) => node !== from)
  const slot = await fetchSlot(from, TAG)
  const keys = await fetchKeys(from.port, 'client')
  t.equal(keys.length, 2, 'two keys in one slot')
  await startMove(slot, from, to, keys.slice(0, 1))
  const watcher = new Redis(from.url)
  t.teardown(() => watcher.disconnect())
  await watcher.ping()
  return {
    parts,
    async refused () {
      // Without a pause: the call is tried again for a short time only.
      for (let looks = 0; looks < MOST_LOOKS; looks++) if ((await watcher.info('errorstats')).includes('errorstat_TRYAGAIN')) return
      throw new Error('it decided')
    },
    used: async () => (await parts.app.rateLimit.peek('key:client')).map(({ limit, remaining }) => limit - remaining),
    finish: await prepareMove(t, slot, from, to)
  }
}

t.test('requests that find a slot half moved are decided once it is whole, and charged once', async (t) => {
  const { parts: { send }, refused, used, finish } = await halfMoved(t, await startCluster(t), { deadline: 5000, failureMode: 'closed' })
  const asked = Promise.all(Array.from({ length: 12 }, async () => await send('client')))
  await refused()
  await finish()
  const statuses = await asked
  t.equal(statuses.filter((status) => status === 200).length, MAX - 1, `${statuses}`)
  t.equal(statuses.filter((status) => status === 429).length, 12 - MAX + 1)
  t.strictSame(await used(), [MAX, MAX])
})

t.test('while a slot stays half moved its clients are in the failure mode, and nothing of it is charged later', async (t) => {
  const { parts: { send, app }, used, finish } = await halfMoved(t, await startCluster(t), { deadline: 500 })
  const statuses = await Promise.all(Array.from({ length: 12 }, async () => await send('client')))
  t.equal(statuses.filter((status) => status === 200).length, MAX, `local, the same limit: ${statuses}`)
  t.equal(statuses.filter((status) => status === 429).length, 12 - MAX)
  t.equal(await send('another'), 200)
  t.match(await app.rateLimit.health(), { status: 'ok' }, 'the other slots are well')

  // A call that is tried again for long after its deadline would now find the slot whole, and be charged.
  await sleep(400)
  await finish()
  await sleep(100)
  t.strictSame(await used(), [1, 1])
  t.equal(await send('client'), 200, 'decided by Redis again')
  t.strictSame(await used(), [2, 2])
})

t.test('a node that dies while a slot is moved to it leaves no promise behind that nobody heard', async (t) => {
  const cluster = await startCluster(t)
  const { send } = await createClusterApp(t, { redis: cluster.target, deadline: 50, max: MAX, timeWindow: '1 hour' })
  const from = await cluster.findOwner(TAG)
  const [to] = cluster.primaries.filter((node) => node !== from)
  await startMove(await fetchSlot(from, TAG), from, to)
  const heard: unknown[] = []
  const listen = (reason: unknown) => { heard.push(reason) }
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  to.signal('SIGKILL')
  const statuses: number[] = []
  for (let i = 0; i < 30; i++) {
    statuses.push(await send('client'))
    await sleep(10)
  }
  await sleep(1000)
  t.strictSame(heard, [])
  t.notOk(statuses.some((status) => status !== 200 && status !== 429), `${statuses}`)
})
