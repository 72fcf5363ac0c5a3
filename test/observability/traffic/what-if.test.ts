import fc from 'fast-check'
import t from 'tap'
import { createQuota, type Algorithm } from '../../../lib/algorithms/quota.js'
import { MAX_SAMPLED } from '../../../lib/observability/traffic/request-sample.js'
import type { Traffic } from '../../../lib/observability/traffic/traffic.js'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import type { Limit } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { assertProperty } from '../../fixtures/property.js'
import { createIpClient } from '../../fixtures/refusal-log.js'
import { createPolicy, createRecorded, createStanding, createTraffic, passTime, type TrafficSetup } from '../../fixtures/traffic.js'

interface Load {
  readonly algorithm: Algorithm
  readonly max: number
  readonly otherMax: number
  readonly requests: ReadonlyArray<{ readonly client: number, readonly afterMs: number, readonly cost: number }>
}

const loads: fc.Arbitrary<Load> = fc.record({
  algorithm: fc.constantFrom(...ALGORITHMS),
  max: fc.integer({ min: 1, max: 8 }),
  otherMax: fc.integer({ min: 0, max: 12 }),
  requests: fc.array(fc.record({
    client: fc.nat({ max: 3 }), afterMs: fc.nat({ max: 1500 }), cost: fc.integer({ min: 1, max: 3 })
  }), { minLength: 1, maxLength: 60 })
})

/** Decide the requests of a load by a store with this max. Returns how many were refused. `traffic`: records the decisions. */
function run ({ algorithm, requests }: Load, max: number, clock: ManualClock, traffic: Traffic | null = null): number {
  const store = createMemoryStore({ clock, maxKeys: 100 })
  const limit = limitOf({ algorithm, max })
  let refused = 0
  for (const { client, afterMs, cost } of requests) {
    clock.advance(afterMs * 1000)
    const { granted, standings } = store.take([{ limit, partition: `192.0.2.${client}`, cost }])
    if (!granted) refused++
    traffic?.record({ url: '/' }, createRecorded(granted ? 'allowed' : 'rejected', undefined, createPolicy([limit], cost)), standings)
  }
  store.close()
  return refused
}

t.test('a replay refuses what a store with that max refuses', async (t) => {
  assertProperty(loads, 200, (load) => {
    const { traffic, clock } = createTraffic(t)
    const refusedNow = run(load, load.max, clock, traffic)
    const result = traffic.whatIf('app/default', load.otherMax)
    traffic.close()
    const refused = run(load, load.otherMax, new ManualClock())
    const clients = new Set(load.requests.map(({ client }) => client)).size
    const expected = { requests: load.requests.length, clients, refused, refusedNow }
    for (const [name, count] of Object.entries(expected)) {
      if (result === null || Reflect.get(result, name) !== count) throw new Error(`${name}: ${JSON.stringify(result)} instead of ${count}`)
    }
  })
})

function record ({ traffic }: TrafficSetup, limit: Limit, partition: string, granted = true): void {
  traffic.record({ url: '/' }, createRecorded(granted ? 'allowed' : 'rejected', createIpClient(partition), createPolicy([limit])), [createStanding(limit, { partition, granted, charged: granted ? 1 : 0 })])
}

t.test('a limit that cannot be replayed has no result', async (t) => {
  const setup = createTraffic(t)
  const long = limitOf({ windowUs: 3601 * SECOND_US, bucket: 'long' })
  const slots = { ...createQuota('concurrency', 3, SECOND_US), name: 'slots', bucket: 'slots', by: 'client', mode: 'enforce', penalty: null } as const
  const calendar = limitOf({ algorithm: 'calendar-window', bucket: 'calendar' })
  for (const limit of [long, slots, calendar]) record(setup, limit, 'a')
  t.strictSame(['long', 'slots', 'calendar', 'unknown'].map((bucket) => setup.traffic.whatIf(bucket, 5)), [null, null, null, null])
})

t.test('a max that cannot be counted exactly has no result', async (t) => {
  const setup = createTraffic(t)
  record(setup, limitOf(), 'a')
  t.equal(setup.traffic.whatIf('app/default', 2 ** 50 + 1), null)
})

t.test('a request that another limit refused is not replayed', async (t) => {
  const setup = createTraffic(t)
  const limit = limitOf()
  setup.traffic.record({ url: '/' }, createRecorded('rejected', undefined, createPolicy([limit])), [createStanding(limit, { charged: 0 })])
  t.match(setup.traffic.whatIf(limit.bucket, 1), { requests: 0, refused: 0, clients: 0 })
})

t.test('a refused request whose cost a function computes takes the mean of the others', async (t) => {
  const { traffic } = createTraffic(t)
  const limit = limitOf({ max: 10 })
  const policy = createPolicy([limit], () => 4)
  const take = (granted: boolean) => {
    traffic.record({ url: '/' }, createRecorded(granted ? 'allowed' : 'rejected', undefined, policy), [createStanding(limit, { granted, charged: granted ? 4 : 0 })])
  }
  for (const granted of [true, true, false]) take(granted)
  t.match(traffic.whatIf(limit.bucket, 12), { requests: 3, refused: 0, refusedNow: 1 })
})

t.test('requests older than an hour are forgotten', async (t) => {
  const setup = createTraffic(t)
  const limit = limitOf()
  record(setup, limit, 'a')
  passTime(setup, 1800 * SECOND_US)
  record(setup, limit, 'b')
  setup.clock.advance(1801 * SECOND_US)
  t.match(setup.traffic.whatIf(limit.bucket, 5), { requests: 1, clients: 1, sinceMs: setup.clock.nowUs() / 1000 - 1_801_000 })
})

t.test('with many requests all those of some clients are kept', async (t) => {
  const setup = createTraffic(t)
  const limit = limitOf({ max: 3 })
  const clients = 2000
  for (let round = 0; round < 20; round++) {
    for (let client = 0; client < clients; client++) record(setup, limit, `198.51.${client >> 8}.${client & 255}`)
  }
  const result = setup.traffic.whatIf(limit.bucket, 5)
  if (result === null) throw new Error('no result')
  t.ok(result.requests <= MAX_SAMPLED)
  t.ok(result.clients > clients / 16 && result.clients < clients / 1.5, `${result.clients} of ${clients} clients`)
  t.equal(result.requests, result.clients * 20, 'each of them with all requests')
  t.strictSame([result.refusedNow, result.refused], [result.clients * 17, result.clients * 15])
})

t.test('the requests of a few busy clients cover a shorter time', async (t) => {
  const setup = createTraffic(t)
  const limit = limitOf({ by: 'global', max: 1000, windowUs: SECOND_US })
  const startMs = setup.clock.nowUs() / 1000
  for (let i = 0; i < 3 * MAX_SAMPLED; i++) {
    record(setup, limit, 'global')
    setup.clock.advance(1000)
  }
  const result = setup.traffic.whatIf(limit.bucket, 500)
  if (result === null) throw new Error('no result')
  t.equal(result.clients, 1)
  t.ok(result.requests > MAX_SAMPLED / 2 && result.requests <= MAX_SAMPLED)
  t.equal(result.sinceMs, startMs + 3 * MAX_SAMPLED - result.requests)
  t.equal(result.refusedNow, 0)
  t.ok(Math.abs(result.refused - (result.requests / 2 - 500)) < 3, `${result.refused} of ${result.requests}`)
})

t.test('after an attack all clients are sampled again', async (t) => {
  const setup = createTraffic(t)
  const limit = limitOf()
  for (let i = 0; i < 10 * MAX_SAMPLED; i++) record(setup, limit, `client ${i}`)
  for (let step = 0; step < 380; step++) {
    passTime(setup, 10 * SECOND_US)
    record(setup, limit, 'another')
  }
  for (let i = 0; i < 100; i++) record(setup, limit, `client ${i}`)
  t.equal(setup.traffic.whatIf(limit.bucket, 5)?.clients, 101)
})
