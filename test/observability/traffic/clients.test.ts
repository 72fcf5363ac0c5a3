import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createKeyClient, createUserClient } from '../../../lib/clients/partition.js'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import type { Traffic } from '../../../lib/observability/traffic/traffic.js'
import type { Client } from '../../../lib/model/client.js'
import { limitOf } from '../../fixtures/limits.js'
import { createIpClient } from '../../fixtures/refusal-log.js'
import { createPolicy, createRecorded, createStanding, createTraffic } from '../../fixtures/traffic.js'

const route = { url: '/' }

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

function read (traffic: Traffic) {
  return mergeTraffic([traffic.summarize()], 0).clients
}

function record (traffic: Traffic, client: Client, times: number, outcome: 'allowed' | 'rejected' = 'allowed'): void {
  for (let i = 0; i < times; i++) traffic.record(route, createRecorded(outcome, client), [])
}

t.test('while there is little traffic, the clients are counted exactly', async (t) => {
  const { traffic, clock } = createTraffic(t)
  record(traffic, createIpClient('203.0.113.9'), 5)
  record(traffic, createIpClient('203.0.113.9'), 2, 'rejected')
  record(traffic, createUserClient('42', 'gold'), 9)
  const lastAtMs = Math.floor(clock.nowUs() / 10_000_000) * 10_000
  t.strictSame(read(traffic), {
    sampled: 1,
    top: [
      { partition: 'user:42', isHashed: false, requests: 9, refused: 0, error: 0, lastAtMs },
      { partition: 'ip:203.0.113.9', isHashed: false, requests: 7, refused: 2, error: 0, lastAtMs }
    ]
  })
})

t.test('clients that exceed most are listed beside those that use most', async (t) => {
  const { traffic } = createTraffic(t)
  for (let i = 0; i < 99; i++) record(traffic, createUserClient(`${i}`, 'gold'), 7)
  record(traffic, createIpClient('203.0.113.9'), 2, 'rejected')
  t.match(read(traffic).top.find(({ refused }) => refused > 0), { partition: 'ip:203.0.113.9', refused: 2, error: 0 })
})

t.test('with much traffic some requests stand for all', async (t) => {
  const { traffic } = createTraffic(t)
  for (let i = 0; i < 20_000; i++) record(traffic, createUserClient(`${i % 4}`, 'gold'), 1)
  const { sampled, top } = read(traffic)
  t.equal(sampled, 64)
  t.equal(top.length, 4)
  for (const { requests } of top) t.ok(Math.abs(requests - 5000) < 2000, String(requests))
})

t.test('clients are forgotten after an hour', async (t) => {
  const { traffic, clock } = createTraffic(t)
  record(traffic, createIpClient('203.0.113.9'), 5)
  clock.advance(1_800_000_000)
  read(traffic)
  record(traffic, createIpClient('203.0.113.9'), 1)
  t.match(read(traffic).top, [{ requests: 6 }])
  clock.advance(1_800_000_000)
  t.match(read(traffic).top, [{ requests: 1 }])
  clock.advance(1_800_000_000)
  t.strictSame(read(traffic).top, [])
})

t.test('names are hashed as in the log', async (t) => {
  const { traffic } = createTraffic(t, { hashClients: true })
  record(traffic, createIpClient('203.0.113.9'), 1)
  t.match(read(traffic).top, [{ partition: /^ip#[0-9a-f]{16}$/, isHashed: true }])
})

t.test('generated keys are always hashed, and the hash of a long id is its name', async (t) => {
  const { traffic } = createTraffic(t)
  record(traffic, createKeyClient('sk_live_51Hx'), 2)
  record(traffic, createUserClient('x'.repeat(5000), 'gold'), 1)
  t.match(read(traffic).top, [{ partition: /^key#[0-9a-f]{16}$/, isHashed: true }, { partition: /^user#[\w-]{43}$/, isHashed: false }])
})

t.test('a name is at most 256 characters long, whatever it consists of', async (t) => {
  const { traffic } = createTraffic(t)
  record(traffic, createUserClient('\u{e0001}'.repeat(64), 'gold'), 1)
  t.ok(read(traffic).top[0].partition.length <= 256)
})

t.test('memory does not grow with the number of clients', async (t) => {
  const { traffic } = createTraffic(t)
  const limit = limitOf()
  const policy = createPolicy([limit])
  const seen = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      const partition = `198.${i >> 16}.${i >> 8 & 255}.${i & 255}`
      traffic.record(route, createRecorded('allowed', createIpClient(partition), policy), [createStanding(limit, { partition })])
    }
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  seen(0, 100_000)
  const before = seen(100_000, 100_000)
  const grown = seen(200_000, 500_000) - before
  t.ok(grown < 1_000_000, `${grown} bytes`)
})
